package main

import (
	"context"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

type cronCmd struct {
	Add    cronAddCmd    `cmd:"" help:"Add a schedule: a job at each of its times."`
	List   cronListCmd   `cmd:"" help:"List the schedules."`
	Show   cronShowCmd   `cmd:"" help:"Show everything about one schedule, with its next times and last jobs."`
	Pause  cronPauseCmd  `cmd:"" help:"Let schedules rest."`
	Resume cronResumeCmd `cmd:"" help:"Let schedules that rest go on."`
	Remove cronRemoveCmd `cmd:"" help:"Remove schedules; their jobs stay."`
	Run    cronRunCmd    `cmd:"" help:"Enqueue one job of a schedule now."`
}

type cronPauseCmd struct {
	Names []string `arg:"" name:"name" help:"Schedules."`
}

// Help is shown below the usage line.
func (cronPauseCmd) Help() string {
	return `A schedule that rests makes no jobs. Those that it has made go on. Either all of the schedules are
paused or, after an error, none.

Examples:

  queuectl cron pause nightly
  queuectl cron pause nightly reports --reason 'disk is being replaced'`
}

// Run pauses.
func (c *cronPauseCmd) Run(ctx context.Context, s *session) error {
	return s.existing(ctx, func(q *queue.Queue) error { return pauseCron(ctx, s, q, true, c.Names) })
}

type cronResumeCmd struct {
	Names []string `arg:"" name:"name" help:"Schedules."`
}

// Help is shown below the usage line.
func (cronResumeCmd) Help() string {
	return `The next job is that of the next time after now. What would have come while the schedule rested is not
made up for, whatever --missed says.

Examples:

  queuectl cron resume nightly`
}

// Run lets them go on.
func (c *cronResumeCmd) Run(ctx context.Context, s *session) error {
	return s.existing(ctx, func(q *queue.Queue) error { return pauseCron(ctx, s, q, false, c.Names) })
}

func pauseCron(ctx context.Context, s *session, q *queue.Queue, paused bool, names []string) error {
	if err := q.PauseCron(ctx, paused, names...); err != nil {
		return err
	}
	s.changed = true
	crons, err := cronsByName(ctx, q, names)
	if err != nil {
		return err
	}
	if s.quiet || s.format.machine() {
		return cronListing.print(s, crons)
	}
	for _, c := range crons {
		s.printf("%s", cronWords(s, "Paused", "Resumed", c))
	}
	return nil
}

// cronWords says what was done to a schedule, and when it ticks next.
func cronWords(s *session, paused, active string, c job.CronEntry) string {
	if c.Paused {
		return paused + " schedule " + plain(c.Name)
	}
	return active + " schedule " + plain(c.Name) + ", next " + s.when(c.Next)
}

// cronsByName returns the schedules in the order of names.
func cronsByName(ctx context.Context, q source, names []string) (crons []job.CronEntry, err error) {
	for _, name := range unique(names) {
		c, err := q.Cron(ctx, name)
		if err != nil {
			return nil, err
		}
		crons = append(crons, c)
	}
	return crons, nil
}

type cronRemoveCmd struct {
	Names []string `arg:"" name:"name" help:"Schedules."`
}

// Help is shown below the usage line.
func (cronRemoveCmd) Help() string {
	return `The schedules make no more jobs, and their names are free. Jobs that they have made stay as they are.
Either all of the schedules are removed or, after an error, none. To change one, there is 'cron add
--replace'.

Examples:

  queuectl cron remove nightly
  queuectl cron list -q | xargs queuectl cron remove`
}

// Run removes.
func (c *cronRemoveCmd) Run(ctx context.Context, s *session) error {
	return s.existing(ctx, func(q *queue.Queue) error {
		crons, err := cronsByName(ctx, q, c.Names) // as they were
		if err != nil {
			return err
		}
		if err := q.RemoveCron(ctx, c.Names...); err != nil {
			return err
		}
		s.changed = true
		if s.quiet || s.format.machine() {
			return cronListing.print(s, crons)
		}
		for _, c := range crons {
			s.printf("Removed schedule %s", plain(c.Name))
		}
		return nil
	})
}

type cronRunCmd struct {
	Name string `arg:"" name:"name" help:"Schedule."`
}

// Help is shown below the usage line.
func (cronRunCmd) Help() string {
	return `The job is due at once, also if the schedule is paused. It is beside the schedule: the next time comes
as before, but with --overlap skip it makes no job while this one has not ended.

Examples:

  queuectl cron run nightly
  queuectl wait "$(queuectl cron run -q nightly)"`
}

// Run enqueues the job.
func (c *cronRunCmd) Run(ctx context.Context, s *session) error {
	return s.existing(ctx, func(q *queue.Queue) error {
		j, err := q.RunCron(ctx, c.Name)
		if err != nil {
			return err
		}
		s.changed = true
		switch {
		case s.quiet:
			s.printf("%s", j.Spec.ID)
		case s.format.machine():
			return s.document(viewJob(j))
		default:
			s.printf("Enqueued job %s", plain(j.Spec.ID))
			if s.errTerminal {
				s.hintAtWorkers(ctx, q)
			}
		}
		return nil
	})
}

// unique leaves out what was named before.
func unique(names []string) []string {
	seen := make(map[string]bool, len(names))
	var once []string
	for _, name := range names {
		if !seen[name] {
			seen[name] = true
			once = append(once, name)
		}
	}
	return once
}
