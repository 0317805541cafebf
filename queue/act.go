package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
)

// Action is what [Queue.Act] does to jobs: see [Retrying], [Cancelling], [Killing], [Holding], [Releasing], [Editing], [Purging] and [Clearing].
type Action = decide.Action

// Retries say how jobs are retried.
type Retries = decide.Retries

// Retrying brings failed and dead jobs back: see [decide.Retrying].
func Retrying(r Retries) Action { return decide.Retrying(r) }

// Cancelling withdraws jobs that wait, and has runs ended whose jobs are cancelled then: see [Queue.Cancel].
func Cancelling() Action { return decide.Cancelling() }

// Killing asks for the end of the current runs: see [Queue.Kill]. Error: job.ErrInvalid.
func Killing(signal int) (Action, error) { return decide.Killing(int32(signal)) }

// Holding keeps jobs from being claimed until they are released: see [Queue.Hold].
func Holding() Action { return decide.Holding() }

// Releasing ends holds: see [Queue.Release].
func Releasing() Action { return decide.Releasing() }

// Edit is what jobs are to say from now on; what is nil stays as it is.
type Edit = decide.Edit

// Editing changes what waiting jobs say: see [decide.Editing].
func Editing(e Edit) Action { return decide.Editing(e) }

// Purging lets dead jobs leave the queue, as [Queue.Forget] does, and removes what their runs printed.
func Purging() Action { return decide.Purging() }

// Clearing lets jobs that ended at or before a time leave the queue singly, as [Queue.Forget] does for all of them, and
// removes what their runs printed. The zero time is no bound.
func Clearing(until time.Time) Action {
	if until.IsZero() {
		return decide.Clearing(0)
	}
	return decide.Clearing(until.UnixNano())
}

// Select returns the jobs that the words name and the filter selects, of those that were not named
// only what the action is for: see [projection.Projection.Select]. Errors:
// job.ErrNotFound, job.ErrAmbiguous.
func (q *Queue) Select(ctx context.Context, a Action, words []string, f projection.Filter) (sel projection.Selection, err error) {
	viewErr := q.view(ctx, func(s *decide.State) {
		sel, err = s.Jobs.Select(words, f, projection.Filter{States: a.States, Held: a.Held})
	})
	if viewErr != nil {
		return projection.Selection{}, viewErr
	}
	return sel, err
}

// Jobs returns the jobs with these keys, in their order, as they are at one moment. One that has left the queue
// is left out.
func (q *Queue) Jobs(ctx context.Context, keys []job.Position) (jobs []job.Job, err error) {
	jobs = make([]job.Job, 0, len(keys))
	err = q.view(ctx, func(s *decide.State) {
		for _, key := range keys {
			if j, known := s.Jobs.Job(key); known {
				jobs = append(jobs, j)
			}
		}
	})
	return jobs, err
}

// IDs returns the ids of the jobs with these keys, "" for one that has left the queue.
func (q *Queue) IDs(ctx context.Context, keys []job.Position) (ids []string, err error) {
	err = q.view(ctx, func(s *decide.State) { ids = s.Jobs.IDs(keys) })
	return ids, err
}

// mostActed is how many jobs one commit acts on: below eventlog.MaxEvents.
const mostActed = 100_000

// PartialError says that an action came to some of the jobs only: it took several commits, and one of them failed.
type PartialError struct {
	Done, Total int
	Err         error
}

func (e *PartialError) Error() string {
	return fmt.Sprintf("%v; it had come to %d of %d jobs before", e.Err, e.Done, e.Total)
}

// Unwrap returns why it went no further.
func (e *PartialError) Unwrap() error { return e.Err }

// Acted is what [Queue.Act] did.
type Acted struct {
	Keys []job.Position // of the jobs that were acted on, in the order of the selection
	Left int            // jobs that were left out: since they were selected, they have changed
	// Outputs are the files of output that were removed, by [Purging] and [Clearing] only.
	Outputs int
}

