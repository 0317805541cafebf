package queue_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
	"github.com/queuectl/queuectl/queuetest"
)

// summary says in a line what an explanation says, without what only people want to know.
func summary(e queue.Explanation) string {
	var words []string
	for _, r := range e.Reasons {
		word := string(r.Code)
		if r.Event != nil {
			word += fmt.Sprintf("@%d", r.Event.At.Position)
		}
		if !r.Until.IsZero() {
			word += fmt.Sprintf(" until %v", r.Until.Sub(queuetest.Start))
		}
		if r.Ahead > 0 {
			word += fmt.Sprintf(" %d", r.Ahead)
			for _, a := range r.First {
				word += fmt.Sprintf(" %s/%d/%v", a.ID, a.Priority, a.Since.Sub(queuetest.Start))
			}
		}
		for _, w := range r.Workers {
			word += " " + w.ID
		}
		for _, id := range r.Jobs {
			word += " " + id
		}
		words = append(words, word)
	}
	words = append(words, "|")
	for _, r := range e.Story {
		words = append(words, fmt.Sprintf("%s@%d", r.Code, r.Event.At.Position))
	}
	if !e.Next.IsZero() {
		words = append(words, fmt.Sprintf("| next %v", e.Next.Sub(queuetest.Start)))
	}
	return strings.Join(words, " ")
}

