package main

import (
	"fmt"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// eventFlags choose events out of the log.
type eventFlags struct {
	Type  []job.Kind `placeholder:"KIND,..." help:"Only events of these kinds, such as JobEnqueued; case does not matter."`
	Job   string     `placeholder:"ID" help:"Only events of this job."`
	Queue string     `placeholder:"NAME" help:"Only events of jobs of this queue."`
	By    string     `placeholder:"WHO" help:"Only events that this user, user@host, pid or program wrote."`
}

func (f *eventFlags) filter() queue.EventFilter {
	return queue.EventFilter{Kinds: f.Type, Job: f.Job, Queue: f.Queue, By: f.By}
}

// spanFlags choose a part of the log.
type spanFlags struct {
	From string `placeholder:"MOMENT" help:"Only events from this position or time on."`
	To   string `placeholder:"MOMENT" help:"Only events up to this position or time."`
}

// read returns the two moments; the zero Moment where none was given.
func (f *spanFlags) read(s *session) (from, to queue.Moment, err error) {
	if from, err = readMoment(s, "from", f.From); err != nil {
		return from, to, err
	}
	if to, err = readMoment(s, "to", f.To); err != nil {
		return from, to, err
	}
	if to.Position != 0 && to.Position < from.Position || !to.Time.IsZero() && to.Time.Before(from.Time) {
		err = usage(fmt.Sprintf("--from %s is after --to %s", f.From, f.To), "")
	}
	return from, to, err
}

// readMoment reads the value of a flag that may be missing.
func readMoment(s *session, flag, text string) (queue.Moment, error) {
	if text == "" {
		return queue.Moment{}, nil
	}
	return parseMoment(flag, text, s.now)
}
