package main

import (
	"fmt"
	"math"
	"os"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// numbered are n jobs for handlers, each changed by its number.
func numbered(n int, change func(i int, spec *job.Spec)) []job.Spec {
	specs := repeat(handlerSpec(), n)
	for i := range specs {
		change(i, &specs[i])
	}
	return specs
}

// filled enqueues specs in commits of as many as fit.
func (l *lab) filled(specs []job.Spec) func(*queue.Queue) error {
	return func(q *queue.Queue) error {
		for len(specs) > 0 {
			some := min(100_000, len(specs))
			if _, err := q.EnqueueMany(l.ctx, specs[:some], queue.EnqueueOptions{}); err != nil {
				return err
			}
			specs = specs[some:]
		}
		return nil
	}
}

// schedules adds n schedules, none of which ticks soon.
func (l *lab) schedules(q *queue.Queue, n int) error {
	far := time.Now().AddDate(0, 6, 0)
	for i := range n {
		c := job.Cron{
			Name: fmt.Sprint("cron", i), Schedule: fmt.Sprintf("%d %d %d %d *", i%60, i/60%24, min(far.Day(), 28), far.Month()), Zone: "UTC",
			Job: handlerSpec(),
		}
		if _, err := q.AddCron(l.ctx, c, false); err != nil {
			return err
		}
	}
	return nil
}

// limited gives the default queue limits that hold nothing back.
func (l *lab) limited(q *queue.Queue) error {
	_, err := q.LimitQueue(l.ctx, job.DefaultQueue, func(limits *job.Limits) {
		*limits = job.Limits{Concurrency: math.MaxUint16, Rate: 1_000_000, Per: time.Second}
	})
	return err
}

// features measures what jobs cost that use what can hold jobs back, in turns with jobs that use nothing.
func features(l *lab) (results []result, err error) {
	n := l.choose(50_000, 2_000)
	key := func(i int, s *job.Spec) { s.ConcurrencyKey = fmt.Sprint("key", i) }
	after := func(i int, s *job.Spec) { // pairs of a parent and a child
		s.ID = fmt.Sprint("job", i)
		if i >= n/2 {
			s.After = []job.Parent{{ID: fmt.Sprint("job", i-n/2)}}
		}
	}
	none := func(int, *job.Spec) {}
	for _, feature := range []struct {
		name   string
		change func(int, *job.Spec)
		set    func(*queue.Queue) error
	}{
		{"a limit of concurrency and of rate", none, l.limited},
		{"a concurrency key each", key, nil},
		{"every second job after another", after, nil},
		{"1,000 schedules beside", none, func(q *queue.Queue) error { return l.schedules(q, 1000) }},
		{"all of these", func(i int, s *job.Spec) { key(i, s); after(i, s) }, func(q *queue.Queue) error {
			if err := l.limited(q); err != nil {
				return err
			}
			return l.schedules(q, 1000)
		}},
	} {
		turns, err := inTurns(l.choose(5, 2), func() (float64, error) {
			return l.perJob(n, func(q *queue.Queue) error {
				if feature.set != nil {
					if err := feature.set(q); err != nil {
						return err
					}
				}
				return l.filled(numbered(n, feature.change))(q)
			})
		}, func() (float64, error) { return l.perJob(n, l.filled(numbered(n, none))) })
		if err != nil {
			return nil, fmt.Errorf("%s: %w", feature.name, err)
		}
		us, plain := median(turns.ours), median(turns.bound)
		r := result{
			Work: "claim + outcome of n jobs, handlers, 64 at a time, with " + feature.name, N: n, Value: us, Unit: "µs", Figure: fmt.Sprintf("%.1f µs a job", us),
			Bound: fmt.Sprintf("%.1f µs, without", plain), BoundValue: plain, Ratio: turns.ratio(),
		}
		results = append(results, r.must("≤ 1.2 × the bound", r.Ratio <= 1.2))
	}
	return results, nil
}

// manyThings measures what jobs cost where there are many of what is usually few, in turns with the fewest.
func manyThings(l *lab) (results []result, err error) {
	jobs := l.choose(50_000, 2_000)
	spread := func(n int) int { return max(n, jobs) } // at least one job of each
	for _, many := range []struct {
		work  string
		sizes []int
		jobs  func(n int) int
		fill  func(q *queue.Queue, n int) error
	}{
		{"claim + outcome of jobs spread over n queues", []int{10, 100, 1_000}, spread, func(q *queue.Queue, n int) error {
			return l.filled(numbered(spread(n), func(i int, s *job.Spec) { s.Queue = fmt.Sprint("queue", i%n) }))(q)
		}},
		{"claim + outcome beside n schedules", []int{10, 100, 1_000}, spread, func(q *queue.Queue, n int) error {
			if err := l.schedules(q, n); err != nil {
				return err
			}
			return l.filled(repeat(handlerSpec(), spread(n)))(q)
		}},
		{"claim + outcome of n jobs with a key each", l.hundreds(), func(n int) int { return n }, func(q *queue.Queue, n int) error {
			return l.filled(numbered(n, func(i int, s *job.Spec) { s.ConcurrencyKey = fmt.Sprint("key", i) }))(q)
		}},
		{"claim + outcome of n jobs in one graph, all after the first", l.hundreds(), func(n int) int { return n }, func(q *queue.Queue, n int) error {
			return l.filled(numbered(n, func(i int, s *job.Spec) {
				s.ID = fmt.Sprint("job", i)
				if i > 0 {
					s.After = []job.Parent{{ID: "job0"}}
				}
			}))(q)
		}},
	} {
		measure := func(n int) func() (float64, error) {
			return func() (float64, error) {
				return l.perJob(many.jobs(n), func(q *queue.Queue) error { return many.fill(q, n) })
			}
		}
		fewest := many.sizes[0]
		for _, n := range many.sizes[1:] {
			turns, err := inTurns(l.choose(5, 2), measure(n), measure(fewest))
			if err != nil {
				return nil, fmt.Errorf("%s, %d: %w", many.work, n, err)
			}
			us, base := median(turns.ours), median(turns.bound)
			if n == many.sizes[1] {
				results = append(results, result{Work: many.work, N: fewest, Value: base, Unit: "µs", Figure: fmt.Sprintf("%.1f µs a job", base), cost: base})
			}
			results = append(results, result{
				Work: many.work, N: n, Value: us, Unit: "µs", Figure: fmt.Sprintf("%.1f µs a job", us), cost: us,
				Bound: fmt.Sprintf("%.1f µs, the same with %s", base, power(fewest)), BoundValue: base, Ratio: turns.ratio(),
			})
		}
	}
	return results, nil
}

// hundreds are sizes of which the largest is a hundred times the smallest, up to that of the goals.
func (l *lab) hundreds() []int {
	if l.quick {
		return []int{100, 1_000, 10_000}
	}
	return []int{1_000, 10_000, 100_000}
}

// cancelAll measures the command on a queue in which n jobs wait.
func cancelAll(l *lab) (results []result, err error) {
	for _, n := range l.hundreds() {
		var times []float64
		for range l.choose(5, 2) {
			dir, err := l.fresh(func(q *queue.Queue) error { return l.enqueue(q, benchSpec(), n) })
			if err != nil {
				return nil, err
			}
			ms, err := timed(l.binary, "--dir", dir, "-q", "cancel", "--all", "--yes")
			if err != nil {
				return nil, err
			}
			times = append(times, ms)
			cancelled, err := l.count(dir, job.Cancelled)
			if err != nil || cancelled != n {
				return nil, fmt.Errorf("%d of %d jobs are cancelled: %w", cancelled, n, err)
			}
			if err := os.RemoveAll(dir); err != nil {
				return nil, err
			}
		}
		ms := median(times)
		r := result{Work: "`queuectl cancel --all` of n jobs, cold process", N: n, Value: ms, Unit: "ms", Figure: fmt.Sprintf("%.0f ms", ms), cost: ms / float64(n)}
		results = append(results, r.must("< 1 s", ms < 1000))
	}
	return results, nil
}
