package queue_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
	"github.com/queuectl/queuectl/queuetest"
)

func TestRun_ClockSetBackDelaysNothingThatWaits(t *testing.T) {
	t.Parallel()
	q, clock := queuetest.Open(t)
	enqueue(t, q, job.Spec{ID: "soon", Kind: "k", Delay: time.Minute})
	ran := make(chan struct{})
	stop, _, wait := works(t, q, queue.WorkerOptions{Handlers: map[string]queue.Handler{"k": func(context.Context, job.Job) error {
		close(ran)
		return nil
	}}})
	clock.Step(-time.Hour)
	enqueue(t, q, job.Spec{ID: "wakes the worker", Kind: "other"})
	clock.Advance(time.Minute)
	enqueue(t, q, job.Spec{ID: "wakes it again", Kind: "other"})
	select {
	case <-ran:
	case <-t.Context().Done():
		t.Error("the job still waits")
	}
	stop()
	if err := wait(); err != nil {
		t.Error(err)
	}
	stepped := false
	err := q.Read(t.Context(), func(r queue.Record) error {
		_, is := r.Event.(job.ClockStepped)
		stepped = stepped || is
		return nil
	})
	if err != nil || !stepped {
		t.Errorf("the step back is not in the log (%v)", err)
	}
}

func TestRun_ClockSetBackIsCountedOnceForAllWorkers(t *testing.T) {
	t.Parallel()
	q, clock := queuetest.Open(t)
	ran := make(chan string, 3)
	handlers := map[string]queue.Handler{"k": func(_ context.Context, j job.Job) error {
		ran <- j.Spec.ID
		return nil
	}}
	enqueue(t, q, job.Spec{ID: "later", Kind: "k", Delay: 90 * time.Minute})
	stop1, _, wait1 := works(t, q, queue.WorkerOptions{Handlers: handlers})
	stop2, _, wait2 := works(t, q, queue.WorkerOptions{Handlers: handlers})
	clock.Step(-time.Hour)
	// This one was enqueued after the step, so nothing of its delay has passed.
	enqueue(t, q, job.Spec{ID: "after the step", Kind: "k", Delay: 10 * time.Minute})
	clock.Advance(5 * time.Minute)
	enqueue(t, q, job.Spec{ID: "now", Kind: "k"})
	if got := <-ran; got != "now" {
		t.Errorf("%q ran first", got)
	}
	clock.Advance(5 * time.Minute)
	if got := <-ran; got != "after the step" {
		t.Errorf("%q ran after ten minutes", got)
	}
	clock.Advance(80 * time.Minute)
	if got := <-ran; got != "later" {
		t.Errorf("%q ran at last", got)
	}
	stop1()
	stop2()
	if err := errors.Join(wait1(), wait2()); err != nil {
		t.Error(err)
	}
}

// TestRun_ClockSetBackIsNotForgottenWhenTheLogIsReadAgain: as it is after a write that failed.
func TestRun_ClockSetBackIsNotForgottenWhenTheLogIsReadAgain(t *testing.T) {
	t.Parallel()
	memory, clock := queue.NewMemory(), queuetest.NewClock(queuetest.Start)
	q, err := memory.Open(t.Context(), queue.Options{Now: clock.Now, Elapsed: clock.Elapsed})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	enqueue(t, q, job.Spec{ID: "before", Kind: "k", Delay: 2 * time.Minute})
	ran := make(chan string, 3)
	stop, _, wait := works(t, q, queue.WorkerOptions{Handlers: map[string]queue.Handler{"k": func(_ context.Context, j job.Job) error {
		ran <- j.Spec.ID
		return nil
	}}})
	clock.Step(-time.Hour)
	enqueue(t, q, job.Spec{ID: "after", Kind: "k", Delay: time.Minute}) // of its delay nothing has passed
	broken := errors.New("input/output error")
	memory.Log.Inject(func(op eventlog.Op) error {
		if op == eventlog.OpWrite {
			return broken
		}
		return nil
	})
	if _, err := q.Enqueue(t.Context(), job.Spec{Kind: "other"}); !errors.Is(err, broken) {
		t.Errorf("got %v, want the injected fault", err)
	}
	memory.Log.Inject(nil)
	next := func(want string) {
		t.Helper()
		select {
		case got := <-ran:
			if got != want {
				t.Errorf("%s ran, want %s", got, want)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%s still waits", want)
		}
	}
	enqueue(t, q, job.Spec{ID: "now", Kind: "k", Priority: -1}) // comes after all that is due
	next("now")
	for _, want := range []string{"after", "before"} {
		clock.Advance(time.Minute)
		enqueue(t, q, job.Spec{Kind: "other"}) // which wakes the worker
		next(want)
	}
	stop()
	if err := wait(); err != nil {
		t.Error(err)
	}
}

// TestRun_TakesAsLongAsItTookWhateverTheWallClockDoes, and begins when Options.Now says.
func TestRun_TakesAsLongAsItTookWhateverTheWallClockDoes(t *testing.T) {
	t.Parallel()
	clock := queuetest.NewClock(queuetest.Start)
	q, err := queue.Open(t.Context(), t.TempDir(), queue.Options{Now: clock.Now, Elapsed: clock.Elapsed})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	enqueue(t, q, job.Spec{ID: "command", Command: "true"}, job.Spec{ID: "handler", Kind: "k"})
	err = q.Run(t.Context(), queue.WorkerOptions{UntilEmpty: true, Handlers: map[string]queue.Handler{
		"k": func(context.Context, job.Job) error {
			clock.Advance(3 * time.Second)
			clock.Step(-time.Hour)
			return nil
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]time.Duration{"command": 0, "handler": 3 * time.Second} {
		history, err := q.History(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		r := history[len(history)-1].Event.(*job.JobCompleted).Result
		if start := time.Unix(0, r.Start); !start.Equal(queuetest.Start) || r.End-r.Start != int64(want) {
			t.Errorf("%s began at %v and took %v, want %v and %v", id, start, time.Duration(r.End-r.Start), queuetest.Start, want)
		}
	}
}
