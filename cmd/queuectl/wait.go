package main

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
	"github.com/queuectl/queuectl/queue"
)

type waitCmd struct {
	IDs     []string `arg:"" optional:"" name:"job" help:"Ids, beginnings of ids, last, all, or ranges of positions such as 3-7."`
	All     bool     `help:"Wait for all jobs that have not ended now."`
	For     string   `default:"done" placeholder:"done|success|STATE,..." help:"done: until all have ended. success: also stop at the first that ends otherwise than well. Or states, such as processing."`
	Any     bool     `help:"Wait for the first of the jobs only."`
	Timeout duration `placeholder:"DURATION" help:"Stop waiting after this time, with exit code 124."`

	State []job.State `placeholder:"STATE,..." help:"Only jobs that are in these states now."`
	Queue string      `placeholder:"NAME" help:"Only jobs of this queue."`
	filterFlags
}

// Help is shown below the usage line.
func (waitCmd) Help() string {
	return `Waiting for one job ends with the exit code of its command; 128+N if signal N ended it or a timeout
did; 3 if it was cancelled, lost, or its handler failed. Waiting for several ends with 0, or with 3 if
one of them did not complete.

A job is named by its id, by a beginning that no other id has, or as last. Several are selected by a
range of positions such as 3-7, or by flags: with those that have ended already, as long as the queue
knows them, but for --all. Jobs that are enqueued later are not waited for.

With --any the first of the jobs counts as if it were the only one. With states, 0 says that they were
reached, and a job that ends without ends the waiting, with its own code or with 3. A state other than
processing that a job only passes through may be missed.

Exit code 124 says that the time was up, 125 that waiting was not possible, for example because there is
no such job. Where the job's own codes may be the same, use -o json.

Examples:

  queuectl wait job1
  queuectl wait --timeout 5m job1 job2 && echo both done
  queuectl wait --all --for success
  queuectl wait --tag batch=42 || echo some of the batch failed
  queuectl wait --any job1 job2 job3
  queuectl wait --for processing --timeout 10s job1`
}

// Run waits.
func (c *waitCmd) Run(ctx context.Context, s *session) error {
	w, f, err := c.read(s)
	if err != nil {
		return cannotWait(err)
	}
	return cannotWait(s.existing(ctx, func(q *queue.Queue) error {
		sel, err := q.Select(ctx, c.fit(), c.IDs, f)
		if err != nil {
			return err
		}
		if len(sel.Keys) == 0 && !c.all() {
			return &failure{code: "nothing_matched", message: "no job matches", hint: "with --all only jobs that have not ended are waited for, and it is no error if there are none"}
		}
		if w.ids, err = q.IDs(ctx, sel.Keys); err != nil {
			return err
		}
		w.single = sel.Named && len(c.IDs) == 1
		if s.errTerminal {
			s.hintAtWorkers(ctx, q)
		}
		return waitFor(ctx, s, q, w)
	}))
}

// read returns what the flags ask for.
func (c *waitCmd) read(s *session) (w waiting, f projection.Filter, err error) {
	f = projection.Filter{States: c.State, Queue: c.Queue}
	if err := c.narrow(s, &f); err != nil {
		return w, f, err
	}
	narrow := !reflect.DeepEqual(f, projection.Filter{})
	if c.All && len(c.IDs) > 0 || !c.All && len(c.IDs) == 0 && !narrow {
		return w, f, usage("give ids, or --all", "flags such as --queue and --tag select jobs, too")
	}
	w = waiting{timeout: time.Duration(c.Timeout), WaitOptions: queue.WaitOptions{Any: c.Any}}
	w.States, err = c.states()
	return w, f, err
}

// all says that the jobs are asked for that have not ended.
func (c *waitCmd) all() bool { return c.All || slices.Contains(c.IDs, "all") }

// fit is which jobs are waited for, if their states are not given.
func (c *waitCmd) fit() queue.Action {
	if !c.all() {
		return queue.Action{}
	}
	return queue.Action{States: []job.State{job.Pending, job.Failed, job.Processing}}
}

// states are those that --for names; nil = all in which a job has ended.
func (c *waitCmd) states() (states []job.State, err error) {
	switch c.For {
	case "done":
		return nil, nil
	case "success":
		return []job.State{job.Completed}, nil
	}
	for name := range strings.SplitSeq(c.For, ",") {
		state, err := job.ParseState(name)
		if err != nil {
			return nil, usage(fmt.Sprintf("--for must be done, success or states of a job, but is %q", c.For), "the states are pending, processing, completed, failed, dead and cancelled")
		}
		states = append(states, state)
	}
	return states, nil
}

// cannotWait gives an error its exit code under the rules of wait: 125, unless it is the end of a job or of
// the time, or the user has interrupted the waiting.
func cannotWait(err error) error {
	var code exitCode
	if err == nil || errors.As(err, &code) || errors.Is(err, context.Canceled) {
		return err
	}
	f := &failure{exit: exitCannotWait, err: err}
	if given, ok := errors.AsType[*failure](err); ok {
		if given.exit == exitTimeout {
			return err
		}
		f.code, f.hint = given.code, given.hint
	}
	return f
}

// waiting is what to wait for.
type waiting struct {
	ids     []string
	timeout time.Duration // 0 = none
	single  bool          // one job, whose exit code counts
	printed bool          // the ids, and nothing else was asked for
	queue.WaitOptions
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
	waited, err := q.WaitFor(ctx, w.ids, w.WaitOptions)
	if errors.Is(err, context.DeadlineExceeded) {
		return &failure{exit: exitTimeout, code: "timeout", message: fmt.Sprintf("timed out after %v", w.timeout)}
	}
	if err != nil {
		return err
	}
	jobs := make([]job.Job, len(waited))
	for i := range waited {
		jobs[i] = waited[i].Job
	}
	if err := printEnded(s, w, jobs); err != nil {
		return err
	}
	if err := s.out.Flush(); err != nil && !errors.Is(err, errPipeClosed) { // the job's code would pass for an answer
		return err
	}
	if code := w.exitCode(waited); code != 0 {
		return exitCode(code)
	}
	return nil
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
func (w waiting) exitCode(waited []queue.Waited) int {
	if w.single || w.Any && len(waited) == 1 {
		first := waited[0]
		switch code := jobExitCode(first.Job); {
		case w.States == nil:
			return code
		case first.Reached:
			return 0
		case code != 0:
			return code
		}
		return exitNotCompleted
	}
	for _, j := range waited {
		if !j.Reached || w.States == nil && j.Job.State != job.Completed {
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
