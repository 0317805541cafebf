package queue

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"time"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
)

// Forgotten says what [Queue.Forget] let go.
type Forgotten struct {
	Jobs    map[job.State]int // by state
	Outputs int               // files of output that were removed
}

// Forget lets the jobs of a final state that ended at or before a time leave the queue: lists, counts and
// look-ups know them no longer, their ids can be given again, and what their runs printed is removed. What
// happened to them stays in the log. Workers do so by themselves, as the settings retention_completed and
// retention_dead say. With dryRun it only says how many they are. Error: job.ErrInvalid for a state that is
// not final.
func (q *Queue) Forget(ctx context.Context, state job.State, until time.Time, dryRun bool) (Forgotten, error) {
	const tries = 5 // somebody may bring a job back between looking and deciding
	for try := 1; ; try++ {
		var ripe ripe
		var err error
		if looked := q.view(ctx, func(s *decide.State) { ripe, err = findRipe(s, q.opt.Now(), leaving{state, until}) }); looked != nil {
			return Forgotten{}, looked
		}
		if err != nil || dryRun || len(ripe.events) == 0 {
			return ripe.report(), err
		}
		if err = q.forget(ctx, ripe); !errors.Is(err, job.ErrStale) || try == tries {
			if err != nil {
				return Forgotten{}, err
			}
			report := ripe.report()
			report.Outputs, err = q.removeOutput(ctx, ripe)
			return report, err
		}
	}
}

// ripe is what may be forgotten, as it was found at a position.
type ripe struct {
	since  job.Position
	events []job.JobsForgotten
	runs   []job.Position        // the last of each job
	many   map[job.Position]bool // jobs that have run more than once
	oldest job.Position          // of those
}

func newRipe() ripe { return ripe{many: map[job.Position]bool{}, oldest: math.MaxUint64} }

// leaving are the jobs of a final state that ended at or before a time.
type leaving struct {
	state job.State
	until time.Time
}

func findRipe(s *decide.State, now time.Time, list ...leaving) (r ripe, err error) {
	r = newRipe()
	r.since = s.Jobs.Position()
	for _, l := range list {
		events, err := decide.Ripe(s, l.state, l.until.UnixNano(), now.UnixNano())
		if err != nil {
			return r, err
		}
		r.events = append(r.events, events...)
	}
	for b := range s.Jobs.Covered(r.events) {
		r.note(&b)
	}
	return r, nil
}

// note takes up a job.
func (r *ripe) note(b *projection.Brief) {
	if b.Runs > 0 {
		r.runs = append(r.runs, b.Run)
	}
	if b.Runs > 1 {
		r.many[b.Key] = true
		r.oldest = min(r.oldest, b.Key)
	}
}

// add takes up the jobs of another.
func (r *ripe) add(other ripe) {
	r.runs = append(r.runs, other.runs...)
	maps.Copy(r.many, other.many)
	r.oldest = min(r.oldest, other.oldest)
}

func (r *ripe) report() Forgotten {
	f := Forgotten{Jobs: map[job.State]int{}}
	for _, e := range r.events {
		f.Jobs[e.State] += int(e.Jobs)
	}
	return f
}

func (q *Queue) forget(ctx context.Context, r ripe) error {
	return q.change(ctx, func(s *decide.State, at job.At) ([]job.Event, error) {
		return decide.Forget(s, at, r.since, r.events)
	})
}

// removeOutput removes what the runs of forgotten jobs printed. Those before the last are looked up in the
// log.
func (q *Queue) removeOutput(ctx context.Context, r ripe) (removed int, err error) {
	if q.dir == "" {
		return 0, nil
	}
	runs := r.runs
	if len(r.many) > 0 {
		note := func(rec Record) error {
			if claim, ok := rec.Event.(job.JobClaimed); ok && r.many[claim.Job] {
				runs = append(runs, rec.At.Position)
			}
			return nil
		}
		if err = q.ReadFrom(ctx, r.oldest, note); errors.Is(err, eventlog.ErrPruned) {
			err = q.Read(ctx, note) // the output of what was pruned went with it
		}
		if err != nil {
			return 0, fmt.Errorf("find earlier runs: %w", err)
		}
	}
	for _, run := range runs {
		err := os.Remove(q.OutputPath(run))
		switch {
		case err == nil:
			removed++
		case !errors.Is(err, fs.ErrNotExist):
			return removed, fmt.Errorf("remove output: %w", err)
		}
	}
	return removed, nil
}

// retain forgets what the settings say. It looks at the jobs in a state of its own, which is made from the
// last snapshot, so that nobody waits while it does.
func (q *Queue) retain(ctx context.Context) error {
	beside, err := Open(ctx, q.dir, Options{ReadOnly: true, NoCreate: true, AllowNetworkFS: q.opt.AllowNetworkFS, Now: q.opt.Now})
	if err != nil {
		return err
	}
	var found ripe
	looked := beside.view(ctx, func(s *decide.State) { found, err = findRipe(s, q.opt.Now(), retention(s, q.opt.Now())...) })
	if err = errors.Join(looked, err, beside.Close()); err != nil || len(found.events) == 0 {
		return err
	}
	if err := q.forget(ctx, found); err != nil {
		if errors.Is(err, job.ErrStale) {
			return nil // the next time
		}
		return err
	}
	_, err = q.removeOutput(ctx, found)
	return err
}

// retention is what the settings say about jobs that have ended.
func retention(s *decide.State, now time.Time) (list []leaving) {
	config := s.Jobs.Config()
	if after := config.RetentionCompleted; after > 0 {
		until := now.Add(-after)
		list = append(list, leaving{job.Completed, until}, leaving{job.Cancelled, until})
	}
	if after := config.RetentionDead; after > 0 {
		list = append(list, leaving{job.Dead, now.Add(-after)})
	}
	return list
}
