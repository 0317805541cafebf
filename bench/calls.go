package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// counts are system calls: all of them, those of the Go runtime included; those on the files of the queue; and syncs.
type counts struct{ all, files, syncs float64 }

func tally(calls []call, dir string) (n counts) {
	for _, c := range calls {
		n.all++
		if strings.Contains(c.args, dir) {
			n.files++
		}
		if c.sync() {
			n.syncs++
		}
	}
	return n
}

func (n counts) minus(other counts) counts {
	return counts{n.all - other.all, n.files - other.files, n.syncs - other.syncs}
}

func (n counts) per(k int) counts {
	return counts{n.all / float64(k), n.files / float64(k), n.syncs / float64(k)}
}

// childSteps takes N jobs through their lives, one at a time, in a process in which a worker waits, and leaves a word in
// the trace between the steps: enqueue, enqueued, claimed, finished. A job becomes due a while after it was enqueued,
// so that its claim is not made beside its enqueue.
func childSteps(ctx context.Context, c *child) error {
	q, err := queue.Open(ctx, c.Dir, queue.Options{})
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	ended, known := make(chan error, 1), make(chan struct{})
	go func() {
		ended <- q.Run(running, queue.WorkerOptions{
			NoShell: true, Started: func(job.Worker) { close(known) },
			Handlers: map[string]queue.Handler{nothing: func(context.Context, job.Job) error {
				c.leave("claimed", 0)
				return nil
			}},
		})
	}()
	<-known
	c.ready()
	spec := handlerSpec()
	spec.Delay = 50 * time.Millisecond
	for range c.N {
		time.Sleep(5 * time.Millisecond) // what the outcome has begun comes to its end
		c.leave("enqueue", 0)
		j, err := q.Enqueue(ctx, spec)
		if err != nil {
			return err
		}
		c.leave("enqueued", 0)
		if _, err := q.Wait(ctx, j.Spec.ID); err != nil {
			return err
		}
		c.leave("finished", 0)
	}
	stop()
	if err := <-ended; err != nil {
		return err
	}
	c.done()
	return q.Close()
}

// systemCalls counts what single steps cost.
func systemCalls(l *lab) (results []result, err error) {
	line := func(work string, n counts) {
		results = append(results, result{
			Work: "system calls of " + work, Value: n.files, Unit: "calls", Syncs: fmt.Sprintf("%.2f", n.syncs),
			Figure: fmt.Sprintf("%.1f on the queue's files, %.1f with the runtime's", n.files, n.all),
		})
	}
	if l.strace == "" {
		return []result{{Work: "system calls", Figure: needsStrace}}, nil
	}
	dir, err := l.fresh(func(*queue.Queue) error { return nil })
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	commit, err := l.each("enqueue", load{Dir: dir, Slots: 1}, 50)
	if err != nil {
		return nil, err
	}
	line("one commit in a process that enqueues and does nothing else", commit)
	if err := l.steps(line); err != nil {
		return nil, err
	}
	for _, command := range [][]string{{"version"}, {"status"}, {"enqueue", "--", "true"}} {
		calls, err := l.tracedCommand(append([]string{l.binary, "--dir", dir, "-q"}, command...)...)
		if err != nil {
			return nil, err
		}
		line(fmt.Sprintf("a cold `queuectl %s`", command[0]), tally(calls, dir))
	}
	worker, err := l.eachCommand()
	if err != nil {
		return nil, err
	}
	line("a command `true` in a worker that has one after the other, its own included", worker)
	bound, err := l.tracedDifference(func(n int) []string {
		return []string{"sh", "-c", fmt.Sprintf("yes | head -n %d | xargs -n 1 true", n)}
	}, func(int) (string, error) { return "\x00", nil })
	if err != nil {
		return nil, err
	}
	line("the same under `xargs`, its own included", bound)
	return results, nil
}

// each returns what one of n more answers of a process costs.
func (l *lab) each(name string, work load, n int) (counts, error) {
	var totals [2]counts
	for i := range totals {
		work.N = n * (i + 1)
		calls, err := l.traced(name, work)
		if err != nil {
			return counts{}, err
		}
		totals[i] = tally(calls, work.Dir)
	}
	return totals[1].minus(totals[0]).per(n), nil
}

// steps counts the calls of an enqueue, a claim and an outcome of a process whose worker sleeps between them.
func (l *lab) steps(line func(string, counts)) error {
	dir, err := l.fresh(func(*queue.Queue) error { return nil })
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	const n = 20
	calls, err := l.traced("steps", load{Dir: dir, N: n})
	if err != nil {
		return err
	}
	from, steps := 0, map[string]counts{}
	for i, c := range calls {
		word, _, _ := strings.Cut(c.mark(), " ")
		if word == "" {
			continue
		}
		sum, these := steps[word], tally(calls[from:i], dir)
		steps[word] = counts{sum.all + these.all, sum.files + these.files, sum.syncs + these.syncs}
		from = i + 1
	}
	line("an enqueue beside an idle worker", steps["enqueued"].per(n))
	line("a claim, from the sleep of its worker until its handler runs", steps["claimed"].per(n))
	line("an outcome, until who waits for it knows", steps["finished"].per(n))
	return nil
}

// eachCommand returns what one more command costs in a worker.
func (l *lab) eachCommand() (counts, error) {
	return l.tracedDifference(func(int) []string {
		return []string{l.binary, "worker", "start", "--log-level", "error", "--until-empty"}
	},
		func(n int) (string, error) {
			return l.fresh(func(q *queue.Queue) error { return l.enqueue(q, job.Spec{Argv: []string{"true"}}, n) })
		})
}

// tracedDifference returns what one of forty more costs in a command. The directory is that of its queue.
func (l *lab) tracedDifference(command func(n int) []string, fill func(n int) (dir string, err error)) (counts, error) {
	const n = 40
	var totals [2]counts
	for i := range totals {
		dir, err := fill(n * (i + 1))
		if err != nil {
			return counts{}, err
		}
		words := command(n * (i + 1))
		if words[0] == l.binary {
			words = append([]string{l.binary, "--dir", dir}, words[1:]...)
		}
		calls, err := l.tracedCommand(words...)
		if err != nil {
			return counts{}, err
		}
		totals[i] = tally(calls, dir)
	}
	return totals[1].minus(totals[0]).per(n), nil
}
