package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// attemptListing shows the attempts of a job without what happened between them.
var attemptListing = listing[queue.Attempt]{
	view: viewAttempt,
	id:   func(a queue.Attempt) string { return fmt.Sprint(a.Run) },
	table: func(_ *session, attempts []queue.Attempt) table {
		t := newBiography()
		for _, a := range attempts {
			t.add(attemptRow(a)...)
		}
		return t
	},
}

// attemptView is an attempt as JSON. Fields are only ever added.
type attemptView struct {
	Run        job.Position `json:"run"`
	Attempt    uint32       `json:"attempt"` // counts from 1 again after a retry
	Outcome    string       `json:"outcome"`
	Why        *job.Why     `json:"why"`  // how it failed, or why it was given back
	Died       *job.Why     `json:"died"` // why there was no next attempt
	Worker     job.Position `json:"worker"`
	Actor      actorView    `json:"actor"` // the worker's process
	DueAt      time.Time    `json:"due_at"`
	StartedAt  time.Time    `json:"started_at"`
	FinishedAt *time.Time   `json:"finished_at"`
	Waited     float64      `json:"waited_seconds"`   // since it was due
	Duration   *float64     `json:"duration_seconds"` // null = not known yet
	ExitCode   *int32       `json:"exit_code"`
	Signal     *int32       `json:"signal"`
	CPU        float64      `json:"cpu_seconds"`
	MaxRSS     int64        `json:"max_rss_bytes"`
	Output     int64        `json:"output_bytes"`
	Tail       string       `json:"output_tail"`
	LeftBehind bool         `json:"left_behind"`
	NextAt     *time.Time   `json:"next_attempt_at"`
}

func viewAttempt(a queue.Attempt) any {
	v := attemptView{
		Run: a.Run, Attempt: a.Number, Outcome: string(a.Outcome), Why: optional(a.Why), Died: optional(a.Died),
		Worker: a.Worker, DueAt: a.Due, StartedAt: a.Started, FinishedAt: optional(a.Ended), Waited: a.Waited.Seconds(),
		Signal: optional(a.Result.Signal), CPU: a.Result.CPU.Seconds(), MaxRSS: a.Result.MaxRSS,
		Output: a.Result.OutputSize, Tail: a.Result.Tail, LeftBehind: a.Result.LeftBehind, NextAt: optional(a.Next),
	}
	if a.By != nil {
		v.Actor = viewActor(a.By)
	}
	if !a.Ended.IsZero() {
		v.Duration = new(a.Took.Seconds())
	}
	if a.Result.End != 0 && (a.Why == job.WhyNone || a.Why == job.WhyExit) {
		v.ExitCode = exitOf(a.Result)
	}
	return v
}

// newBiography is the table of what happened to a job: an attempt is one row, and so is every other event.
func newBiography() table {
	return table{
		header: []string{"POSITION", "WHEN", "EVENT", "WAITED", "TOOK", "BY", "DETAILS"},
		spare:  []string{"BY", "WAITED", "POSITION", "WHEN", "TOOK"},
	}
}

// biography shows the events of one job to people.
func biography(_ *session, events []story) table {
	records := make([]queue.Record, len(events))
	for i, e := range events {
		records[i] = e.Record
	}
	byRun := map[job.Position]queue.Attempt{}
	for _, a := range queue.Attempts(records) {
		byRun[a.Run] = a
	}
	t := newBiography()
	for _, e := range events {
		if a, begins := byRun[e.At.Position]; begins {
			t.add(attemptRow(a)...)
			continue
		}
		if _, told := byRun[endedRun(e.Event)]; told {
			continue
		}
		what, details := eventWords(e.Event)
		t.add(
			text(fmt.Sprint(e.At.Position)), text(clockTime(e.At.When())), text(what), text(""), text(""),
			text(byWords(e.At.Actor)), text(withReason(details, e.At.Actor)),
		)
	}
	return t
}

// endedRun returns the run that an event ended, 0 if it ended none.
func endedRun(e job.Event) job.Position {
	switch e := e.(type) {
	case *job.JobCompleted:
		return e.Run
	case *job.JobFailed:
		return e.Run
	case *job.JobDied:
		return e.Run
	case job.RunLost:
		return e.Run
	case job.RunReturned:
		return e.Run
	case *job.JobCancelled:
		return e.Run
	}
	return 0
}

func attemptRow(a queue.Attempt) []cell {
	took := ""
	if !a.Ended.IsZero() {
		took = threeDigits(a.Took)
	}
	return []cell{
		text(fmt.Sprint(a.Run)), text(clockTime(a.Started)),
		{fmt.Sprintf("attempt %d %s", a.Number, outcomeWords(&a)), outcomeColour(a.Outcome)},
		text(threeDigits(a.Waited)), text(took), text(byWords(a.By)), text(attemptDetails(a)),
	}
}

func outcomeWords(a *queue.Attempt) string {
	switch {
	case a.Outcome == queue.OutcomeReturned && a.Why == job.WhySnooze:
		return "snoozed"
	case a.Outcome == queue.OutcomeReturned:
		return "given back"
	}
	return string(a.Outcome)
}

func outcomeColour(o queue.Outcome) colour {
	switch o {
	case queue.OutcomeRunning:
		return blue
	case queue.OutcomeCompleted:
		return green
	case queue.OutcomeFailed:
		return yellow
	case queue.OutcomeDied, queue.OutcomeLost:
		return red
	}
	return grey
}

// attemptDetails says how an attempt ended, what came of that, and what it printed last.
func attemptDetails(a queue.Attempt) string {
	var words []string
	switch a.Outcome {
	case queue.OutcomeReturned:
		words = append(words, whyWords(a.Why))
	case queue.OutcomeLost:
		words = append(words, "its worker died")
	default:
		words = append(words, exitWords(a.Why, a.Result))
	}
	if a.Died != job.WhyNone {
		words = append(words, whyWords(a.Died))
	}
	if !a.Next.IsZero() {
		words = append(words, fmt.Sprintf("next attempt %s later", roughly(a.Next.Sub(a.Ended))))
	}
	if a.Result.OutputSize > 0 {
		words = append(words, "printed "+size(a.Result.OutputSize))
	}
	if last := lastLine(a.Result.Tail); last != "" {
		words = append(words, "last: "+last)
	}
	return strings.Join(words, ", ")
}

// lastLine is the last line of what a run printed that is not empty.
func lastLine(tail string) string {
	printed := lines(strings.TrimSpace(tail))
	return printed[len(printed)-1]
}