// TestExplain_EveryReason is about job "a". Events are at positions 2, 3, … and seconds 1, 2, …; the moment is
// second 60.
func TestExplain_EveryReason(t *testing.T) {
	t.Parallel()
	later := pending("a")
	later.Due = unixNano(90)
	kind := &job.JobEnqueued{Spec: job.Spec{ID: "a", Kind: "mail", Queue: "q", MaxRetries: new(uint32(2))}}
	keyed := func(id string) job.Event {
		e := pending(id)
		e.Spec.ConcurrencyKey = "host"
		return e
	}
	after := func(parent job.Position) job.Event {
		e := pending("a")
		e.Spec.After = []job.Parent{{Key: parent}}
		return e
	}
	urgent := pending("urgent")
	urgent.Spec.Priority = 7
	claim := func(key job.Position) job.Event { return job.JobClaimed{Job: key, Worker: 2} }
	failed := &job.JobFailed{Job: 3, Run: 4, Why: job.WhyExit, Result: job.Result{Exit: 7}, NextAttemptAt: unixNano(63)}
	died := func(run job.Position, why, failure job.Why) job.Event {
		return &job.JobDied{Job: 3, Run: run, Why: why, Failure: failure}
	}
	for _, test := range []struct {
		name   string
		events []job.Event
		want   string
	}{
		{"scheduled", []job.Event{worker("w"), later}, "scheduled@3 until 1m30s | | next 1m30s"},
		{"scheduled, without a worker", []job.Event{later}, "scheduled@2 until 1m30s no_worker | | next 1m30s"},
		{"backoff", []job.Event{worker("w"), pending("a"), claim(3), failed}, "backoff@5 until 1m3s | | next 1m3s"},
		{"no worker", []job.Event{pending("a")}, "no_worker | | next 1m0s"},
		{"no worker, others come first", []job.Event{pending("b"), pending("a")}, "no_worker behind 1 b/0/1s | | next 1m0s"},
		{"not served: queue", []job.Event{worker("w", "other"), pending("a")}, "not_served w | | next 1m0s"},
		{"not served: kind", []job.Event{worker("w"), kind}, "not_served w | | next 1m0s"},
		{"not served: shell", []job.Event{&job.WorkerStarted{ID: "w", Slots: 1, Kinds: []string{"mail"}}, pending("a")}, "not_served w | | next 1m0s"},
		{
			"served by kind and queue",
			[]job.Event{&job.WorkerStarted{ID: "w", Slots: 1, Kinds: []string{"mail"}, Queues: []string{"q"}}, kind},
			"its_turn w | | next 1m0s",
		},
		{"stopping", []job.Event{worker("w"), pending("a"), job.StopRequested{}}, "workers_stopping w | | next 1m0s"},
		{
			"stopping, but not all",
			[]job.Event{worker("w"), pending("a"), worker("v"), job.StopRequested{Worker: 2}},
			"its_turn v | | next 1m0s",
		},
		{"busy", []job.Event{worker("w"), pending("a"), pending("b"), claim(4)}, "all_busy w | | next 1m0s"},
		{"busy, but not all", []job.Event{worker("w"), pending("a"), pending("b"), claim(4), worker("v")}, "its_turn w v | | next 1m0s"},
		{
			"behind others",
			[]job.Event{worker("w"), pending("b"), pending("c"), pending("a"), pending("late"), urgent},
			"behind 3 urgent/7/6s b/0/2s c/0/3s | | next 1m0s",
		},
		{
			"behind many",
			[]job.Event{pending("b"), pending("c"), pending("d"), pending("e"), pending("f"), pending("g"), pending("a")},
			"no_worker behind 6 b/0/1s c/0/2s d/0/3s e/0/4s f/0/5s | | next 1m0s",
		},
		{
			"others that no worker of its serves do not count",
			[]job.Event{worker("w", job.DefaultQueue), &job.JobEnqueued{Spec: job.Spec{ID: "b", Command: "true", Queue: "other", MaxRetries: new(uint32(2))}}, pending("a")},
			"its_turn w | | next 1m0s",
		},
		{"others that are not due do not count", []job.Event{worker("w"), delayed("b", 61), pending("a")}, "its_turn w | | next 1m0s"},
		{"paused", []job.Event{worker("w"), pending("a"), job.QueuePaused{Queue: "default"}}, "queue_paused@4 |"},
		{
			"paused and scheduled",
			[]job.Event{job.QueuePaused{Queue: "default"}, later},
			"scheduled@3 until 1m30s queue_paused@2 no_worker |",
		},
		{
			"as many run as may",
			[]job.Event{worker("w"), worker("v"), pending("b"), pending("a"), job.QueueLimited{Queue: "default", Concurrency: 1}, claim(4)},
			"concurrency_limit@6 b | | next 1m0s",
		},
		{
			"as many run as may, and others come first",
			[]job.Event{worker("w"), worker("v"), pending("b"), pending("c"), pending("a"), job.QueueLimited{Queue: "default", Concurrency: 1}, claim(4)},
			"concurrency_limit@7 b behind 1 c/0/4s | | next 1m0s",
		},
		{
			"begun as many as may be",
			[]job.Event{worker("w"), pending("b"), pending("a"), job.QueueLimited{Queue: "default", Rate: 1, Per: time.Minute}, claim(3), &job.JobCompleted{Job: 3, Run: 6}},
			"rate_limit@5 until 1m5s | | next 1m5s",
		},
		{"a limit that is not reached", []job.Event{worker("w"), pending("a"), job.QueueLimited{Queue: "default", Concurrency: 1}}, "its_turn w | | next 1m0s"},
		{"its key is taken", []job.Event{worker("w"), worker("v"), keyed("b"), keyed("a"), claim(4)}, "concurrency_key b | | next 1m0s"},
		{"its key is taken, and others wait for it", []job.Event{worker("w"), worker("v"), keyed("b"), keyed("c"), keyed("a"), claim(4)}, "concurrency_key b behind 1 c/0/4s | | next 1m0s"},
		{"its key is free", []job.Event{worker("w"), keyed("a"), pending("b")}, "its_turn w | | next 1m0s"},
		{
			"who waits longer in another queue that is served in turn does not come first",
			[]job.Event{worker("w", "other", job.DefaultQueue), &job.JobEnqueued{Spec: job.Spec{ID: "b", Command: "true", Queue: "other", MaxRetries: new(uint32(2))}}, pending("a")},
			"its_turn w | | next 1m0s",
		},
		{"after another", []job.Event{worker("w"), pending("b"), after(3)}, "waiting_for_parents@4 b |"},
		{
			"after another, in a paused queue, without a worker",
			[]job.Event{pending("b"), after(2), job.QueuePaused{Queue: "default"}},
			"waiting_for_parents@3 b queue_paused@4 no_worker |",
		},
		{
			"after another, and no worker serves it",
			[]job.Event{worker("w", "other"), pending("b"), after(3)},
			"waiting_for_parents@4 b not_served w |",
		},
		{"running", []job.Event{worker("w"), pending("a"), claim(3)}, "running@4 w |"},
		{
			"kill requested",
			[]job.Event{worker("w"), pending("a"), claim(3), job.KillRequested{Job: 3, Run: 4, Signal: 15}},
			"running@4 w kill_requested@5 |",
		},
		{"completed", []job.Event{worker("w"), pending("a"), claim(3), &job.JobCompleted{Job: 3, Run: 4}}, "completed@5 |"},
		{"cancelled", []job.Event{worker("w"), pending("a"), &job.JobCancelled{Job: 3}}, "cancelled@4 |"},
		{
			"retries used up",
			[]job.Event{worker("w"), pending("a"), claim(3), failed, claim(3), died(6, job.WhyRetries, job.WhyExit)},
			"retries_used_up@7 | attempt_failed@5",
		},
		{"crashed too often", []job.Event{worker("w"), pending("a"), claim(3), died(4, job.WhyCrashes, job.WhyNone)}, "crashed_too_often@5 |"},
		{"crashed", []job.Event{worker("w"), pending("a"), claim(3), died(4, job.WhyOnCrash, job.WhyNone)}, "crashed@5 |"},
		{
			"a story",
			[]job.Event{
				worker("w"), pending("a"), claim(3),
				job.RunLost{Job: 3, Run: 4, Worker: 2},
				claim(3),
				job.RunReturned{Job: 3, Run: 6, Why: job.WhyStop},
				claim(3), died(8, job.WhyRetries, job.WhyExit),
				job.JobRetried{Job: 3, From: job.Dead, Reset: true},
			},
			"its_turn w | run_lost@5 run_returned@7 retries_used_up@9 retried@10 | next 1m0s",
		},
	} {
		q := written(t, test.events...)
		r := replay(t, q)
		if err := r.To(t.Context(), queue.Moment{}); err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		e, err := r.Explain(t.Context(), "a", second(60))
		if got := summary(e); err != nil || got != test.want {
			t.Errorf("%s:\n got %s, %v\nwant %s", test.name, got, err, test.want)
		}
	}
}

