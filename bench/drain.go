package main

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// nothing is the kind of the jobs whose handler does nothing.
const nothing = "nothing"

// childDrain runs all jobs, so many handlers at a time, and tells how many microseconds each took from the beginning of the first
// handler to that of the last.
func childDrain(ctx context.Context, c *child) error {
	q, err := queue.Open(ctx, c.Dir, queue.Options{})
	if err != nil {
		return err
	}
	c.ready()
	var begun, first, last atomic.Int64
	err = q.Run(ctx, queue.WorkerOptions{
		Slots: c.Slots, NoShell: true, UntilEmpty: true,
		Handlers: map[string]queue.Handler{nothing: func(context.Context, job.Job) error {
			c.leave("answer", 0) // not before the claim is durable
			now := time.Now().UnixNano()
			first.CompareAndSwap(0, now)
			last.Store(now)
			begun.Add(1)
			return nil
		}},
	})
	if err != nil {
		return err
	}
	c.done(float64(last.Load()-first.Load()) / 1e3 / float64(max(1, begun.Load()-1)))
	return q.Close()
}

// drained has a process run all n jobs of a queue, which it removes then.
func (l *lab) drained(n int, fill func(q *queue.Queue) error) (o outcome, err error) {
	dir, err := l.fresh(fill)
	if err != nil {
		return o, err
	}
	defer os.RemoveAll(dir)
	if o, err = l.together(1, "drain", load{Dir: dir, Slots: 64}); err != nil {
		return o, err
	}
	completed, err := l.count(dir, job.Completed)
	if err == nil && completed != n {
		err = fmt.Errorf("%d of %d jobs are completed", completed, n)
	}
	return o, err
}

// perJob returns the microseconds that each of n jobs took.
func (l *lab) perJob(n int, fill func(q *queue.Queue) error) (float64, error) {
	o, err := l.drained(n, fill)
	if err != nil {
		return 0, err
	}
	return o.figures[0], nil
}

func drain(l *lab) (results []result, err error) {
	for _, n := range l.sizes() {
		turns, err := inTurns(l.choose(3, 2), func() (float64, error) {
			o, err := l.drained(n, func(q *queue.Queue) error { return l.enqueue(q, handlerSpec(), n) })
			return float64(n) / o.seconds, err
		}, func() (float64, error) {
			return l.raw(1, load{N: 64 * l.choose(2000, 100), Size: commandSize, Batch: 64})
		})
		if err != nil {
			return nil, err
		}
		r := rateResult("n jobs through Go handlers, 64 at a time, every claim and outcome durable", n, turns, "records of 100 bytes, 64 a sync")
		if n == 100_000 {
			r = r.must("≥ 100,000/s", r.Value >= 100_000)
		}
		results = append(results, r)
	}
	dir, err := l.fresh(func(q *queue.Queue) error { return l.enqueue(q, handlerSpec(), 2000) })
	if err != nil {
		return nil, err
	}
	results[len(results)-1].Syncs, err = l.syncs("drain", load{Dir: dir, N: 2000, Slots: 64})
	return results, err
}

// childKeep runs N jobs of a queue, so many at a time, and tells how many microseconds each took from claim to durable
// outcome. Then it enqueues as many.
func childKeep(ctx context.Context, c *child) error {
	q, err := queue.Open(ctx, c.Dir, queue.Options{})
	if err != nil {
		return err
	}
	c.ready()
	running, stop := context.WithCancel(ctx)
	defer stop()
	var begun atomic.Int64
	var start, end time.Time
	err = q.Run(running, queue.WorkerOptions{
		Slots: c.Slots, NoShell: true,
		Handlers: map[string]queue.Handler{nothing: func(context.Context, job.Job) error {
			switch begun.Add(1) {
			case int64(c.Slots): // the first ones found everything cold
				start = time.Now()
			case int64(c.Slots + c.N):
				end = time.Now()
				stop()
			}
			return nil
		}},
	})
	if err != nil {
		return err
	}
	l, spec := lab{ctx: ctx}, handlerSpec()
	spec.Queue = backlog
	if err := l.enqueue(q, spec, int(begun.Load())); err != nil {
		return err
	}
	c.done(float64(end.Sub(start).Microseconds()) / float64(c.N))
	return q.Close()
}

// waiting measures what jobs cost with many others waiting, in turns with few waiting.
func waiting(l *lab) (results []result, err error) {
	const few, work = 1_000, "claim + outcome, handlers, 64 at a time, with n jobs waiting"
	sizes := []int{few, 100_000, 1_000_000, 10_000_000}
	if l.quick {
		sizes = []int{few, 10_000, 100_000}
	}
	keep := func(n int) func() (float64, error) {
		return func() (float64, error) {
			dir, err := l.pending(n)
			if err != nil {
				return 0, err
			}
			jobs := l.choose(20_000, 2_000)
			if n == few { // that many are never there at once
				jobs = few / 2
			}
			o, err := l.together(1, "keep", load{Dir: dir, N: jobs, Slots: 64})
			if err != nil {
				return 0, err
			}
			return o.figures[0], nil
		}
	}
	for _, n := range sizes[1:] {
		turns, err := inTurns(l.choose(5, 3), keep(n), keep(few))
		if err != nil {
			return nil, err
		}
		us, base := median(turns.ours), median(turns.bound)
		if len(results) == 0 {
			results = append(results, result{Work: work, N: few, Value: base, Unit: "µs", Figure: fmt.Sprintf("%.1f µs a job", base), cost: base})
		}
		r := result{
			Work: work, N: n, Value: us, Unit: "µs", Figure: fmt.Sprintf("%.1f µs a job", us), cost: us,
			Bound: fmt.Sprintf("%.1f µs, the same with 10³ waiting", base), BoundValue: base, Ratio: turns.ratio(),
		}
		if n <= 1_000_000 {
			r = r.must("≤ 1.3 × the bound", r.Ratio <= 1.3)
		}
		results = append(results, r)
	}
	return results, nil
}
