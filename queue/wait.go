package queue

import (
	"context"
	"fmt"
	"time"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/job"
)

// until returns when look, called with the state, has said true and what it saw is durable. look is
// called again whenever the log has grown, and every interval if that is not 0.
func (q *Queue) until(ctx context.Context, interval time.Duration, look func(*decide.State) bool) error {
	q.log.Watch()
	var tick <-chan time.Time
	if interval > 0 {
		t := time.NewTicker(interval)
		defer t.Stop()
		tick = t.C
	}
	for {
		changed, done := q.log.Changed(), false
		if err := q.view(ctx, func(s *decide.State) { done = look(s) }); err != nil || done {
			return err
		}
		select {
		case <-changed:
		case <-tick:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Wait returns when all the jobs have ended: completed, dead or cancelled. They are returned in the
// order of ids. Errors: job.ErrNotFound, at once, if an id is unknown; ctx's error.
func (q *Queue) Wait(ctx context.Context, ids ...string) ([]job.Job, error) {
	jobs := make([]job.Job, len(ids))
	left := ids      // jobs before it have ended: they are not looked at again
	checked := false // that all ids are known: no job is ever forgotten
	var unknown error
	err := q.until(ctx, 0, func(s *decide.State) bool {
		for _, id := range ids {
			if !checked && s.Jobs.Key(id) == 0 {
				unknown = fmt.Errorf("job %q: %w", id, job.ErrNotFound)
				return true
			}
		}
		checked = true
		for len(left) > 0 {
			key := s.Jobs.Key(left[0])
			if b, _ := s.Jobs.Brief(key); !b.State.Ended() {
				return false
			}
			jobs[len(ids)-len(left)], _ = s.Jobs.Job(key)
			left = left[1:]
		}
		return true
	})
	if err == nil {
		err = unknown
	}
	if err != nil {
		return nil, err
	}
	return jobs, nil
}

// WaitStopped returns when none of the workers that were asked to stop is left: each has ended or died.
func (q *Queue) WaitStopped(ctx context.Context) error {
	const lookAtLocks = 100 * time.Millisecond // a killed worker writes nothing that would wake us
	var aliveErr error
	err := q.until(ctx, lookAtLocks, func(s *decide.State) bool {
		for w := range s.Jobs.Workers() {
			if !w.Stopping {
				continue
			}
			alive, err := q.leases.alive(w.ID)
			if alive || err != nil {
				aliveErr = err
				return err != nil
			}
		}
		return true
	})
	if err == nil {
		err = aliveErr
	}
	return err
}
