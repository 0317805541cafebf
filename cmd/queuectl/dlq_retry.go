package main

import (
	"context"

	"github.com/queuectl/queuectl/queue"
)

type dlqRetryCmd struct {
	deadFlags
	retryFlags
}

// Help is shown below the usage line.
func (dlqRetryCmd) Help() string {
	return retryHelp + `

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
		action: queue.Retrying(c.retries(true)), verb: "retry", done: "Requested retry of",
		command: "dlq retry", empty: "the dead letter queue is empty",
	})
}
