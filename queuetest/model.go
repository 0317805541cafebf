package queuetest

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
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
	held       bool // until it is released or has ended
	unique     string
	scope      job.Scope

	parents            []modelParent
	onParent           job.OnParentFailure
	letGo              bool // it waits for no parent, or no longer
	onComplete, onDead *modelHook
	hookOf             *modelEnd // nil = it is no hook
}

func (m *model) find(id string) *modelJob {
	for _, j := range m.jobs {
		if j.id == id {
			return j
		}
	}
	return nil
}

// enqueue admits all or none, and returns the jobs that are new or stand for the specs.
func (m *model) enqueue(specs []job.Spec, now time.Time) ([]*modelJob, error) {
	before := slices.Clone(m.jobs)
	was := make([]modelJob, len(before))
	for i, j := range before {
		was[i] = *j
	}
	jobs, err := m.admit(specs, now)
	if err != nil { // all is as before
		m.jobs = before
		for i, j := range before {
			*j = was[i]
		}
	}
	return jobs, err
}

// clashing returns the jobs that have the unique key of a spec, as far as they count.
func (m *model) clashing(s *job.Spec) (clash []*modelJob) {
	for _, j := range m.jobs {
		active := j.state.Waiting() || j.state == job.Processing
		if s.UniqueKey != "" && j.unique == s.UniqueKey && active && (s.UniqueScope == job.ScopeActive || j.state.Waiting()) {
			clash = append(clash, j)
		}
	}
	return clash
}

func (m *model) admit(specs []job.Spec, now time.Time) (jobs []*modelJob, err error) {
	latest := m.latest
	defer func() {
		if err != nil {
			m.latest = latest
		}
	}()
	born := map[string]*modelJob{} // what stands for the ids of the specs
	var replaced []*modelJob
	first := map[string]int{} // specs by the ids that they want
	for i, s := range specs {
		if _, twice := first[s.ID]; !twice {
			first[s.ID] = i
		}
	}
	for i, s := range specs {
		clash := m.clashing(&s)
		if len(clash) > 0 && s.OnClash == job.ClashExisting {
			jobs = append(jobs, clash[0])
			born[s.ID] = clash[0]
			continue
		}
		if s.ID != "" && (m.find(s.ID) != nil || first[s.ID] != i) {
			return nil, job.ErrExists
		}
		for _, j := range clash {
			if s.OnClash == job.ClashRefuse || !j.state.Waiting() {
				return nil, job.ErrDuplicate
			}
			m.over(j, job.Cancelled, now)
			replaced = append(replaced, j)
		}
		j := &modelJob{
			id: s.ID, state: job.Pending, queue: s.Queue, priority: s.Priority, onCrash: s.OnCrash, unique: s.UniqueKey, scope: s.UniqueScope,
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
			j.rank = m.dueNow(now)
		}
		if err := j.descend(&s, born, m); err != nil {
			return nil, err
		}
		m.jobs = append(m.jobs, j)
		jobs = append(jobs, j)
		m.judge(j, now)
		if s.ID != "" {
			born[s.ID] = j
		}
	}
	m.follow(replaced, now)
	return jobs, nil
}

// next is the job that a worker must claim at this time, nil if none is due: the highest priority, then
// the earliest due time, where at once means since it was enqueued, then order of enqueue.
func (m *model) next(now time.Time) *modelJob {
	var due []*modelJob
	for _, j := range m.jobs {
		if j.state.Waiting() && j.letGo && !j.held && !j.due.After(now) && m.open(j.queue) {
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

func (m *model) completed(j *modelJob, now time.Time) { m.end(j, job.Completed, now) }

func (m *model) failed(j *modelJob, now time.Time) {
	j.attempts++
	if j.attempts > j.maxRetries {
		m.end(j, job.Dead, now)
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

func (m *model) lost(j *modelJob, now time.Time) {
	j.crashes++
	j.due = time.Time{}
	switch {
	case j.onCrash == job.CrashDead, j.crashes > m.config.MaxCrashes:
		m.end(j, job.Dead, now)
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
	case j.state == job.Dead && len(m.clashing(&job.Spec{UniqueKey: j.unique, UniqueScope: j.scope})) > 0:
		return job.ErrDuplicate
	}
	j.state, j.attempts, j.crashes, j.due = job.Pending, 0, 0, time.Time{}
	return nil
}

func (m *model) cancel(id string, now time.Time) error {
	j := m.find(id)
	switch {
	case j == nil:
		return job.ErrNotFound
	case !j.state.Waiting():
		return job.ErrWrongState
	}
	m.end(j, job.Cancelled, now)
	return nil
}

// edit changes a job that waits. With another time it counts as enqueued now.
func (m *model) edit(id string, e queue.Edit, now time.Time) error {
	j := m.find(id)
	switch {
	case j == nil:
		return job.ErrNotFound
	case !j.state.Waiting():
		return job.ErrWrongState
	}
	if e.Priority != nil {
		j.priority = *e.Priority
	}
	if e.MaxRetries != nil {
		j.maxRetries = *e.MaxRetries
	}
	if e.Delay == nil {
		return nil
	}
	if *e.Delay > 0 {
		j.due = now.Add(*e.Delay)
		j.rank = j.due
		return nil
	}
	if j.due.IsZero() {
		return nil // it is due at once already
	}
	j.due, j.rank = time.Time{}, m.dueNow(now)
	return nil
}

// hold keeps a job from being claimed; to do so twice is to do so once.
func (m *model) hold(id string) error {
	j := m.find(id)
	switch {
	case j == nil:
		return job.ErrNotFound
	case j.state.Ended():
		return job.ErrWrongState
	}
	j.held = true
	return nil
}

func (m *model) release(id string) error {
	j := m.find(id)
	switch {
	case j == nil:
		return job.ErrNotFound
	case !j.held:
		return job.ErrWrongState
	}
	j.held = false
	return nil
}

// describe is what the model and a real job must agree on, as text that a failing test can print.
func (j *modelJob) describe() string {
	due := "at once"
	if !j.due.IsZero() {
		due = j.due.UTC().Format(time.RFC3339Nano)
	}
	return fmt.Sprintf("%q %s attempts=%d/%d runs=%d crashes=%d due=%s held=%t parents=%d",
		j.id, j.state, j.attempts, j.maxRetries, j.runs, j.crashes, due, j.held, j.unmet())
}

func describe(j job.Job) string {
	due := "at once"
	if !j.NextAttemptAt.IsZero() {
		due = j.NextAttemptAt.UTC().Format(time.RFC3339Nano)
	}
	return fmt.Sprintf("%q %s attempts=%d/%d runs=%d crashes=%d due=%s held=%t parents=%d",
		j.Spec.ID, j.State, j.Attempts, j.MaxRetries, j.Runs, j.Crashes, due, j.Held, j.ParentsLeft)
}
