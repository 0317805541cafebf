package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/queuectl/queuectl/queue"
)

type workerListCmd struct {
	atFlag
}

// Help is shown below the usage line.
func (workerListCmd) Help() string {
	return `A worker is lost when its process has died: the next worker to look puts its jobs back. With --at a
worker is listed until the event that it has stopped or was found dead: the log knows no better.

Examples:

  queuectl worker list
  queuectl worker list -q
  queuectl worker list --at 90m`
}

// Run lists the workers.
func (c workerListCmd) Run(ctx context.Context, s *session) error {
	return s.ask(ctx, c.atFlag, func(q source) error {
		workers, err := q.Workers(ctx)
		if err != nil {
			return err
		}
		return workerListing.print(s, workers)
	})
}

var workerListing = listing[queue.WorkerInfo]{
	view:  viewWorker,
	id:    func(w queue.WorkerInfo) string { return w.ID },
	table: workerTable,
}

func workerTable(s *session, workers []queue.WorkerInfo) table {
	t := table{header: []string{"ID", "STATE", "PID", "STARTED", "BUSY", "QUEUES", "RUNNING"}, spare: []string{"PID", "STARTED", "QUEUES", "BUSY"}}
	for _, w := range workers {
		queues := "all"
		if len(w.Queues) > 0 {
			queues = strings.Join(w.Queues, ",")
		}
		state := workerState(w)
		colours := map[string]colour{"lost": red, "stopping": yellow, "running": blue}
		t.add(
			text(w.ID), cell{state, colours[state]}, text(fmt.Sprint(w.PID)), text(relative(s.now, w.StartedAt)),
			text(fmt.Sprintf("%d of %d", len(w.RunningIDs), w.Slots)), text(queues), text(strings.Join(w.RunningIDs, " ")),
		)
	}
	return t
}
