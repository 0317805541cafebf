package main

import (
	"context"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

type configSetCmd struct {
	Key   string `arg:"" name:"key" help:"Setting, as 'config list' shows them."`
	Value string `arg:"" name:"value" help:"New value."`
}

// Help is shown below the usage line.
func (configSetCmd) Help() string {
	return `Examples:

  queuectl config set backoff_base 3
  queuectl config set timeout 1h --reason 'hanging downloads'`
}

// Run changes the setting.
func (c *configSetCmd) Run(ctx context.Context, s *session) error {
	if _, err := new(job.Config).Set(c.Key, c.Value); err != nil {
		return err // before a queue is made
	}
	return s.change(ctx, func(q *queue.Queue) error {
		value, err := q.SetConfig(ctx, c.Key, c.Value)
		if err != nil {
			return err
		}
		s.changed = true
		return c.print(ctx, s, q, value)
	})
}

func (c *configSetCmd) print(ctx context.Context, s *session, q *queue.Queue, value string) error {
	switch {
	case s.quiet:
		return nil
	case s.format.machine():
		set, err := setting(ctx, q, c.Key)
		if err != nil {
			return err
		}
		return s.document(viewSetting(set))
	}
	s.printf("Set config %s = %s", c.Key, value)
	return nil
}
