package queue

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
)

// openLog makes a Reader that starts at a position.
type openLog func(from eventlog.Position) (*eventlog.Reader, error)

// name is what people know a job by.
type name struct{ id, queue string }

// names knows the jobs that events are about. Inside the log a job is named by the position of its
// JobEnqueued, so that where a Trail began behind that, the name can be looked up there.
type names struct {
	open   openLog
	live   map[job.Position]name // of the jobs that were passed and have not ended for good
	looked map[job.Position]name // that were looked up, and those that were found on the way
}

// lookedMost bounds looked: twice that many names are in it at most.
const lookedMost = eventlog.MaxEvents

// of returns the name of the job that an event is about; the zero name if it is about none or if the log
// is damaged where the job was enqueued.
func (n *names) of(ctx context.Context, p job.Position, e job.Event) (name, error) {
	if enqueued, ok := e.(*job.JobEnqueued); ok {
		if n.live == nil {
			n.live = make(map[job.Position]name)
		}
		queue := enqueued.Spec.Queue
		if queue == "" {
			queue = job.DefaultQueue
		}
		n.live[p] = name{enqueued.Spec.ID, queue}
		return n.live[p], nil
	}
	key := job.Of(e)
	if key == 0 {
		return name{}, nil
	}
	found, ok := n.live[key]
	if !ok {
		if found, ok = n.looked[key]; !ok {
			if err := n.look(ctx, key); err != nil {
				return name{}, err
			}
			found = n.looked[key]
		}
	}
	switch e.(type) {
	case *job.JobCompleted, *job.JobCancelled: // the states that nothing leads out of
		delete(n.live, key)
	}
	return found, nil
}

// look reads the log from the JobEnqueued at key to the end of its segment: what was enqueued together is
// mostly run together.
func (n *names) look(ctx context.Context, key job.Position) error {
	if n.looked == nil || len(n.looked) >= lookedMost {
		n.looked = make(map[job.Position]name)
	}
	n.looked[key] = name{} // unless it is found
	r, err := n.open(eventlog.Position(key))
	if err != nil {
		return forgive(err)
	}
	defer r.Close() // only reads: nothing can be lost
	segment := ""
	for len(n.looked) < lookedMost {
		e, err := r.Next(ctx)
		if err != nil {
			return forgive(err)
		}
		if segment == "" {
			segment = e.Segment
		}
		if e.Segment != segment {
			return nil
		}
		for i, ev := range e.Events {
			if job.Kind(ev.Kind) != job.KindJobEnqueued {
				continue
			}
			if p, err := job.PeekEnqueued(string(ev.Data)); err == nil {
				// Its strings are parts of the whole event.
				n.looked[job.Position(e.First)+job.Position(i)] = name{strings.Clone(p.ID), strings.Clone(p.Queue)}
			}
		}
	}
	return nil
}

// forgive drops the errors that leave a name unknown: it was looked for in a damaged place.
func forgive(err error) error {
	_, damaged := errors.AsType[*eventlog.CorruptError](err)
	if damaged || errors.Is(err, io.EOF) || errors.Is(err, eventlog.ErrBeyond) {
		return nil
	}
	return err
}
