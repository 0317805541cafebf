// Package queue is a job queue that lives in one directory and is shared by any number of processes
// without a server: open it, enqueue jobs, run handlers or shell commands, ask what happened.
//
// It promises:
//
//   - When Enqueue, Retry, Cancel, Kill, Hold, Release, Edit, Act, SetConfig or RequestStop returns nil,
//     what it did is durable: it survives the death of every process, and power loss as far as the disk
//     honours a sync.
//   - When one of them returns an error, nothing of it is in the log, but what a *PartialError says of an
//     Act in several commits; where the disk leaves that unknown, the error wraps eventlog.ErrUnknown.
//   - Every job that was accepted is run at least once. Two runs of one job never overlap, in whichever
//     processes they are, and an outcome of a run that is no longer current is refused.
//   - No answer and no started command rests on anything that is not durable.
//   - When a worker's process dies, however it dies, its jobs run again as soon as nothing of their
//     runs lives any more. There is no timeout to tune.
//
// A Queue is one process's handle. All of its methods may be called from any goroutine.
//
// What was is kept: a [Replay] folds the log to any [Moment] of it and answers the same questions there.
//
// The package does not make a job run exactly once: a worker that dies between the end of a command and
// the record of it leaves a job that runs again. It does not spread a queue over machines, and refuses
// network file systems unless told otherwise.
package queue

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
)

// Options are preferences; the zero value is the production default.
type Options struct {
	Now func() time.Time // wall clock; nil = time.Now
	// Elapsed is the monotonic clock: time since any fixed moment. nil = the system's, or that of Now
	// if Now is given.
	Elapsed        func() time.Duration
	Logger         zerolog.Logger // the zero Logger discards
	Actor          job.Actor      // who appends; empty User, Host, PID and Program are filled from the system
	NoCreate       bool           // Open of a directory without a queue returns eventlog.ErrNoLog
	ReadOnly       bool           // answers the state that is known durable; changes return eventlog.ErrReadOnly
	AllowNetworkFS bool           // use a network file system, whose locks may not hold what they promise
	// OnWait is told who holds the append lock when it was waited for longer than a second.
	OnWait func(holder string)
}

// Queue is one process's handle on a queue. Safe for concurrent use.
type Queue struct {
	dir    string // absolute; "" = in memory
	opt    Options
	log    *eventlog.Log
	m      *machine
	leases leases
	keeper keeper
	reader openLog
}

// Open opens the queue in dir, and makes it if there is none, unless opt.NoCreate. It reads what of the log is in
// no snapshot yet: mostly less than 64 KiB. A directory that was never written durably by
// queuectl is refused with eventlog.ErrNotOurs, one of a newer program with eventlog.ErrNewer.
//
// A damaged log opens all the same, for reading what is sound: see [Queue.Damage].
func Open(ctx context.Context, dir string, opt Options) (*Queue, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("resolve directory: %w", err)
	}
	q := newQueue(abs, opt)
	q.leases = fileLeases{dir: abs}
	q.reader = func(from eventlog.Position) (*eventlog.Reader, error) { return eventlog.NewReaderAt(abs, from) }
	q.log, err = eventlog.Open(ctx, abs, q.m, q.logOptions())
	if err != nil {
		return nil, fmt.Errorf("open queue %s: %w", dir, err)
	}
	return q, nil
}

func newQueue(dir string, opt Options) *Queue {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Elapsed == nil {
		epoch := opt.Now()
		opt.Elapsed = func() time.Duration { return opt.Now().Sub(epoch) }
	}
	opt.Actor = completeActor(opt.Actor)
	q := &Queue{dir: dir, opt: opt, m: &machine{state: decide.LoadState(nil)}}
	q.keeper.begin()
	return q
}

func (q *Queue) logOptions() eventlog.Options {
	opt := eventlog.Options{
		ReadOnly:       q.opt.ReadOnly,
		AllowNetworkFS: q.opt.AllowNetworkFS,
		Now:            func() int64 { return q.opt.Now().UnixNano() },
		OnWait:         q.opt.OnWait,
		Recorded:       func(quarantine string) bool { return q.m.state.Jobs.Repaired(quarantine) },
	}
	if !q.opt.NoCreate {
		opt.Create = func(id eventlog.LogID) (eventlog.Meta, []eventlog.Event) {
			events, _ := encode([]job.Event{job.LogCreated{LogID: id, Format: 1, Level: job.Level}})
			return metaOf(&q.opt.Actor), events
		}
	}
	return opt
}

// Close ends this process's use of the queue. Changes under way are finished first. If it had more than 256
// KiB of the log to read or to write, it also writes a snapshot. Close a Queue only after its Run calls
// have returned.
func (q *Queue) Close() error {
	q.keeper.close()
	q.leaveSnapshot()
	return q.log.Close()
}

// Dir returns the queue's absolute directory, "" for a queue in memory.
func (q *Queue) Dir() string { return q.dir }

// Damage returns the *eventlog.CorruptError that stops this queue from being changed, or nil. Queries
// then answer from the sound part of the log.
func (q *Queue) Damage() error {
	if d := q.log.Damage(); d != nil {
		return d
	}
	return nil
}

type reasonKey struct{}

// Because returns a context whose changes to a queue carry the reason in the log, for whoever asks
// later why something was done.
func Because(ctx context.Context, reason string) context.Context {
	return context.WithValue(ctx, reasonKey{}, reason)
}

func reasonOf(ctx context.Context) string {
	reason, _ := ctx.Value(reasonKey{}).(string)
	return reason
}

// change runs one command: decide, one commit, durable. If that leaves jobs that are to be ended because of their
// parents, it goes on with those. That this fails is no reason to say that the command did: somebody else will do it.
func (q *Queue) change(ctx context.Context, rule rule) error {
	tail, left := int64(0), false
	p := q.proposal(reasonOf(ctx), func(s *decide.State, at job.At) ([]job.Event, error) {
		tail = q.m.tail
		return rule(s, at)
	})
	decided := p.Decide
	p.Decide = func(t eventlog.Turn) ([]eventlog.Event, error) {
		events, err := decided(t)
		left = err == nil && q.m.state.Jobs.AnyFailing()
		return events, err
	}
	err := q.log.Append(ctx, p)
	if err == nil && left {
		_, _ = q.endChildren(ctx)
	}
	q.keepUp(tail, false)
	return err
}

// view runs fn with the state, and returns when what fn saw is durable.
func (q *Queue) view(ctx context.Context, fn func(*decide.State)) error {
	return q.log.View(ctx, q.m.looking(fn))
}

// cannotWrite says that an error of the log is not about one command but about the log: an engine that
// meets one must not start anything that it could not record.
func cannotWrite(err error) bool {
	var corrupt *eventlog.CorruptError
	return errors.Is(err, eventlog.ErrUnknown) || errors.Is(err, eventlog.ErrNotCommitted) ||
		errors.Is(err, eventlog.ErrClosed) || errors.Is(err, eventlog.ErrReadOnly) ||
		errors.Is(err, eventlog.ErrDiskFull) || errors.As(err, &corrupt)
}
