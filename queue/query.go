package queue

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
	"github.com/queuectl/queuectl/scheduler/lease"
)

// Job returns the job with this id. Error: job.ErrNotFound.
func (q *Queue) Job(ctx context.Context, id string) (j job.Job, err error) {
	if viewErr := q.view(ctx, func(s *decide.State) { j, err = View{s}.Job(id) }); viewErr != nil {
		return job.Job{}, viewErr
	}
	return j, err
}

// List returns the jobs that the filter selects, in order of enqueue.
func (q *Queue) List(ctx context.Context, f projection.Filter) (jobs []job.Job, err error) {
	err = q.view(ctx, func(s *decide.State) { jobs = slices.Collect(View{s}.List(f)) })
	return jobs, err
}

// Count returns how many jobs the filter selects, whatever its Limit.
func (q *Queue) Count(ctx context.Context, f projection.Filter) (n int, err error) {
	err = q.view(ctx, func(s *decide.State) { n = View{s}.Count(f) })
	return n, err
}

// Config returns all settings, in the order in which people are shown them.
func (q *Queue) Config(ctx context.Context) (settings []Setting, err error) {
	err = q.view(ctx, func(s *decide.State) { settings = View{s}.Config() })
	return settings, err
}

// Status returns the whole queue at a glance.
func (q *Queue) Status(ctx context.Context) (status Status, err error) {
	err = q.log.View(ctx, func(head eventlog.Head) {
		q.m.guard(func() { status = View{q.m.state}.Status() })
		status.Dir, status.Head = q.dir, head
	})
	if err != nil {
		return Status{}, err
	}
	return status, q.lookAlive(status.Workers)
}

// Queues returns all queues that hold jobs, or that are paused or limited, by name.
func (q *Queue) Queues(ctx context.Context) (infos []QueueInfo, err error) {
	err = q.view(ctx, func(s *decide.State) { infos = View{s}.Queues() })
	return infos, err
}

// Workers returns the workers that have not stopped, in order of start. One that is not Alive died, and
// the next worker to look will put its jobs back.
func (q *Queue) Workers(ctx context.Context) (infos []WorkerInfo, err error) {
	if err := q.view(ctx, func(s *decide.State) { infos = View{s}.Workers() }); err != nil {
		return nil, err
	}
	return infos, q.lookAlive(infos)
}

func (q *Queue) lookAlive(infos []WorkerInfo) (err error) {
	for i := range infos {
		if infos[i].Alive, err = q.leases.alive(infos[i].ID); err != nil {
			return fmt.Errorf("look at the lock of worker %s: %w", infos[i].ID, err)
		}
	}
	return nil
}

// Digest returns a hash of the whole state: see [View.Digest].
func (q *Queue) Digest(ctx context.Context) (sum [sha256.Size]byte, err error) {
	err = q.view(ctx, func(s *decide.State) { sum = View{s}.Digest() })
	return sum, err
}

// Record is one event with its place in the log.
type Record struct {
	At    job.At
	Event job.Event
	// ID and Queue are those of the job that the event is about, as it was enqueued. They are empty if it is about none, or if
	// the log is damaged where the job was enqueued.
	ID, Queue string
}

// Read passes every event that is in the log, and was not pruned, to fn, oldest first, and returns at the end of the log or
// with fn's first error. What was written and not synced is made durable first: this is where people look
// when an answer was eventlog.ErrUnknown. A damaged log gives the sound events before the damage and then
// the *eventlog.CorruptError.
func (q *Queue) Read(ctx context.Context, fn func(Record) error) error { return q.ReadFrom(ctx, 0, fn) }

// ReadFrom is Read from an event on: what comes before it is not read. If it was pruned the error is eventlog.ErrPruned;
// if the log ends before the event
// that is to be written next, the error is eventlog.ErrBeyond.
func (q *Queue) ReadFrom(ctx context.Context, from job.Position, fn func(Record) error) error {
	if err := q.view(ctx, func(*decide.State) {}); err != nil {
		return err
	}
	t, err := newTrail(q.dir, q.reader, from)
	if err != nil {
		return err
	}
	defer t.Close() // only reads: nothing can be lost
	for {
		c, err := t.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, r := range c.Records {
			if r.At.Position < from {
				continue
			}
			if err := fn(r); err != nil {
				return err
			}
		}
	}
}

// OutputPath is the file that holds what a run printed; there is none if it printed nothing.
func (q *Queue) OutputPath(run job.Position) string {
	const perFolder = 1000 // so that no folder grows without bound
	return filepath.Join(q.dir, "output", fmt.Sprintf("%06d", run/perFolder), fmt.Sprintf("%d.log", run))
}

// OpenOutput opens what a run has printed so far. The error wraps fs.ErrNotExist if that is nothing.
func (q *Queue) OpenOutput(run job.Position) (*os.File, error) {
	f, err := os.Open(q.OutputPath(run))
	if err != nil {
		return nil, err
	}
	opened, err := f.Stat()
	if err == nil {
		// A file to which nothing was printed may have become that of another run while it was opened. It does not
		// once it is open: see shell.Command.Reuse.
		var named os.FileInfo
		if named, err = os.Stat(f.Name()); err == nil && os.SameFile(opened, named) {
			return f, nil
		}
	}
	if err == nil {
		err = fmt.Errorf("open output of run %d: %w", run, fs.ErrNotExist)
	}
	return nil, errors.Join(err, f.Close())
}

// LeftBehind returns the pids of processes of a run that still live, ascending; nil on systems that cannot
// tell, and of a queue in memory. After the end of the run they are what its command left behind.
func (q *Queue) LeftBehind(run job.Position) []int {
	if q.dir == "" || run == 0 {
		return nil
	}
	return lease.LeftBehind(q.dir, uint64(run))
}
