package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// timed runs a command to its end and returns how long it took, in milliseconds.
func timed(name string, args ...string) (float64, error) {
	cmd := exec.Command(name, args...)
	start := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("%s %s: %w: %s", filepath.Base(name), strings.Join(args, " "), err, out)
	}
	return float64(time.Since(start).Microseconds()) / 1000, nil
}

func coldCommands(l *lab) ([]result, error) {
	dir := filepath.Join(l.dir, "cold")
	defer os.RemoveAll(dir)
	runs := l.choose(100, 20)
	commands := map[string][]string{
		"version": {"version"},
		"enqueue": {"--dir", dir, "enqueue", `{"command":"true"}`},
		"status":  {"--dir", dir, "status"},
	}
	times := map[string][]float64{}
	for range runs {
		for name, args := range commands {
			ms, err := timed(l.binary, args...)
			if err != nil {
				return nil, err
			}
			times[name] = append(times[name], ms)
		}
	}
	bound := median(times["version"])
	var results []result
	for _, name := range []string{"enqueue", "status"} {
		ms := median(times[name])
		results = append(results, result{
			Work:   fmt.Sprintf("`queuectl %s`, cold process, small queue", name),
			Figure: fmt.Sprintf("%.1f ms", ms), Bound: fmt.Sprintf("%.1f ms, `queuectl version`", bound),
			Ratio: ms / bound, Goal: "within 10 ms of the bound",
		})
	}
	return results, nil
}

func shellCommands(l *lab) ([]result, error) {
	n, rounds := l.choose(2000, 300), 3
	input := bytes.Repeat([]byte("x\n"), n)
	var xargs, ours []float64
	for range rounds {
		cmd := exec.Command("xargs", "-P", "2", "-n", "1", "true")
		cmd.Stdin = bytes.NewReader(input)
		start := time.Now()
		if err := cmd.Run(); err != nil {
			return nil, fmt.Errorf("xargs: %w", err)
		}
		xargs = append(xargs, float64(n)/time.Since(start).Seconds())
		rate, err := l.drainCommands(n)
		if err != nil {
			return nil, err
		}
		ours = append(ours, rate)
	}
	return []result{{
		Work:   fmt.Sprintf("%d commands `true`, 2 at a time, one worker process, claims and outcomes durable", n),
		Figure: fmt.Sprintf("%.0f/s", median(ours)), Bound: fmt.Sprintf("%.0f/s, `xargs -P 2`", median(xargs)),
		Ratio: median(ours) / median(xargs), Goal: "≥ 0.8 of the bound",
	}}, nil
}

