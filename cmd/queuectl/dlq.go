package main

import (
	"context"

	"github.com/queuectl/queuectl/job"
)

type dlqCmd struct {
	List  dlqListCmd  `cmd:"" help:"List dead jobs."`
	Show  dlqShowCmd  `cmd:"" help:"Show everything about dead jobs."`
	Retry dlqRetryCmd `cmd:"" help:"Give dead jobs another chance."`
	Purge dlqPurgeCmd `cmd:"" help:"Let dead jobs leave the queue."`
}

// dead is the filter of the dead letter queue.
var dead = []job.State{job.Dead}

// jobsByID returns the jobs in the order of ids.
func jobsByID(ctx context.Context, q source, ids []string) ([]job.Job, error) {
	jobs := make([]job.Job, len(ids))
	for i, id := range ids {
		j, err := q.Job(ctx, id)
		if err != nil {
			return nil, err
		}
		jobs[i] = j
	}
	return jobs, nil
}
