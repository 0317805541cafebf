package storm

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/internal/disk"
	"github.com/queuectl/queuectl/queue"
)

// Hearing is a check of a storm that reads the log while the storm rages, so that what it has heard may be pruned. Not
// safe for concurrent use.
type Hearing struct {
	// May says that a job may end without having completed: how is "dead" or "cancelled". nil = none may.
	May func(id, how string) bool

	place   Place
	judge   *judge
	trail   *queue.Trail
	damaged bool // the log, here: nothing that is behind it is heard
}

// Hear begins a hearing, which has to be closed. It does not tell how long it took to find lost runs.
func (p Place) Hear() (*Hearing, error) { return p.hear(newJudge(nil)) }

func (p Place) hear(g *judge) (*Hearing, error) {
	trail, err := queue.OpenTrail(p.Queue(), 0)
	if err != nil {
		return nil, err
	}
	return &Hearing{place: p, judge: g, trail: trail}, nil
}

// Close frees the files.
func (h *Hearing) Close() error { return h.trail.Close() }

// Listen takes up what has come to the log, as far as it is sound, and shows each commit to fn, unless that is nil.
func (h *Hearing) Listen(ctx context.Context, fn func(queue.Commit)) error {
	for !h.damaged {
		commit, err := h.trail.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if _, h.damaged = errors.AsType[*eventlog.CorruptError](err); h.damaged {
			return nil
		}
		if err != nil {
			return err
		}
		h.judge.commits[commit.Commit] = commit.Hash
		for _, record := range commit.Records {
			h.judge.fold(record.At, record.Event)
		}
		if fn != nil {
			fn(commit)
		}
	}
	return nil
}

// Wait returns when there may be more to listen to. Its error is that of ctx, or that the queue is gone.
func (h *Hearing) Wait(ctx context.Context) error { return h.trail.Wait(ctx) }

// Check listens to the end, and then does what [Place.Check] does.
func (h *Hearing) Check(ctx context.Context, kills []Kill) (*Report, error) {
	r := &Report{}
	r.count(kills)
	verified, err := queue.Verify(ctx, h.place.Queue(), eventlog.VerifyOptions{})
	if err == nil {
		r.Damage, r.Events, r.Bytes = verified.Damage, verified.Events, verified.Bytes
		err = h.Listen(ctx, nil)
	}
	if err != nil {
		return nil, fmt.Errorf("check the storm: %w", err)
	}
	g, p := h.judge, h.place
	r.Jobs, r.Runs, r.LostRuns = len(g.jobs), g.runs, g.lost
	r.Reclaim, r.Unfinished, r.Overlaps = disk.SpreadOf(g.reclaims), g.unfinished(h.May), g.crimes
	for _, look := range []func(*judge, *Report) error{
		p.compareAnswers, p.compareShown, p.compareSights, p.lookForOrphans, p.lookForFiles,
	} {
		if err := look(g, r); err != nil {
			return nil, fmt.Errorf("check the storm: %w", err)
		}
	}
	return r, nil
}

// count counts the kills of each role.
func (r *Report) count(kills []Kill) {
	for _, k := range kills {
		switch k.Role {
		case Writer:
			r.WritersKilled++
		case Worker:
			r.WorkersKilled++
		default:
			r.OthersKilled++
		}
	}
}
