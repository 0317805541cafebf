package queue_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// TestRun_UntilEmptyWaitsForTheParentsThatAnotherWorkerRuns: the jobs of one queue come after those of another, over two
// steps, and each queue has a worker of its own that ends when it is empty.
func TestRun_UntilEmptyWaitsForTheParentsThatAnotherWorkerRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, q, other := openTwice(t)
		enqueue(t, q,
			job.Spec{ID: "first", Queue: "a", Kind: "k", Delay: time.Hour},
			job.Spec{ID: "second", Queue: "b", Kind: "k", After: []job.Parent{{ID: "first"}}},
			job.Spec{ID: "third", Queue: "a", Kind: "k", After: []job.Parent{{ID: "second"}}},
			job.Spec{ID: "fourth", Queue: "b", Kind: "k", After: []job.Parent{{ID: "third"}, {ID: "first"}}},
			job.Spec{ID: "held", Queue: "a", Kind: "k"},
			job.Spec{ID: "after-held", Queue: "b", Kind: "k", After: []job.Parent{{ID: "fourth"}, {ID: "held"}}},
			job.Spec{ID: "after-that", Queue: "b", Kind: "k", After: []job.Parent{{ID: "after-held"}}},
		)
		if err := q.Hold(t.Context(), "held"); err != nil {
			t.Fatal(err)
		}
		worker := func(q *queue.Queue, name string) func() error {
			_, _, wait := works(t, q, queue.WorkerOptions{UntilEmpty: true, Queues: []string{name}, Handlers: map[string]queue.Handler{
				"k": func(context.Context, job.Job) error { time.Sleep(time.Minute); return nil },
			}})
			return wait
		}
		closed(t, []func() error{worker(q, "a"), worker(other, "b")}, other)
		for id, want := range map[string]job.State{
			"first": job.Completed, "second": job.Completed, "third": job.Completed, "fourth": job.Completed,
			"held": job.Pending, "after-held": job.Pending, "after-that": job.Pending,
		} {
			if got := find(t, q, id).State; got != want {
				t.Errorf("%s is %v, want %v", id, got, want)
			}
		}
		closed(t, nil, q)
	})
}
