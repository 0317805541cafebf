package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

type enqueueCmd struct {
	JSON []string `arg:"" optional:"" name:"json" help:"The job as a JSON object. Or give its command line after --, with -c, or jobs with -f."`

	File         string   `short:"f" placeholder:"FILE" help:"Add the jobs in FILE (- = standard input): JSON lines, or one JSON array."`
	SkipExisting bool     `help:"Leave out jobs whose id exists already, instead of refusing all."`
	Wait         bool     `short:"w" help:"Wait for the jobs to end and exit with the code of the job; see 'queuectl wait --help'."`
	WaitTimeout  duration `placeholder:"DURATION" help:"Stop waiting after this time, with exit code 124."`

	onceFlags
	specFlags
}

// Help is shown below the usage line.
func (enqueueCmd) Help() string {
	return `The job is durable when the command returns. Each flag mirrors a field of the JSON form.

A file is checked as a whole first: one bad line or one id that exists already, and nothing is added.

Examples:

  queuectl enqueue '{"id":"job1","command":"echo hello","max_retries":3}'
  queuectl enqueue -- make -j4 test
  queuectl enqueue --delay 10m --queue mail -c 'fetchmail && notmuch new'
  queuectl enqueue --at 03:00 -- ./backup
  queuectl enqueue --skip-existing -f jobs.jsonl
  queuectl enqueue --wait -- ./deploy.sh && echo deployed`
}

// Run adds the jobs and, if asked to, waits for them.
func (c *enqueueCmd) Run(ctx context.Context, s *session) error {
	err := c.run(ctx, s)
	if c.Wait {
		return cannotWait(err)
	}
	return err
}

func (c *enqueueCmd) run(ctx context.Context, s *session) error {
	if c.WaitTimeout != 0 && !c.Wait {
		return usage("--wait-timeout needs --wait", "")
	}
	jobs, err := interruptibly(ctx, func() (batch, error) { return c.read(s) })
	if err != nil {
		return err
	}
	return s.change(ctx, func(q *queue.Queue) error {
		added, err := c.enqueue(ctx, s, q, jobs)
		if err != nil {
			return err
		}
		s.changed = len(added) > 0
		return c.answer(ctx, s, q, batchResult{asked: jobs.specs, added: added})
	})
}

// answer prints what was enqueued and, if asked to, waits for it. In JSON, of which there is one document,
// the jobs are printed when they have ended or when the waiting has.
func (c *enqueueCmd) answer(ctx context.Context, s *session, q *queue.Queue, r batchResult) error {
	late := c.Wait && s.format.machine() && !s.quiet
	if !late {
		if err := c.print(ctx, s, q, r); err != nil || !c.Wait {
			return err
		}
		if err := s.out.Flush(); err != nil {
			return err
		}
	}
	err := waitFor(ctx, s, q, waiting{
		ids: idsToAwait(r.asked, r.added), timeout: time.Duration(c.WaitTimeout), single: c.File == "", printed: s.quiet,
	})
	if _, ended := errors.AsType[exitCode](err); late && err != nil && !ended {
		err = firstOf(err, c.print(context.WithoutCancel(ctx), s, q, r))
	}
	return err
}

// read returns the specs that the arguments ask for, in the one form that was used.
func (c *enqueueCmd) read(s *session) (batch, error) {
	fields := map[string]any{}
	if err := c.onceFlags.add(fields, s.now); err != nil {
		return batch{}, err
	}
	fromFlags, err := c.object(s.argv, fields)
	if err != nil {
		return batch{}, err
	}
	forms := 0
	for _, used := range []bool{len(c.JSON) > 0, c.File != "", fromFlags != nil} {
		if used {
			forms++
		}
	}
	const forOne = "'queuectl enqueue --help' has an example of each form"
	switch {
	case forms == 0:
		return batch{}, usage("no job given", forOne)
	case len(c.JSON) > 1:
		return batch{}, usage("a command line goes behind --", "did you mean: queuectl enqueue -- "+job.Quote(c.JSON))
	case forms > 1:
		return batch{}, usage("give a job as JSON, or with flags, or jobs with --file: not more than one of them", forOne)
	case c.File != "":
		return readFile(s, c.File)
	case len(c.JSON) == 1:
		return readSpec(s, []byte(c.JSON[0]))
	}
	return readSpec(s, fromFlags)
}

