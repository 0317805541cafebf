package queue

import (
	"context"
	"fmt"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
)

// Trail reads what has happened to a queue from its log, commit by commit and in order, without opening
// the queue: it needs no state, changes nothing and disturbs nobody. It returns only what is known
// durable. Memory does not grow with the length of the log, but with the number of jobs that have not
// completed. Not safe for concurrent use.
type Trail struct {
	log     *eventlog.Reader
	names   names
	records []Record
	author  author
}

// Commit is a group of events that were written together.
type Commit struct {
	*eventlog.Entry
	Records []Record
}

// OpenTrail begins at the commit that holds the given position of the log in dir (0: the first that was not pruned). The
// position need not be there yet, if it is the next one; of a later one Next returns eventlog.ErrBeyond.
// Errors: eventlog.ErrNoLog, ErrNotOurs, ErrNewer, ErrPruned, a *eventlog.CorruptError.
func OpenTrail(dir string, from job.Position) (*Trail, error) {
	return newTrail(dir, func(from eventlog.Position) (*eventlog.Reader, error) {
		return eventlog.NewReaderAt(dir, from)
	}, from)
}

func newTrail(dir string, open openLog, from job.Position) (*Trail, error) {
	r, err := open(eventlog.Position(from))
	if err != nil {
		return nil, err
	}
	return &Trail{log: r, names: newNames(dir, open)}, nil
}

// Next returns the next commit. It and what it points to, except the events, is valid until the next call.
// Errors: io.EOF when there is none yet, and a later call may return one; eventlog.ErrBeyond if the log
// ends before the position that was asked for; eventlog.ErrNewer; a *eventlog.CorruptError where the log
// is damaged; that of ctx.
func (t *Trail) Next(ctx context.Context) (Commit, error) {
	entry, err := t.log.Next(ctx)
	if err != nil {
		return Commit{}, err
	}
	return t.take(ctx, entry)
}

// take decodes the events of a commit, and names their jobs.
func (t *Trail) take(ctx context.Context, entry *eventlog.Entry) (Commit, error) {
	t.records = t.records[:0]
	at := job.At{Position: job.Position(entry.First), Time: entry.Time, Actor: t.author.actor(entry.Meta)}
	for i, ev := range entry.Events {
		at.Position = job.Position(entry.First) + job.Position(i)
		e, err := job.DecodeEvent(job.Kind(ev.Kind), ev.Data)
		if err != nil {
			return Commit{}, fmt.Errorf("event %d: %w", at.Position, err)
		}
		name, err := t.names.of(ctx, at.Position, e)
		if err != nil {
			return Commit{}, err
		}
		t.records = append(t.records, Record{At: at, Event: e, ID: name.id, Queue: name.queue})
	}
	return Commit{Entry: entry, Records: t.records}, nil
}

// ID returns the id of the log.
func (t *Trail) ID() eventlog.LogID { return t.log.ID() }

// Wait returns when it is worth to call Next again after io.EOF; it may do so for nothing. Errors: that of
// ctx; eventlog.ErrNoLog if the queue was deleted or replaced.
func (t *Trail) Wait(ctx context.Context) error { return t.log.Wait(ctx) }

// SkipToEnd passes over everything that is known durable, quickly, and returns the head there.
func (t *Trail) SkipToEnd(ctx context.Context) (eventlog.Head, error) { return t.log.SkipToEnd(ctx) }

// Close frees the files.
func (t *Trail) Close() error { return t.log.Close() }
