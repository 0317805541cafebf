package decide_test

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/scheduler"
)

// put adds a job of a queue.
func (w *world) put(id, queue, key string) {
	w.Helper()
	w.must(decide.Enqueue(w.State, w.at, []job.Spec{{ID: id, Queue: queue, ConcurrencyKey: key, Command: "true"}}, false))
}

// limit sets the limits of a queue.
func (w *world) limit(queue string, l job.Limits) {
	w.Helper()
	w.must(decide.LimitQueue(w.State, w.at, queue, func(old *job.Limits) { *old = l }))
}

// claims claims until nothing is due, and returns the ids.
func (w *world) claims(worker job.Position, lanes scheduler.Lanes) (ids []string) {
	w.Helper()
	for {
		events, err := decide.Claim(w.State, w.at, worker, lanes)
		if errors.Is(err, job.ErrNothingDue) {
			return ids
		}
		w.must(events, err)
		ids = append(ids, w.Jobs.ID(events[0].(job.JobClaimed).Job))
	}
}

// finish ends the run of a job well.
func (w *world) finish(id string) {
	w.Helper()
	b, _ := w.Jobs.Brief(w.Jobs.Key(id))
	w.must(decide.Finish(w.State, w.at, decide.Outcome{Job: b.Key, Run: b.Run}, 0))
}

func same(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestPauseQueues_NothingIsClaimedUntilResume(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	worker := w.worker("w")
	w.put("a", "mail", "")
	w.put("b", "mail", "")
	w.put("c", "web", "")
	w.claim(worker) // a
	wantKinds(t, w.must(decide.PauseQueues(w.State, w.at, []string{"mail", "never-used", "mail"})), job.KindQueuePaused, job.KindQueuePaused)
	events, err := decide.PauseQueues(w.State, w.at, []string{"mail"})
	nothing(t, events, err)
	if due, ok := w.Timeline.NextDue(scheduler.Lanes{Queues: []string{"mail"}, Shell: true}); ok {
		t.Errorf("something of a paused queue is due at %d", due)
	}
	same(t, "while mail is paused", w.claims(worker, all), "c")
	w.put("d", "never-used", "")
	w.finish("a")
	same(t, "of a queue that was paused before its first job", w.claims(worker, all))
	if j := w.job("b"); !j.QueuePaused {
		t.Error("a job does not say that its queue is paused")
	}
	w.must(decide.ResumeQueues(w.State, w.at, []string{"mail"}))
	events, err = decide.ResumeQueues(w.State, w.at, []string{"mail", "unknown"})
	nothing(t, events, err)
	same(t, "after resume", w.claims(worker, all), "b")
	w.agree()
	events, err = decide.PauseQueues(w.State, w.at, []string{"ok", "not ok"})
	refused(t, events, err, job.ErrInvalid)
}

func TestLimitQueue_ConcurrencyCountsWhatRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	worker := w.worker("w")
	for _, id := range []string{"a", "b", "c", "d"} {
		w.put(id, "mail", "")
	}
	w.put("x", "", "")
	w.limit("mail", job.Limits{Concurrency: 2})
	same(t, "two places", w.claims(worker, all), "a", "b", "x")
	w.limit("mail", job.Limits{Concurrency: 1})
	w.finish("a")
	same(t, "fewer places than jobs that run", w.claims(worker, all))
	b, _ := w.Jobs.Brief(w.Jobs.Key("b"))
	w.must(decide.RunLost(w.State, w.at, b.Key, b.Run))
	same(t, "a lost run frees its place", w.claims(worker, all), "b") // due since it was enqueued
	w.limit("mail", job.Limits{})
	same(t, "without a limit", w.claims(worker, all), "c", "d")
	events, err := decide.LimitQueue(w.State, w.at, "mail", func(*job.Limits) {})
	nothing(t, events, err)
	events, err = decide.LimitQueue(w.State, w.at, "mail", func(l *job.Limits) { l.Rate = 5 })
	refused(t, events, err, job.ErrInvalid)
	events, err = decide.LimitQueue(w.State, w.at, "a,b", func(l *job.Limits) { l.Concurrency = 5 })
	refused(t, events, err, job.ErrInvalid)
	w.agree()
}

