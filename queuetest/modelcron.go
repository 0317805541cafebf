package queuetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/queuectl/queuectl/job"
)

// modelCron is a schedule of the reference queue: it ticks at a distance, from its anchor on, or every hour.
type modelCron struct {
	name    string
	every   time.Duration
	anchor  time.Time
	spec    job.Spec
	missed  job.Missed
	overlap job.Overlap
	paused  bool
	last    time.Time // the last tick that was decided; zero = none
	skip    job.Skip
	next    time.Time // zero = paused
	jobs    []*modelJob
}

// after is the first tick after a moment.
func (c *modelCron) after(t time.Time) time.Time {
	if c.every == time.Hour { // by the clock on the wall
		return t.Truncate(time.Hour).Add(time.Hour)
	}
	tick := c.anchor
	for tick.Equal(c.anchor) || !tick.After(t) {
		tick = tick.Add(c.every)
	}
	return tick
}

// resume sets the next tick: after now, and never again what was decided.
func (c *modelCron) resume(now time.Time) {
	if c.last.After(now) {
		now = c.last
	}
	c.next = c.after(now)
}

func (m *model) cron(name string) *modelCron {
	for _, c := range m.crons {
		if c.name == name {
			return c
		}
	}
	return nil
}

func (m *model) addCron(c *modelCron, now time.Time) error {
	if m.cron(c.name) != nil {
		return job.ErrCronExists
	}
	c.anchor = now.Truncate(time.Second)
	c.resume(now)
	m.crons = append(m.crons, c)
	return nil
}

func (m *model) pauseCron(name string, paused bool, now time.Time) error {
	c := m.cron(name)
	if c == nil {
		return job.ErrNoCron
	}
	if c.paused == paused {
		return nil
	}
	if c.paused = paused; paused {
		c.next = time.Time{}
	} else {
		c.resume(now)
	}
	return nil
}

func (m *model) removeCron(name string) error {
	c := m.cron(name)
	if c == nil {
		return job.ErrNoCron
	}
	m.crons = slices.DeleteFunc(m.crons, func(other *modelCron) bool { return other == c })
	return nil
}

func (m *model) runCron(name string, now time.Time) error {
	c := m.cron(name)
	if c == nil {
		return job.ErrNoCron
	}
	return m.make(c, c.spec, now)
}

// make enqueues a job of a schedule.
func (m *model) make(c *modelCron, spec job.Spec, now time.Time) error {
	if _, err := m.enqueue([]job.Spec{spec}, now); err != nil {
		return err
	}
	c.jobs = append(c.jobs, m.jobs[len(m.jobs)-1])
	return nil
}

// tick decides every tick that has come: those of the schedule that was to tick first come first.
func (m *model) tick(now time.Time) {
	due := slices.DeleteFunc(slices.Clone(m.crons), func(c *modelCron) bool { return c.next.IsZero() || c.next.After(now) })
	slices.SortStableFunc(due, func(a, b *modelCron) int { return a.next.Compare(b.next) })
	for _, c := range due {
		for !c.next.After(now) {
			c.last, c.skip = c.next, m.decide(c, c.next, now)
			c.next = c.after(c.next)
		}
	}
}

// decide makes the job of a tick, or says why not.
func (m *model) decide(c *modelCron, tick, now time.Time) job.Skip {
	late, superseded := now.Sub(tick) > time.Minute, !c.after(tick).After(now)
	active := slices.ContainsFunc(c.jobs[max(0, len(c.jobs)-job.CronJobs):], func(j *modelJob) bool { return !j.state.Ended() })
	spec := c.spec
	spec.ID = c.name + "-" + tick.UTC().Format("20060102T150405Z")
	switch {
	case c.missed == job.MissedSkip && (late || superseded), c.missed == job.MissedOnce && superseded:
		return job.SkipMissed
	case c.overlap == job.OverlapSkip && active:
		return job.SkipOverlap
	case m.make(c, spec, now) != nil:
		return job.SkipExists
	}
	return job.SkipNone
}

func (c *modelCron) describe() string {
	return fmt.Sprintf("%q paused=%v next=%v last=%v skip=%v jobs=%d", c.name, c.paused, moment(c.next), moment(c.last), c.skip, min(len(c.jobs), job.CronJobs))
}

func describeCron(c job.CronEntry) string {
	return fmt.Sprintf("%q paused=%v next=%v last=%v skip=%v jobs=%d", c.Name, c.Paused, moment(c.Next), moment(c.Last), c.LastSkip, len(c.Jobs))
}

func moment(t time.Time) string {
	if t.IsZero() {
		return "none"
	}
	return t.UTC().Format(time.RFC3339)
}
