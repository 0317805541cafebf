package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
	"github.com/queuectl/queuectl/scheduler/cron"
)

type cronShowCmd struct {
	Name string `arg:"" name:"name" help:"The schedule."`
	Next int    `default:"5" placeholder:"N" help:"How many of the next times to show. Default: 5."`
	atFlag
}

// Help is shown below the usage line.
func (cronShowCmd) Help() string {
	return `Times are those of the schedule's zone, so that one sees what becomes of them where the clock is set.

Examples:

  queuectl cron show nightly
  queuectl cron show nightly --next 400 | grep 02:30
  queuectl cron show nightly -o json | jq -r .next_ticks[]`
}

// Run shows the schedule.
func (c *cronShowCmd) Run(ctx context.Context, s *session) error {
	const most = 10_000
	if c.Next < 0 || c.Next > most {
		return usage(fmt.Sprintf("--next %d: must be 0 to %d", c.Next, most), "")
	}
	return s.ask(ctx, c.atFlag, func(q source) error {
		entry, err := q.Cron(ctx, c.Name)
		if err != nil {
			return err
		}
		jobs, err := q.CronJobs(ctx, c.Name)
		if err != nil {
			return err
		}
		return showCron(s, entry, queue.NextTicks(entry, c.Next), jobs)
	})
}

// cronPageView is a schedule with what comes and what was, as JSON.
type cronPageView struct {
	cronView
	NextTicks []time.Time `json:"next_ticks"`
	Jobs      []any       `json:"jobs"` // the last that are known, oldest first
}

func showCron(s *session, c job.CronEntry, next []time.Time, jobs []job.Job) error {
	switch {
	case s.quiet:
		s.printf("%s", c.Name)
		return nil
	case !s.asTable():
		v := cronPageView{cronView: viewCron(c), NextTicks: append([]time.Time{}, next...), Jobs: []any{}}
		for _, j := range jobs {
			v.Jobs = append(v.Jobs, viewJob(j))
		}
		return s.document(v)
	}
	s.fields(aboutCron(s, c, next)...)
	if len(jobs) > 0 {
		s.printf("")
		jobTable(s, jobs).print(s)
	}
	return nil
}

func aboutCron(s *session, c job.CronEntry, next []time.Time) [][2]string {
	state := "active"
	switch {
	case c.Paused:
		state = s.paint(yellow, "paused")
	case c.Next.IsZero():
		state = "over: it has no next time"
	}
	last := s.when(c.Last)
	if c.LastSkip != job.SkipNone {
		last += ", no job: " + skipWords(c.LastSkip)
	}
	about := [][2]string{
		{"schedule", plain(c.Name)},
		{"state", state},
		{"times", plain(c.Schedule)},
		{"zone", plain(c.Zone)},
		{"missed", c.Missed.String()},
		{"overlap", c.Overlap.String()},
		{"added", s.when(c.AddedAt)},
		{"changed", unless(c.ChangedAt.Equal(c.AddedAt), s.when(c.ChangedAt))},
		{"last", last},
		{"next", strings.Join(ticksInZone(c, next), "\n")},
	}
	of := []string{"command", "handler", "directory", "queue", "priority", "timeout", "backoff", "on crash", "on complete", "on dead", "stdin", "environment", "tag", "extra"}
	for _, pair := range aboutSpec(s, job.Job{Spec: c.Job}, nil) {
		if slices.Contains(of, pair[0]) && !strings.HasPrefix(pair[1], job.CronTag+"=") {
			about = append(about, pair)
		}
	}
	return about
}

// ticksInZone shows times by the clock that the schedule goes by.
func ticksInZone(c job.CronEntry, ticks []time.Time) (list []string) {
	zone, err := cron.Zone(c.Zone)
	if err != nil {
		zone = time.UTC // a newer program's
	}
	for _, t := range ticks {
		list = append(list, t.In(zone).Format("Mon 2006-01-02 15:04:05 -0700"))
	}
	return list
}
