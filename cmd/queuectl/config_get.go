package main

import (
	"context"
)

type configGetCmd struct {
	Key string `arg:"" name:"key" help:"Setting, as 'config list' shows them."`
	atFlag
}

// Help is shown below the usage line.
func (configGetCmd) Help() string {
	return `Examples:

  queuectl config get backoff_base
  queuectl config get backoff_base --at 3d`
}

// Run prints the setting.
func (c *configGetCmd) Run(ctx context.Context, s *session) error {
	return s.ask(ctx, c.atFlag, func(q source) error {
		set, err := setting(ctx, q, c.Key)
		if err != nil {
			return err
		}
		if s.format.machine() && !s.quiet {
			return s.document(viewSetting(set))
		}
		s.printf("%s", set.Value)
		return nil
	})
}
