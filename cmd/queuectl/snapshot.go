package main

import (
	"context"

	"github.com/queuectl/queuectl/queue"
)

type snapshotCmd struct{}

// Help is shown below the usage line.
func (snapshotCmd) Help() string {
	return `A snapshot spares whoever opens the queue the reading of the whole log. Workers write them by
themselves, and so do commands that had much to read: there is no need to call this. The files in
snapshot/ can be deleted at any time; the log alone is the truth.

Examples:

  queuectl snapshot
  queuectl snapshot -o json`
}

// snapshotView is what was written as JSON.
type snapshotView struct {
	Written int      `json:"files_written"`
	Busy    bool     `json:"busy"` // another process is writing one
	Head    headView `json:"head"`
	Files   int      `json:"files"`
	Bytes   int64    `json:"bytes"`
}

// Run writes a snapshot.
func (snapshotCmd) Run(ctx context.Context, s *session) error {
	return s.existing(ctx, func(q *queue.Queue) error {
		if s.noQueue {
			return nil
		}
		r, err := q.Snapshot(ctx)
		if err != nil {
			return err
		}
		switch {
		case s.quiet:
		case s.format.machine():
			return s.document(snapshotView{r.Files, r.Busy, viewHead(r.Head), r.Levels, r.Bytes})
		case r.Busy:
			s.printf("Another process is writing a snapshot.")
		case r.Files == 0:
			s.printf("The snapshot has everything, through position %d: %s in %s.", r.Head.Position, size(r.Bytes), count(r.Levels, "file"))
		default:
			s.printf("Wrote a snapshot through position %d: %s in %s.", r.Head.Position, size(r.Bytes), count(r.Levels, "file"))
		}
		return nil
	})
}
