package decide

import (
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/scheduler/cron"
)

// AddCron makes a schedule known, from the first tick after now on. With replace, a schedule of that name gets
// this definition instead, and stays paused if it is; there is no event if it has it already. If its times stay
// the same, so does its next tick: who replaces often postpones nothing. Errors:
// job.ErrInvalid, also for a schedule that never ticks; job.ErrCronExists.
func AddCron(s *State, at job.At, c job.Cron, replace bool) ([]job.Event, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c.Job.Tags = tagged(c.Job.Tags, c.Name)
	longest := c.Job
	longest.ID = job.TickID(c.Name, at.When())
	if err := longest.Validate(); err != nil {
		return nil, err
	}
	if _, err := s.schedule(&c); err != nil {
		return nil, err
	}
	old, known := s.Jobs.Cron(c.Name)
	if known && !replace {
		return nil, fmt.Errorf("schedule %q: %w", c.Name, job.ErrCronExists)
	}
	next, err := s.nextTick(at, &c, old.Last, at.When())
	if err != nil {
		return nil, err
	}
	if next == 0 {
		return nil, fmt.Errorf("schedule %q: %w: it never ticks: there is no such day", c.Schedule, job.ErrInvalid)
	}
	switch {
	case !known:
		return []job.Event{&job.CronAdded{New: c, Next: next}}, nil
	case sameCron(&old.Cron, &c):
		return nil, nil
	case old.Paused:
		next = 0
	case old.SameTimes(&c) && !old.Next.IsZero():
		next = old.Next.UnixNano()
	}
	return []job.Event{&job.CronChanged{Cron: old.Key, Paused: old.Paused, Next: next, New: &c}}, nil
}

// tagged returns the tags of a schedule's jobs.
func tagged(tags map[string]string, name string) map[string]string {
	tags = maps.Clone(tags)
	if tags == nil {
		tags = map[string]string{}
	}
	tags[job.CronTag] = name
	return tags
}

// sameCron compares definitions as they are in the log.
func sameCron(a, b *job.Cron) bool {
	encode := func(c *job.Cron) string { return string(job.AppendEvent(nil, &job.CronAdded{New: *c})) }
	return encode(a) == encode(b)
}

// PauseCron stops schedules from ticking, or lets them go on, all or none: then with the first tick after now.
// What would have come meanwhile is not missed. There is no event for one that is so already. Error:
// job.ErrNoCron.
func PauseCron(s *State, at job.At, names []string, paused bool) ([]job.Event, error) {
	return eachCron(s, names, func(e *job.CronEntry) (job.Event, error) {
		if e.Paused == paused {
			return nil, nil
		}
		changed := &job.CronChanged{Cron: e.Key, Paused: paused}
		if !paused {
			next, err := s.nextTick(at, &e.Cron, e.Last, e.Anchor)
			if err != nil {
				return nil, err
			}
			changed.Next = next
		}
		return changed, nil
	})
}

// RemoveCron ends schedules, all or none. Their jobs stay. Error: job.ErrNoCron.
func RemoveCron(s *State, _ job.At, names []string) ([]job.Event, error) {
	return eachCron(s, names, func(e *job.CronEntry) (job.Event, error) { return job.CronRemoved{Cron: e.Key}, nil })
}

// eachCron asks the rule for each schedule once, and returns its events or the first refusal.
func eachCron(s *State, names []string, rule func(*job.CronEntry) (job.Event, error)) ([]job.Event, error) {
	var events []job.Event
	seen := make(map[string]bool, len(names))
	for _, name := range names {
		entry, known := s.Jobs.Cron(name)
		if !known {
			return nil, fmt.Errorf("schedule %q: %w", name, job.ErrNoCron)
		}
		if seen[name] {
			continue
		}
		seen[name] = true
		e, err := rule(&entry)
		if err != nil {
			return nil, err
		}
		if e != nil {
			events = append(events, e)
		}
	}
	return events, nil
}

// RunCron enqueues one job of a schedule at once, paused or not. It is no tick: the next one comes as before.
// Errors: job.ErrNoCron, and those of [Enqueue].
func RunCron(s *State, at job.At, name string) ([]job.Event, error) {
	entry, known := s.Jobs.Cron(name)
	if !known {
		return nil, fmt.Errorf("schedule %q: %w", name, job.ErrNoCron)
	}
	events, err := Enqueue(s, at, []job.Spec{entry.Job}, false)
	if err != nil {
		refused, _ := errors.AsType[*SpecError](err)
		return nil, refused.Err
	}
	asked := job.CronTicked{Cron: entry.Key, Made: at.Position}
	if !entry.Next.IsZero() {
		asked.Next = entry.Next.UnixNano()
	}
	return append(events, asked), nil
}

// nextTick returns the first tick after now and after the last one that was decided, in Unix nanoseconds; 0 if
// there is none. Last is later than now if the clock was set back: what was decided is not decided again.
func (s *State) nextTick(at job.At, c *job.Cron, last, anchor time.Time) (int64, error) {
	schedule, err := s.schedule(c)
	if err != nil {
		return 0, err
	}
	after := at.When()
	if last.After(after) {
		after = last
	}
	next, ok := schedule.Next(after, anchor)
	if !ok {
		return 0, nil
	}
	return next.UnixNano(), nil
}

// schedule returns the schedule that a definition speaks of. Few are read: each is kept.
func (s *State) schedule(c *job.Cron) (*cron.Schedule, error) {
	const most = 10_000
	key := [2]string{c.Schedule, c.Zone}
	if known := s.schedules[key]; known != nil {
		return known, nil
	}
	schedule, err := cron.Parse(c.Schedule, c.Zone)
	if err != nil {
		return nil, err
	}
	if s.schedules == nil || len(s.schedules) >= most {
		s.schedules = map[[2]string]*cron.Schedule{}
	}
	s.schedules[key] = schedule
	return schedule, nil
}
