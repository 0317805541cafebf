package queue

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/queuectl/queuectl/decide"
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
	base   *baseNames
	live   map[job.Position]liveName // of the jobs that were passed and of which more may be heard
	looked map[job.Position]name     // that were looked up, and those that were found on the way
}

func newNames(dir string, open openLog) names { return names{open: open, base: &baseNames{dir: dir}} }

// liveName is the name of a job that has not completed.
type liveName struct {
	name
	died job.Position // of the JobDied, until it is retried; 0 = it is not dead
}

// lookedMost bounds looked: twice that many names are in it at most.
const lookedMost = eventlog.MaxEvents

// of returns the name of the job that an event is about; the zero name if it is about none or if the log
// is damaged where the job was enqueued.
func (n *names) of(ctx context.Context, p job.Position, e job.Event) (name, error) {
	switch e := e.(type) {
	case *job.JobEnqueued:
		return n.add(p, e), nil
	case job.JobsForgotten:
		n.forget(e)
		return name{queue: e.Queue}, nil
	case *job.JobsPurged:
		for _, key := range e.Jobs {
			delete(n.live, key)
		}
		return name{}, nil
	case job.QueuePaused:
		return name{queue: e.Queue}, nil
	case job.QueueResumed:
		return name{queue: e.Queue}, nil
	case job.QueueLimited:
		return name{queue: e.Queue}, nil
	}
	key := job.Of(e)
	if key == 0 {
		return name{}, nil
	}
	known, ok := n.live[key]
	if !ok {
		return n.lookUp(ctx, key)
	}
	switch e.(type) {
	case *job.JobCompleted, *job.JobCancelled: // the states that nothing leads out of
		delete(n.live, key)
	case *job.JobDied:
		known.died = p
		n.live[key] = known
	case job.JobRetried:
		known.died = 0
		n.live[key] = known
	}
	return known.name, nil
}

func (n *names) add(p job.Position, e *job.JobEnqueued) name {
	if n.live == nil {
		n.live = make(map[job.Position]liveName)
	}
	// The texts of an event share the memory of all of it.
	added := name{strings.Clone(e.Spec.ID), job.DefaultQueue}
	if e.Spec.Queue != "" && e.Spec.Queue != job.DefaultQueue {
		added.queue = strings.Clone(e.Spec.Queue)
	}
	n.live[p] = liveName{name: added}
	return added
}

// forget drops the names of the dead that have left the queue, so that they do not gather.
func (n *names) forget(e job.JobsForgotten) {
	for key, known := range n.live {
		if e.State == job.Dead && known.died != 0 && known.died <= e.Through && known.queue == e.Queue {
			delete(n.live, key)
		}
	}
}

func (n *names) lookUp(ctx context.Context, key job.Position) (name, error) {
	found, ok := n.looked[key]
	if ok {
		return found, nil
	}
	err := n.look(ctx, key)
	return n.looked[key], err
}

// look reads the log from the JobEnqueued at key to the end of its segment: what was enqueued together is
// mostly run together.
func (n *names) look(ctx context.Context, key job.Position) error {
	if n.looked == nil || len(n.looked) >= lookedMost {
		n.looked = make(map[job.Position]name)
	}
	n.looked[key] = name{} // unless it is found
	r, err := n.open(eventlog.Position(key))
	if errors.Is(err, eventlog.ErrPruned) {
		n.looked[key], err = n.base.of(key)
		return forgive(err)
	}
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

// baseNames knows the jobs that are older than what is left of the log in dir.
type baseNames struct {
	dir   string
	state *decide.State // nil = it was not read yet
}

// of returns the name of a job, the zero name if it had left the queue when the log was pruned.
func (b *baseNames) of(key job.Position) (name, error) {
	if b.state == nil {
		b.state = decide.LoadState(nil)
		base, err := eventlog.ReadBase(b.dir)
		if err != nil {
			return name{}, err
		}
		if base != nil {
			b.state = decide.LoadState(projectionFiles([]*eventlog.Snapshot{base}))
		}
	}
	known, _ := b.state.Jobs.Brief(key)
	return name{b.state.Jobs.ID(key), known.Schedule.Queue}, nil
}

// forgive drops the errors that leave a name unknown: it was looked for in a damaged place.
func forgive(err error) error {
	_, damaged := errors.AsType[*eventlog.CorruptError](err)
	if damaged || errors.Is(err, io.EOF) || errors.Is(err, eventlog.ErrBeyond) {
		return nil
	}
	return err
}
