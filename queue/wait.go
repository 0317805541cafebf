package queue

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/job"
)

// until returns when look, called with the state, has said true and what it saw is durable. look is
// called again whenever the log has grown, and every interval if that is not 0. Should whoever ended a parent have died
// before all its children were ended, it does that: nobody else may be there.
func (q *Queue) until(ctx context.Context, interval time.Duration, look func(*decide.State) bool) error {
	q.log.Watch()
	var tick <-chan time.Time
	if interval > 0 {
		t := time.NewTicker(interval)
		defer t.Stop()
		tick = t.C
	}
	for {
		changed, done, left := q.log.Changed(), false, false
		if err := q.view(ctx, func(s *decide.State) { done, left = look(s), s.Jobs.AnyFailing() }); err != nil || done {
			return err
		}
		if left {
			if some, err := q.endChildren(ctx); some && err == nil {
				continue
			}
		}
		select {
		case <-changed:
		case <-tick:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Changed returns a channel that is closed when the log has grown, whoever wrote to it. Get it before you ask the
// queue: then no change is missed between the answer and the waiting for the next one.
func (q *Queue) Changed() <-chan struct{} {
	q.log.Watch()
	return q.log.Changed()
}

// Wait returns when all the jobs have ended: completed, dead or cancelled. They are returned in the
// order of ids. Errors: job.ErrNotFound, at once, if an id is unknown; ctx's error.
func (q *Queue) Wait(ctx context.Context, ids ...string) ([]job.Job, error) {
	waited, err := q.WaitFor(ctx, ids, WaitOptions{})
	if err != nil {
		return nil, err
	}
	jobs := make([]job.Job, len(waited))
	for i, w := range waited {
		jobs[i] = w.Job
	}
	return jobs, nil
}

// WaitOptions say what [Queue.WaitFor] waits for. The zero value is the end of all jobs.
type WaitOptions struct {
	// States are those that a job is to reach; nil = any in which it has ended. Processing is reached, too, if the
	// job has begun a run since the waiting began. Another state that it passes through may not be seen.
	States []job.State
	Any    bool // the first job that gets there is enough
}

// Waited is a job that was waited for.
type Waited struct {
	Job     job.Job
	Reached bool // it is in one of the states that were asked for; otherwise it has ended without
}

// WaitFor returns when all the jobs have reached a state that is asked for, or one of them has ended
// without; with Any, when the first has, or all have ended without. It returns the jobs of which this is
// known, in the order of ids; with Any that first one alone, if there is one: of several the one that
// changed first.
//
// Errors: job.ErrNotFound, at once if an id is unknown, and later if a job has left the queue before its end
// was seen; ctx's error.
func (q *Queue) WaitFor(ctx context.Context, ids []string, opt WaitOptions) ([]Waited, error) {
	w := vigil{ids: ids, opt: opt, waited: make([]Waited, len(ids))}
	err := q.until(ctx, 0, func(s *decide.State) bool {
		if w.keys == nil {
			w.begin(s)
		}
		return w.err != nil || w.look(s)
	})
	if err == nil {
		err = w.err
	}
	if err != nil {
		return nil, err
	}
	return w.result(), nil
}

// vigil is a WaitFor under way.
type vigil struct {
	ids    []string
	opt    WaitOptions
	keys   []job.Position // of ids; nil = not looked up yet. An id may later be that of another job
	runs   []uint32       // that the jobs had when the waiting began
	left   []int          // indexes of the jobs that are waited for
	waited []Waited       // of the others
	err    error
}

func (w *vigil) begin(s *decide.State) {
	w.keys, w.runs, w.left = make([]job.Position, len(w.ids)), make([]uint32, len(w.ids)), make([]int, len(w.ids))
	for i, id := range w.ids {
		if w.keys[i] = s.Jobs.Key(id); w.keys[i] == 0 {
			w.err = fmt.Errorf("job %q: %w", id, job.ErrNotFound)
			return
		}
		b, _ := s.Jobs.Brief(w.keys[i])
		w.runs[i], w.left[i] = b.Runs, i
	}
}

// look takes the jobs that are waited for no longer out of those that are left, and says whether that is all.
func (w *vigil) look(s *decide.State) (done bool) {
	missed, reached := false, false
	still := w.left[:0]
	for n, i := range w.left {
		b, known := s.Jobs.Brief(w.keys[i])
		if !known {
			w.err = fmt.Errorf("job %q has left the queue before its end was seen: %w", w.ids[i], job.ErrNotFound)
			return true
		}
		there := w.there(b.State, b.Runs > w.runs[i])
		if !there && !b.State.Ended() {
			still = append(still, i)
			if w.opt.States == nil && !w.opt.Any { // all must end: the others are looked at when this one has
				still = append(still, w.left[n+1:]...)
				break
			}
			continue
		}
		j, _ := s.Jobs.Job(w.keys[i])
		w.waited[i] = Waited{Job: j, Reached: there}
		missed, reached = missed || !there, reached || there
	}
	w.left = still
	return len(w.left) == 0 || reached && w.opt.Any || missed && !w.opt.Any
}

// there says whether a job that is in this state is where it is waited for.
func (w *vigil) there(state job.State, hasRun bool) bool {
	if w.opt.States == nil {
		return state.Ended()
	}
	return slices.Contains(w.opt.States, state) || hasRun && slices.Contains(w.opt.States, job.Processing)
}

func (w *vigil) result() []Waited {
	var result []Waited
	var first *Waited
	for i := range w.waited {
		j := &w.waited[i]
		if j.Job.Key == 0 {
			continue
		}
		result = append(result, *j)
		if j.Reached && (first == nil || j.Job.UpdatedAt.Before(first.Job.UpdatedAt)) {
			first = j
		}
	}
	if w.opt.Any && first != nil {
		return []Waited{*first}
	}
	return result
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
