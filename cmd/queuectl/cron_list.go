package main

import (
	"context"
	"time"

	"github.com/queuectl/queuectl/job"
)

type cronListCmd struct {
	atFlag
}

// Help is shown below the usage line.
func (cronListCmd) Help() string {
	return `Examples:

  queuectl cron list
  queuectl cron list -o json | jq -r '.[] | [.name, .next] | @tsv'
  queuectl cron list --at '2030-01-31 08:00'`
}

// Run lists.
func (c *cronListCmd) Run(ctx context.Context, s *session) error {
	return s.ask(ctx, c.atFlag, func(q source) error {
		crons, err := q.Crons(ctx)
		if err != nil {
			return err
		}
		return cronListing.print(s, crons)
	})
}

var cronListing = listing[job.CronEntry]{
	view:  func(c job.CronEntry) any { return viewCron(c) },
	id:    func(c job.CronEntry) string { return c.Name },
	table: cronTable,
}

func cronTable(s *session, crons []job.CronEntry) table {
	t := table{header: []string{"NAME", "SCHEDULE", "ZONE", "NEXT", "LAST", "COMMAND"}, spare: []string{"ZONE", "LAST"}}
	for _, c := range crons {
		t.add(
			text(c.Name), text(c.Schedule), text(c.Zone), nextCell(s, c), lastCell(s, c), text(commandLine(c.Job)),
		)
	}
	return t
}

func nextCell(s *session, c job.CronEntry) cell {
	if c.Paused {
		return cell{"paused", yellow}
	}
	return text(relative(s.now, c.Next))
}

// lastCell says when the last tick was, and why it made no job.
func lastCell(s *session, c job.CronEntry) cell {
	if c.LastSkip == job.SkipNone {
		return text(relative(s.now, c.Last))
	}
	return cell{relative(s.now, c.Last) + ": " + skipWord(c.LastSkip), yellow}
}

// skipWord says in a word why a tick made no job.
func skipWord(why job.Skip) string {
	switch why {
	case job.SkipMissed:
		return "missed"
	case job.SkipOverlap:
		return "still active"
	case job.SkipQueueFull:
		return "queue full"
	case job.SkipExists:
		return "id taken"
	case job.SkipRefused:
		return "refused"
	}
	return why.String()
}

// cronView is a schedule as JSON. Fields are only ever added.
type cronView struct {
	Name      string       `json:"name"`
	Schedule  string       `json:"schedule"`
	Zone      string       `json:"zone"`
	Missed    job.Missed   `json:"missed"`
	Overlap   job.Overlap  `json:"overlap"`
	Paused    bool         `json:"paused"`
	Next      *time.Time   `json:"next"`
	Last      *time.Time   `json:"last"`
	LastSkip  *job.Skip    `json:"last_skip"`
	AddedAt   time.Time    `json:"added_at"`
	ChangedAt time.Time    `json:"changed_at"`
	Position  job.Position `json:"position"`
	Job       any          `json:"job"`
}

func viewCron(c job.CronEntry) cronView {
	return cronView{
		Name: c.Name, Schedule: c.Schedule, Zone: c.Zone, Missed: c.Missed, Overlap: c.Overlap, Paused: c.Paused,
		Next: optional(c.Next), Last: optional(c.Last), LastSkip: optional(c.LastSkip),
		AddedAt: c.AddedAt, ChangedAt: c.ChangedAt, Position: c.Key, Job: viewCronJob(c.Job),
	}
}
