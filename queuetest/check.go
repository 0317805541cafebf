package queuetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
	"github.com/queuectl/queuectl/queue"
)

// Harness says what [Check] drives.
type Harness struct {
	// Handlers are yours, by kind. They must not depend on anything that Check does not reset between
	// histories; New is the place to do that.
	Handlers map[string]queue.Handler
	// Payload draws the payload of a job of a kind; nil = none.
	Payload func(t *rapid.T, kind string) []byte
	// New is called at the beginning of each history; nil = nothing to do.
	New func()
	// Invariant is called after each step with one of the processes' queues; nil = nothing to check.
	Invariant func(t *rapid.T, q *queue.Queue)
}

// Check runs random histories against the engine and compares each step with the model. The number of
// histories and the replay of a failing one are rapid's: -rapid.checks, -rapid.failfile.
//
// Each history runs in a testing/synctest bubble, where waiting takes no time.
func Check(t *testing.T, h Harness) {
	rapid.Check(t, func(rt *rapid.T) {
		var stopped any // how rapid ends a history that failed: it must be seen outside the bubble
		synctest.Test(t, func(*testing.T) {
			defer func() { stopped = recover() }()
			if h.New != nil {
				h.New()
			}
			m := newMachine(rt, h)
			defer m.close()
			rt.Repeat(rapid.StateMachineActions(m))
		})
		if fmt.Sprintf("%T", stopped) == "rapid.invalidData" {
			// On a line of its own: rapid tells failures apart by their tracebacks, and would otherwise take what is no
			// history at all for a short form of the one that failed.
			panic(stopped)
		}
		if stopped != nil {
			panic(stopped)
		}
	})
}

// machine is a rapid state machine: two processes on one queue in memory, and the model beside them. Its
// exported methods are the actions.
type machine struct {
	h         Harness
	memory    *queue.Memory
	clock     *Clock
	processes [2]*queue.Queue
	model     *model
}

func newMachine(t *rapid.T, h Harness) *machine {
	m := &machine{
		h: h, memory: queue.NewMemory(), clock: NewClock(Start),
		model: &model{config: job.DefaultConfig(), queues: map[string]*modelQueue{}},
	}
	for i := range m.processes {
		m.processes[i] = m.open(t)
	}
	return m
}

func (m *machine) open(t *rapid.T) *queue.Queue {
	q, err := m.memory.Open(context.Background(), queue.Options{Now: m.clock.Now, Elapsed: m.clock.Elapsed})
	if err != nil {
		t.Fatalf("open a queue in memory: %v", err)
	}
	return q
}

func (m *machine) close() {
	for _, q := range m.processes {
		_ = q.Close() // of a killed process it says so
	}
}

// process draws which process acts.
func (m *machine) process(t *rapid.T) (int, *queue.Queue) {
	i := rapid.IntRange(0, len(m.processes)-1).Draw(t, "process")
	return i, m.processes[i]
}

// Enqueue adds one job or several, all or none.
func (m *machine) Enqueue(t *rapid.T) {
	_, q := m.process(t)
	specs := make([]job.Spec, rapid.IntRange(1, 3).Draw(t, "jobs"))
	for i := range specs {
		specs[i] = m.spec(t)
	}
	m.parents(t, specs)
	each, err := q.EnqueueEach(context.Background(), specs, queue.EnqueueOptions{})
	added, want := m.model.enqueue(specs, m.clock.Now())
	m.sameRefusal(t, "enqueue", err, want)
	for i := range added {
		if id := each[i].Job.Spec.ID; each[i].How == queue.Added {
			added[i].id = id // made ids are the log's choice
		} else if id != added[i].id {
			t.Fatalf("job %q stands for a spec, want %q", id, added[i].id)
		}
	}
}

// Retry brings a job back.
func (m *machine) Retry(t *rapid.T) {
	_, q := m.process(t)
	id, onlyDead := m.id(t), rapid.Bool().Draw(t, "only dead")
	m.sameRefusal(t, "retry", q.Retry(context.Background(), onlyDead, id), m.model.retry(id, onlyDead))
}

