package queue

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
)

// Errors of moments that a Replay cannot go to.
var (
	ErrBeforeFirst = errors.New("before the first event")
	ErrAfterLast   = errors.New("after the last event")
	ErrPassed      = errors.New("the replay is past it") // it goes forward only
)

// Replay is the past of a queue: it folds the log event by event, as far as it is told to, and answers the
// questions that a [Queue] answers about the state that this gives. It begins before the first event; in a log that was
// pruned, with what everything up to there had added up to.
//
// It executes nothing, changes nothing, and holds no lock while it reads: workers and users may go on
// meanwhile. Of a log that is being written it sees what is known durable. A damaged log can be replayed as
// far as it is sound.
//
// Not safe for concurrent use, and its View must not be used while another method runs. A Replay must be
// closed.
type Replay struct {
	View
	dir    string // absolute; "" = in memory
	reader *eventlog.Reader
	open   openLog
	base   *eventlog.Snapshot // that the log begins with; nil = its first event
	entry  *eventlog.Entry    // whose events are being folded; nil before the first
	next   int                // index of the next of them
	author author
	head   eventlog.Head // of the last commit that was folded to its end
}

// OpenReplay opens the log of the queue in dir, for reading. Errors: eventlog.ErrNoLog, eventlog.ErrNotOurs,
// eventlog.ErrNewer, *eventlog.CorruptError.
func OpenReplay(dir string) (*Replay, error) {
	r, err := openReplay(dir)
	if err == nil {
		r.loadLive()
	}
	return r, err
}

// loadLive brings the jobs that wait or run into memory, since many events will be about them. The rest of what a
// worker needs is made when somebody asks.
func (r *Replay) loadLive() {
	if r.base != nil {
		r.state.LoadLive()
	}
}

// openReplay is OpenReplay without the jobs that wait or run in the timeline: the state can be saved.
func openReplay(dir string) (*Replay, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("resolve directory: %w", err)
	}
	r := &Replay{dir: abs}
	r.open = func(from eventlog.Position) (*eventlog.Reader, error) { return eventlog.NewReaderAt(abs, from) }
	if err := r.begin(); err != nil {
		return nil, fmt.Errorf("open log of queue %s: %w", dir, err)
	}
	return r, nil
}

// Replay returns the past of q. What was written before and not synced is made durable first, so that
// everything that q has shown is in it.
func (q *Queue) Replay(ctx context.Context) (*Replay, error) {
	if err := q.view(ctx, func(*decide.State) {}); err != nil {
		return nil, err
	}
	r := &Replay{dir: q.dir, open: q.reader}
	if err := r.begin(); err != nil {
		return nil, err
	}
	r.loadLive()
	return r, nil
}

func (r *Replay) begin() (err error) {
	const tries = 3 // it may be pruned meanwhile
	for try := 1; ; try++ {
		r.state = decide.LoadState(nil)
		if r.dir != "" {
			r.base, err = eventlog.ReadBase(r.dir)
		}
		if err != nil {
			return err
		}
		if r.base != nil {
			r.state = decide.LoadState(projectionFiles([]*eventlog.Snapshot{r.base}))
			r.head = r.base.At.Head
		}
		if r.reader, err = r.open(r.begins()); !errors.Is(err, eventlog.ErrPruned) || try == tries {
			return err
		}
	}
}

// begins is the position of the first event that is there.
func (r *Replay) begins() eventlog.Position {
	if r.base == nil {
		return 1
	}
	return r.base.At.Head.Position + 1
}

// pruned is the error for a moment before that.
func (r *Replay) pruned(m Moment) error {
	after := time.Unix(0, r.base.At.Time).UTC().Format(time.RFC3339Nano)
	return fmt.Errorf("%v %w: the log begins with position %d, after %s", m, eventlog.ErrPruned, r.begins(), after)
}

// Close frees the Replay's files. What it has folded can still be asked about.
func (r *Replay) Close() error { return r.reader.Close() }

// State returns what the rules look at: for programs that ask what would have happened otherwise. It changes
// with the Replay, and must not be changed by others.
func (r *Replay) State() *decide.State {
	r.state.LoadLive()
	return r.state
}

// Status returns the whole queue at a glance, at the place where the Replay stands.
func (r *Replay) Status() Status {
	status := r.View.Status()
	status.Dir, status.Head = r.dir, r.head
	return status
}

// Next folds the next event and returns it. Errors: io.EOF at the end of what is durable, where a later call
// may find more; a *eventlog.CorruptError where the log is damaged; eventlog.ErrNewer; that of ctx. After an
// error the state is that of before.
func (r *Replay) Next(ctx context.Context) (Record, error) {
	if err := r.fill(ctx); err != nil {
		return Record{}, err
	}
	record, err := r.record()
	if err != nil {
		return Record{}, err
	}
	if err := r.fold(record.At); err != nil {
		return Record{}, err
	}
	return record, nil
}

// To folds everything up to the moment; to the zero Moment, now, everything that is durable. Errors:
// ErrPassed, ErrBeforeFirst, eventlog.ErrPruned, ErrAfterLast, after which the Replay stands where it stood or, after the last,
// at the end; a *eventlog.CorruptError if the log is damaged before the moment or so that the moment cannot
// be told, after which it stands at the last sound event up to the moment; eventlog.ErrNewer; that of ctx.
func (r *Replay) To(ctx context.Context, m Moment) error { return r.to(ctx, m, nil) }

