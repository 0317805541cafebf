package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
	"github.com/queuectl/queuectl/queue"
)

type waitCmd struct {
	IDs     []string `arg:"" optional:"" name:"id" help:"Jobs to wait for."`
	All     bool     `help:"Wait for all jobs that have not ended now."`
	For     string   `enum:"done,success" default:"done" placeholder:"done|success" help:"done: until all have ended. success: also stop at the first that ends otherwise than well."`
	Timeout duration `placeholder:"DURATION" help:"Stop waiting after this time, with exit code 124."`
}

// Help is shown below the usage line.
func (waitCmd) Help() string {
	return `Waiting for one job ends with the exit code of its command; 128+N if signal N ended it or a timeout
did; 3 if it was cancelled, lost, or its handler failed. Waiting for several ends with 0, or with 3 if
one of them did not complete.

Exit code 124 says that the time was up, 125 that waiting was not possible, for example because there is
no such job. Where the job's own codes may be the same, use -o json.

Examples:

  queuectl wait job1
  queuectl wait --timeout 5m job1 job2 && echo both done
  queuectl wait --all --for success`
}

// Run waits.
func (c *waitCmd) Run(ctx context.Context, s *session) error {
	if c.All == (len(c.IDs) > 0) {
		return cannotWait(usage("give ids, or --all", ""))
	}
	return cannotWait(s.existing(ctx, func(q *queue.Queue) error {
		w := waiting{ids: c.IDs, timeout: time.Duration(c.Timeout), success: c.For == "success", single: len(c.IDs) == 1}
		if c.All {
			jobs, err := q.List(ctx, projection.Filter{States: []job.State{job.Pending, job.Failed, job.Processing}})
			if err != nil {
				return err
			}
			for _, j := range jobs {
				w.ids = append(w.ids, j.Spec.ID)
			}
		}
		if s.errTerminal {
			s.hintAtWorkers(ctx, q)
		}
		return waitFor(ctx, s, q, w)
	}))
}

// cannotWait gives an error its exit code under the rules of wait: 125, unless it is the end of a job or of
// the time, or the user has interrupted the waiting.
func cannotWait(err error) error {
	var code exitCode
	if err == nil || errors.As(err, &code) || errors.Is(err, context.Canceled) {
		return err
	}
	if given, ok := errors.AsType[*failure](err); ok && given.exit == exitTimeout {
		return err
	}
	return &failure{exit: exitCannotWait, err: err}
}

// waiting is what to wait for.
type waiting struct {
	ids     []string
	timeout time.Duration // 0 = none
	success bool          // stop at the first job that did not complete
	single  bool          // one job, whose exit code counts
	printed bool          // the ids, and nothing else was asked for
}

// waitFor waits, prints how the jobs ended, and returns what became of them as an exit code.
func waitFor(ctx context.Context, s *session, q *queue.Queue, w waiting) error {
	if err := q.Damage(); err != nil {
		return err // nothing more will be heard of the jobs
	}
	if w.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, w.timeout)
		defer cancel()
	}
	wait := q.Wait
	if w.success && len(w.ids) > 1 {
		wait = func(ctx context.Context, ids ...string) ([]job.Job, error) { return waitForSuccess(ctx, q, ids) }
	}
	jobs, err := wait(ctx, w.ids...)
	if errors.Is(err, context.DeadlineExceeded) {
		return &failure{exit: exitTimeout, code: "timeout", message: fmt.Sprintf("timed out after %v", w.timeout)}
	}
	if err != nil {
		return err
	}
	if err := printEnded(s, w, jobs); err != nil {
		return err
	}
	if err := s.out.Flush(); err != nil && !errors.Is(err, errPipeClosed) { // the job's code would pass for an answer
		return err
	}
	if code := w.exitCode(jobs); code != 0 {
		return exitCode(code)
	}
	return nil
}

// waitForSuccess waits until all jobs have completed or one has ended otherwise, and returns those that
// have ended.
func waitForSuccess(ctx context.Context, q *queue.Queue, ids []string) ([]job.Job, error) {
	type result struct {
		jobs []job.Job
		err  error
	}
	results := make(chan result, len(ids))
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for _, id := range ids {
		wg.Go(func() {
			jobs, err := q.Wait(ctx, id)
			results <- result{jobs, err}
		})
	}
	var ended []job.Job
	for range ids {
		r := <-results
		if r.err != nil {
			return nil, r.err
		}
		ended = append(ended, r.jobs...)
		if r.jobs[0].State != job.Completed {
			break
		}
	}
	return ended, nil
}

func printEnded(s *session, w waiting, jobs []job.Job) error {
	switch {
	case w.printed:
		return nil
	case s.format.machine() && w.single && !s.quiet:
		return s.document(viewJob(jobs[0]))
	case s.format.machine() || s.quiet:
		return jobListing.print(s, jobs)
	}
	for _, j := range jobs {
		line := fmt.Sprintf("%s %s", plain(j.Spec.ID), s.paint(stateColour(j.State), j.State.String()))
		if j.LastError != "" && j.State != job.Completed { // of an earlier run
			line += ": " + plain(j.LastError)
		}
		s.printf("%s", line)
	}
	return nil
}

// exitCode is the code that wait ends with.
func (w waiting) exitCode(jobs []job.Job) int {
	if w.single {
		return jobExitCode(jobs[0])
	}
	for _, j := range jobs {
		if j.State != job.Completed {
			return exitNotCompleted
		}
	}
	return 0
}

// exitNotCompleted says that a job ended otherwise than well, without a code of its own.
const exitNotCompleted = 3

// jobExitCode is the code that waiting for one job ends with.
func jobExitCode(j job.Job) int {
	const (
		signalled = 128
		sigterm   = 15
	)
	switch {
	case j.State == job.Completed:
		return 0
	case j.State == job.Cancelled || j.Spec.Kind != "":
		return exitNotCompleted
	case j.Signal != 0:
		return signalled + int(j.Signal)
	case j.Exit != nil && *j.Exit != 0:
		return int(*j.Exit)
	case strings.HasPrefix(j.LastError, "Timeout"):
		return signalled + sigterm // the command caught the signal and left by itself: its code means nothing
	}
	return exitNotCompleted
}
