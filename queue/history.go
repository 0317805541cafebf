package queue

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
)

// History returns every event of the job with this id, oldest first. It reads the log from where the job was
// enqueued, and no further than to where it ended for good. A job that was forgotten is looked for in the log;
// of several jobs that had the id, one after the other, it is about the last. Error: job.ErrNotFound; of a
// damaged log a *eventlog.CorruptError beside the events before the damage. What was pruned is missing: then the first
// event is not a JobEnqueued.
func (q *Queue) History(ctx context.Context, id string) ([]Record, error) {
	past := biographer{open: q.reader}
	err := q.view(ctx, func(s *decide.State) { past.know(s, id) })
	if err != nil {
		return nil, err
	}
	return past.tell(ctx, id)
}

// History is as that of a [Queue], up to where the Replay stands.
func (r *Replay) History(ctx context.Context, id string) ([]Record, error) {
	if r.Position() == 0 {
		return nil, fmt.Errorf("job %q: %w", id, job.ErrNotFound)
	}
	past := biographer{open: r.open, through: r.Position()}
	past.know(r.state, id)
	return past.tell(ctx, id)
}

// biographer looks for the events of one job.
type biographer struct {
	open      openLog
	through   job.Position // the last event that counts; 0 = that of the log
	key       job.Position // of the job; 0 = it is not in the state
	forgotten bool
	id, queue string       // as it was enqueued
	lane      string       // the queue that it is in now
	state     job.State    // once the job has ended, …
	ended     job.Position // … and with which event
	records   []Record
}

// know takes what the state knows of the job.
func (b *biographer) know(s *decide.State, id string) {
	if b.key = s.Jobs.Key(id); b.key != 0 {
		known, _ := s.Jobs.Brief(b.key)
		b.id, b.queue = id, known.Schedule.Queue
	}
}

func (b *biographer) tell(ctx context.Context, id string) ([]Record, error) {
	if b.key == 0 {
		b.forgotten = true
		if err := b.find(ctx, id); err != nil {
			return nil, err
		}
	}
	err := b.read(ctx, b.key, b.note)
	return b.records, err
}

// find looks in the log for the last job that had the id.
func (b *biographer) find(ctx context.Context, id string) error {
	err := b.read(ctx, 0, func(at job.At, raw eventlog.Event) error {
		if job.Kind(raw.Kind) != job.KindJobEnqueued {
			return nil
		}
		e, err := job.PeekEnqueued(string(raw.Data))
		if err == nil && e.ID == id {
			b.key = at.Position
		}
		return err
	})
	if err == nil && b.key == 0 {
		err = fmt.Errorf("job %q: %w", id, job.ErrNotFound)
	}
	return err
}

// errTold ends the reading of the log before its end.
var errTold = errors.New("nothing more to tell")

// read passes the events from a position on to fn, and those before it in its commit, until fn returns an error.
func (b *biographer) read(ctx context.Context, from job.Position, fn func(job.At, eventlog.Event) error) error {
	r, err := b.open(eventlog.Position(from))
	if errors.Is(err, eventlog.ErrPruned) {
		r, err = b.open(0) // there may be more to tell
	}
	if err != nil {
		return err
	}
	defer r.Close() // only reads: nothing can be lost
	var by author
	for {
		entry, err := r.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		at := job.At{Time: entry.Time, Actor: by.actor(entry.Meta)}
		for i, raw := range entry.Events {
			at.Position = job.Position(entry.First) + job.Position(i)
			if err := fn(at, raw); errors.Is(err, errTold) {
				return nil
			} else if err != nil {
				return fmt.Errorf("event %d: %w", at.Position, err)
			}
			if at.Position == b.through {
				return nil // what comes after it is not looked at, damaged or not
			}
		}
	}
}

// strangers are the kinds of events that are about no job, or about one that they bring into being.
var strangers = []job.Kind{
	job.KindJobEnqueued, job.KindConfigSet, job.KindConfigUnset, job.KindWorkerStarted, job.KindWorkerStopped,
	job.KindStopRequested, job.KindWorkerLost, job.KindLogCreated, job.KindLogRepaired, job.KindClockStepped,
	job.KindLogRestored, job.KindArchivePruned, job.KindQueuePaused, job.KindQueueResumed, job.KindQueueLimited,
}

// note takes an event if it is about the job, and errTold when no more can come.
func (b *biographer) note(at job.At, raw eventlog.Event) error {
	kind := job.Kind(raw.Kind)
	if at.Position != b.key && slices.Contains(strangers, kind) {
		return nil // most of a log: it is not decoded
	}
	e, err := job.DecodeEvent(kind, raw.Data)
	if err != nil {
		return err
	}
	switch e := e.(type) {
	case *job.JobEnqueued:
		b.id, b.queue, b.lane = e.Spec.ID, e.Spec.Queue, e.Spec.Queue
	case job.JobsForgotten:
		if !b.forgotten || b.ended == 0 || e.Queue != b.lane || e.State != b.state || e.Through < b.ended {
			return nil
		}
		b.records = append(b.records, Record{At: at, Event: e, ID: b.id, Queue: b.queue})
		return errTold
	case *job.JobsPurged:
		if _, is := slices.BinarySearch(e.Jobs, b.key); !is {
			return nil
		}
		b.records = append(b.records, Record{At: at, Event: e, ID: b.id, Queue: b.queue})
		return errTold
	default:
		if job.Of(e) != b.key {
			return nil
		}
	}
	b.records = append(b.records, Record{At: at, Event: e, ID: b.id, Queue: b.queue})
	switch e := e.(type) {
	case *job.JobEdited:
		if e.Has(job.FieldQueue) {
			b.lane = e.New.Spec.Queue
		}
	case *job.JobCompleted:
		b.state, b.ended = job.Completed, at.Position
	case *job.JobCancelled:
		b.state, b.ended = job.Cancelled, at.Position
	case *job.JobDied:
		b.state, b.ended = job.Dead, at.Position
	default:
		b.ended = 0
	}
	if b.ended != 0 && b.state != job.Dead && !b.forgotten {
		return errTold // nothing leads out of that state
	}
	return nil
}