func TestLimitQueue_RateIsABucket(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	worker := w.worker("w")
	for i := range 10 {
		w.put(fmt.Sprint("j", i), "mail", "")
	}
	w.limit("mail", job.Limits{Rate: 3, Per: time.Second})
	same(t, "a full bucket", w.claims(worker, all), "j0", "j1", "j2")
	const each = int64(333_333_334)
	if due, ok := w.Timeline.NextDue(all); !ok || due != w.at.Time+each {
		t.Errorf("next due %v later, %v; want %v", time.Duration(due-w.at.Time), ok, time.Duration(each))
	}
	w.at.Time += each - 1
	same(t, "a nanosecond too early", w.claims(worker, all))
	w.at.Time++
	same(t, "one token", w.claims(worker, all), "j3")
	w.limit("mail", job.Limits{Rate: 3, Per: time.Second, Concurrency: 100})
	same(t, "another limit leaves the bucket alone", w.claims(worker, all))
	w.pass(time.Hour)
	same(t, "it holds no more than it can", w.claims(worker, all), "j4", "j5", "j6")
	w.limit("mail", job.Limits{Rate: 1, Per: time.Hour})
	same(t, "the bucket of another rate is full", w.claims(worker, all), "j7")
	w.limit("mail", job.Limits{})
	same(t, "without a rate", w.claims(worker, all), "j8", "j9")
	w.agree()
}

// TestLimitQueue_NothingWaitsForAClockThatWasSetBack sets the clock back by a day. Who has noticed tells its
// timeline; who has not learns it with the next event.
func TestLimitQueue_NothingWaitsForAClockThatWasSetBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	worker := w.worker("w")
	for i := range 4 {
		w.put(fmt.Sprint("j", i), "mail", "")
	}
	w.limit("mail", job.Limits{Rate: 1, Per: time.Minute})
	same(t, "before the step", w.claims(worker, all), "j0")
	w.pass(-24 * time.Hour)
	w.Timeline.StepBack(int64(24 * time.Hour))
	w.pass(time.Minute - 1)
	same(t, "a nanosecond too early", w.claims(worker, all))
	w.pass(1)
	same(t, "a minute later", w.claims(worker, all), "j1")
	for name, s := range map[string]*decide.State{"lived": w.State, "raw": w.raw, "decoded": w.decoded} {
		if due, _ := s.Timeline.NextDue(all); due != w.at.Time+int64(time.Minute) {
			t.Errorf("%s: the next is due in %v, want a minute", name, time.Duration(due-w.at.Time))
		}
	}
	w.pass(-48 * time.Hour)
	w.put("k", "other", "") // nobody noticed: an event of another says it
	if due, _ := w.Timeline.NextDue(scheduler.Lanes{Queues: []string{"mail"}, Shell: true}); due != w.at.Time+int64(time.Minute) {
		t.Errorf("the next is due in %v, want a minute", time.Duration(due-w.at.Time))
	}
	w.pass(math.MaxInt32 * time.Second) // and forward, by mistake
	same(t, "after a jump", w.claims(worker, all), "j2", "k")
	w.pass(-math.MaxInt32 * time.Second)
	w.put("l", "other", "")
	w.pass(time.Minute)
	same(t, "a minute after the jump back", w.claims(worker, all), "j3", "l")
	w.agree()
}

func TestConcurrencyKey_OneJobOfAKeyRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	worker := w.worker("w")
	w.put("a", "q", "host1")
	w.put("b", "r", "host1")
	w.put("c", "q", "host2")
	w.put("d", "q", "host1")
	w.put("e", "q", "")
	same(t, "one of each key", w.claims(worker, all), "a", "c", "e")
	w.finish("c")
	same(t, "another key is free", w.claims(worker, all))
	b, _ := w.Jobs.Brief(w.Jobs.Key("a"))
	w.must(decide.Finish(w.State, w.at, decide.Outcome{Job: b.Key, Run: b.Run, Failure: job.WhyExit, Result: job.Result{Exit: 1}}, 0))
	same(t, "a failed run frees the key", w.claims(worker, all), "b")
	w.must(decide.Cancel(w.State, w.at, []string{"d"}))
	w.pass(time.Hour)
	same(t, "the key is taken", w.claims(worker, all))
	b, _ = w.Jobs.Brief(w.Jobs.Key("b"))
	w.must(decide.RunLost(w.State, w.at, b.Key, b.Run))
	same(t, "so does a lost one", w.claims(worker, all), "b")
	w.finish("b")
	same(t, "the last one", w.claims(worker, all), "a")
	w.agree()
}

func TestClaim_NamedQueuesAreServedInTurn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	worker := w.worker("w")
	for i := range 3 {
		w.put(fmt.Sprint("a", i), "a", "")
	}
	w.put("b0", "b", "")
	w.put("b1", "b", "")
	w.put("c0", "c", "")
	w.must(decide.Enqueue(w.State, w.at, []job.Spec{{ID: "urgent", Queue: "a", Priority: 1, Command: "true"}}, false))
	named := scheduler.Lanes{Shell: true, Queues: []string{"a", "b", "c"}}
	same(t, "in turn", w.claims(worker, named), "urgent", "b0", "c0", "a0", "b1", "a1", "a2")
	for _, id := range []string{"z0", "z1", "y0"} {
		w.put(id, id[:1], "")
	}
	same(t, "all in one order", w.claims(worker, all), "z0", "z1", "y0")
}
