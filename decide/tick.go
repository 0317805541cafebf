package decide

import (
	"errors"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/scheduler/cron"
)

// Bounds of one commit of ticks.
const (
	maxTicks     = 256     // jobs, and schedules
	maxTickBytes = 8 << 20 // of the jobs
	// tickGrace is how late a tick may be dealt with and not count as missed.
	tickGrace = time.Minute
	// unreadWait is how long a schedule that this program cannot read is left alone.
	unreadWait = time.Hour
)

// Tick decides the ticks that have come, or as many of them as one commit may hold; each schedule whose tick has
// come gets its share. Each tick is decided once: the state says which was the last. What a tick enqueues is
// followed by the CronTicked event that names it. There are no events if no tick has come.
func Tick(s *State, at job.At) ([]job.Event, error) {
	due := s.Jobs.DueCrons(at.Time, maxTicks)
	if len(due) == 0 {
		return nil, nil
	}
	t := ticker{batch: newBatch(s, at, nil), first: at.Position}
	for i := range due {
		if t.size > maxTickBytes {
			break
		}
		t.entry(&due[i], max(1, maxTicks/len(due)))
	}
	return t.events, nil
}

// ticker is a Tick under way.
type ticker struct {
	batch
	first  job.Position // of the events
	events []job.Event
	size   int // bytes of the jobs
}

func (t *ticker) add(e job.Event) {
	t.events = append(t.events, e)
	t.at.Position = t.first + job.Position(len(t.events))
}

// entry decides the ticks of one schedule that have come, at most so many jobs.
func (t *ticker) entry(e *job.CronEntry, most int) {
	schedule, err := t.s.schedule(&e.Cron)
	if err != nil {
		t.add(job.CronTicked{Cron: e.Key, Tick: e.Next.UnixNano(), Skip: job.SkipRefused, Next: later(t.at.Time, unreadWait)})
		return
	}
	now := t.at.When()
	r := row{ticker: t, e: e, schedule: schedule, active: t.active(e), last: e.Next}
	if last, ok := schedule.Last(e.Next, now, e.Anchor); ok {
		r.last = last
	}
	if e.Missed == job.MissedAll {
		r.all(most)
		return
	}
	if e.Missed == job.MissedSkip && now.Sub(r.last) > tickGrace {
		r.skip(e.Next, r.last, job.SkipMissed)
		return
	}
	if before, ok := schedule.Last(e.Next, r.last.Add(-time.Second), e.Anchor); ok {
		r.skip(e.Next, before, job.SkipMissed)
	} else if r.last.After(e.Next) {
		r.skip(e.Next, e.Next, job.SkipMissed)
	}
	if skip := r.enqueue(r.last); skip != job.SkipNone {
		r.skip(r.last, r.last, skip)
	}
}

// active says that a job of the schedule has not ended.
func (t *ticker) active(e *job.CronEntry) bool {
	for _, key := range e.Jobs {
		if b, known := t.s.Jobs.Brief(key); known && !b.State.Ended() {
			return true
		}
	}
	return false
}

// row is the ticks of a schedule that have come.
type row struct {
	*ticker
	e        *job.CronEntry
	schedule *cron.Schedule
	last     time.Time // of them
	active   bool
}

// all makes a job of each. What stops one of them stops the others, too, since they are decided in one moment.
func (r *row) all(most int) {
	for tick := r.e.Next; !tick.After(r.last) && most > 0 && r.size <= maxTickBytes; most-- {
		skip := r.enqueue(tick)
		if skip == job.SkipExists {
			r.skip(tick, tick, skip)
		} else if skip != job.SkipNone {
			r.skip(tick, r.last, skip)
			return
		}
		next, ok := r.schedule.Next(tick, r.e.Anchor)
		if !ok {
			return
		}
		tick = next
	}
}

// enqueue makes the job of a tick, or says why not.
func (r *row) enqueue(tick time.Time) job.Skip {
	if r.e.Overlap == job.OverlapSkip && r.active {
		return job.SkipOverlap
	}
	enqueued := &job.JobEnqueued{Spec: r.e.Job}
	enqueued.Spec.ID = job.TickID(r.e.Name, tick)
	err := enqueued.Spec.Validate()
	switch {
	case r.s.Jobs.Key(enqueued.Spec.ID) != 0:
		return job.SkipExists
	case err == nil:
		err = r.admit(enqueued)
	}
	switch {
	case errors.Is(err, job.ErrQueueFull):
		return job.SkipQueueFull
	case err != nil:
		return job.SkipRefused
	}
	r.active = true
	r.size += len(job.AppendEvent(nil, enqueued))
	ticked := job.CronTicked{Cron: r.e.Key, Tick: tick.UnixNano(), Made: r.at.Position, Next: r.after(tick)}
	r.add(enqueued)
	r.add(ticked)
	return job.SkipNone
}

// skip says of one or several ticks in a row that they made no job.
func (r *row) skip(first, last time.Time, why job.Skip) {
	e := job.CronTicked{Cron: r.e.Key, Tick: last.UnixNano(), Skip: why, Next: r.after(last)}
	if first.Before(last) {
		e.Since = first.UnixNano()
	}
	r.add(e)
}

// after returns the tick that follows one, in Unix nanoseconds; 0 if there is none.
func (r *row) after(tick time.Time) int64 {
	next, ok := r.schedule.Next(tick, r.e.Anchor)
	if !ok {
		return 0
	}
	return next.UnixNano()
}