// Cancel withdraws a job.
func (m *machine) Cancel(t *rapid.T) {
	_, q := m.process(t)
	id := m.id(t)
	m.sameRefusal(t, "cancel", q.Cancel(context.Background(), id), m.model.cancel(id, m.clock.Now()))
}

// Hold keeps a job from being claimed, or lets it be claimed again.
func (m *machine) Hold(t *rapid.T) {
	_, q := m.process(t)
	id := m.id(t)
	if rapid.Bool().Draw(t, "release") {
		m.sameRefusal(t, "release", q.Release(context.Background(), id), m.model.release(id))
		return
	}
	m.sameRefusal(t, "hold", q.Hold(context.Background(), id), m.model.hold(id))
}

// Edit changes what a waiting job says.
func (m *machine) Edit(t *rapid.T) {
	_, q := m.process(t)
	id := m.id(t)
	e := queue.Edit{
		Priority:   rapid.SampledFrom([]*int32{nil, new(int32(1)), new(int32(-1))}).Draw(t, "priority"),
		MaxRetries: rapid.SampledFrom([]*uint32{nil, new(uint32(0)), new(uint32(2))}).Draw(t, "max retries"),
		Delay:      rapid.SampledFrom([]*time.Duration{nil, new(time.Duration(0)), new(time.Minute)}).Draw(t, "delay"),
	}
	_, err := q.Edit(context.Background(), id, e)
	m.sameRefusal(t, "edit", err, m.model.edit(id, e, m.clock.Now()))
}

// Configure changes a setting, for all processes at once.
func (m *machine) Configure(t *rapid.T) {
	_, q := m.process(t)
	key := rapid.SampledFrom([]string{"backoff_base", "backoff_max", "max_retries", "max_crashes"}).Draw(t, "key")
	value := rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "value")
	_, err := q.SetConfig(context.Background(), key, value)
	_, want := m.model.config.Set(key, value)
	m.sameRefusal(t, "config set", err, want)
}

// queues are those that jobs are in.
var queues = []string{"default", "slow"}

// Pause keeps the jobs of a queue from being begun, or ends that.
func (m *machine) Pause(t *rapid.T) {
	_, q := m.process(t)
	name := rapid.SampledFrom(append(queues[:len(queues):len(queues)], job.HookQueue)).Draw(t, "queue")
	own := m.model.queue(name)
	own.paused = !own.paused
	change := q.ResumeQueues
	if own.paused {
		change = q.PauseQueues
	}
	if _, err := change(context.Background(), name); err != nil {
		t.Fatalf("pause %v: %v", own.paused, err)
	}
}

// Limit sets the limits of a queue.
func (m *machine) Limit(t *rapid.T) {
	_, q := m.process(t)
	name := rapid.SampledFrom(append(queues[:len(queues):len(queues)], job.HookQueue)).Draw(t, "queue")
	l := job.Limits{Concurrency: rapid.Uint32Range(0, 2).Draw(t, "concurrency"), Rate: rapid.Uint32Range(0, 3).Draw(t, "rate")}
	if l.Rate > 0 {
		l.Per = rapid.SampledFrom([]time.Duration{time.Second, time.Hour}).Draw(t, "per")
	}
	if _, err := q.LimitQueue(context.Background(), name, func(own *job.Limits) { *own = l }); err != nil {
		t.Fatalf("limit: %v", err)
	}
	m.model.limit(name, l, m.clock.Now())
}

// Pass lets time go by; Step sets the wall clock forward or back. A worker honours the monotonic clock
// as well, but only while it runs, and here no time passes and no clock is set while one does.
func (m *machine) Pass(t *rapid.T) {
	m.clock.Advance(rapid.SampledFrom([]time.Duration{1, time.Second, time.Minute, 2 * time.Hour}).Draw(t, "time"))
}

// Step sets the wall clock.
func (m *machine) Step(t *rapid.T) {
	m.clock.Step(rapid.SampledFrom([]time.Duration{-time.Hour, -2 * time.Second, -1, time.Hour}).Draw(t, "step"))
}