// to is To, and passes every event to see, if that is not nil, before it is folded.
func (r *Replay) to(ctx context.Context, m Moment, see func(Record)) error {
	if m.Position != 0 || m.IsZero() {
		return r.toPosition(ctx, m.Position, see)
	}
	at, damage := r.Find(ctx, m)
	if at.Position == 0 {
		return damage
	}
	if err := r.toPosition(ctx, at.Position, see); err != nil {
		return err
	}
	return damage
}

// toPosition folds up to the event at this position, or to the end if it is 0.
func (r *Replay) toPosition(ctx context.Context, p job.Position, see func(Record)) error {
	if p != 0 && eventlog.Position(p)+1 < r.begins() {
		return r.pruned(Moment{Position: p})
	}
	if p != 0 && p < r.Position() {
		return fmt.Errorf("%v: %w: it is at position %d", Moment{Position: p}, ErrPassed, r.Position())
	}
	for p == 0 || r.Position() < p {
		err := r.fill(ctx)
		switch {
		case errors.Is(err, io.EOF) && p == 0:
			return nil
		case errors.Is(err, io.EOF):
			return fmt.Errorf("%v: %w, which is %d", Moment{Position: p}, ErrAfterLast, r.Position())
		case err != nil:
			return err
		}
		if see != nil {
			record, err := r.record()
			if err != nil {
				return err
			}
			see(record)
		}
		if err := r.fold(r.at()); err != nil {
			return err
		}
	}
	return nil
}

// Find returns the place in the log that a moment means: that of the last event up to it. It does not move
// the Replay, wherever that stands, and looks at times and positions only; of a Time it has to read the log to
// its end, because a later commit may have an earlier time. Errors: as [Replay.To], but for ErrPassed. With a
// *eventlog.CorruptError it returns the last place up to the moment before the damage, if there is one.
func (r *Replay) Find(ctx context.Context, m Moment) (found job.At, err error) {
	reader, err := r.open(r.begins())
	if err != nil {
		return job.At{}, err
	}
	defer reader.Close() // only reads: nothing can be lost
	var by author
	var first, last job.At
	if r.base != nil {
		last = job.At{Position: job.Position(r.base.At.Head.Position), Time: r.base.At.Time}
		switch {
		case m.Position != 0 && m.Position < last.Position:
			return job.At{}, r.pruned(m)
		case m.Position == last.Position:
			return last, nil
		case m.reaches(last):
			found = last
		}
		first = last
	}
	for err == nil {
		var e *eventlog.Entry
		if err = ctx.Err(); err == nil {
			e, err = reader.Next(ctx)
		}
		if err != nil {
			break
		}
		last = job.At{Position: job.Position(e.First) + job.Position(len(e.Events)) - 1, Time: e.Time, Actor: by.actor(e.Meta)}
		if first.Position == 0 {
			first = job.At{Position: job.Position(e.First), Time: e.Time}
		}
		switch {
		case m.Position != 0 && last.Position >= m.Position:
			last.Position = m.Position
			return last, nil
		case m.reaches(last):
			found = last
		}
	}
	switch {
	case !errors.Is(err, io.EOF):
		return found, err
	case m.Position != 0:
		return job.At{}, fmt.Errorf("%v: %w, which is %d", m, ErrAfterLast, last.Position)
	case found.Position == 0 && r.base != nil:
		return job.At{}, r.pruned(m)
	case found.Position == 0 && first.Position != 0:
		return job.At{}, fmt.Errorf("%v: %w, which is of %s", m, ErrBeforeFirst, first.When().Format(time.RFC3339Nano))
	case found.Position == 0:
		return job.At{}, fmt.Errorf("%v: %w: there is none yet", m, ErrBeforeFirst)
	}
	return found, nil
}

// fill makes sure that there is an event to fold.
func (r *Replay) fill(ctx context.Context) error {
	if r.entry != nil && r.next < len(r.entry.Events) {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	e, err := r.reader.Next(ctx)
	if err != nil {
		return err
	}
	r.entry, r.next = e, 0
	return nil
}

// record is the next event, which has been filled in.
func (r *Replay) record() (Record, error) {
	raw := r.entry.Events[r.next]
	e, err := job.DecodeEvent(job.Kind(raw.Kind), raw.Data)
	if err != nil {
		return Record{}, r.damage(err)
	}
	record := Record{At: r.at(), Event: e}
	if enqueued, ok := e.(*job.JobEnqueued); ok {
		record.ID, record.Queue = enqueued.Spec.ID, enqueued.Spec.Queue
	} else if b, found := r.state.Jobs.Brief(job.Of(e)); found {
		record.ID, record.Queue = r.state.Jobs.ID(b.Key), b.Schedule.Queue
	}
	return record, nil
}

// at is the place of the next event.
func (r *Replay) at() job.At {
	e := r.entry
	return job.At{
		Position: job.Position(e.First) + job.Position(r.next), Time: e.Time, Actor: r.author.actor(e.Meta),
	}
}

// fold folds the next event, which has been filled in.
func (r *Replay) fold(at job.At) error {
	ev := r.entry.Events[r.next]
	if err := ofKnownLevel(ev); err != nil {
		return err
	}
	if err := r.state.FoldRaw(at, job.Kind(ev.Kind), ev.Data); err != nil {
		return r.damage(err)
	}
	if r.next++; r.next == len(r.entry.Events) {
		r.head = r.entry.Head()
	}
	return nil
}

// damage says that the next event does not follow from the rules: the log is damaged, whatever its checksums
// say. That is what a Queue makes of it, too.
func (r *Replay) damage(err error) error {
	e := r.entry
	return &eventlog.CorruptError{
		Path: e.Segment, Offset: e.Offset, Commit: e.Commit, Position: e.First + eventlog.Position(r.next),
		Reason: fmt.Sprintf("its events cannot be understood: %v", err),
	}
}
