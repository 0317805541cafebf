package main

import (
	"context"

	"github.com/queuectl/queuectl/queue"
)

type configUnsetCmd struct {
	Key string `arg:"" name:"key" help:"Setting, as 'config list' shows them."`
}

// Help is shown below the usage line.
func (configUnsetCmd) Help() string {
	return `Examples:

  queuectl config unset backoff_base`
}

// Run takes the setting back.
func (c *configUnsetCmd) Run(ctx context.Context, s *session) error {
	return s.existing(ctx, func(q *queue.Queue) error {
		if err := q.UnsetConfig(ctx, c.Key); err != nil {
			return err
		}
		s.changed = true
		set, err := setting(ctx, q, c.Key)
		switch {
		case err != nil:
			return err
		case s.quiet:
			return nil
		case s.format.machine():
			return s.document(viewSetting(set))
		}
		s.printf("Unset config %s, which is now %s", set.Key, set.Value)
		return nil
	})
}
