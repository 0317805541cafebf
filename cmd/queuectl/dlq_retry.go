package main

import (
	"context"

	"github.com/queuectl/queuectl/queue"
)

type dlqRetryCmd struct {
	deadFlags
	paceFlag
}

// Help is shown below the usage line.
func (dlqRetryCmd) Help() string {
	return `The jobs are due at once, and their attempts count from 0 again; what happened before stays in the
history. With --rate they are due one after another: so the log says, and workers keep to it. Of jobs
that were named, either all are retried or, after an error, none.

` + selectorHelp + `

Examples:

  queuectl dlq retry job1
  queuectl dlq retry --all --reason 'the server is back'
  queuectl dlq retry --match 'connection refused' --rate 10/s`
}

// Run retries.
func (c *dlqRetryCmd) Run(ctx context.Context, s *session) error {
	f, err := c.filter(s)
	if err != nil {
		return err
	}
	return c.act(ctx, s, f, deed{
		action: queue.Retrying(true, c.Rate.every), verb: "retry", done: "Requested retry of",
		command: "dlq retry", empty: "the dead letter queue is empty",
	})
}
