package queue_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
	"github.com/queuectl/queuectl/queue"
)

// The figures of these are compared with their bounds by the command in bench; here they are for
// profiles and allocations.

func BenchmarkEnqueue_OneAtATime(b *testing.B) {
	q := openBench(b)
	b.ReportAllocs()
	for b.Loop() {
		enqueueBench(b, q)
	}
}

func BenchmarkEnqueue_From64Goroutines(b *testing.B) {
	q := openBench(b)
	b.ReportAllocs()
	b.SetParallelism(32) // × GOMAXPROCS
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			enqueueBench(b, q)
		}
	})
}

func BenchmarkRun_Handlers64(b *testing.B) {
	q := openBench(b)
	specs := make([]job.Spec, b.N)
	for i := range specs {
		specs[i] = job.Spec{Kind: "nothing"}
	}
	if _, err := q.EnqueueMany(b.Context(), specs, queue.EnqueueOptions{}); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	var done atomic.Int64
	err := q.Run(b.Context(), queue.WorkerOptions{
		Slots: 64, NoShell: true, UntilIdle: true,
		Handlers: map[string]queue.Handler{"nothing": func(context.Context, job.Job) error {
			done.Add(1)
			return nil
		}},
	})
	if err != nil || done.Load() != int64(b.N) {
		b.Fatalf("%d jobs done (%v), want %d", done.Load(), err, b.N)
	}
}

func BenchmarkRun_Commands2(b *testing.B) {
	q := openBench(b)
	specs := make([]job.Spec, b.N)
	for i := range specs {
		specs[i] = job.Spec{Argv: []string{"true"}}
	}
	if _, err := q.EnqueueMany(b.Context(), specs, queue.EnqueueOptions{}); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	if err := q.Run(b.Context(), queue.WorkerOptions{Slots: 2, UntilIdle: true}); err != nil {
		b.Fatal(err)
	}
}

func openBench(b *testing.B) *queue.Queue {
	b.Helper()
	q, err := queue.Open(b.Context(), b.TempDir(), queue.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = q.Close() })
	return q
}

func enqueueBench(b *testing.B, q *queue.Queue) {
	if _, err := q.Enqueue(b.Context(), job.Spec{Command: strings.Repeat("x", 100)}); err != nil {
		b.Error(err)
	}
}

// BenchmarkCancel_AllOf100000 is 'queuectl cancel --all' of a long queue: it must take less than a second.
func BenchmarkCancel_AllOf100000(b *testing.B) {
	ctx := context.Background()
	for b.Loop() {
		b.StopTimer()
		q := openBench(b)
		specs := make([]job.Spec, 100_000)
		for i := range specs {
			specs[i] = job.Spec{Command: "true"}
		}
		if _, err := q.EnqueueMany(ctx, specs, queue.EnqueueOptions{}); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		sel, err := q.Select(ctx, queue.Cancelling(), []string{"all"}, projection.Filter{})
		if err != nil {
			b.Fatal(err)
		}
		if acted, err := q.Act(ctx, queue.Cancelling(), sel, nil); err != nil || len(acted.Keys) != len(specs) {
			b.Fatalf("%d jobs, %v", len(acted.Keys), err)
		}
	}
}
