package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
	"github.com/queuectl/queuectl/queue"
)

type demoCmd struct{}

// Help is shown below the usage line.
func (demoCmd) Help() string {
	return `It takes less than a minute, touches no queue of yours, and exits non-zero if anything differs from
what it should be.

Examples:

  queuectl demo`
}

// Run runs the demo.
func (demoCmd) Run(ctx context.Context, s *session) error { return runDemo(ctx, s) }

// demo shows the queue at work in a temporary directory, with real commands and real worker processes,
// and checks everything that it shows.
type demo struct {
	s       *session
	self    string // this program
	dir     string
	q       *queue.Queue
	step    int
	workers []*demoWorker // that were started
}

// errDemo is a difference between what was seen and what should have been.
type errDemo struct{ what string }

func (e *errDemo) Error() string { return "the demo saw something that should not be: " + e.what }

// runDemo runs the whole demo and returns an error if anything differs from what it should be.
func runDemo(ctx context.Context, s *session) (err error) {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	root, err := os.MkdirTemp("", "queuectl-demo-")
	if err != nil {
		return fmt.Errorf("make a temporary directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(root)) }()
	pipes := make(chan os.Signal, 1) // who stops reading would otherwise leave workers behind
	signal.Notify(pipes, syscall.SIGPIPE)
	defer signal.Stop(pipes)
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	d := &demo{s: s, self: self, dir: filepath.Join(root, "queue")}
	if err := d.open(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.q.Close()) }()
	defer d.endWorkers(context.WithoutCancel(ctx))
	return d.play(ctx)
}

// play goes through the scenes.
func (d *demo) play(ctx context.Context) error {
	d.say("queuectl demo: real commands and real worker processes, in %s", d.dir)
	for _, scene := range []func(context.Context) error{
		d.completes, d.dies, d.missingProgram, d.sharesWork, d.survivesKill, d.stopsAndRestarts, d.retriesDead,
	} {
		err := scene(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			return &errDemo{fmt.Sprintf("step %d had not ended after a minute", d.step)}
		}
		if err != nil {
			return err
		}
	}
	d.say("\nEverything was as it should be.")
	return nil
}

func (d *demo) open(ctx context.Context) error {
	q, err := queue.Open(ctx, d.dir, queue.Options{})
	if err == nil {
		d.q = q
	}
	return err
}

func (d *demo) say(format string, args ...any) {
	d.s.printf(format, args...)
	_ = d.s.out.Flush() // the last one tells whether somebody listens
}

func (d *demo) title(format string, args ...any) {
	d.step++
	d.say("\n%d. "+format, append([]any{d.step}, args...)...)
}

// expect returns an error unless got is want.
func expect[T comparable](what string, got, want T) error {
	if got != want {
		return &errDemo{fmt.Sprintf("%s is %v, not %v", what, got, want)}
	}
	return nil
}

func (d *demo) completes(ctx context.Context) error {
	d.title("A job that completes.")
	j, err := d.q.Enqueue(ctx, job.Spec{ID: "hello", Command: "echo hello from the queue"})
	if err != nil {
		return err
	}
	d.say("   enqueued %s: %s", j.Spec.ID, j.Spec.Command)
	if err := d.drain(ctx); err != nil {
		return err
	}
	if j, err = d.q.Job(ctx, "hello"); err != nil {
		return err
	}
	printed, err := os.ReadFile(d.q.OutputPath(j.Run))
	if err != nil {
		return fmt.Errorf("read the job's output: %w", err)
	}
	d.say("   it is %s and printed %q", j.State, strings.TrimSpace(string(printed)))
	return errors.Join(
		expect("the state", j.State, job.Completed),
		expect("the output", strings.TrimSpace(string(printed)), "hello from the queue"))
}

func (d *demo) dies(ctx context.Context) error {
	d.title("A job that fails, is retried with growing delays, and ends in the dead letter queue.")
	retries := uint32(2)
	_, err := d.q.Enqueue(ctx, job.Spec{ID: "broken", Command: "echo no such host; exit 3", MaxRetries: &retries})
	if err != nil {
		return err
	}
	if _, err := d.q.SetConfig(ctx, "backoff_base", "1.5"); err != nil {
		return err
	}
	if err := d.drain(ctx); err != nil {
		return err
	}
	return d.story(ctx, "broken")
}

// story tells what the log says of a dead job, and checks its delays.
func (d *demo) story(ctx context.Context, id string) error {
	records, err := d.q.History(ctx, id)
	if err != nil {
		return err
	}
	first := records[0].At.When()
	failures := 0
	var delays []time.Duration
	for _, r := range records {
		after := r.At.When().Sub(first).Round(10 * time.Millisecond)
		switch e := r.Event.(type) {
		case *job.JobEnqueued:
			d.say("   %6s  enqueued, %d retries allowed", after, *e.Spec.MaxRetries)
		case job.JobClaimed:
			d.say("   %6s  started, run %d", after, r.At.Position)
		case *job.JobFailed:
			failures++
			delay := time.Unix(0, e.NextAttemptAt).Sub(r.At.When())
			d.say("   %6s  failed: %s; again in %s", after, job.LastError(e.Why, e.Result), delay)
			delays = append(delays, delay)
		case *job.JobDied:
			failures++
			d.say("   %6s  failed: %s; retries exhausted, moved to the dead letter queue", after, job.LastError(e.Failure, e.Result))
		}
	}
	j, err := d.q.Job(ctx, id)
	return errors.Join(err,
		expect("the number of failures", failures, 3), expect("the state", j.State, job.Dead),
		expect("the delays", fmt.Sprint(delays), "[1.5s 2.25s]"))
}

func (d *demo) missingProgram(ctx context.Context) error {
	d.title("A program that does not exist.")
	none := uint32(0)
	if _, err := d.q.Enqueue(ctx, job.Spec{ID: "typo", Argv: []string{"no-such-program"}, MaxRetries: &none}); err != nil {
		return err
	}
	if err := d.drain(ctx); err != nil {
		return err
	}
	j, err := d.q.Job(ctx, "typo")
	if err != nil {
		return err
	}
	d.say("   %s is %s: %s", j.Spec.ID, j.State, j.LastError)
	if j.Exit == nil {
		return &errDemo{"a job that could not be found has no exit code"}
	}
	return errors.Join(expect("the state", j.State, job.Dead), expect("the exit code", *j.Exit, 127))
}

func (d *demo) sharesWork(ctx context.Context) error {
	const jobs = 50
	d.title("%d jobs over two worker processes, each run exactly once.", jobs)
	specs := make([]job.Spec, jobs)
	for i := range specs {
		specs[i] = job.Spec{ID: fmt.Sprintf("part %d", i+1), Command: "sleep 0.01"}
	}
	if _, err := d.q.EnqueueMany(ctx, specs, queue.EnqueueOptions{}); err != nil {
		return err
	}
	first, err := d.worker("--until-empty")
	if err != nil {
		return err
	}
	second, err := d.worker("--until-empty")
	if err != nil {
		return err
	}
	if err := errors.Join(first.wait(ctx), second.wait(ctx)); err != nil {
		return err
	}
	claims, completions, by := map[job.Position]int{}, map[job.Position]int{}, map[job.Position]int{}
	parts := map[job.Position]bool{}
	err = d.q.Read(ctx, func(r queue.Record) error {
		switch e := r.Event.(type) {
		case *job.JobEnqueued:
			parts[r.At.Position] = strings.HasPrefix(e.Spec.ID, "part ")
		case job.JobClaimed:
			if parts[e.Job] {
				claims[e.Job]++
				by[e.Worker]++
			}
		case *job.JobCompleted:
			if parts[e.Job] {
				completions[e.Job]++
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for key, n := range claims {
		if err := errors.Join(expect("the number of runs of a job", n, 1), expect("its completions", completions[key], 1)); err != nil {
			return err
		}
	}
	shares := []int{}
	for _, n := range by {
		shares = append(shares, n)
	}
	d.say("   the log shows %d claims and %d completions, one of each for every job; shares %v", len(claims), len(completions), shares)
	return errors.Join(expect("jobs claimed", len(claims), jobs), expect("jobs completed", len(completions), jobs))
}

func (d *demo) survivesKill(ctx context.Context) error {
	d.title("A worker killed with SIGKILL in the middle of a job.")
	if runtime.GOOS == "windows" {
		d.say("   skipped: there is no SIGKILL on Windows")
		return nil
	}
	victim, err := d.worker()
	if err != nil {
		return err
	}
	marker := filepath.Join(filepath.Dir(d.dir), "killed")
	// The first run waits for its end; the second finds the marker and completes.
	_, err = d.q.Enqueue(ctx, job.Spec{ID: "long", Command: fmt.Sprintf("if [ -e '%s' ]; then exit 0; fi; sleep 50", marker)})
	if err != nil {
		return err
	}
	started, err := d.until(ctx, "long", func(j job.Job) bool { return j.State == job.Processing })
	if err != nil {
		return err
	}
	heir, err := d.worker()
	if err != nil {
		return err
	}
	if err := d.untilWorkers(ctx, 2); err != nil {
		return err
	}
	if err := os.WriteFile(marker, nil, 0o600); err != nil {
		return fmt.Errorf("write the marker: %w", err)
	}
	killed := time.Now()
	if err := victim.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("kill the worker: %w", err)
	}
	again, err := d.until(ctx, "long", func(j job.Job) bool { return j.Run > started.Run })
	if err != nil {
		return err
	}
	d.say("   killed process %d; another worker started the job again %s later", victim.cmd.Process.Pid, again.StartedAt.Sub(killed).Round(100*time.Microsecond))
	j, err := d.until(ctx, "long", func(j job.Job) bool { return j.State.Ended() })
	if err != nil {
		return err
	}
	d.say("   it is %s after %d runs; crashes %d, failed attempts %d", j.State, j.Runs, j.Crashes, j.Attempts)
	if err := errors.Join(expect("the state", j.State, job.Completed), expect("crashes", j.Crashes, 1), expect("attempts", j.Attempts, 0)); err != nil {
		return err
	}
	return d.stopWorkers(ctx, heir)
}

// stopWorkers stops the one worker that is left, as queuectl worker stop does.
func (d *demo) stopWorkers(ctx context.Context, last *demoWorker) error {
	reached, err := d.q.RequestStop(ctx, false)
	if err != nil {
		return err
	}
	if err := errors.Join(expect("the number of workers that stop", reached, 1), last.wait(ctx)); err != nil {
		return err
	}
	d.say("   worker stop: reached %d worker, which has ended", reached)
	return nil
}

func (d *demo) stopsAndRestarts(ctx context.Context) error {
	d.title("A restart: the same list before and after.")
	before, err := d.list(ctx)
	if err != nil {
		return err
	}
	if err := d.q.Close(); err != nil {
		return err
	}
	if err := d.open(ctx); err != nil {
		return err
	}
	after, err := d.list(ctx)
	if err != nil {
		return err
	}
	d.say("   %d jobs before, %d after, every field the same", strings.Count(before, "\n"), strings.Count(after, "\n"))
	return expect("the list after the restart", after, before)
}

func (d *demo) list(ctx context.Context) (string, error) {
	jobs, err := d.q.List(ctx, projection.Filter{})
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, j := range jobs {
		text, err := j.MarshalJSON()
		if err != nil {
			return "", err
		}
		b.Write(append(text, '\n'))
	}
	return b.String(), nil
}

func (d *demo) retriesDead(ctx context.Context) error {
	d.title("dlq retry: a dead job gets a new life.")
	if err := d.q.Retry(queue.Because(ctx, "the demo asks for it"), true, "broken"); err != nil {
		return err
	}
	j, err := d.q.Job(ctx, "broken")
	if err != nil {
		return err
	}
	d.say("   %s is %s again: attempts %d, runs so far %d", j.Spec.ID, j.State, j.Attempts, j.Runs)
	if err := errors.Join(expect("the state", j.State, job.Pending), expect("attempts", j.Attempts, 0), expect("runs", j.Runs, 3)); err != nil {
		return err
	}
	counts, err := d.q.Count(ctx, projection.Filter{States: []job.State{job.Dead}})
	return errors.Join(err, expect("jobs in the dead letter queue", counts, 1))
}

// until waits for a job to be as asked; the demo's minute bounds it.
func (d *demo) until(ctx context.Context, id string, ok func(job.Job) bool) (job.Job, error) {
	for {
		j, err := d.q.Job(ctx, id)
		if err != nil || ok(j) {
			return j, err
		}
		select {
		case <-ctx.Done():
			return j, ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
}

func (d *demo) untilWorkers(ctx context.Context, n int) error {
	for {
		workers, err := d.q.Workers(ctx)
		if err != nil || len(workers) >= n {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
}
