package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
	"github.com/queuectl/queuectl/queue"
)

type statusCmd struct {
	atFlag
}

// Help is shown below the usage line.
func (statusCmd) Help() string {
	return `Examples:

  queuectl status
  queuectl status -o json | jq .jobs.dead
  queuectl status --at '2030-01-31 03:00'`
}

// Run shows the status.
func (c statusCmd) Run(ctx context.Context, s *session) error {
	return s.ask(ctx, c.atFlag, func(q source) error {
		status, err := q.Status(ctx)
		if err != nil {
			return err
		}
		status.Dir = s.dir
		if s.noQueue {
			status.Position, status.Time = 0, time.Time{} // those of the empty queue in memory
		}
		if s.format.machine() {
			return s.document(viewStatus(status))
		}
		printStatus(s, status)
		if c.At != "" && !s.asTable() {
			s.printf("Moment: %s", asOf(status.Position, status.Time))
		}
		return nil
	})
}

// statusView is the status as JSON.
type statusView struct {
	Dir      string                    `json:"dir"`
	Jobs     map[string]int            `json:"jobs"`
	Held     int                       `json:"held"` // of those jobs
	Queues   map[string]map[string]int `json:"queues"`
	Paused   []string                  `json:"paused_queues"`
	Workers  []any                     `json:"workers"`
	Position job.Position              `json:"position"` // of the last event that this rests on …
	Time     *time.Time                `json:"time"`     // … and when it was written
}

func viewStatus(status queue.Status) statusView {
	v := statusView{
		Dir: status.Dir, Jobs: countsByName(status.Counts), Held: status.Held, Queues: map[string]map[string]int{},
		Paused: []string{}, Workers: []any{}, Position: status.Position, Time: optional(status.Time),
	}
	for _, q := range status.Queues {
		v.Queues[q.Name] = countsByName(q.Counts)
		if q.Paused {
			v.Paused = append(v.Paused, q.Name)
		}
	}
	for _, w := range status.Workers {
		v.Workers = append(v.Workers, viewWorker(w))
	}
	return v
}

func countsByName(counts projection.Counts) map[string]int {
	byName := map[string]int{}
	for _, state := range job.States {
		byName[state.String()] = counts[state]
	}
	return byName
}

// printStatus prints the status in the words of the original program, and what it had not.
func printStatus(s *session, status queue.Status) {
	s.printf("Job states:")
	for _, state := range job.States {
		c := stateColour(state)
		if status.Counts[state] == 0 {
			c = grey
		}
		s.printf("%s", s.paint(c, fmt.Sprintf("  %s: %d", state, status.Counts[state])))
	}
	if len(status.Queues) > 1 || len(status.Queues) == 1 && heldWords(status.Queues[0]) != "" {
		s.printf("Queues:")
		for _, q := range status.Queues {
			s.printf("  %s: %s", plain(q.Name), queueWords(q))
		}
	}
	if status.Held > 0 {
		s.printf("Held jobs: %d", status.Held)
	}
	alive := 0
	for _, w := range status.Workers {
		if w.Alive {
			alive++
		}
	}
	s.printf("Active workers: %d", alive)
	for _, w := range status.Workers {
		s.printf("  %s", workerWords(s, w))
	}
	s.printf("Directory: %s", plain(status.Dir))
}

func queueWords(q queue.QueueInfo) string {
	words := countWords(q.Counts)
	if words == "" {
		words = "no jobs"
	}
	if held := heldWords(q); held != "" {
		words += " (" + held + ")"
	}
	return words
}

func countWords(counts projection.Counts) string {
	var words []string
	for _, state := range job.States {
		if n := counts[state]; n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n, state))
		}
	}
	return strings.Join(words, ", ")
}

func workerWords(s *session, w queue.WorkerInfo) string {
	words := fmt.Sprintf("%s pid %d, started %s, %s", w.ID, w.PID, relative(s.now, w.StartedAt), workerState(w))
	if len(w.RunningIDs) > 0 {
		words += " " + strings.Join(w.RunningIDs, " ")
	}
	if !w.Alive {
		words += " (its process has died; the next worker puts its jobs back)"
	}
	return plain(words)
}
