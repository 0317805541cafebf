package main

import (
	"context"

	"github.com/queuectl/queuectl/queue"
)

type cancelCmd struct {
	chooseFlags
}

// Help is shown below the usage line.
func (cancelCmd) Help() string {
	return `Waiting jobs are cancelled at once. Of running jobs the command is ended first: TERM, then KILL after
kill_grace. Of jobs that were named, either all are cancelled or, after an error, none.

` + selectorHelp + `

Examples:

  queuectl cancel job1
  queuectl cancel job1 job2 --reason 'wrong branch'
  queuectl cancel last
  queuectl cancel --queue mail --tag team=web --dry-run
  queuectl cancel --all --yes`
}

// Run cancels.
func (c *cancelCmd) Run(ctx context.Context, s *session) error {
	f, err := c.filter(s)
	if err != nil {
		return err
	}
	return c.act(ctx, s, f, deed{
		action: queue.Cancelling(), verb: "cancel", done: "Requested cancellation of", destroys: "for good",
	})
}
