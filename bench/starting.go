package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// childFirst runs jobs as a worker until it is killed, and says when the handler of the first begins. Its time counts from
// the start of the process, so that nothing is waited for before.
func childFirst(ctx context.Context, c *child) error {
	fmt.Println("ready")
	q, err := queue.Open(ctx, c.Dir, queue.Options{})
	if err != nil {
		return err
	}
	return q.Run(ctx, queue.WorkerOptions{
		NoShell: true,
		Handlers: map[string]queue.Handler{nothing: func(ctx context.Context, _ job.Job) error {
			c.done()
			<-ctx.Done()
			return ctx.Err()
		}},
	})
}

// restart measures how long it takes a worker that was killed to handle a job again.
func restart(l *lab) (results []result, err error) {
	for _, n := range l.sizes() {
		dir, err := l.pending(n)
		if err != nil {
			return nil, err
		}
		turns, err := inTurns(l.choose(11, 5), func() (float64, error) { return l.startAndKill(dir) },
			func() (float64, error) { return readSnapshot(dir) })
		if err != nil {
			return nil, err
		}
		// The very first had nobody killed before it.
		ms, bound := median(turns.ours[1:]), median(turns.bound)
		r := result{
			Work: "SIGKILL with n pending jobs, from the start of a process to its first handler", N: n, Value: ms, Unit: "ms", Figure: fmt.Sprintf("%.0f ms", ms), cost: ms,
			Bound: fmt.Sprintf("%.1f ms, reading the snapshot's files", bound), BoundValue: bound, Ratio: turns.ratio(),
		}
		results = append(results, r.must("≤ 300 ms, toward 34 ms", ms <= 300))
	}
	return results, nil
}

// startAndKill starts a worker and returns after how many milliseconds its first handler ran, which then is killed.
func (l *lab) startAndKill(dir string) (float64, error) {
	start := time.Now()
	p, err := l.start(nil, "first", load{Dir: dir})
	if err != nil {
		return 0, err
	}
	defer p.cmd.Process.Kill() // no effect once it was waited for
	for range 2 {              // that it is ready, and that it is done
		if _, err := p.next(); err != nil {
			return 0, err
		}
	}
	ms := time.Since(start).Seconds() * 1e3
	if err := p.cmd.Process.Kill(); err != nil {
		return 0, err
	}
	_ = p.cmd.Wait() // by the signal
	return ms, nil
}

// childStall appends one job after the other, first N alone and then while a snapshot is written from nothing by this
// process, and tells how many milliseconds each took: N figures, and then those beside.
func childStall(ctx context.Context, c *child) error {
	q, err := queue.Open(ctx, c.Dir, queue.Options{})
	if err != nil {
		return err
	}
	if _, err := q.Snapshot(ctx); err != nil { // so that none is written by itself
		return err
	}
	c.ready()
	var figures []float64
	appendOne := func() error {
		start := time.Now()
		_, err := q.Enqueue(ctx, benchSpec())
		figures = append(figures, time.Since(start).Seconds()*1e3)
		return err
	}
	for range c.N {
		if err := appendOne(); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(filepath.Join(c.Dir, "snapshot")); err != nil {
		return err
	}
	written := make(chan error, 1)
	go func() {
		_, err := q.Snapshot(ctx)
		written <- err
	}()
	for {
		select {
		case err := <-written:
			if err != nil {
				return err
			}
			c.done(figures...)
			return q.Close()
		default:
			if err := appendOne(); err != nil {
				return err
			}
		}
	}
}

func appendsBesideASnapshot(l *lab) (results []result, err error) {
	for _, n := range l.sizes() {
		dir, err := l.crowd(n)
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir)
		const alone = 500
		o, err := l.together(1, "stall", load{Dir: dir, N: alone})
		if err != nil {
			return nil, err
		}
		quiet, busy := o.figures[:alone], o.figures[alone:]
		if len(busy) == 0 {
			return nil, fmt.Errorf("no job was appended beside the snapshot of %d", n)
		}
		longest, bound := quantile(busy, 1), quantile(quiet, 1)
		results = append(results, result{
			Work: "the longest append while a snapshot of n pending jobs is written anew", N: n, Value: longest, Unit: "ms",
			Figure: fmt.Sprintf("%.1f ms, p99 %.1f ms, of %d", longest, quantile(busy, 0.99), len(busy)),
			Bound:  fmt.Sprintf("%.1f ms, p99 %.1f ms, while none is", bound, quantile(quiet, 0.99)), BoundValue: bound, Ratio: longest / bound,
		}.must("≤ 10 ms more", longest-bound <= 10))
	}
	return results, nil
}
