package main

import (
	"context"
	"errors"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/queue"
)

type historyCmd struct {
	ID string `arg:"" name:"id" help:"The job."`
}

// Help is shown below the usage line.
func (historyCmd) Help() string {
	return `Every event of the job in order: when, what, by whom, and how each run ended. The number of a run is the
position of its start; 'queuectl logs ID --run N' prints what that run printed.

Examples:

  queuectl history job1
  queuectl history job1 -o jsonl`
}

// Run shows the events.
func (c *historyCmd) Run(ctx context.Context, s *session) error {
	return s.existing(ctx, func(q *queue.Queue) error {
		records, err := q.History(ctx, c.ID)
		if _, damaged := errors.AsType[*eventlog.CorruptError](err); err != nil && !damaged {
			return err
		}
		events := make([]story, len(records))
		for i, r := range records {
			events[i] = story{r, c.ID}
		}
		return firstOf(storyListing(true).print(s, events), err)
	})
}
