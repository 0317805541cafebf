package main

import (
	"context"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

type configCmd struct {
	Get   configGetCmd   `cmd:"" help:"Print one setting."`
	Set   configSetCmd   `cmd:"" help:"Change a setting; running workers see it at once."`
	List  configListCmd  `cmd:"" help:"List all settings."`
	Unset configUnsetCmd `cmd:"" help:"Take a setting back to its default."`
}

// setting returns the setting with this key.
func setting(ctx context.Context, q source, key string) (queue.Setting, error) {
	settings, err := q.Config(ctx)
	if err != nil {
		return queue.Setting{}, err
	}
	for _, set := range settings {
		if set.Key == key {
			return set, nil
		}
	}
	defaults := job.DefaultConfig()
	_, err = defaults.Text(key) // names the keys that there are
	return queue.Setting{}, err
}

func viewSetting(set queue.Setting) any {
	return struct {
		Key     string `json:"key"`
		Value   string `json:"value"`
		Default string `json:"default"`
		Set     bool   `json:"set"`
	}(set)
}