// drainCommands runs n times `true` in a worker process and returns the rate from the first start to
// the last outcome, as the log has it.
func (l *lab) drainCommands(n int) (float64, error) {
	dir, err := os.MkdirTemp(l.dir, "commands-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	q, err := queue.Open(l.ctx, dir, queue.Options{})
	if err != nil {
		return 0, err
	}
	defer q.Close()
	specs := make([]job.Spec, n)
	for i := range specs {
		specs[i] = job.Spec{Argv: []string{"true"}}
	}
	if _, err := q.EnqueueMany(l.ctx, specs, queue.EnqueueOptions{}); err != nil {
		return 0, err
	}
	if _, err := timed(l.binary, "--dir", dir, "--log-level", "error", "worker", "start", "--count", "2", "--until-empty"); err != nil {
		return 0, err
	}
	var first, last time.Time
	err = q.Read(l.ctx, func(r queue.Record) error {
		switch r.Event.(type) {
		case job.JobClaimed:
			if first.IsZero() {
				first = r.At.When()
			}
		case *job.JobCompleted:
			last = r.At.When()
		}
		return nil
	})
	return float64(n) / last.Sub(first).Seconds(), err
}

// startWorker starts an idle worker process and waits until it is known.
func (l *lab) startWorker(q *queue.Queue, known int) (*exec.Cmd, error) {
	cmd := exec.Command(l.binary, "--dir", q.Dir(), "--log-level", "error", "worker", "start")
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	for {
		workers, err := q.Workers(l.ctx)
		if err != nil || len(workers) >= known {
			return cmd, err
		}
		time.Sleep(time.Millisecond)
	}
}

func wakeUp(l *lab) ([]result, error) {
	runs := l.choose(300, 50)
	var ms []float64
	err := l.withQueue(func(q *queue.Queue) error {
		cmd, err := l.startWorker(q, 1)
		if err != nil {
			return err
		}
		defer cmd.Process.Kill()
		stamp := filepath.Join(l.dir, "stamp")
		for range runs {
			if err := os.RemoveAll(stamp); err != nil {
				return err
			}
			j, err := q.Enqueue(l.ctx, job.Spec{Command: "date +%s%N > " + stamp})
			acknowledged := time.Now()
			if err != nil {
				return err
			}
			if _, err := q.Wait(l.ctx, j.Spec.ID); err != nil {
				return err
			}
			text, err := os.ReadFile(stamp)
			if err != nil {
				return err
			}
			ns, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
			if err != nil {
				return err
			}
			ms = append(ms, float64(ns-acknowledged.UnixNano())/1e6)
			time.Sleep(2 * time.Millisecond) // let the worker become idle again
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return []result{{
		Work:   "from acknowledgement of an enqueue to the command running in another, idle process (`date` has printed)",
		Figure: fmt.Sprintf("p50 %.2f ms, p99 %.2f ms", median(ms), quantile(ms, 0.99)), Bound: "—", Goal: "p50 < 5 ms",
	}}, nil
}

func reclaimAfterKill(l *lab) ([]result, error) {
	runs := l.choose(50, 10)
	var ms []float64
	err := l.withQueue(func(q *queue.Queue) error {
		heir, err := l.startWorker(q, 1)
		if err != nil {
			return err
		}
		for range runs {
			// The heir is busy with nothing; the victim gets the job because it is the only one of its queue.
			took, err := l.killOnce(q)
			if err != nil {
				return err
			}
			ms = append(ms, took)
		}
		return heir.Process.Kill()
	})
	if err != nil {
		return nil, err
	}
	return []result{{
		Work:   "SIGKILL of a worker to its job running again in another process, orphan ended",
		Figure: fmt.Sprintf("p50 %.1f ms, p99 %.1f ms", median(ms), quantile(ms, 0.99)), Bound: "—", Goal: "< 50 ms",
	}}, nil
}

// killOnce starts a job, kills the worker that runs it and returns the milliseconds until another
// worker has started it again.
func (l *lab) killOnce(q *queue.Queue) (float64, error) {
	ctx, cancel := context.WithTimeout(l.ctx, time.Minute)
	defer cancel()
	j, err := q.Enqueue(ctx, job.Spec{Command: "sleep 100", OnCrash: job.CrashRetry})
	if err != nil {
		return 0, err
	}
	first, err := l.untilRun(ctx, q, j.Spec.ID, 0)
	if err != nil {
		return 0, err
	}
	victim, err := l.processOf(ctx, q, first.Worker)
	if err != nil {
		return 0, err
	}
	if _, err := l.startWorker(q, 2); err != nil {
		return 0, err
	}
	killed := time.Now()
	if err := victim.Kill(); err != nil {
		return 0, err
	}
	second, err := l.untilRun(ctx, q, j.Spec.ID, first.Run)
	if err != nil {
		return 0, err
	}
	took := float64(second.StartedAt.Sub(killed).Microseconds()) / 1000
	if err := q.Cancel(ctx, j.Spec.ID); err != nil {
		return 0, err
	}
	_, err = q.Wait(ctx, j.Spec.ID)
	return took, err
}

func (l *lab) untilRun(ctx context.Context, q *queue.Queue, id string, after job.Position) (job.Job, error) {
	for {
		j, err := q.Job(ctx, id)
		if err != nil || j.Run > after {
			return j, err
		}
		select {
		case <-ctx.Done():
			return j, ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
}

func (l *lab) processOf(ctx context.Context, q *queue.Queue, worker job.Position) (*os.Process, error) {
	workers, err := q.Workers(ctx)
	if err != nil {
		return nil, err
	}
	for _, w := range workers {
		if w.Key == worker {
			return os.FindProcess(int(w.PID))
		}
	}
	return nil, fmt.Errorf("worker %d is not known", worker)
}
