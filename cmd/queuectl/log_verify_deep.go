package main

import "github.com/queuectl/queuectl/queue"

// snapshotCheckView is a snapshot file; problem is null if it holds what the events add up to.
type snapshotCheckView struct {
	Path     string  `json:"path"`
	Position uint64  `json:"position"`
	Problem  *string `json:"problem"`
}

func viewSnapshotCheck(c queue.SnapshotCheck) snapshotCheckView {
	v := snapshotCheckView{Path: c.Path, Position: uint64(c.Head.Position)}
	if c.Err != nil {
		v.Problem = optional(c.Err.Error())
	}
	return v
}

func printSnapshots(s *session, checks []queue.SnapshotCheck) {
	for _, c := range checks {
		if c.Err != nil {
			s.printf("%s: %v", plain(c.Path), c.Err)
		} else {
			s.printf("%s: what the events through position %d add up to", plain(c.Path), c.Head.Position)
		}
	}
}

// snapshotFailure is what it means that snapshots, of a sound log, are not what they should be.
func snapshotFailure(checks []queue.SnapshotCheck) error {
	bad := 0
	for _, c := range checks {
		if c.Err != nil {
			bad++
		}
	}
	if bad == 0 {
		return nil
	}
	return &failure{
		exit: exitDamaged, code: "bad_snapshot", message: count(bad, "snapshot file") + " of a sound log cannot be used",
		hint: "delete what is in 'snapshot' in the queue's directory: the next process makes it anew",
	}
}