// TestExplain_DeadWorkersCountForNothing: a queue looks whether they live, which a log cannot tell.
func TestExplain_DeadWorkersCountForNothing(t *testing.T) {
	t.Parallel()
	q := written(t, worker("w"), pending("a"), pending("b"), job.JobClaimed{Job: 4, Worker: 2})
	for id, want := range map[string]string{"a": "no_worker | | next 4s", "b": "worker_dead@5 w no_worker |"} {
		e, err := q.Explain(t.Context(), id)
		if got := summary(e); err != nil || got != want {
			t.Errorf("%s: got %s, %v; want %s", id, got, err, want)
		}
	}
	if _, err := q.Explain(t.Context(), "nobody"); !errors.Is(err, job.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

// TestExplain_WhileAWorkerRuns asks the queue itself, with a worker that lives and whose slot is taken.
func TestExplain_WhileAWorkerRuns(t *testing.T) {
	t.Parallel()
	q, _ := queuetest.Open(t)
	enqueue(t, q, job.Spec{ID: "runs", Kind: "block"}, job.Spec{ID: "waits", Kind: "block"})
	started, release := make(chan struct{}, 2), make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- q.Run(context.Background(), queue.WorkerOptions{UntilEmpty: true, NoShell: true, Handlers: map[string]queue.Handler{
			"block": func(context.Context, job.Job) error { started <- struct{}{}; <-release; return nil },
		}})
	}()
	<-started
	for id, want := range map[string][]queue.Code{"runs": {queue.CodeRunning}, "waits": {queue.CodeBusy}} {
		e, err := q.Explain(t.Context(), id)
		var got []queue.Code
		for _, r := range e.Reasons {
			got = append(got, r.Code)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %v, %v; want %v", id, got, err, want)
		}
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestExplain_OfThePastQuotesNothingLater: what came after the moment did not explain anything then.
func TestExplain_OfThePastQuotesNothingLater(t *testing.T) {
	t.Parallel()
	q := written(
		t, worker("w"), pending("a"), job.JobClaimed{Job: 3, Worker: 2},
		&job.JobFailed{Job: 3, Run: 4, Why: job.WhyExit, NextAttemptAt: unixNano(6)}, job.JobClaimed{Job: 3, Worker: 2}, &job.JobCompleted{Job: 3, Run: 6},
	)
	for position, want := range map[job.Position]string{
		3: "its_turn w | | next 5s", 4: "running@4 w |", 5: "backoff@5 until 6s | | next 6s", 6: "running@6 w | attempt_failed@5", 7: "completed@7 | attempt_failed@5",
	} {
		r := replay(t, q)
		if err := r.To(t.Context(), queue.Moment{Position: position}); err != nil {
			t.Fatal(err)
		}
		e, err := r.Explain(t.Context(), "a", second(5))
		if got := summary(e); err != nil || got != want {
			t.Errorf("at %d: got %s, %v; want %s", position, got, err, want)
		}
		if _, err := r.Explain(t.Context(), "b", second(5)); !errors.Is(err, job.ErrNotFound) {
			t.Errorf("at %d: got %v, want ErrNotFound", position, err)
		}
	}
}

func TestExplain_OneWorkerDiedAndAnotherLives(t *testing.T) {
	t.Parallel()
	q := written(t, worker("w"), pending("a"), pending("b"), job.JobClaimed{Job: 4, Worker: 2}, worker("v"))
	r := replay(t, q)
	if err := r.To(t.Context(), queue.Moment{}); err != nil {
		t.Fatal(err)
	}
	workers := r.Workers()
	workers[0].Alive = false
	for id, want := range map[string]string{"a": "its_turn v | | next 1m0s", "b": "worker_dead w |"} {
		e, err := queue.ExplainState(r.View, id, second(60), workers)
		if got := summary(e); err != nil || got != want {
			t.Errorf("%s: got %s, %v; want %s", id, got, err, want)
		}
	}
}

// TestExplain_EventsThatCameInBetweenAreLeftOut: the log is read after the state was looked at.
func TestExplain_EventsThatCameInBetweenAreLeftOut(t *testing.T) {
	t.Parallel()
	q := written(t, worker("w"), pending("a"), job.JobClaimed{Job: 3, Worker: 2}, job.RunLost{Job: 3, Run: 4, Worker: 2}, job.JobClaimed{Job: 3, Worker: 2})
	r := replay(t, q)
	if err := r.To(t.Context(), queue.Moment{Position: 4}); err != nil {
		t.Fatal(err)
	}
	e, err := queue.ExplainState(r.View, "a", second(60), r.Workers())
	if err != nil {
		t.Fatal(err)
	}
	all, err := q.History(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	queue.Quote(&e, all)
	if got, want := summary(e), "running@4 w |"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestExplain_OfAQueueThatRestsOnASnapshot: the jobs that come first are in the snapshot's files only.
func TestExplain_OfAQueueThatRestsOnASnapshot(t *testing.T) {
	t.Parallel()
	q := open(t, t.TempDir())
	enqueue(t, q, job.Spec{ID: "a", Kind: "k"}, job.Spec{ID: "b", Kind: "k"}, job.Spec{ID: "c", Kind: "k"})
	if _, err := q.Snapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := open(t, q.Dir())
	e, err := again.Explain(t.Context(), "c")
	if err != nil || len(e.Reasons) != 2 || e.Reasons[1].Code != queue.CodeBehind || e.Reasons[1].Ahead != 2 || e.Reasons[1].First[0].ID != "a" {
		t.Errorf("got %s, %v; want two that come first", summary(e), err)
	}
	if records, err := again.History(t.Context(), "b"); err != nil || len(records) != 1 {
		t.Errorf("its history is %+v, %v", records, err)
	}
}
