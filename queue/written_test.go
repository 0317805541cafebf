package queue_test

import (
	"testing"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
	"github.com/queuectl/queuectl/queuetest"
)

// written returns a queue in memory whose log holds these events, a second apart from each other, the first a
// second after queuetest.Start and at position 2.
func written(t *testing.T, events ...job.Event) *queue.Queue {
	t.Helper()
	clock := queuetest.NewClock(queuetest.Start)
	memory := queue.NewMemory()
	q, err := memory.Open(t.Context(), queue.Options{Now: clock.Now, Elapsed: clock.Elapsed})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	for _, e := range events {
		clock.Advance(time.Second)
		appendRaw(t, memory, clock, e)
	}
	return q
}

func second(n int) time.Time { return queuetest.Start.Add(time.Duration(n) * time.Second) }

func unixNano(n int) int64 { return second(n).UnixNano() }

func pending(id string) *job.JobEnqueued {
	return &job.JobEnqueued{Spec: job.Spec{ID: id, Command: "true", Queue: job.DefaultQueue, MaxRetries: new(uint32(2))}}
}

func worker(id string, queues ...string) *job.WorkerStarted {
	return &job.WorkerStarted{ID: id, Slots: 1, Queues: queues, Shell: true}
}

func delayed(id string, due int) *job.JobEnqueued {
	e := pending(id)
	e.Due = unixNano(due)
	return e
}
