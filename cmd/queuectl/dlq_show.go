package main

import (
	"context"
	"fmt"

	"github.com/queuectl/queuectl/job"
)

type dlqShowCmd struct {
	IDs []string `arg:"" name:"id" help:"Dead jobs."`
	atFlag
}

// Help is shown below the usage line.
func (dlqShowCmd) Help() string {
	return `With -o json, an array.

Examples:

  queuectl dlq show job1
  queuectl dlq show job1 job2 -o json`
}

// Run shows them.
func (c *dlqShowCmd) Run(ctx context.Context, s *session) error {
	return s.ask(ctx, c.atFlag, func(q source) error {
		jobs, err := jobsByID(ctx, q, c.IDs)
		if err != nil {
			return err
		}
		for _, j := range jobs {
			if j.State != job.Dead {
				return fmt.Errorf("job %q is %s, not in the dead letter queue: %w", j.Spec.ID, j.State, job.ErrWrongState)
			}
		}
		if !s.asTable() {
			return jobListing.print(s, jobs)
		}
		for i, j := range jobs {
			if i > 0 {
				s.printf("")
			}
			if err := showJob(ctx, s, q, j); err != nil {
				return err
			}
		}
		return nil
	})
}
