package main

import (
	"context"

	"github.com/queuectl/queuectl/queue"
)

type configListCmd struct {
	atFlag
}

// Help is shown below the usage line.
func (configListCmd) Help() string {
	return `Examples:

  queuectl config list
  queuectl config list -o json
  queuectl config list --at '2030-01-31 08:00'`
}

// Run lists the settings.
func (c configListCmd) Run(ctx context.Context, s *session) error {
	return s.ask(ctx, c.atFlag, func(q source) error {
		settings, err := q.Config(ctx)
		if err != nil {
			return err
		}
		return settingListing.print(s, settings)
	})
}

var settingListing = listing[queue.Setting]{
	view: viewSetting,
	id:   func(set queue.Setting) string { return set.Key },
	table: func(_ *session, settings []queue.Setting) table {
		t := table{header: []string{"KEY", "VALUE", "DEFAULT", ""}}
		for _, set := range settings {
			t.add(text(set.Key), text(set.Value), text(set.Default), cell{unless(!set.Set, "set"), yellow})
		}
		return t
	},
}
