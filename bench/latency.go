package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// idle is how long a worker is left alone before it gets a job, so that it sleeps.
const idle = 3 * time.Millisecond

// childIdle enqueues N jobs, one at a time, while a worker of the same process has nothing to do, and tells for each how
// many milliseconds were between its acknowledgement and its handler's beginning, which may come first.
func childIdle(ctx context.Context, c *child) error {
	q, err := queue.Open(ctx, c.Dir, queue.Options{})
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	begun, ended, known := make(chan time.Time, 1), make(chan error, 1), make(chan struct{})
	go func() {
		ended <- q.Run(running, queue.WorkerOptions{
			Queues: []string{job.DefaultQueue}, NoShell: true, Started: func(job.Worker) { close(known) },
			Handlers: map[string]queue.Handler{nothing: func(context.Context, job.Job) error {
				begun <- time.Now()
				return nil
			}},
		})
	}()
	<-known
	c.ready()
	figures := make([]float64, 0, c.N)
	for range c.N {
		time.Sleep(idle)
		j, err := q.Enqueue(ctx, handlerSpec())
		acknowledged := time.Now()
		if err != nil {
			return err
		}
		figures = append(figures, (<-begun).Sub(acknowledged).Seconds()*1e3)
		if _, err := q.Wait(ctx, j.Spec.ID); err != nil {
			return err
		}
	}
	stop()
	if err := <-ended; err != nil {
		return err
	}
	c.done(figures...)
	return q.Close()
}

func wakeUp(l *lab) (results []result, err error) {
	for _, n := range l.sizes() {
		dir, err := l.pending(n)
		if err != nil {
			return nil, err
		}
		o, err := l.together(1, "idle", load{Dir: dir, N: l.choose(500, 50)})
		if err != nil {
			return nil, err
		}
		results = append(results, latency("idle worker, from acknowledgement to the handler, same process; n pending beside", n, o.figures, 0.25, 0.7))
		ms, alone, err := l.wakeUpOther(dir)
		if err != nil {
			return nil, err
		}
		r := latency("idle worker in another process, from acknowledgement to the command's clock; n pending beside", n, ms, 1, 5)
		results = append(results, r.beside(alone))
	}
	return results, nil
}

func latency(work string, n int, ms []float64, p50, p99 float64) result {
	half, most := median(ms), quantile(ms, 0.99)
	r := result{Work: work, N: n, Value: half, Unit: "ms", Figure: fmt.Sprintf("p50 %.2f ms, p99 %.2f ms", half, most), cost: half}
	return r.must(fmt.Sprintf("p50 ≤ %v ms, p99 ≤ %v ms", p50, p99), half <= p50 && most <= p99)
}

// beside adds what the command takes by itself.
func (r result) beside(alone []float64) result {
	r.BoundValue = median(alone)
	r.Bound, r.Ratio = fmt.Sprintf("p50 %.2f ms, its command by itself", r.BoundValue), r.Value/r.BoundValue
	return r
}

// clock is a command that tells when it runs.
var clock = []string{"date", "+%s%N"}

// wakeUpOther returns how many milliseconds after the acknowledgement of each job its command read the clock, in a worker
// of another process, and how long after its start such a command does by itself.
func (l *lab) wakeUpOther(dir string) (ms, alone []float64, err error) {
	err = l.with(dir, func(q *queue.Queue) error {
		worker, err := l.startWorker(q, 1)
		if err != nil {
			return err
		}
		defer stopWorker(worker)
		for range l.choose(300, 20) {
			time.Sleep(idle)
			j, err := q.Enqueue(l.ctx, job.Spec{Argv: clock})
			acknowledged := time.Now()
			if err != nil {
				return err
			}
			at, err := l.printed(q, j.Spec.ID)
			if err != nil {
				return err
			}
			ms = append(ms, at.Sub(acknowledged).Seconds()*1e3)
			itself, err := byItself(clock...)
			if err != nil {
				return err
			}
			alone = append(alone, itself)
		}
		return nil
	})
	return ms, alone, err
}

// byItself starts a command that tells when it runs, and returns after how many milliseconds that was.
func byItself(argv ...string) (float64, error) {
	started := time.Now()
	out, err := exec.Command(argv[0], argv[1:]...).Output()
	if err != nil {
		return 0, err
	}
	at, err := parseClock(out)
	return at.Sub(started).Seconds() * 1e3, err
}

