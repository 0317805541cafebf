package queuetest

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/queuectl/queuectl/job"
)

// model is a reference queue: what the documentation promises, written as plainly as it can be, with
// none of the engine's code. It is slow and obvious on purpose.
type model struct {
	jobs   []*modelJob  // in order of enqueue
	crons  []*modelCron // in the order in which they were added
	latest time.Time    // when one was enqueued that was due at once
	config job.Config
	queues map[string]*modelQueue
	last   time.Time // of the last event
}

// modelQueue is what holds a queue back.
type modelQueue struct {
	paused bool
	limits job.Limits
	level  time.Duration // of the bucket of the rate: a job takes out an interval
}

func (m *model) queue(name string) *modelQueue {
	q := m.queues[name]
	if q == nil {
		q = &modelQueue{}
		m.queues[name] = q
	}
	return q
}

// written is told when an event is written. Buckets gain what time has passed since the one before, and lose
// nothing when the clock was set back.
func (m *model) written(now time.Time) {
	for _, q := range m.queues {
		full := q.limits.Interval() * time.Duration(q.limits.Rate)
		q.level = min(full, q.level+max(0, now.Sub(m.last)))
	}
	m.last = now
}

// limit sets the limits. The bucket of another rate is full.
func (m *model) limit(name string, l job.Limits, now time.Time) {
	q := m.queue(name)
	if q.limits == l {
		return
	}
	m.written(now)
	if q.limits.Rate != l.Rate || q.limits.Per != l.Per {
		q.level = l.Interval() * time.Duration(l.Rate)
	}
	q.limits = l
}

// open says whether a job of a queue may be begun. Only one job runs at a time, so that a concurrency of one is
// as good as any.
func (m *model) open(name string) bool {
	q := m.queue(name)
	return !q.paused && (q.limits.Rate == 0 || q.level >= q.limits.Interval())
}

type modelJob struct {
	id         string
	state      job.State
	attempts   uint32
	runs       uint32
	crashes    uint32
	maxRetries uint32
	queue      string
	priority   int32
	due        time.Time // zero = at once
	rank       time.Time // when it counts as due, if at once
	base       float64   // 0 = the config's
	onCrash    job.OnCrash
}

func (m *model) find(id string) *modelJob {
	for _, j := range m.jobs {
		if j.id == id {
			return j
		}
	}
	return nil
}

// enqueue admits all or none.
func (m *model) enqueue(specs []job.Spec, now time.Time) error {
	seen := map[string]bool{}
	for _, s := range specs {
		if s.ID != "" && (m.find(s.ID) != nil || seen[s.ID]) {
			return job.ErrExists
		}
		seen[s.ID] = true
	}
	for _, s := range specs {
		j := &modelJob{
			id: s.ID, state: job.Pending, queue: s.Queue, priority: s.Priority, onCrash: s.OnCrash,
			maxRetries: m.config.MaxRetries,
		}
		if s.MaxRetries != nil {
			j.maxRetries = *s.MaxRetries
		}
		if s.BackoffBase != nil {
			j.base = *s.BackoffBase
		}
		if s.Delay > 0 {
			j.due = now.Add(s.Delay)
			j.rank = j.due
		} else {
			if now.After(m.latest) {
				m.latest = now
			}
			j.rank = m.latest
		}
		m.jobs = append(m.jobs, j)
	}
	return nil
}

// next is the job that a worker must claim at this time, nil if none is due: the highest priority, then
// the earliest due time, where at once means since it was enqueued, then order of enqueue.
func (m *model) next(now time.Time) *modelJob {
	var due []*modelJob
	for _, j := range m.jobs {
		if j.state.Waiting() && !j.due.After(now) && m.open(j.queue) {
			due = append(due, j)
		}
	}
	if len(due) == 0 {
		return nil
	}
	slices.SortStableFunc(due, func(a, b *modelJob) int {
		return cmp.Or(cmp.Compare(b.priority, a.priority), a.since().Compare(b.since()))
	})
	return due[0]
}

// since is when a job that is due became so.
func (j *modelJob) since() time.Time {
	if j.due.IsZero() {
		return j.rank
	}
	return j.due
}

func (m *model) claim(j *modelJob) {
	q := m.queue(j.queue)
	q.level -= q.limits.Interval()
	j.state = job.Processing
	j.runs++
}

func (m *model) completed(j *modelJob) {
	j.state = job.Completed
	j.due = time.Time{}
}

func (m *model) failed(j *modelJob, now time.Time) {
	j.attempts++
	if j.attempts > j.maxRetries {
		j.state, j.due = job.Dead, time.Time{}
		return
	}
	base := j.base
	if base == 0 {
		base = m.config.BackoffBase
	}
	delay := m.config.BackoffMax
	if seconds := math.Pow(base, float64(j.attempts)); seconds < m.config.BackoffMax.Seconds() {
		delay = time.Duration(seconds * float64(time.Second))
	}
	j.state, j.due = job.Failed, now.Add(delay)
}

func (m *model) lost(j *modelJob) {
	j.crashes++
	j.due = time.Time{}
	switch {
	case j.onCrash == job.CrashDead, j.crashes > m.config.MaxCrashes:
		j.state = job.Dead
	default:
		j.state = job.Pending
	}
}

func (m *model) retry(id string, onlyDead bool) error {
	j := m.find(id)
	switch {
	case j == nil:
		return job.ErrNotFound
	case j.state != job.Dead && (onlyDead || j.state != job.Failed):
		return job.ErrWrongState
	}
	j.state, j.attempts, j.crashes, j.due = job.Pending, 0, 0, time.Time{}
	return nil
}

func (m *model) cancel(id string) error {
	j := m.find(id)
	switch {
	case j == nil:
		return job.ErrNotFound
	case !j.state.Waiting():
		return job.ErrWrongState
	}
	j.state, j.due = job.Cancelled, time.Time{}
	return nil
}

// describe is what the model and a real job must agree on, as text that a failing test can print.
func (j *modelJob) describe() string {
	due := "at once"
	if !j.due.IsZero() {
		due = j.due.UTC().Format(time.RFC3339Nano)
	}
	return fmt.Sprintf("%q %s attempts=%d/%d runs=%d crashes=%d due=%s",
		j.id, j.state, j.attempts, j.maxRetries, j.runs, j.crashes, due)
}

func describe(j job.Job) string {
	due := "at once"
	if !j.NextAttemptAt.IsZero() {
		due = j.NextAttemptAt.UTC().Format(time.RFC3339Nano)
	}
	return fmt.Sprintf("%q %s attempts=%d/%d runs=%d crashes=%d due=%s",
		j.Spec.ID, j.State, j.Attempts, j.MaxRetries, j.Runs, j.Crashes, due)
}
