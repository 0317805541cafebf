package queue_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// openTwice opens a new queue in memory, as two processes would.
func openTwice(t *testing.T) (m *queue.Memory, a, b *queue.Queue) {
	t.Helper()
	m = queue.NewMemory()
	var err [2]error
	a, err[0] = m.Open(t.Context(), queue.Options{})
	b, err[1] = m.Open(t.Context(), queue.Options{})
	if err := errors.Join(err[:]...); err != nil {
		t.Fatal(err)
	}
	return m, a, b
}

// closed ends workers and closes their queues: nothing may be left in a bubble.
func closed(t *testing.T, wait []func() error, queues ...*queue.Queue) {
	t.Helper()
	for _, wait := range wait {
		if err := wait(); err != nil {
			t.Error(err)
		}
	}
	for _, q := range queues {
		if err := q.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestRun_JobsOfAWorkerThatLivesAreLeftToIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, a, b := openTwice(t)
		slow := map[string]queue.Handler{"k": func(context.Context, job.Job) error {
			time.Sleep(time.Hour) // of the bubble: others have looked at this worker hundreds of times
			return nil
		}}
		stopA, _, waitA := works(t, a, queue.WorkerOptions{Handlers: slow})
		stopB, _, waitB := works(t, b, queue.WorkerOptions{Handlers: slow})
		enqueue(t, a, job.Spec{ID: "long", Kind: "k"})
		jobs, err := a.Wait(t.Context(), "long")
		if err != nil || jobs[0].State != job.Completed || jobs[0].Runs != 1 || jobs[0].Crashes != 0 {
			t.Errorf("got %+v (%v), want it completed in one run", jobs, err)
		}
		stopA()
		stopB()
		closed(t, []func() error{waitA, waitB}, a, b)
	})
}

func TestKill_IsPassedOnWhenItIsDurable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		memory, q, other := openTwice(t)
		ended := make(chan struct{})
		stop, _, wait := works(t, q, queue.WorkerOptions{Handlers: map[string]queue.Handler{
			"k": func(ctx context.Context, _ job.Job) error {
				<-ctx.Done()
				close(ended)
				return ctx.Err()
			},
		}})
		none := uint32(0)
		enqueue(t, other, job.Spec{ID: "long", Kind: "k", MaxRetries: &none})
		waitFor(t, other, "long", running)
		synced := make(chan struct{}) // until then no sync comes to an end, whoever asks for it
		memory.Log.Inject(func(op eventlog.Op) error {
			if op == eventlog.OpSync {
				<-synced
			}
			return nil
		})
		killed := make(chan error)
		go func() { killed <- other.Kill(t.Context(), 15, "long") }()
		time.Sleep(time.Hour) // of the bubble
		select {
		case <-ended:
			t.Error("the run was ended by a request that a power cut would have taken back")
		default:
		}
		close(synced)
		if err := <-killed; err != nil {
			t.Error(err)
		}
		<-ended
		stop()
		closed(t, []func() error{wait}, q, other)
	})
}

func TestRun_WorkerThatCannotGoOnWaitsForItsRunsInPeace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		memory := queue.NewMemory()
		const most = 10_000 // looks at the clock; an hour has 3,600 seconds
		var looks atomic.Int64
		restless := make(chan struct{})
		q, err := memory.Open(t.Context(), queue.Options{Now: func() time.Time {
			if looks.Add(1) == most {
				close(restless)
			}
			return time.Now()
		}})
		if err != nil {
			t.Fatal(err)
		}
		begun := make(chan struct{})
		_, _, wait := works(t, q, queue.WorkerOptions{Handlers: map[string]queue.Handler{
			"k": func(context.Context, job.Job) error { // one that cannot be ended
				close(begun)
				select {
				case <-time.After(time.Hour):
				case <-restless:
				}
				return nil
			},
		}})
		enqueue(t, q, job.Spec{Kind: "k"})
		<-begun
		memory.Kill(q)
		if err := wait(); !errors.Is(err, eventlog.ErrClosed) {
			t.Errorf("the worker returned %v, want ErrClosed", err)
		}
		if n := looks.Load(); n >= most {
			t.Errorf("it looked at the clock %d times while its handler ran", n)
		}
		_ = q.Close() // it was killed
	})
}
