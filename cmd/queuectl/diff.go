package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

type diffCmd struct {
	From string `arg:"" name:"from" help:"The first moment: a position (1200), a time (2030-01-31T08:00:00Z, '2030-01-31 08:00', 08:00), or how long ago (90m, 3d)."`
	To   string `arg:"" optional:"" name:"to" help:"The second moment. Default: now."`
	All  bool   `help:"Show all jobs on a terminal, too."`
}

// Help is shown below the usage line.
func (diffCmd) Help() string {
	return `Jobs that came, moved or went, settings and schedules that were changed, workers that started or
ended: the difference of the two states, and not every step between them. For the steps there is
'queuectl log list'.

Examples:

  queuectl diff 90m
  queuectl diff '2030-01-31 03:00' '2030-01-31 04:00'
  queuectl diff 1200 1300 -o json | jq '.jobs[] | select(.state_after == "dead")'`
}

// Run shows the difference.
func (c *diffCmd) Run(ctx context.Context, s *session) error {
	from, err := s.pastMoment("", c.From)
	if err != nil {
		return err
	}
	var to queue.Moment
	if c.To != "" {
		if to, err = s.pastMoment("", c.To); err != nil {
			return err
		}
	}
	r, err := queue.OpenReplay(s.dir)
	if err != nil {
		return err
	}
	defer r.Close() // only reads: nothing can be lost
	if err := r.To(ctx, from); err != nil {
		return err
	}
	diff, err := r.DiffTo(ctx, to)
	if _, damaged := errors.AsType[*eventlog.CorruptError](err); errors.Is(err, queue.ErrPassed) {
		return usage("the first moment is after the second", fmt.Sprintf("'queuectl diff %s' shows what changed between them", job.Quote([]string{c.To, c.From})))
	} else if err != nil && !damaged {
		return err
	}
	return firstOf(c.print(s, &diff), err)
}

func (c *diffCmd) print(s *session, diff *queue.Diff) error {
	switch {
	case s.quiet:
		for _, change := range diff.Jobs {
			s.printf("%s", change.ID)
		}
		return nil
	case !s.asTable():
		return s.document(viewDiff(diff))
	}
	limit, err := tableLimit(s, nil, c.All)
	if err != nil {
		return err
	}
	printDiff(s, diff, limit)
	return nil
}

// printDiff prints a difference for people, with limit jobs at most; 0 = all.
func printDiff(s *session, diff *queue.Diff, limit int) {
	s.printf("From %s", placeWords(diff.From))
	s.printf("to   %s: %s", placeWords(diff.To), count(int(diff.To.Position-diff.From.Position), "event"))
	left := 0
	if limit > 0 && len(diff.Jobs) > limit {
		left = len(diff.Jobs) - limit
	}
	same := true
	for _, t := range []table{
		countChanges(diff), jobChanges(diff.Jobs[:len(diff.Jobs)-left]), settingChanges(diff), queueChanges(diff), workerChanges(diff), cronChanges(diff),
	} {
		if len(t.rows) > 0 {
			same = false
			s.printf("")
			t.print(s)
		}
	}
	if same {
		s.printf("The state is the same.")
	}
	if left > 0 {
		s.hint(fmt.Sprintf("%s not shown; --all shows every job", count(left, "more job")))
	}
}

func placeWords(p queue.Place) string {
	return fmt.Sprintf("position %d, %s", p.Position, clockTime(p.Time))
}

// clockTime is a time by the clock on the wall, for comparing with other histories.
func clockTime(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05.000") }

func countChanges(diff *queue.Diff) table {
	t := table{header: []string{"STATE", "BEFORE", "AFTER"}}
	for _, state := range job.States {
		if before, after := diff.Before[state], diff.After[state]; before != after {
			t.add(cell{state.String(), stateColour(state)}, text(fmt.Sprint(before)), text(fmt.Sprint(after)))
		}
	}
	return t
}

func jobChanges(changes []queue.JobChange) table {
	t := table{header: []string{"JOB", "BEFORE", "AFTER", "ATTEMPTS", "RUNS", "LAST ERROR"}, spare: []string{"RUNS", "ATTEMPTS"}}
	for _, c := range changes {
		t.add(
			text(c.ID), stateCell(c.Before.State), stateCell(c.After.State),
			text(fromTo(c.Before.Attempts, c.After.Attempts)), text(fromTo(c.Before.Runs, c.After.Runs)), cell{plain(c.LastError), red},
		)
	}
	return t
}

// stateCell shows a state, or that there is no job.
func stateCell(state job.State) cell {
	if state == 0 {
		return cell{"-", grey}
	}
	return cell{state.String(), stateColour(state)}
}

func fromTo(before, after uint32) string {
	if before == after {
		return fmt.Sprint(before)
	}
	return fmt.Sprintf("%d → %d", before, after)
}

func settingChanges(diff *queue.Diff) table {
	t := table{header: []string{"SETTING", "BEFORE", "AFTER"}}
	value := func(set queue.Setting) cell {
		if !set.Set {
			return text(set.Value + " (default)")
		}
		return text(set.Value)
	}
	for _, c := range diff.Settings {
		t.add(text(c.After.Key), value(c.Before), value(c.After))
	}
	return t
}

func queueChanges(diff *queue.Diff) table {
	t := table{header: []string{"QUEUE", "BEFORE", "AFTER"}}
	words := func(q queue.QueueInfo) string {
		if held := heldWords(q); held != "" {
			return held
		}
		return "open"
	}
	for _, c := range diff.Queues {
		t.add(text(c.After.Name), text(words(c.Before)), text(words(c.After)))
	}
	return t
}

func workerChanges(diff *queue.Diff) table {
	t := table{header: []string{"WORKER", "STARTED", "ENDED"}}
	for _, w := range diff.Workers {
		started, ended := "before", "-"
		if w.Started.Position != 0 {
			started = clockTime(w.Started.Time)
		}
		if w.Ended.Position != 0 {
			ended = clockTime(w.Ended.Time)
		}
		if w.Lost {
			ended += " (found dead)"
		}
		t.add(text(w.ID), text(started), text(ended))
	}
	return t
}

func cronChanges(diff *queue.Diff) table {
	t := table{header: []string{"SCHEDULE", "BEFORE", "AFTER", "LAST TIME"}}
	for _, c := range diff.Crons {
		last := "-"
		if c.After != nil && !c.After.Last.IsZero() {
			last = clockTime(c.After.Last)
		}
		t.add(text(c.Name), cronCell(c.Before), cronCell(c.After), text(last))
	}
	return t
}

// cronCell shows a schedule, or that there is none.
func cronCell(c *job.CronEntry) cell {
	switch {
	case c == nil:
		return cell{"-", grey}
	case c.Paused:
		return cell{"paused", yellow}
	}
	return text(c.Schedule + " " + c.Zone)
}
