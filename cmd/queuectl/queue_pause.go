package main

import (
	"context"
	"fmt"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
	"github.com/queuectl/queuectl/queue"
)

type queuePauseCmd struct {
	Names []string `arg:"" name:"name" help:"Queues to pause."`
}

// Help is shown below the usage line.
func (queuePauseCmd) Help() string {
	return `No worker claims a job of a paused queue; what runs goes on. A queue that was not used yet can be paused
as well. It stays paused, over restarts too, until 'queuectl queue resume'.

Examples:

  queuectl queue pause mail
  queuectl queue pause mail web --reason 'the relay is down'`
}

// Run pauses.
func (c *queuePauseCmd) Run(ctx context.Context, s *session) error {
	for _, name := range c.Names {
		if err := job.CheckQueue(name); err != nil {
			return err // before a queue is made
		}
	}
	return s.change(ctx, func(q *queue.Queue) error {
		return s.steer(ctx, q, c.Names, steering{
			act: q.PauseQueues, done: "Paused queue %s", idle: "Queue %s is paused already", idles: func(paused bool) bool { return paused },
			warns: func(info queue.QueueInfo) bool { return info.Counts == projection.Counts{} },
		})
	})
}

type queueResumeCmd struct {
	Names []string `arg:"" name:"name" help:"Queues to resume."`
}

// Help is shown below the usage line.
func (queueResumeCmd) Help() string {
	return `Examples:

  queuectl queue resume mail
  queuectl queue resume mail web --reason 'the relay is back'`
}

// Run resumes.
func (c *queueResumeCmd) Run(ctx context.Context, s *session) error {
	return s.existing(ctx, func(q *queue.Queue) error {
		return s.steer(ctx, q, c.Names, steering{
			act: q.ResumeQueues, done: "Resumed queue %s", idle: "Queue %s is not paused", idles: func(paused bool) bool { return !paused },
		})
	})
}

// steering is how queues are paused or resumed.
type steering struct {
	act        func(ctx context.Context, names ...string) ([]queue.QueueInfo, error)
	done, idle string                     // what is said of a queue, and of one that was so already
	idles      func(paused bool) bool     // whether it was
	warns      func(queue.QueueInfo) bool // whether nothing is in it, which may be a slip; nil = that does not matter
}

func (s *session) steer(ctx context.Context, q *queue.Queue, names []string, how steering) error {
	names = unique(names)
	before, err := q.Queues(ctx)
	if err != nil {
		return err
	}
	paused := map[string]bool{}
	for _, info := range before {
		paused[info.Name] = info.Paused
	}
	infos, err := how.act(ctx, names...)
	if err != nil {
		return err
	}
	s.changed = true
	for _, info := range infos {
		if how.warns != nil && how.warns(info) {
			s.warn(fmt.Sprintf("nothing is in queue %s", plain(info.Name)))
		}
	}
	if s.quiet || s.format.machine() {
		return queueListing.print(s, infos)
	}
	for _, info := range infos {
		words := how.done
		if how.idles(paused[info.Name]) {
			words = how.idle
		}
		s.printf(words, plain(info.Name))
	}
	return nil
}