func parseClock(text []byte) (time.Time, error) {
	ns, err := strconv.ParseInt(string(bytes.TrimSpace(text)), 10, 64)
	return time.Unix(0, ns), err
}

// printed waits for a job to end, and returns the time that its last run printed.
func (l *lab) printed(q *queue.Queue, id string) (time.Time, error) {
	jobs, err := q.Wait(l.ctx, id)
	if err != nil {
		return time.Time{}, err
	}
	f, err := q.OpenOutput(jobs[0].Run)
	if err != nil {
		return time.Time{}, err
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil {
		return time.Time{}, err
	}
	return parseClock(text)
}

// startWorker starts an idle worker process for the default queue and waits until so many are known.
func (l *lab) startWorker(q *queue.Queue, known int) (*exec.Cmd, error) {
	cmd := exec.Command(l.binary, "--dir", q.Dir(), "--log-level", "error", "worker", "start", "--queues", job.DefaultQueue)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	for {
		changed := q.Changed()
		workers, err := q.Workers(l.ctx)
		if err != nil || len(workers) >= known {
			return cmd, err
		}
		<-changed
	}
}

// stopWorker kills a worker that has nothing to do.
func stopWorker(cmd *exec.Cmd) {
	_ = cmd.Process.Kill() // it may have ended
	_ = cmd.Wait()         // by the signal
}

// reclaim measures how long a job is without a worker when that is killed.
func reclaim(l *lab) (results []result, err error) {
	for _, n := range l.sizes() {
		dir, err := l.pending(n)
		if err != nil {
			return nil, err
		}
		var ms, alone []float64
		err = l.with(dir, func(q *queue.Queue) error {
			workers := map[int]*exec.Cmd{} // by process id
			for len(workers) < 2 {
				w, err := l.startWorker(q, len(workers)+1)
				if err != nil {
					return err
				}
				defer stopWorker(w)
				workers[w.Process.Pid] = w
			}
			for range l.choose(100, 5) {
				took, itself, err := l.killOnce(q, workers)
				if err != nil {
					return err
				}
				ms, alone = append(ms, took), append(alone, itself)
				w, err := l.startWorker(q, 2)
				if err != nil {
					return err
				}
				defer stopWorker(w)
				workers[w.Process.Pid] = w
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		r := latency("worker killed with SIGKILL, until its job runs again in another process; n pending beside", n, ms, 5, 50)
		results = append(results, r.beside(alone))
	}
	return results, nil
}

// killOnce starts a job, kills the worker that runs it and returns the milliseconds until the command of its next run has
// read the clock, and those that it takes by itself.
func (l *lab) killOnce(q *queue.Queue, workers map[int]*exec.Cmd) (ms, itself float64, err error) {
	first := filepath.Join(l.dir, "first")
	if err := os.RemoveAll(first); err != nil {
		return 0, 0, err
	}
	line := fmt.Sprintf("if [ -e '%s' ]; then exec %s; fi; : >'%[1]s'; exec sleep 100", first, strings.Join(clock, " "))
	j, err := q.Enqueue(l.ctx, job.Spec{Command: line, OnCrash: job.CrashRetry})
	if err != nil {
		return 0, 0, err
	}
	for _, err := os.Stat(first); err != nil; _, err = os.Stat(first) {
		time.Sleep(time.Millisecond)
	}
	running, err := q.Job(l.ctx, j.Spec.ID)
	if err != nil {
		return 0, 0, err
	}
	all, err := q.Workers(l.ctx)
	if err != nil {
		return 0, 0, err
	}
	for _, w := range all {
		victim := workers[int(w.PID)]
		if w.Key != running.Worker || victim == nil {
			continue
		}
		delete(workers, int(w.PID))
		killed := time.Now()
		if err := victim.Process.Kill(); err != nil {
			return 0, 0, err
		}
		at, err := l.printed(q, j.Spec.ID)
		if err != nil {
			return 0, 0, err
		}
		_ = victim.Wait() // by the signal
		itself, err = byItself("sh", "-c", line)
		return at.Sub(killed).Seconds() * 1e3, itself, err
	}
	return 0, 0, fmt.Errorf("worker %d of %s is not known", running.Worker, j.Spec.ID)
}
