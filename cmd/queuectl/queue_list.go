package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

type queueListCmd struct {
	atFlag
}

// Help is shown below the usage line.
func (queueListCmd) Help() string {
	return `Queues are made on first use. Listed are those that hold jobs, and those that are paused or limited.

Examples:

  queuectl queue list
  queuectl queue list -o json | jq '.[] | select(.paused)'
  queuectl queue list --at 03:00`
}

// Run lists the queues.
func (c queueListCmd) Run(ctx context.Context, s *session) error {
	return s.ask(ctx, c.atFlag, func(q source) error {
		queues, err := q.Queues(ctx)
		if err != nil {
			return err
		}
		return queueListing.print(s, queues)
	})
}

var queueListing = listing[queue.QueueInfo]{
	view:  viewQueue,
	id:    func(q queue.QueueInfo) string { return q.Name },
	table: queueTable,
}

func queueTable(_ *session, queues []queue.QueueInfo) table {
	t := table{header: []string{"QUEUE", "STATE", "WAITING", "RUNNING", "DEAD", "CONCURRENCY", "RATE"}, spare: []string{"DEAD"}}
	for _, q := range queues {
		state := cell{text: "open"}
		if q.Paused {
			state = cell{"paused", yellow}
		}
		t.add(
			text(q.Name), state, text(fmt.Sprint(q.Waiting())), text(fmt.Sprint(q.Counts[job.Processing])),
			text(fmt.Sprint(q.Counts[job.Dead])), text(q.ConcurrencyText()), text(q.RateText()),
		)
	}
	return t
}

// queueView is a queue as JSON.
type queueView struct {
	Name        string         `json:"name"`
	Paused      bool           `json:"paused"`
	Concurrency *uint32        `json:"concurrency"` // null = any number
	Rate        *string        `json:"rate"`        // null = any
	Jobs        map[string]int `json:"jobs"`        // by state
}

func viewQueue(q queue.QueueInfo) any {
	return queueView{
		Name: q.Name, Paused: q.Paused, Concurrency: optional(q.Concurrency), Rate: optionalRate(q.Limits), Jobs: countsByName(q.Counts),
	}
}

// heldWords says what holds a queue back, "" if nothing does.
func heldWords(q queue.QueueInfo) string {
	var words []string
	if q.Paused {
		words = append(words, "paused")
	}
	if q.Concurrency > 0 {
		words = append(words, fmt.Sprintf("at most %d at a time", q.Concurrency))
	}
	if q.Rate > 0 {
		words = append(words, "at most "+q.RateText())
	}
	return strings.Join(words, ", ")
}