// Work lets a process run what is due. It may be killed in the middle of a job; another process then
// puts that job back before anything else happens.
func (m *machine) Work(t *rapid.T) {
	i, q := m.process(t)
	killAt := rapid.SampledFrom([]int{0, 0, 0, 1, 2}).Draw(t, "kill in run")
	m.model.tick(m.clock.Now()) // a worker makes what has come before it claims
	s := &session{machine: m, t: t, killAt: killAt, victim: q}
	m.model.written(m.clock.Now()) // a worker starts
	err := Drain(context.Background(), q, s.handlers())
	if s.killed != nil {
		m.model.lost(s.killed, m.clock.Now())
		m.processes[i] = m.open(t)
		m.reclaim(t)
		return
	}
	if err != nil {
		t.Fatalf("run: %v", err)
	}
	if j := m.model.next(m.clock.Now()); j != nil {
		t.Fatalf("the worker ended although %s is due", j.describe())
	}
}

// reclaim lets the last process serve a kind that no job has, which leaves it only dead workers to see
// to.
func (m *machine) reclaim(t *rapid.T) {
	q := m.processes[len(m.processes)-1]
	nothing := map[string]queue.Handler{"no-job-has-this-kind": nil}
	if err := Drain(context.Background(), q, nothing); err != nil {
		t.Fatalf("reclaim: %v", err)
	}
}

// session is one Work: it checks each claim against the model as it happens.
type session struct {
	*machine
	t      *rapid.T
	killAt int // the how-manieth run kills the process; 0 = none
	victim *queue.Queue

	mu     sync.Mutex // handlers run on the worker's goroutines, one at a time
	runs   int
	killed *modelJob
}

func (s *session) handlers() map[string]queue.Handler {
	wrapped := map[string]queue.Handler{}
	for kind, h := range s.h.Handlers {
		wrapped[kind] = func(ctx context.Context, j job.Job) (err error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			want := s.model.next(s.clock.Now())
			why := "it is another"
			if want != nil {
				why = want.recognise(j)
			}
			if want == nil || want.id != j.Spec.ID || why != "" {
				s.t.Errorf("job %q was claimed, but the next is %v: %s", j.Spec.ID, want, why)
				return errors.New("claimed out of order")
			}
			s.model.claim(want)
			if s.runs++; s.runs == s.killAt {
				s.memory.Kill(s.victim)
				s.killed = want
				return nil
			}
			failed := true
			defer func() { // also when the handler panics
				if failed {
					s.model.failed(want, s.clock.Now())
				} else {
					s.model.completed(want, s.clock.Now())
				}
			}()
			err = h(ctx, j)
			failed = err != nil
			return err
		}
	}
	return wrapped
}

// Restart kills a process that does nothing at the moment and starts it again.
func (m *machine) Restart(t *rapid.T) {
	i, q := m.process(t)
	m.memory.Kill(q)
	m.processes[i] = m.open(t)
}

// PowerCut loses everything that was not synced, which nobody was told of, and restarts all processes.
func (m *machine) PowerCut(t *rapid.T) {
	m.memory.Log.PowerCut(rapid.IntRange(0, 2).Draw(t, "unsynced frames kept"))
	for i, q := range m.processes {
		m.memory.Kill(q)
		m.processes[i] = m.open(t)
	}
}

// errBroken is what a broken disk answers.
var errBroken = errors.New("input/output error")

