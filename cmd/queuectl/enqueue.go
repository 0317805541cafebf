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
	Batch        string   `placeholder:"NAME" help:"Label the jobs in FILE with the tag batch=NAME, and call those without an id NAME.1, NAME.2, ..."`
	Then         bool     `help:"Add the job behind -- too: it is called NAME, and runs when all jobs in FILE have ended, in any way."`
	SkipExisting bool     `help:"Leave out jobs whose id exists already, instead of refusing all."`
	Wait         bool     `short:"w" help:"Wait for the jobs to end and exit with the code of the job; see 'queuectl wait --help'."`
	WaitTimeout  duration `placeholder:"DURATION" help:"Stop waiting after this time, with exit code 124."`

	linesFlags
	onceFlags
	specFlags
}

// bulk says that there may be many jobs, however many there are.
func (c *enqueueCmd) bulk() bool { return c.File != "" || c.perLine() }

// input is the file to read jobs from.
func (c *enqueueCmd) input() string {
	if c.File == "" {
		return "-"
	}
	return c.File
}

// Help is shown below the usage line.
func (enqueueCmd) Help() string {
	return `The job is durable when the command returns. Each flag mirrors a field of the JSON form.

A file is checked as a whole first: one bad line or one id that exists already, and nothing is added.

A unique key is a name that no two jobs share: not while the other waits or runs, or only while it waits
(--unique-scope waiting), or also for so long after its enqueue (--unique-scope 1h).

With --lines and --each, lines without a word are skipped and job flags hold for all jobs. --each puts
the line in place of every {} of the command line and of --id. It runs no shell, so that a line may
hold spaces and quotes.

Examples:

  queuectl enqueue '{"id":"job1","command":"echo hello","max_retries":3}'
  queuectl enqueue -- make -j4 test
  queuectl enqueue --delay 10m --queue mail -c 'fetchmail && notmuch new'
  queuectl enqueue --at 03:00 -- ./backup
  queuectl enqueue --after fetch,build -- ./deploy
  queuectl enqueue -f jobs.jsonl --batch nightly --then -- ./report
  queuectl enqueue --skip-existing -f jobs.jsonl
  queuectl enqueue --unique-key report --on-clash existing -- ./report.sh
  queuectl enqueue --queue build --lines -f commands.txt
  ls *.svg | queuectl enqueue --each -- convert {} {}.png
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
		each, err := c.enqueue(ctx, s, q, jobs)
		if err != nil {
			return err
		}
		s.changed = each.count(queue.Added) > 0
		return c.answer(ctx, s, q, each)
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
		ids: r.ids(), timeout: time.Duration(c.WaitTimeout), single: !c.bulk(), printed: s.quiet,
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
	if c.perLine() {
		return c.readPerLine(s, fields)
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
	case c.Batch != "" || c.Then:
		return c.readBatch(s, fromFlags)
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
func (c *enqueueCmd) enqueue(ctx context.Context, s *session, q *queue.Queue, jobs batch) (batchResult, error) {
	opt := queue.EnqueueOptions{SkipExisting: c.SkipExisting}
	if s.errTerminal && !s.quiet && len(jobs.specs) > 1 {
		opt.Progress = func(done, total int) {
			fmt.Fprintf(s.stderr, "\rEnqueued %d of %s\x1b[K", done, count(total, "job"))
			if done == total {
				fmt.Fprint(s.stderr, "\r\x1b[K")
			}
		}
	}
	each, err := q.EnqueueEach(ctx, jobs.specs, opt)
	result := batchResult(each)
	if err == nil {
		return result, nil
	}
	message := "Failed to enqueue: "
	if refused, ok := errors.AsType[*queue.SpecError](err); ok {
		err = refused.Err
		message += jobs.place(refused.Index)
	}
	message += err.Error()
	if n := result.count(queue.Added); n > 0 {
		message += fmt.Sprintf("; the first %s had been enqueued before", count(n, "job"))
	}
	return nil, &failure{message: message, err: err}
}

// batchResult is what an enqueue did, for each spec.
type batchResult []queue.Enqueued

func (r batchResult) count(how queue.How) (n int) {
	for i := range r {
		if r[i].How == how {
			n++
		}
	}
	return n
}

// jobs are those that are new, or stand for a spec because of its unique key.
func (r batchResult) jobs() []job.Job {
	jobs := make([]job.Job, 0, len(r))
	for i := range r {
		if r[i].How != queue.Skipped {
			jobs = append(jobs, r[i].Job)
		}
	}
	return jobs
}

// ids are those of the jobs in the order of the specs, new or not.
func (r batchResult) ids() []string {
	ids := make([]string, len(r))
	for i := range r {
		ids[i] = r[i].Job.Spec.ID
	}
	return ids
}

func (c *enqueueCmd) print(ctx context.Context, s *session, q *queue.Queue, r batchResult) error {
	switch {
	case s.quiet || s.format.machine() && c.bulk():
		return jobListing.print(s, r.jobs())
	case s.format.machine():
		j := r[0].Job
		if r[0].How == queue.Skipped {
			var err error
			if j, err = q.Job(ctx, j.Spec.ID); err != nil {
				return err
			}
		}
		return s.document(viewJob(j))
	case !c.bulk():
		s.printf(oneWords[r[0].How], plain(r[0].Job.Spec.ID))
	default:
		s.printf("%s", r.words())
	}
	if s.errTerminal && r.count(queue.Added) > 0 {
		s.hintAtWorkers(ctx, q)
		s.hintAtPauses(ctx, q, r.jobs())
	}
	return nil
}

// oneWords say what became of a single spec.
var oneWords = map[queue.How]string{
	queue.Added:   "Enqueued job %s",
	queue.Found:   "Found job %s, which has the unique key already",
	queue.Skipped: "Skipped job %s, which exists already",
}

// words say what became of a file.
func (r batchResult) words() string {
	words := "Enqueued " + count(r.count(queue.Added), "job")
	if n := r.count(queue.Found); n > 0 {
		words += fmt.Sprintf(", found %d with unique keys that are taken", n)
	}
	if n := r.count(queue.Skipped); n > 0 {
		words += fmt.Sprintf(", skipped %d with ids that exist already", n)
	}
	return words
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
