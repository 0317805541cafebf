package queuetest

import (
	"cmp"
	"context"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// NextTick moves the clock on to the next tick of a schedule of the queue, and returns that schedule; ok is false, and
// the clock stays, if none will tick. [Drain] then makes its job and runs it:
//
//	for range 3 {
//		queuetest.NextTick(ctx, q, clock)
//		queuetest.Drain(ctx, q, handlers)
//	}
func NextTick(ctx context.Context, q *queue.Queue, clock *Clock) (c job.CronEntry, ok bool, err error) {
	crons, err := q.Crons(ctx)
	if err != nil {
		return job.CronEntry{}, false, err
	}
	crons = slices.DeleteFunc(crons, func(c job.CronEntry) bool { return c.Next.IsZero() })
	if len(crons) == 0 {
		return job.CronEntry{}, false, nil
	}
	next := slices.MinFunc(crons, func(a, b job.CronEntry) int {
		return cmp.Or(a.Next.Compare(b.Next), cmp.Compare(a.Key, b.Key))
	})
	clock.Advance(max(0, next.Next.Sub(clock.Now())))
	return next, true, nil
}

// cronName draws the name of a schedule that may be there.
func (m *machine) cronName(t *rapid.T) string {
	return rapid.SampledFrom([]string{"x", "y", "z"}).Draw(t, "schedule")
}

// AddCron adds a schedule. Its jobs come with the next Work.
func (m *machine) AddCron(t *rapid.T) {
	_, q := m.process(t)
	c := &modelCron{
		name: m.cronName(t), every: rapid.SampledFrom([]time.Duration{time.Hour, 90 * time.Minute, 20 * time.Minute}).Draw(t, "every"),
		spec:   m.spec(t),
		missed: job.Missed(rapid.IntRange(0, 2).Draw(t, "missed")), overlap: job.Overlap(rapid.IntRange(0, 1).Draw(t, "overlap")),
	}
	c.spec.ID, c.spec.Delay = "", 0
	c.spec.UniqueKey, c.spec.UniqueScope, c.spec.UniqueFor, c.spec.OnClash = "", 0, 0, 0 // overlap keeps them apart
	text := "@every " + c.every.String()
	if c.every == time.Hour {
		text = "@hourly"
	}
	_, err := q.AddCron(context.Background(), job.Cron{
		Name: c.name, Schedule: text, Zone: "UTC", Missed: c.missed, Overlap: c.overlap, Job: c.spec,
	}, false)
	m.sameRefusal(t, "cron add", err, m.model.addCron(c, m.clock.Now()))
}

// PauseCron pauses a schedule, or lets it go on.
func (m *machine) PauseCron(t *rapid.T) {
	_, q := m.process(t)
	name, paused := m.cronName(t), rapid.Bool().Draw(t, "paused")
	m.sameRefusal(t, "cron pause", q.PauseCron(context.Background(), paused, name), m.model.pauseCron(name, paused, m.clock.Now()))
}

// RemoveCron removes a schedule.
func (m *machine) RemoveCron(t *rapid.T) {
	_, q := m.process(t)
	name := m.cronName(t)
	m.sameRefusal(t, "cron remove", q.RemoveCron(context.Background(), name), m.model.removeCron(name))
}

// RunCron asks for a job of a schedule.
func (m *machine) RunCron(t *rapid.T) {
	_, q := m.process(t)
	name := m.cronName(t)
	j, err := q.RunCron(context.Background(), name)
	want := m.model.runCron(name, m.clock.Now())
	m.sameRefusal(t, "cron run", err, want)
	if want == nil {
		m.model.jobs[len(m.model.jobs)-1].id = j.Spec.ID // made ids are the log's choice
	}
}

// checkCrons compares the schedules with those of the model.
func (m *machine) checkCrons(t *rapid.T, q *queue.Queue) {
	crons, err := q.Crons(context.Background())
	if err != nil {
		t.Fatalf("list schedules: %v", err)
	}
	slices.SortFunc(crons, func(a, b job.CronEntry) int { return cmp.Compare(a.Key, b.Key) })
	if len(crons) != len(m.model.crons) {
		t.Fatalf("%d schedules, want %d", len(crons), len(m.model.crons))
	}
	for i, c := range crons {
		if got, want := describeCron(c), m.model.crons[i].describe(); got != want {
			t.Fatalf("schedule %d is\n  %s\nwant\n  %s", i, got, want)
		}
	}
}
