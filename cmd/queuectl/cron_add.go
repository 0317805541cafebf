package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

type cronAddCmd struct {
	Name     string   `arg:"" name:"name" help:"Name of the schedule, without spaces. The ids of its jobs begin with it."`
	Schedule string   `arg:"" name:"schedule" help:"When: five fields as in a crontab, six with seconds in front, @daily and the like, or @every 90s. In quotes."`
	JSON     []string `arg:"" optional:"" name:"json" help:"The jobs as a JSON object. Or give their command line after --, or with -c."`

	TZ      string      `name:"tz" placeholder:"ZONE" help:"Time zone whose clock the schedule goes by: Europe/Zurich, UTC. Default: that of this machine."`
	Missed  job.Missed  `placeholder:"skip|once|all" help:"What to do about times at which no worker was there: nothing, one job for the last, or all. Default: skip."`
	Overlap job.Overlap `placeholder:"allow|skip" help:"What to do when a job of the schedule has not ended: make the next, or skip it. Default: allow."`
	Replace bool        `help:"Change the schedule of this name, if there is one, instead of refusing."`

	specFlags
}

// Help is shown below the usage line.
func (cronAddCmd) Help() string {
	return `While a worker runs, each time of the schedule (a tick) enqueues one job, whose id is the name and the
time in UTC. A tick is missed when no worker comes to it within a minute, or before the next one. Two
workers or a restart never make two jobs of a tick.

The fields are minute (0-59), hour (0-23), day of the month (1-31), month (1-12, jan-dec), weekday
(0-7, sun-sat): *, numbers, lists (1,15), ranges (mon-fri), steps (*/10, 8-18/2). If both days are
given, one of them is enough. Names: @hourly @daily @weekly @monthly @yearly.

Where the clock is set forward, a time that is left out ticks when the clock goes on; where it is set
back, a time that comes twice ticks once, the first time. Schedules that tick in every hour, and
@every, follow real time.

Examples:

  queuectl cron add nightly '30 2 * * *' --missed once -- ./backup
  queuectl cron add mail '*/10 * * * *' --overlap skip --queue mail -c 'fetchmail && notmuch new'
  queuectl cron add report '0 9 * * mon-fri' --tz Europe/Zurich '{"command":"./report","max_retries":1}'
  queuectl cron add beat '@every 90s' -- curl -fsS https://example.org/beat
  queuectl cron add --replace nightly '0 4 * * *' -- ./backup --full`
}

// Run adds the schedule.
func (c *cronAddCmd) Run(ctx context.Context, s *session) error {
	cron, err := c.cron(s)
	if err != nil {
		return err
	}
	if err := queue.CheckCron(&cron); err != nil {
		return c.refused(err)
	}
	return s.change(ctx, func(q *queue.Queue) error {
		entry, err := q.AddCron(ctx, cron, c.Replace)
		if err != nil {
			return c.refused(err)
		}
		s.changed = true
		switch {
		case s.quiet:
			s.printf("%s", entry.Name)
			return nil
		case s.format.machine():
			return s.document(viewCron(entry))
		}
		s.printf("%s", cronWords(s, "Set (and still paused)", "Set", entry))
		if s.errTerminal {
			s.hintAtWorkers(ctx, q)
		}
		return nil
	})
}

// cron is the schedule that the arguments ask for.
func (c *cronAddCmd) cron(s *session) (job.Cron, error) {
	cron := job.Cron{Name: c.Name, Schedule: strings.Join(strings.Fields(c.Schedule), " "), Zone: c.TZ, Missed: c.Missed, Overlap: c.Overlap}
	if cron.Zone == "" {
		zone, err := localZone()
		if err != nil {
			return job.Cron{}, err
		}
		cron.Zone = zone
	}
	const forms = "'queuectl cron add --help' has an example of each form"
	fromFlags, err := c.object(s.argv, map[string]any{})
	switch {
	case err != nil:
		return job.Cron{}, err
	case len(c.JSON) > 1, len(c.JSON) == 1 && !strings.HasPrefix(strings.TrimSpace(c.JSON[0]), "{"):
		return job.Cron{}, usage("too many arguments", "put the schedule into quotes, and a command line behind --: queuectl cron add "+
			job.Quote([]string{c.Name, "30 2 * * *"})+" -- ./backup")
	case len(c.JSON) == 0 && fromFlags == nil:
		return job.Cron{}, usage("no job given", forms)
	case len(c.JSON) == 1 && fromFlags != nil:
		return job.Cron{}, usage("give the job as JSON, or with flags: not both", forms)
	case len(c.JSON) == 1:
		fromFlags = []byte(c.JSON[0])
	}
	jobs, err := readSpec(s, fromFlags)
	if f, ok := errors.AsType[*failure](err); ok {
		f.message = strings.TrimPrefix(f.message, "Failed to enqueue: ")
	}
	if err != nil {
		return job.Cron{}, err
	}
	cron.Job = jobs.specs[0]
	return cron, nil
}

// refused names what helps against a refusal.
func (c *cronAddCmd) refused(err error) error {
	if errors.Is(err, job.ErrCronExists) {
		return &failure{err: err, hint: "choose another name, or change it with --replace"}
	}
	if _, zone := time.LoadLocation(c.TZ); c.TZ != "" && zone != nil && errors.Is(err, job.ErrInvalid) {
		return &failure{err: err, hint: "the names are those of the IANA data base: https://en.wikipedia.org/wiki/List_of_tz_database_time_zones"}
	}
	return err
}
