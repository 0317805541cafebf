package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// childEnqueue enqueues N jobs from as many goroutines as there are Slots, each job when the one before is durable.
func childEnqueue(ctx context.Context, c *child) error {
	q, err := queue.Open(ctx, c.Dir, queue.Options{})
	if err != nil {
		return err
	}
	c.ready()
	err = parallel(c.Slots, c.N, func(i int64) error {
		c.leave("asked", i)
		_, err := q.Enqueue(ctx, benchSpec())
		if err == nil {
			c.leave("answer", i)
		}
		return err
	})
	if err != nil {
		return err
	}
	c.done()
	return q.Close()
}

// parallel calls fn with n different numbers from some goroutines and returns the first error.
func parallel(goroutines, n int, fn func(i int64) error) error {
	var left atomic.Int64
	left.Store(int64(n))
	var group sync.WaitGroup
	errs := make([]error, goroutines)
	for i := range goroutines {
		group.Go(func() {
			for number := left.Add(-1); errs[i] == nil && number >= 0; number = left.Add(-1) {
				errs[i] = fn(number)
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

// producers measures k processes that enqueue, so many goroutines in each, in turns with raw.
type producers struct {
	work      string
	processes int
	each      int // jobs of a process
	load      load
	raw       load   // of a process, without N and Size
	bound     string // what raw is
}

// measure does so in queues of different sizes. Every job is counted in the queue, by a process that sees what is durable.
func (p producers) measure(l *lab, judge func(result) result) (results []result, err error) {
	for _, n := range l.sizes() {
		dir, err := l.crowd(n)
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir)
		p.load.Dir, p.load.N = dir, p.each
		p.raw.N = p.each
		before, size := 0, sizeOfLog(dir)
		if before, err = l.count(dir, job.Pending); err != nil {
			return nil, err
		}
		total, rounds := p.processes*p.each, l.choose(5, 3)
		p.raw.Size = commandSize // until it is known
		turns, err := inTurns(rounds, func() (float64, error) {
			o, err := l.together(p.processes, "enqueue", p.load)
			p.raw.Size = int(sizeOfLog(dir)-size) / total
			size = sizeOfLog(dir)
			return float64(total) / o.seconds, err
		}, func() (float64, error) { return l.raw(p.processes, p.raw) })
		if err != nil {
			return nil, err
		}
		after, err := l.count(dir, job.Pending)
		if err != nil {
			return nil, err
		}
		if after-before != rounds*total {
			return nil, fmt.Errorf("%d jobs are there of %d that were acknowledged", after-before, rounds*total)
		}
		r := rateResult(p.work, n, turns, p.bound)
		results = append(results, judge(r))
	}
	counted := p.load
	counted.N = l.choose(500, 200)
	last := &results[len(results)-1]
	last.Syncs, err = l.syncs("enqueue", counted)
	return results, err
}

// rateResult is a line of rates of jobs, of which more is better.
func rateResult(work string, n int, turns paired, bound string) result {
	ours, raw := median(turns.ours), median(turns.bound)
	return result{
		Work: work, N: n, Figure: fmt.Sprintf("%.0f/s", ours), Value: ours, Unit: "1/s", cost: 1 / ours,
		Bound: fmt.Sprintf("%.0f/s, %s", raw, bound), BoundValue: raw, Ratio: turns.ratio(),
	}
}

// count asks a read-only handle, which sees what is durable.
func (l *lab) count(dir string, state job.State) (int, error) {
	q, err := queue.Open(l.ctx, dir, queue.Options{ReadOnly: true})
	if err != nil {
		return 0, err
	}
	defer q.Close()
	status, err := q.Status(l.ctx)
	return status.Counts[state], err
}

func oneProducer(l *lab) ([]result, error) {
	return producers{
		work: "one producer, one durable job at a time; with n pending", processes: 1, each: l.choose(3000, 200),
		load: load{Slots: 1}, raw: load{Batch: 1}, bound: "write + fdatasync of as many bytes",
	}.measure(l, func(r result) result { return r.must("≥ 0.9 of the bound", r.Ratio >= 0.9) })
}

func manyGoroutines(l *lab) ([]result, error) {
	return producers{
		work: "64 goroutines enqueue, each job durable; with n pending", processes: 1, each: l.choose(192_000, 6_400),
		load: load{Slots: 64}, raw: load{Batch: 64}, bound: "records of as many bytes, 64 a sync",
	}.measure(l, func(r result) result { return r.must("≥ 0.5 of the bound", r.Ratio >= 0.5) })
}

func manyProcesses(l *lab) ([]result, error) {
	return producers{
		work: "16 processes enqueue, each job durable; with n pending", processes: 16, each: l.choose(400, 20),
		load: load{Slots: 1}, raw: load{Batch: 1, Lock: true}, bound: "16 processes lock, write as many bytes, unlock, fdatasync",
	}.measure(l, func(r result) result { return r.must("≥ 0.6 of the bound", r.Ratio >= 0.6) })
}

// childBulk enqueues N jobs at once.
func childBulk(ctx context.Context, c *child) error {
	q, err := queue.Open(ctx, c.Dir, queue.Options{})
	if err != nil {
		return err
	}
	specs := repeat(benchSpec(), c.N)
	c.ready()
	if _, err := q.EnqueueMany(ctx, specs, queue.EnqueueOptions{}); err != nil {
		return err
	}
	c.done()
	return q.Close()
}

// childParse parses the JSON of N jobs, and does nothing with them.
func childParse(_ context.Context, c *child) error {
	line := []byte(`{"command":"` + benchSpec().Command + `"}`)
	c.ready()
	for range c.N {
		if _, _, err := job.ParseSpec(line); err != nil {
			return err
		}
	}
	c.done()
	return nil
}

func bulk(l *lab) (results []result, err error) {
	for _, parse := range []bool{false, true} {
		for _, n := range []int{1_000, 10_000, 100_000} {
			var rates []float64
			for range l.choose(7, 2) {
				dir, err := l.path()
				if err != nil {
					return nil, err
				}
				name := "bulk"
				if parse {
					name = "parse"
				}
				o, err := l.together(1, name, load{Dir: dir, N: n})
				if err != nil {
					return nil, err
				}
				rates = append(rates, float64(n)/o.seconds)
				if err := os.RemoveAll(dir); err != nil {
					return nil, err
				}
			}
			rate := median(rates)
			r := result{Work: "bulk enqueue of n jobs in one durable commit, engine", N: n, Value: rate, Unit: "1/s", Figure: fmt.Sprintf("%.0f/s", rate), cost: 1 / rate}
			if parse {
				r.Work = "parsing of the JSON of n jobs"
			} else if n == 100_000 {
				r = r.must("≥ 500,000/s", rate >= 500_000)
			}
			results = append(results, r)
		}
	}
	return results, nil
}