// FailingWrite makes one write or sync fail, and looks whether the answer was true.
func (m *machine) FailingWrite(t *rapid.T) {
	_, q := m.process(t)
	at := rapid.SampledFrom([]eventlog.Op{eventlog.OpLock, eventlog.OpWrite, eventlog.OpSync}).Draw(t, "operation")
	cause := rapid.SampledFrom([]error{errBroken, eventlog.ErrUnknown}).Draw(t, "error")
	fired := false
	m.memory.Log.Inject(func(op eventlog.Op) error {
		if op != at || fired {
			return nil
		}
		fired = true
		return fmt.Errorf("injected: %w", cause)
	})
	spec := m.spec(t)
	if specs := []job.Spec{spec}; len(m.model.jobs) > 0 {
		m.parents(t, specs)
		spec = specs[0]
		spec.After = slices.DeleteFunc(spec.After, func(p job.Parent) bool { return m.model.find(p.ID) == nil })
		if len(spec.After) == 0 {
			spec.OnParentFailure = job.ParentDead
		}
	}
	spec.ID, spec.UniqueKey, spec.UniqueScope, spec.OnClash = "", "", 0, 0
	spec.Tags = map[string]string{"try": fmt.Sprint(len(m.model.jobs))}
	_, err := q.Enqueue(context.Background(), spec)
	m.memory.Log.Inject(nil)
	added := m.jobTagged(t, spec.Tags["try"])
	switch {
	case err == nil && added == "", errors.Is(err, eventlog.ErrNotCommitted) && added != "":
		t.Fatalf("enqueue answered %v, but the job in the log is %q", err, added)
	case err != nil && !errors.Is(err, eventlog.ErrNotCommitted) && !errors.Is(err, eventlog.ErrUnknown):
		t.Fatalf("enqueue answered %v to an injected fault", err)
	}
	if added != "" {
		spec.ID = added
		if _, err := m.model.enqueue([]job.Spec{spec}, m.clock.Now()); err != nil {
			t.Fatalf("model: %v", err)
		}
	}
}

// jobTagged returns the id of the job with this try, as a process that just started sees it.
func (m *machine) jobTagged(t *rapid.T, try string) string {
	q := m.open(t)
	defer q.Close()
	for _, j := range m.list(t, q) {
		if j.Spec.Tags["try"] == try {
			return j.Spec.ID
		}
	}
	return ""
}

// Check is called by rapid after every action: all processes, and one that reads the log from its
// beginning, agree with each other byte for byte and with the model in what it knows.
func (m *machine) Check(t *rapid.T) {
	fresh := m.open(t)
	defer fresh.Close()
	status, err := fresh.Status(context.Background())
	if err != nil {
		t.Fatalf("status: %v", err)
	}
	m.model.written(status.Time)
	want, err := fresh.Digest(context.Background())
	if err != nil {
		t.Fatalf("digest: %v", err)
	}
	for i, q := range m.processes {
		got, err := q.Digest(context.Background())
		if err != nil {
			t.Fatalf("digest of process %d: %v", i, err)
		}
		if got != want {
			t.Fatalf("process %d lived through another state than the log replays:\n%s\nreplayed:\n%s",
				i, describeAll(m.list(t, q)), describeAll(m.list(t, fresh)))
		}
	}
	jobs := m.list(t, fresh)
	if len(jobs) != len(m.model.jobs) {
		t.Fatalf("%d jobs, want %d:\n%s", len(jobs), len(m.model.jobs), describeAll(jobs))
	}
	for i, j := range jobs {
		if why := m.model.jobs[i].recognise(j); why != "" {
			t.Fatalf("job %d is\n  %s\n%s", i, describe(j), why)
		}
		if got, want := describe(j), m.model.jobs[i].describe(); got != want {
			t.Fatalf("job %d is\n  %s\nwant\n  %s", i, got, want)
		}
	}
	m.checkCrons(t, fresh)
	if m.h.Invariant != nil {
		m.h.Invariant(t, m.processes[0])
	}
}

func (m *machine) list(t *rapid.T, q *queue.Queue) []job.Job {
	jobs, err := q.List(context.Background(), projection.Filter{})
	if err != nil {
		t.Fatalf("list: %v", err)
	}
	return jobs
}

func describeAll(jobs []job.Job) string {
	var b strings.Builder
	for _, j := range jobs {
		fmt.Fprintln(&b, " ", describe(j))
	}
	return b.String()
}

// sameRefusal compares what the queue answered with what the model did: both nil, or the same sentinel.
func (m *machine) sameRefusal(t *rapid.T, what string, got, want error) {
	if (got == nil) != (want == nil) || want != nil && !errors.Is(got, want) {
		t.Fatalf("%s answered %v, want %v", what, got, want)
	}
}
