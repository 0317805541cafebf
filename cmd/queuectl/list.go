package main

import (
	"context"
	"fmt"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
)

type listCmd struct {
	State []job.State `placeholder:"STATE,..." help:"Only jobs in these states: pending, processing, completed, failed, dead, cancelled."`
	pageFlags
	atFlag
}

// Help is shown below the usage line.
func (listCmd) Help() string {
	return `On a terminal: a table of the newest 50 jobs. Through a pipe: all jobs as JSON lines. Both in the order
in which they were enqueued.

Examples:

  queuectl list
  queuectl list --state failed,dead --queue mail
  queuectl list --state pending | jq -r .id
  queuectl list --after job41 --limit 100 -o json
  queuectl list --state processing --at 03:00`
}

// Run lists.
func (c *listCmd) Run(ctx context.Context, s *session) error {
	return s.ask(ctx, c.atFlag, func(q source) error {
		return c.print(ctx, s, q, jobListing, c.State)
	})
}

// pageFlags choose jobs out of a long list.
type pageFlags struct {
	Queue string `placeholder:"NAME" help:"Only jobs of this queue."`
	Limit *int   `placeholder:"N" help:"Show N jobs at most: the newest, or with --after the next."`
	All   bool   `help:"Show all jobs on a terminal, too."`
	After string `placeholder:"ID" help:"Only jobs enqueued after this one."`
}

// tableRows is how many jobs a table shows if nobody said otherwise.
const tableRows = 50

// tableLimit is how many items are to be shown, 0 = all.
func tableLimit(s *session, limit *int, all bool) (int, error) {
	switch {
	case limit != nil && (*limit < 1 || all):
		return 0, usage("--limit must be at least 1, and not be used with --all", "")
	case limit != nil:
		return *limit, nil
	case !all && s.asTable():
		return tableRows, nil
	}
	return 0, nil
}

// print prints the page of the jobs in one of the states, and names what it leaves out.
func (p *pageFlags) print(ctx context.Context, s *session, q source, l listing[job.Job], states []job.State) error {
	limit, err := tableLimit(s, p.Limit, p.All)
	if err != nil {
		return err
	}
	f := projection.Filter{States: states, Queue: p.Queue, Limit: limit, Newest: p.After == ""}
	if p.After != "" {
		j, err := q.Job(ctx, p.After)
		if err != nil {
			return err
		}
		f.After = j.Key
	}
	jobs, err := q.List(ctx, f)
	if err != nil {
		return err
	}
	if err := l.print(s, jobs); err != nil {
		return err
	}
	if s.asTable() && f.Limit > 0 && len(jobs) >= f.Limit {
		return p.hintAtRest(ctx, s, q, f, len(jobs))
	}
	return nil
}

func (p *pageFlags) hintAtRest(ctx context.Context, s *session, q source, f projection.Filter, shown int) error {
	n, err := q.Count(ctx, f)
	if err != nil {
		return err
	}
	if rest := n - shown; rest > 0 {
		which := "older"
		if !f.Newest {
			which = "later"
		}
		s.hint(fmt.Sprintf("%s not shown; --all shows every job", count(rest, which+" job")))
	}
	return nil
}

// jobListing shows jobs of any state.
var jobListing = listing[job.Job]{
	view:  viewJob,
	id:    func(j job.Job) string { return j.Spec.ID },
	table: jobTable,
}

func jobTable(s *session, jobs []job.Job) table {
	const queueColumn = 2
	t := table{header: []string{"ID", "STATE", "QUEUE", "ATTEMPTS", "UPDATED", "NEXT", "COMMAND"}, spare: []string{"UPDATED", "ATTEMPTS", "NEXT", "QUEUE"}}
	manyQueues := false
	for _, j := range jobs {
		manyQueues = manyQueues || queueName(j.Spec) != job.DefaultQueue
		t.add(
			text(j.Spec.ID), cell{stateWords(j), stateColour(j.State)}, text(queueName(j.Spec)), text(attempts(j)),
			text(relative(s.now, j.UpdatedAt)), text(relative(s.now, j.NextAttemptAt)), text(commandLine(j.Spec)),
		)
	}
	if !manyQueues {
		t.drop(queueColumn)
	}
	return t
}

// stateWords is the state of a job, and that its queue is paused, if that holds it back.
func stateWords(j job.Job) string {
	if j.QueuePaused {
		return j.State.String() + " (paused)"
	}
	return j.State.String()
}

// attempts says how many of a job's attempts have failed, of how many it has.
func attempts(j job.Job) string {
	return fmt.Sprintf("%d of %d", j.Attempts, uint64(j.MaxRetries)+1)
}
