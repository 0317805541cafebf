package main

import (
	"context"

	"github.com/queuectl/queuectl/queue"
)

type dlqPurgeCmd struct {
	deadFlags
}

// Help is shown below the usage line.
func (dlqPurgeCmd) Help() string {
	return `Dead jobs leave the queue: they are not listed or counted any more, their ids are free again, and what
they printed is removed. What happened to them stays in the log: see 'queuectl history'. Of jobs that
were named, either all leave or, after an error, none.

` + selectorHelp + `

Examples:

  queuectl dlq purge job1
  queuectl dlq purge --match 'no such file' --dry-run
  queuectl dlq purge --all --yes --reason 'nobody asked for them'`
}

// Run purges.
func (c *dlqPurgeCmd) Run(ctx context.Context, s *session) error {
	f, err := c.filter(s)
	if err != nil {
		return err
	}
	return c.act(ctx, s, f, deed{
		action: queue.Purging(), verb: "purge", command: "dlq purge", done: "Purged", gone: true,
		destroys: "and remove what they printed", empty: "the dead letter queue is empty",
	})
}
