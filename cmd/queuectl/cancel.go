package main

import (
	"context"

	"github.com/queuectl/queuectl/queue"
)

type cancelCmd struct {
	IDs []string `arg:"" name:"id" help:"Jobs to cancel."`
}

// Help is shown below the usage line.
func (cancelCmd) Help() string {
	return `Waiting jobs are cancelled at once. Of running jobs the command is ended first: TERM, then KILL after
kill_grace. Either all of the jobs are cancelled or, after an error, none.

Examples:

  queuectl cancel job1
  queuectl cancel job1 job2 --reason 'wrong branch'`
}

// Run cancels.
func (c *cancelCmd) Run(ctx context.Context, s *session) error {
	return s.existing(ctx, func(q *queue.Queue) error {
		if err := q.Cancel(ctx, c.IDs...); err != nil {
			return err
		}
		return s.acted(ctx, q, "Requested cancellation of", c.IDs)
	})
}

// acted says what was done to the jobs.
func (s *session) acted(ctx context.Context, q *queue.Queue, what string, ids []string) error {
	s.changed = true
	ids = unique(ids)
	if !s.quiet && !s.format.machine() {
		for _, id := range ids {
			s.printf("%s %s", what, plain(id))
		}
		return nil
	}
	jobs, err := jobsByID(ctx, q, ids)
	if err != nil {
		return err
	}
	return jobListing.print(s, jobs)
}

// unique leaves out what was named before: the queue acts on a job once.
func unique(ids []string) []string {
	seen := make(map[string]bool, len(ids))
	var once []string
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			once = append(once, id)
		}
	}
	return once
}
