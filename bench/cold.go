package main

import (
	"fmt"
	"os"

	"github.com/queuectl/queuectl/queue"
)

// coldQueue is one on which commands are tried.
type coldQueue struct {
	what string
	n    int
	dir  string
}

func (l *lab) coldQueues() (queues []coldQueue, err error) {
	empty, err := l.fresh(func(*queue.Queue) error { return nil })
	if err != nil {
		return nil, err
	}
	queues = append(queues, coldQueue{"with an empty log", 0, empty})
	for _, n := range l.sizes() {
		finished, err := l.finished(n)
		if err != nil {
			return nil, err
		}
		pending, err := l.pending(n)
		if err != nil {
			return nil, err
		}
		queues = append(queues, coldQueue{"with n finished jobs", n, finished}, coldQueue{"with n pending jobs", n, pending})
	}
	return queues, nil
}

// coldCommands measures commands from the start of their process to its end, each in turns with its bounds: the same
// program doing nothing, and a sync if the command needs one.
func coldCommands(l *lab) (results []result, err error) {
	queues, err := l.coldQueues()
	if err != nil {
		return nil, err
	}
	for _, command := range [][]string{{"enqueue", "--queue", backlog, "--", "true"}, {"status"}, {"list", "--limit", "50"}} {
		times := make([]paired, len(queues))
		for range l.choose(41, 3) {
			for i, q := range queues {
				bound, err := timed(l.binary, "version")
				if err != nil {
					return nil, err
				}
				if command[0] == "enqueue" {
					sync, err := l.oneSync()
					if err != nil {
						return nil, err
					}
					bound += sync
				}
				ms, err := timed(l.binary, append([]string{"--dir", q.dir, "-q"}, command...)...)
				if err != nil {
					return nil, err
				}
				times[i].ours, times[i].bound = append(times[i].ours, ms), append(times[i].bound, bound)
			}
		}
		for i, q := range queues {
			r := coldResult(command[0], q, times[i])
			if i == 0 && l.strace != "" {
				calls, err := l.tracedCommand(append([]string{l.binary, "--dir", q.dir, "-q"}, command...)...)
				if err != nil {
					return nil, err
				}
				r.Syncs = fmt.Sprint(tally(calls, q.dir).syncs)
			}
			results = append(results, r)
		}
	}
	return results, os.RemoveAll(queues[0].dir)
}

func coldResult(command string, q coldQueue, t paired) result {
	ms, bound := median(t.ours), median(t.bound)
	what := "`queuectl version`"
	if command == "enqueue" {
		what += " + fdatasync"
	}
	r := result{
		Work: fmt.Sprintf("`queuectl %s`, cold process, %s", command, q.what), N: q.n, Value: ms, Unit: "ms", Figure: fmt.Sprintf("%.1f ms", ms),
		Bound: fmt.Sprintf("%.1f ms, %s", bound, what), BoundValue: bound, Ratio: t.ratio(), cost: ms,
	}
	if q.n == 0 {
		return r.must("≤ 2 × the bound and ≤ 4 ms", r.Ratio <= 2 && ms <= 4)
	}
	return r.must("≤ 2 × the bound", r.Ratio <= 2)
}
