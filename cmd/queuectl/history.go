package main

import (
	"context"
	"errors"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

type historyCmd struct {
	ID       string `arg:"" name:"id" help:"The job."`
	Attempts bool   `help:"Only the attempts: as JSON, one object for each instead of one for each event."`
	atFlag
}

// Help is shown below the usage line.
func (historyCmd) Help() string {
	return `What happened to the job, in order: each attempt with how long the job had waited for it, how long
it took, how it ended and the last line that it printed, and between them what people did. The
number of a run is the position of its start; 'queuectl logs ID --run N' prints what that run
printed, 'queuectl explain ID' says what it means.

As JSON it is every event of the job, like 'queuectl log list --job ID'.

Examples:

  queuectl history job1
  queuectl history job1 -o jsonl
  queuectl history job1 --attempts -o json | jq 'map(.duration_seconds) | add'`
}

// Run shows the events.
func (c *historyCmd) Run(ctx context.Context, s *session) error {
	return s.ask(ctx, c.atFlag, func(q source) error {
		records, err := q.History(ctx, c.ID)
		if _, damaged := errors.AsType[*eventlog.CorruptError](err); err != nil && !damaged {
			return err
		}
		printed := c.print(s, records)
		if err == nil {
			s.hintAtPruned(records)
		}
		return firstOf(printed, err)
	})
}

// hintAtPruned says that the beginning of a job's history is missing.
func (s *session) hintAtPruned(records []queue.Record) {
	if len(records) == 0 || job.KindOf(records[0].Event) != job.KindJobEnqueued {
		s.hint("what happened to it first was pruned; 'queuectl show' has what it came to, and 'queuectl log list --type ArchivePruned' says who pruned the log, when and why")
	}
}

func (c *historyCmd) print(s *session, records []queue.Record) error {
	if c.Attempts {
		return attemptListing.print(s, queue.Attempts(records))
	}
	events := make([]story, len(records))
	for i, r := range records {
		events[i] = story{r, r.ID}
	}
	return storyListing(true).print(s, events)
}
