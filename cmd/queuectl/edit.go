package main

import (
	"context"
	"reflect"
	"strings"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
	"github.com/queuectl/queuectl/queue"
)

type editCmd struct {
	nameArgs
	State []job.State `placeholder:"STATE,..." help:"Only jobs in these states."`
	matchFlags
	Command    string   `short:"c" group:"What changes:" placeholder:"LINE" help:"Command for the shell."`
	Queue      string   `group:"What changes:" placeholder:"NAME" help:"Queue."`
	Priority   *int64   `group:"What changes:" placeholder:"N" help:"Higher runs first."`
	RunAt      string   `group:"What changes:" placeholder:"TIME" help:"Do not run before this moment (RFC 3339)."`
	Delay      string   `group:"What changes:" placeholder:"DURATION" help:"Do not run before this time has passed from now on; 0 = run at once."`
	Deadline   string   `group:"What changes:" placeholder:"TIME|DURATION" help:"No run begins or goes on after this moment (RFC 3339), or so long after now; 0 = none."`
	MaxRetries *int64   `group:"What changes:" placeholder:"N" help:"Retries after the first failure."`
	Timeout    string   `group:"What changes:" placeholder:"DURATION" help:"End a run that takes longer; 0 = never."`
	Tag        []string `group:"What changes:" sep:"none" placeholder:"NAME=VALUE" help:"Set a tag; others stay. Can be repeated."`
	Untag      []string `group:"What changes:" sep:"none" placeholder:"NAME" help:"Take a tag away. Can be repeated."`
}

// Help is shown below the usage line.
func (editCmd) Help() string {
	return `Only jobs that wait can be edited: if a worker was faster, that is an error and nothing has changed. A
job keeps its id and its position in the log, which has what was and what is. With another priority it
takes its place among the jobs of that priority by the time since which it is due; with another time,
as if it had been enqueued now. Of jobs that were named, either all are edited or, after an error, none.

Jobs are named and selected as for 'queuectl cancel', but not by --queue and --tag, which say what
changes.

Examples:

  queuectl edit job1 --priority 10
  queuectl edit job1 --command 'make -j8' --delay 0
  queuectl edit --match 'make site' --state failed --timeout 5m
  queuectl edit job1 --deadline 2h
  queuectl list -q --queue mail | xargs queuectl edit --queue post`
}

// Run edits.
func (c *editCmd) Run(ctx context.Context, s *session) error {
	edit, err := c.edit()
	if err != nil {
		return err
	}
	f := projection.Filter{States: c.State}
	if err := c.narrow(s, &f); err != nil {
		return err
	}
	return c.act(ctx, s, f, deed{action: queue.Editing(edit), verb: "edit", done: "Edited"})
}

// edit reads the flags by the rules of a spec.
func (c *editCmd) edit() (e queue.Edit, err error) {
	flags := specFlags{
		Command: c.Command, Queue: c.Queue, Priority: c.Priority, MaxRetries: c.MaxRetries, Timeout: c.Timeout, Tag: c.Tag,
	}
	undated := c.Deadline == "0" || c.Deadline == "none"
	if !undated {
		flags.Deadline = c.Deadline
	}
	fields := map[string]any{}
	set(fields, "run_at", optional(c.RunAt))
	set(fields, "delay", optional(c.Delay))
	if c.Command == "" {
		fields["command"] = "true" // a spec needs one
	}
	text, err := flags.object(nil, fields)
	if err != nil {
		return e, err
	}
	spec, _, err := job.ParseSpec(text)
	if err != nil {
		return e, err
	}
	if c.Command != "" {
		e.Command = &spec.Command
	}
	if c.Queue != "" {
		e.Queue = &spec.Queue
	}
	if c.Priority != nil {
		e.Priority = &spec.Priority
	}
	if c.RunAt != "" {
		e.RunAt = &spec.RunAt
	}
	if c.Delay != "" {
		e.Delay = &spec.Delay
	}
	switch {
	case undated:
		e.Deadline = new(time.Time)
	case spec.DeadlineIn != 0:
		e.DeadlineIn = &spec.DeadlineIn
	case c.Deadline != "":
		e.Deadline = &spec.Deadline
	}
	e.MaxRetries, e.Timeout, e.Tags = spec.MaxRetries, spec.Timeout, spec.Tags
	for _, name := range c.Untag {
		if strings.Contains(name, "=") {
			return e, usage("--untag "+name+": expected the NAME of a tag only", "")
		}
		e.Untag = append(e.Untag, name)
	}
	if reflect.DeepEqual(e, queue.Edit{}) {
		return e, usage("nothing to change: give at least one of the flags that say what changes", "'queuectl edit --help' lists them")
	}
	return e, nil
}
