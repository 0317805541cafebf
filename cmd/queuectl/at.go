package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
	"github.com/queuectl/queuectl/queue"
)

// atFlag makes a reading command answer about the past.
type atFlag struct {
	At string `placeholder:"MOMENT" help:"As it was then: after the event at a position (1200), at a time (2030-01-31T08:00:00Z, '2030-01-31 08:00', 08:00), or so long ago (90m, 3d)."`
}

// source is what a reading command asks: the queue as it is, or as it was.
type source interface {
	Job(ctx context.Context, id string) (job.Job, error)
	List(ctx context.Context, f projection.Filter) ([]job.Job, error)
	Count(ctx context.Context, f projection.Filter) (int, error)
	Config(ctx context.Context) ([]queue.Setting, error)
	Workers(ctx context.Context) ([]queue.WorkerInfo, error)
	Crons(ctx context.Context) ([]job.CronEntry, error)
	Cron(ctx context.Context, name string) (job.CronEntry, error)
	CronJobs(ctx context.Context, name string) ([]job.Job, error)
	Status(ctx context.Context) (queue.Status, error)
	Queues(ctx context.Context) ([]queue.QueueInfo, error)
	History(ctx context.Context, id string) ([]queue.Record, error)
	Explain(ctx context.Context, id string) (queue.Explanation, error)
	LeftBehind(run job.Position) []int
	Parents(ctx context.Context, id string) ([]queue.Relative, error)
	Children(ctx context.Context, id string, most int) ([]queue.Relative, int, error)
	Hooks(ctx context.Context, id string) ([]job.Job, error)
}

// past is the queue as it was where the replay stands.
type past struct {
	r   *queue.Replay
	now time.Time // the moment, which may be later than the last event
}

func (p past) Job(_ context.Context, id string) (job.Job, error) { return p.r.Job(id) }

func (p past) List(_ context.Context, f projection.Filter) ([]job.Job, error) {
	return slices.Collect(p.r.List(f)), nil
}

func (p past) Count(_ context.Context, f projection.Filter) (int, error) { return p.r.Count(f), nil }

func (p past) Config(context.Context) ([]queue.Setting, error) { return p.r.Config(), nil }

func (p past) Crons(context.Context) ([]job.CronEntry, error) { return p.r.Crons(), nil }

func (p past) Cron(_ context.Context, name string) (job.CronEntry, error) { return p.r.Cron(name) }

func (p past) CronJobs(_ context.Context, name string) ([]job.Job, error) { return p.r.CronJobs(name) }

func (p past) Workers(context.Context) ([]queue.WorkerInfo, error) { return p.r.Workers(), nil }

func (p past) Queues(context.Context) ([]queue.QueueInfo, error) { return p.r.Queues(), nil }

func (p past) Status(context.Context) (queue.Status, error) { return p.r.Status(), nil }

func (p past) History(ctx context.Context, id string) ([]queue.Record, error) {
	return p.r.History(ctx, id)
}

func (p past) Explain(ctx context.Context, id string) (queue.Explanation, error) {
	return p.r.Explain(ctx, id, p.now)
}

func (p past) Parents(_ context.Context, id string) ([]queue.Relative, error) { return p.r.Parents(id) }

func (p past) Children(_ context.Context, id string, most int) ([]queue.Relative, int, error) {
	return p.r.Children(id, most)
}

// LeftBehind says nothing: which processes lived then is not in the log.
func (p past) LeftBehind(job.Position) []int { return nil }

// ask runs fn with the queue: as it is, like existing, or as it was if the flag was given.
func (s *session) ask(ctx context.Context, at atFlag, fn func(source) error) error {
	if at.At == "" {
		return s.existing(ctx, func(q *queue.Queue) error { return fn(q) })
	}
	m, err := s.pastMoment("at", at.At)
	if err != nil {
		return err
	}
	return s.past(ctx, m, func(r *queue.Replay) error {
		err := fn(past{r, s.now})
		if _, said := errors.AsType[*failure](err); !said && errors.Is(err, job.ErrNotFound) {
			err = &failure{hint: fmt.Sprintf("it was not there then; 'queuectl list --at %s' shows the jobs that were", job.Quote([]string{at.At})), err: err}
		}
		return err
	})
}

// pastMoment reads a moment that has come.
func (s *session) pastMoment(flag, text string) (queue.Moment, error) {
	m, err := parseMoment(flag, text, s.now)
	if err == nil && m.Time.After(s.now) {
		err = usage(given(flag, text)+" has not come yet", "")
	}
	return m, err
}

// past runs fn with the queue as it was at the moment, from which on relative times count. If the log is
// damaged before it, fn gets to see the sound part, and past returns the damage as its error.
func (s *session) past(ctx context.Context, m queue.Moment, fn func(*queue.Replay) error) error {
	r, err := queue.OpenReplay(s.dir)
	if err != nil {
		return err
	}
	defer r.Close() // only reads: nothing can be lost
	damage := r.To(ctx, m)
	if _, ok := errors.AsType[*eventlog.CorruptError](damage); damage != nil && !ok {
		return damage
	}
	switch {
	case !m.Time.IsZero():
		s.now = m.Time
	case r.Position() != 0:
		s.now = r.Time()
	}
	if err := s.orDamage(fn(r), damage); err != nil {
		return err
	}
	if s.asTable() {
		s.hint("the answer is " + asOf(r.Position(), r.Time()))
	}
	return nil
}

// orDamage returns the error of a command that could look at the sound part of a log only, if damage is not
// nil. What else went wrong may not be true of the whole log.
func (s *session) orDamage(err, damage error) error {
	if damage == nil {
		return err
	}
	if _, said := errors.AsType[*eventlog.CorruptError](err); err != nil && !said {
		s.warn(err.Error())
	}
	return damage
}

func (p past) Hooks(_ context.Context, id string) ([]job.Job, error) { return p.r.Hooks(id) }
