package main

import (
	"context"

	"github.com/queuectl/queuectl/projection"
	"github.com/queuectl/queuectl/queue"
)

type dlqRetryCmd struct {
	IDs []string `arg:"" optional:"" name:"id" help:"Dead jobs."`
	All bool     `help:"All dead jobs."`
}

// Help is shown below the usage line.
func (dlqRetryCmd) Help() string {
	return `The jobs are due at once, and their attempts count from 0 again; what happened before stays in the
history. Either all of the jobs are retried or, after an error, none.

Examples:

  queuectl dlq retry job1
  queuectl dlq retry --all --reason 'the server is back'`
}

// Run retries.
func (c *dlqRetryCmd) Run(ctx context.Context, s *session) error {
	if c.All == (len(c.IDs) > 0) {
		return usage("give ids, or --all", "'queuectl dlq list' shows the dead jobs")
	}
	return s.existing(ctx, func(q *queue.Queue) error {
		ids := c.IDs
		if c.All {
			jobs, err := q.List(ctx, projection.Filter{States: dead})
			if err != nil {
				return err
			}
			for _, j := range jobs {
				ids = append(ids, j.Spec.ID)
			}
			if len(ids) == 0 {
				return &failure{code: "nothing_matched", message: "the dead letter queue is empty"}
			}
		}
		return retry(ctx, s, q, true, ids)
	})
}
