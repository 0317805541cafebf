package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"

	"github.com/queuectl/queuectl/internal/doctor"
	"github.com/queuectl/queuectl/internal/storm"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// playCmd is what the processes of a selftest are, see internal/storm, and the second process of a doctor.
type playCmd struct {
	Role string `arg:"" name:"role" enum:"writer,worker,follower,snapshotter,drainer,job,child,lock" help:"What to be: writer, worker, follower, snapshotter, drainer, job, child or lock."`
	Name string `arg:"" name:"name" optional:"" help:"Name of a writer, number of a run, or path of a lock."`
}

// What a second process says of a lock.
const (
	lockFree = "free"
	lockHeld = "held"
)

// Help is shown below the usage line.
func (playCmd) Help() string {
	return `'queuectl selftest' starts these processes, in a queue of its own. In any other they refuse to work.
'queuectl doctor' has one try a lock.

Examples:

  queuectl play writer writer1
  queuectl play worker`
}

// Run plays the role until it is over, or the process that started this one is gone.
func (c *playCmd) Run(ctx context.Context, s *session) error {
	if c.Role == "lock" {
		return c.tryLock(s)
	}
	place := storm.PlaceOf(s.dir)
	if !place.Prepared() {
		return usage(fmt.Sprintf("%s is not the queue of a selftest", s.dir), "'queuectl selftest' makes one, and starts this by itself")
	}
	switch c.Role {
	case "job":
		return c.witness(ctx, place)
	case "child":
		n, err := strconv.ParseUint(c.Name, 10, 64)
		if err != nil {
			return usage("the run of a child is a number: "+err.Error(), "")
		}
		storm.Linger(n)
		return nil
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, s.stdin) // nothing is written to it: it ends with the storm
		stop()
	}()
	if c.Role == string(storm.Follower) {
		return place.Follow(ctx)
	}
	return s.change(ctx, func(q *queue.Queue) error {
		switch c.Role {
		case "writer":
			return c.write(ctx, place, q)
		case "snapshotter":
			return place.Save(ctx, q)
		case "worker":
			return q.Run(ctx, queue.WorkerOptions{Slots: 2})
		default:
			return q.Run(ctx, queue.WorkerOptions{Slots: 4, UntilEmpty: true})
		}
	})
}

// tryLock says whether a lock can be taken.
func (c *playCmd) tryLock(s *session) error {
	free, err := doctor.TryLock(c.Name)
	if err != nil {
		return err
	}
	word := lockHeld
	if free {
		word = lockFree
	}
	s.printf("%s", word)
	return nil
}

// write enqueues jobs that are this program as well.
func (c *playCmd) write(ctx context.Context, place storm.Place, q *queue.Queue) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	return place.Write(ctx, q, storm.Load{
		Name: c.Name, Pace: storm.Gale,
		Spec: func(int) job.Spec { return job.Spec{Argv: []string{self, "play", "job"}} },
	})
}

// witness is what a job does. Every fourth has a child, which holds the lock with it.
func (c *playCmd) witness(ctx context.Context, place storm.Place) error {
	r := storm.Run{Job: os.Getenv("QUEUECTL_JOB_ID"), Run: os.Getenv("QUEUECTL_RUN")}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	if runtime.GOOS != "windows" { // where nothing is inherited that was not asked for handle by handle
		r.Child = func(lock *os.File) error {
			child := exec.CommandContext(ctx, self, "play", "child", r.Run)
			child.ExtraFiles = []*os.File{lock}
			return child.Run()
		}
	}
	return place.Witness(r)
}