// enqueue adds the jobs. A refusal of one of many names its line.
func (c *enqueueCmd) enqueue(ctx context.Context, s *session, q *queue.Queue, jobs batch) ([]job.Job, error) {
	opt := queue.EnqueueOptions{SkipExisting: c.SkipExisting}
	if s.errTerminal && !s.quiet && len(jobs.specs) > 1 {
		opt.Progress = func(done, total int) {
			fmt.Fprintf(s.stderr, "\rEnqueued %d of %s\x1b[K", done, count(total, "job"))
			if done == total {
				fmt.Fprint(s.stderr, "\r\x1b[K")
			}
		}
	}
	added, err := q.EnqueueMany(ctx, jobs.specs, opt)
	if err == nil {
		return added, nil
	}
	message := "Failed to enqueue: "
	if refused, ok := errors.AsType[*queue.SpecError](err); ok {
		err = refused.Err
		message += jobs.place(refused.Index)
	}
	message += err.Error()
	if len(added) > 0 {
		message += fmt.Sprintf("; the first %s had been enqueued before", count(len(added), "job"))
	}
	return nil, &failure{message: message, err: err}
}

// batchResult is what an enqueue did.
type batchResult struct {
	asked []job.Spec
	added []job.Job // without those that were skipped
}

// id is that of the only job that was asked for.
func (r batchResult) id() string {
	if len(r.added) == 1 {
		return r.added[0].Spec.ID
	}
	return r.asked[0].ID
}

func (c *enqueueCmd) print(ctx context.Context, s *session, q *queue.Queue, r batchResult) error {
	skipped := len(r.asked) - len(r.added)
	switch {
	case s.quiet || s.format.machine() && c.File != "":
		return jobListing.print(s, r.added)
	case s.format.machine() && len(r.added) == 1:
		return s.document(viewJob(r.added[0]))
	case s.format.machine():
		j, err := q.Job(ctx, r.id())
		if err != nil {
			return err
		}
		return s.document(viewJob(j))
	case c.File == "" && len(r.added) == 1:
		s.printf("Enqueued job %s", plain(r.id()))
	case c.File == "":
		s.printf("Skipped job %s, which exists already", plain(r.id()))
	case skipped > 0:
		s.printf("Enqueued %s, skipped %d with ids that exist already", count(len(r.added), "job"), skipped)
	default:
		s.printf("Enqueued %s", count(len(r.added), "job"))
	}
	if s.errTerminal && len(r.added) > 0 {
		s.hintAtWorkers(ctx, q)
		s.hintAtPauses(ctx, q, r.added)
	}
	return nil
}

// hintAtWorkers tells that nobody will run what waits. A hint that cannot be given is no reason to fail.
func (s *session) hintAtWorkers(ctx context.Context, q *queue.Queue) {
	workers, err := q.Workers(ctx)
	if err != nil || slices.ContainsFunc(workers, func(w queue.WorkerInfo) bool { return w.Alive }) {
		return
	}
	s.hint("no worker is running; start one with 'queuectl worker start'")
}

// hintAtPauses names the queues of the jobs that are paused, as hintAtWorkers does.
func (s *session) hintAtPauses(ctx context.Context, q *queue.Queue, added []job.Job) {
	used := map[string]bool{}
	for _, j := range added {
		used[queueName(j.Spec)] = true
	}
	queues, _ := q.Queues(ctx)
	for _, info := range queues {
		if info.Paused && used[info.Name] {
			s.hint(fmt.Sprintf("queue %s is paused; 'queuectl queue resume %[1]s' ends that", job.Quote([]string{info.Name})))
		}
	}
}

// idsToAwait returns the ids of the jobs in the order of specs: of those that were added, and of those
// that existed already.
func idsToAwait(specs []job.Spec, added []job.Job) []string {
	ids := make([]string, len(specs))
	for i, spec := range specs {
		ids[i] = spec.ID
		if len(added) > 0 && (spec.ID == "" || spec.ID == added[0].Spec.ID) {
			ids[i], added = added[0].Spec.ID, added[1:]
		}
	}
	return ids
}

// interruptibly returns what read returns, or ctx's error as soon as it ends: reading from a terminal or
// a FIFO may never end, and cannot be left in another way. Nothing has been written then.
func interruptibly[T any](ctx context.Context, read func() (T, error)) (T, error) {
	var result T
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		result, err = read()
	}()
	select {
	case <-done:
		return result, err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
