package main

import (
	"context"

	"github.com/queuectl/queuectl/queue"
)

type retryCmd struct {
	IDs []string `arg:"" name:"id" help:"Failed or dead jobs."`
}

// Help is shown below the usage line.
func (retryCmd) Help() string {
	return `The jobs are due at once, and their attempts count from 0 again; what happened before stays in the
history. Either all of the jobs are retried or, after an error, none.

Examples:

  queuectl retry job1
  queuectl list -q --state failed | xargs queuectl retry`
}

// Run retries.
func (c *retryCmd) Run(ctx context.Context, s *session) error {
	return s.existing(ctx, func(q *queue.Queue) error { return retry(ctx, s, q, false, c.IDs) })
}

// retry brings jobs back and says so.
func retry(ctx context.Context, s *session, q *queue.Queue, onlyDead bool, ids []string) error {
	if err := q.Retry(ctx, onlyDead, ids...); err != nil {
		return err
	}
	return s.acted(ctx, q, "Requested retry of", ids)
}
