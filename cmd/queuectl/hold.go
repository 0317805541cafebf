package main

import (
	"context"

	"github.com/queuectl/queuectl/queue"
)

type holdCmd struct {
	chooseFlags
}

// Help is shown below the usage line.
func (holdCmd) Help() string {
	return `A held job stays pending or failed, and no worker claims it until it is released, whatever its time is.
A run that is under way goes on; if its job waits after it, it is held then. Held jobs can be
cancelled, and keep no worker that is to stop when the queue is empty. Of jobs that were named, either
all are held or, after an error, none.

` + selectorHelp + `

Examples:

  queuectl hold job1 --reason 'waits for the release'
  queuectl hold --queue deploy
  queuectl list --held`
}

// Run holds.
func (c *holdCmd) Run(ctx context.Context, s *session) error {
	f, err := c.filter(s)
	if err != nil {
		return err
	}
	return c.act(ctx, s, f, deed{action: queue.Holding(), verb: "hold", done: "Held"})
}

type releaseCmd struct {
	chooseFlags
}

// Help is shown below the usage line.
func (releaseCmd) Help() string {
	return `Jobs that were held take the place among the waiting ones that they would have had. Of jobs that were
named, either all are released or, after an error, none.

` + selectorHelp + `

Examples:

  queuectl release job1
  queuectl release --all`
}

// Run releases.
func (c *releaseCmd) Run(ctx context.Context, s *session) error {
	f, err := c.filter(s)
	if err != nil {
		return err
	}
	return c.act(ctx, s, f, deed{action: queue.Releasing(), verb: "release", done: "Released", empty: "no job is held"})
}
