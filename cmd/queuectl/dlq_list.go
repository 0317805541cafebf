package main

import (
	"context"
	"fmt"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
)

type dlqListCmd struct {
	pageFlags
	atFlag
}

// Help is shown below the usage line.
func (dlqListCmd) Help() string {
	return `Examples:

  queuectl dlq list
  queuectl dlq list | jq -r '[.id, .last_error] | @tsv'
  queuectl dlq list --at 2d`
}

// Run lists.
func (c *dlqListCmd) Run(ctx context.Context, s *session) error {
	return s.ask(ctx, c.atFlag, func(q source) error { return c.print(ctx, s, q, deadListing, projection.Filter{States: dead}) })
}

// deadListing shows why jobs are dead rather than where they stand.
var deadListing = listing[job.Job]{view: viewJob, id: jobListing.id, table: deadTable}

func deadTable(s *session, jobs []job.Job) table {
	t := table{header: []string{"ID", "DIED", "RUNS", "COMMAND", "LAST ERROR"}, spare: []string{"RUNS", "DIED", "COMMAND"}}
	for _, j := range jobs {
		const widestCommand = 40
		t.add(
			text(j.Spec.ID), text(relative(s.now, j.FinishedAt)), text(fmt.Sprint(j.Runs)),
			cell{text: shorten(plain(commandLine(j.Spec)), widestCommand)}, cell{plain(j.LastError), red},
		)
	}
	return t
}