// Act does something to selected jobs. What is done to a job is decided on its state at that moment: of jobs that
// were selected by a filter or a range, one that has changed meanwhile so that it does not fit any more is left
// out. If jobs were named, all are acted on or none.
//
// Up to 100,000 jobs are one commit, if their events are not too large; more are several, and progress, if it is not nil, is told after each. An
// error after the first commit is a *PartialError beside what was done. Errors, of named jobs only:
// job.ErrNotFound, job.ErrWrongState.
func (q *Queue) Act(ctx context.Context, a Action, sel projection.Selection, progress func(done, total int)) (Acted, error) {
	return q.actIn(ctx, a, sel, mostActed, progress)
}

func (q *Queue) actIn(ctx context.Context, a Action, sel projection.Selection, most int, progress func(done, total int)) (Acted, error) {
	w := acting{q: q, action: a, gone: newRipe()}
	if !sel.Named {
		w.chosen.Filter = &sel.Filter
	}
	tried := false
	for begin := 0; begin < len(sel.Keys); {
		w.chosen.Keys = sel.Keys[begin:min(begin+most, len(sel.Keys))]
		if sel.Named && !tried && len(w.chosen.Keys) < len(sel.Keys) { // all or none, of more than a commit
			if _, err := q.Try(ctx, a, sel); err != nil {
				return w.done, err
			}
			tried = true
		}
		err := w.step(ctx)
		if errors.Is(err, eventlog.ErrTooLarge) && len(w.chosen.Keys) > 1 {
			most = len(w.chosen.Keys) / 2
			continue
		}
		if err != nil && begin > 0 {
			err = &PartialError{Done: len(w.done.Keys), Total: len(sel.Keys), Err: err}
		}
		if err != nil {
			return w.done, err
		}
		if begin += len(w.chosen.Keys); progress != nil {
			progress(begin, len(sel.Keys))
		}
	}
	var err error
	w.done.Outputs, err = q.removeOutput(ctx, w.gone)
	return w.done, err
}

// acting is an Act under way.
type acting struct {
	q      *Queue
	action Action
	chosen decide.Chosen // of the next commit
	done   Acted
	gone   ripe // jobs that have left the queue
}

// step acts on the chosen jobs, in one commit.
func (w *acting) step(ctx context.Context) error {
	var acted decide.Acted
	var at int64
	var leave ripe
	err := w.q.change(ctx, func(s *decide.State, now job.At) (_ []job.Event, err error) {
		acted, err = decide.Act(s, now, w.action, w.chosen)
		at, leave = now.Time, leavingBy(s, acted)
		return acted.Events, err
	})
	if err != nil {
		return err
	}
	if w.chosen.Since == 0 {
		w.chosen.Since = at
	}
	w.gone.add(leave)
	w.chosen.Done += len(acted.Jobs)
	w.done.Keys = append(w.done.Keys, acted.Jobs...)
	w.done.Left += len(w.chosen.Keys) - len(acted.Jobs)
	return nil
}

// leavingBy is what of the jobs that leave the queue will have to be removed.
func leavingBy(s *decide.State, acted decide.Acted) ripe {
	r := newRipe()
	for _, e := range acted.Events {
		if purged, ok := e.(*job.JobsPurged); ok {
			for _, key := range purged.Jobs {
				b, _ := s.Jobs.Brief(key)
				r.note(&b)
			}
		}
	}
	return r
}

// Try returns what Act would do now, and does nothing.
func (q *Queue) Try(ctx context.Context, a Action, sel projection.Selection) (acted Acted, err error) {
	c := decide.Chosen{Keys: sel.Keys}
	if !sel.Named {
		c.Filter = &sel.Filter
	}
	viewErr := q.view(ctx, func(s *decide.State) {
		var would decide.Acted
		would, err = decide.Act(s, job.At{Position: s.Jobs.Position() + 1, Time: q.opt.Now().UnixNano()}, a, c)
		acted = Acted{Keys: would.Jobs, Left: len(c.Keys) - len(would.Jobs)}
	})
	if viewErr != nil {
		return Acted{}, viewErr
	}
	return acted, err
}
