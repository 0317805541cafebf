package main

import (
	"context"

	"github.com/queuectl/queuectl/queue"
)

type workerStopCmd struct {
	IDs  []string `arg:"" optional:"" name:"id" help:"Workers to stop. Default: all that run now."`
	Wait bool     `short:"w" help:"Wait until they have stopped."`
	Now  bool     `help:"End the running commands, too; their jobs go back to pending, and nothing is counted."`
}

// Help is shown below the usage line.
func (workerStopCmd) Help() string {
	return `Workers that start afterwards are not stopped.

Examples:

  queuectl worker stop
  queuectl worker stop --wait
  queuectl worker stop --now 4KJ2QZ7VXH3M5RTA`
}

// Run asks the workers to stop.
func (c *workerStopCmd) Run(ctx context.Context, s *session) error {
	return s.existing(ctx, func(q *queue.Queue) error {
		if err := q.Damage(); err != nil {
			return err // who runs is not known
		}
		reached, err := q.RequestStop(ctx, c.Now, c.IDs...)
		if err != nil {
			return err
		}
		s.changed = reached > 0
		switch {
		case s.quiet:
		case s.format.machine():
			if err := s.document(map[string]int{"reached": reached}); err != nil {
				return err
			}
		case reached == 0:
			s.printf("No workers are running.")
		case c.Now:
			s.printf("Stop requested. Workers will end their current jobs and exit.")
		default:
			s.printf("Stop requested. Workers will exit after finishing current jobs.")
		}
		if !c.Wait {
			return nil
		}
		if err := s.out.Flush(); err != nil {
			return err
		}
		return q.WaitStopped(ctx)
	})
}
