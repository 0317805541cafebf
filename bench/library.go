package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/queuectl/queuectl/internal/file"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

const commandSize = 100 // bytes of a job's command in all rows

func benchSpec() job.Spec { return job.Spec{Command: strings.Repeat("x", commandSize)} }

// rawLoop writes and syncs n records of the given size, batch records a sync, and returns records/s.
func (l *lab) rawLoop(n, size, batch int) (float64, error) {
	f, err := os.CreateTemp(l.dir, "raw-")
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	buf := make([]byte, size*batch)
	start := time.Now()
	for done := 0; done < n; done += batch {
		if _, err := f.Write(buf); err != nil {
			return 0, err
		}
		if err := file.Datasync(f); err != nil {
			return 0, err
		}
	}
	return float64(n) / time.Since(start).Seconds(), nil
}

// withQueue runs fn on a new queue in a directory.
func (l *lab) withQueue(fn func(q *queue.Queue) error) error {
	dir, err := os.MkdirTemp(l.dir, "queue-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	q, err := queue.Open(l.ctx, dir, queue.Options{})
	if err != nil {
		return err
	}
	if err := fn(q); err != nil {
		q.Close()
		return err
	}
	return q.Close()
}

// sizeOfLog is the bytes of all segments.
func sizeOfLog(dir string) (size int64) {
	for _, sub := range []string{"log", "sealed"} {
		names, _ := filepath.Glob(filepath.Join(dir, sub, strings.Repeat("[0-9]", 20)))
		for _, name := range names {
			if info, err := os.Stat(name); err == nil {
				size += info.Size()
			}
		}
	}
	return size
}

func oneAtATime(l *lab) ([]result, error) {
	n, rounds := l.choose(2000, 300), 5
	var raw, ours []float64
	for range rounds {
		frame := 0
		err := l.withQueue(func(q *queue.Queue) error {
			start := time.Now()
			for range n {
				if _, err := q.Enqueue(l.ctx, benchSpec()); err != nil {
					return err
				}
			}
			ours = append(ours, float64(n)/time.Since(start).Seconds())
			frame = int(sizeOfLog(q.Dir())) / n
			return nil
		})
		if err != nil {
			return nil, err
		}
		rate, err := l.rawLoop(n, frame, 1)
		if err != nil {
			return nil, err
		}
		raw = append(raw, rate)
	}
	return []result{{
		Work:   "enqueue, one durable job at a time, library",
		Figure: fmt.Sprintf("%.0f jobs/s", median(ours)), Bound: fmt.Sprintf("%.0f writes + fdatasyncs/s of as many bytes", median(raw)),
		Ratio: median(ours) / median(raw), Goal: "≥ 0.8 of the bound",
	}}, nil
}

func manyGoroutines(l *lab) ([]result, error) {
	const goroutines = 64
	n, rounds := l.choose(200_000, 20_000), 3
	var raw, ours []float64
	for range rounds {
		err := l.withQueue(func(q *queue.Queue) error {
			start := time.Now()
			if err := parallel(goroutines, n, func() error {
				_, err := q.Enqueue(l.ctx, benchSpec())
				return err
			}); err != nil {
				return err
			}
			ours = append(ours, float64(n)/time.Since(start).Seconds())
			return nil
		})
		if err != nil {
			return nil, err
		}
		rate, err := l.rawLoop(n, commandSize+30, goroutines)
		if err != nil {
			return nil, err
		}
		raw = append(raw, rate)
	}
	return []result{{
		Work:   "enqueue from 64 goroutines, each durable",
		Figure: fmt.Sprintf("%.0f jobs/s", median(ours)), Bound: fmt.Sprintf("%.0f records/s, 64 a sync", median(raw)),
		Ratio: median(ours) / median(raw), Goal: "≥ 100,000 jobs/s",
	}}, nil
}

// parallel calls fn n times from some goroutines and returns the first error.
func parallel(goroutines, n int, fn func() error) error {
	var left atomic.Int64
	left.Store(int64(n))
	var group sync.WaitGroup
	errs := make([]error, goroutines)
	for i := range goroutines {
		group.Go(func() {
			for errs[i] == nil && left.Add(-1) >= 0 {
				errs[i] = fn()
			}
		})
	}
	group.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func claimAndOutcome(l *lab) ([]result, error) {
	const slots, measured = 64, 20_000
	var results []result
	base := 0.0
	for _, waiting := range []int{1_000, 100_000, l.choose(1_000_000, 200_000)} {
		var perJob []float64
		for range 3 {
			err := l.withQueue(func(q *queue.Queue) error {
				t, err := l.drainSome(q, slots, waiting, measured)
				perJob = append(perJob, t)
				return err
			})
			if err != nil {
				return nil, err
			}
		}
		us := median(perJob)
		r := result{
			Work:   fmt.Sprintf("claim + outcome, handlers, 64 at a time, %d waiting", waiting),
			Figure: fmt.Sprintf("%.1f µs a job (%.0f jobs/s)", us, 1e6/us), Bound: "the same with 1000 waiting", Goal: "≤ 1.5 × up to 10⁵",
		}
		if base == 0 {
			base, r.Bound = us, "—"
		} else {
			r.Ratio = us / base
		}
		results = append(results, r)
	}
	return results, nil
}

// drainSome keeps about the given number of jobs waiting and returns the µs that each of n jobs takes
// from claim to durable outcome, many at a time.
func (l *lab) drainSome(q *queue.Queue, slots, waiting, n int) (float64, error) {
	spec := job.Spec{Kind: "nothing", Payload: []byte(`"` + strings.Repeat("x", commandSize-2) + `"`)}
	specs := make([]job.Spec, waiting+n)
	for i := range specs {
		specs[i] = spec
	}
	if _, err := q.EnqueueMany(l.ctx, specs, queue.EnqueueOptions{}); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithCancel(l.ctx)
	defer cancel()
	var done atomic.Int64
	var start time.Time
	var took time.Duration
	err := q.Run(ctx, queue.WorkerOptions{
		Slots: slots, NoShell: true,
		Handlers: map[string]queue.Handler{"nothing": func(context.Context, job.Job) error {
			switch done.Add(1) {
			case 1:
				start = time.Now()
			case int64(n):
				took = time.Since(start)
				cancel()
			}
			return nil
		}},
	})
	return float64(took.Microseconds()) / float64(n), err
}

func memoryPerJob(l *lab) ([]result, error) {
	n := l.choose(1_000_000, 200_000)
	var before, after runtime.MemStats
	var perJob, disk float64
	err := l.withQueue(func(q *queue.Queue) error {
		empty := sizeOfLog(q.Dir())
		runtime.GC()
		runtime.ReadMemStats(&before)
		for added := 0; added < n; {
			specs := make([]job.Spec, min(100_000, n-added))
			for i := range specs {
				specs[i] = benchSpec()
			}
			if _, err := q.EnqueueMany(l.ctx, specs, queue.EnqueueOptions{}); err != nil {
				return err
			}
			added += len(specs)
		}
		for busy := true; busy; { // what is written beside has memory of its own
			report, err := q.Snapshot(l.ctx)
			if err != nil {
				return err
			}
			busy = report.Busy
		}
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&after)
		perJob = float64(after.HeapAlloc-before.HeapAlloc) / float64(n)
		disk = float64(sizeOfLog(q.Dir())-empty) / float64(n)
		return nil
	})
	return []result{
		{
			Work:   fmt.Sprintf("memory of a pending job, 100-byte command, %d jobs", n),
			Figure: fmt.Sprintf("%.0f B", perJob), Bound: "100 B, its command", Ratio: perJob / commandSize, Goal: "≤ 300 B",
		},
		{
			Work:   fmt.Sprintf("disk of a pending job, the same %d jobs, enqueued in bulk", n),
			Figure: fmt.Sprintf("%.0f B", disk), Bound: "100 B, its command", Ratio: disk / commandSize, Goal: "≤ 137 B",
		},
	}, err
}

func bulk(l *lab) ([]result, error) {
	const n = 100_000
	specs := make([]job.Spec, n)
	for i := range specs {
		specs[i] = benchSpec()
	}
	var rates []float64
	for range 5 {
		err := l.withQueue(func(q *queue.Queue) error {
			start := time.Now()
			_, err := q.EnqueueMany(l.ctx, specs, queue.EnqueueOptions{})
			rates = append(rates, n/time.Since(start).Seconds())
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return []result{{
		Work:   "bulk enqueue of 100,000 jobs in one commit, library",
		Figure: fmt.Sprintf("%.0f jobs/s", median(rates)), Bound: "—", Goal: "≥ 500,000 jobs/s",
	}}, nil
}
