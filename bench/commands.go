package main

import (
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// commands measures 'true', so many at a time in so many processes, in turns with xargs.
func commands(l *lab) (results []result, err error) {
	type shape struct{ n, atATime, processes int }
	n := l.choose(2000, 100)
	for _, s := range []shape{{n / 4, 2, 1}, {n, 2, 1}, {4 * n, 2, 1}, {n, 2, 2}, {n, 8, 1}, {n, 8, 4}} {
		turns, err := inTurns(l.choose(3, 2), func() (float64, error) {
			return l.drainCommands(s.n, s.atATime/s.processes, s.processes)
		}, func() (float64, error) { return xargs(s.n, s.atATime) })
		if err != nil {
			return nil, err
		}
		work := fmt.Sprintf("n commands `true`, %d at a time, in %d worker process(es), claims and outcomes durable", s.atATime, s.processes)
		r := rateResult(work, s.n, turns, fmt.Sprintf("`xargs -P %d`", s.atATime))
		results = append(results, r.must("≥ 0.9 of the bound", r.Ratio >= 0.9))
	}
	return results, nil
}

// drainCommands runs n times 'true' in worker processes and returns the rate from the first claim to the last outcome,
// as the log has it.
func (l *lab) drainCommands(n, slots, processes int) (float64, error) {
	dir, err := l.fresh(func(q *queue.Queue) error { return l.enqueue(q, job.Spec{Argv: []string{"true"}}, n) })
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	workers := make([]*exec.Cmd, processes)
	for i := range workers {
		workers[i] = exec.Command(l.binary, "--dir", dir, "--log-level", "error", "worker", "start", "--count", fmt.Sprint(slots), "--until-empty")
		if err := workers[i].Start(); err != nil {
			return 0, err
		}
	}
	for _, w := range workers {
		if err := w.Wait(); err != nil {
			return 0, fmt.Errorf("worker: %w", err)
		}
	}
	var first, last time.Time
	completed := 0
	err = l.with(dir, func(q *queue.Queue) error {
		return q.Read(l.ctx, func(r queue.Record) error {
			switch r.Event.(type) {
			case job.JobClaimed:
				if first.IsZero() {
					first = r.At.When()
				}
			case *job.JobCompleted:
				last = r.At.When()
				completed++
			}
			return nil
		})
	})
	if err == nil && completed != n {
		err = fmt.Errorf("%d of %d commands were completed", completed, n)
	}
	return float64(n) / last.Sub(first).Seconds(), err
}
