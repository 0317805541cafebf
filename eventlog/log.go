package eventlog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// State is what the owner of a log keeps up to date from its commits. Its methods are called by one
// goroutine at a time, as are Proposal.Decide and the functions passed to View and Peek: what they
// share needs no lock. None of them may call the Log, except for TakeRepairs. Which goroutine it is
// varies: mostly one that waits in Append or View.
type State interface {
	// Fold takes the next commit. It is called once for each commit in order, except for those that
	// came from this Log's own proposals, which fold what they decide themselves (see Proposal). An
	// error means that the commit's bytes cannot be understood; the log goes no further, and Damage
	// says so. One that wraps ErrNewer says that they are for a later program: that is the answer to
	// everything then.
	Fold(*Entry) error
	// Reset forgets everything: the next Fold is of commit 1. It is called first of all, and when what proposals
	// folded turned out not to be in the log (a failed write, a commit that is too large), after
	// which the log is read again.
	Reset()
}

// Resumer is a State that can begin in the middle of the log, with what it wrote to snapshot files: see
// SnapshotRoom.
type Resumer interface {
	State
	// Resume is Reset, but that it goes on from what the files say, oldest first: the next Fold is of the
	// commit after the last one's. They stay open until the next Reset or Resume, or the end of the Log.
	// After an error the State is asked which file is Broken, and is reset or resumed again without it.
	Resume([]*Snapshot) error
	// Rebase is told of files that say of the commits up to the last one's what the State has folded itself, so
	// that it can give up what it finds in them. If it returns true, they take the place of the files that it
	// rested on before.
	Rebase([]*Snapshot) bool
	// Broken returns a file that could not be read when it was needed, nil if there is none. It is asked after
	// every use of the State, which must answer anything until it is reset or resumed. What it was asked is
	// then asked again: Decide, or the function passed to View.
	Broken() *Snapshot
}

// Turn is what a proposal decides with: the place and time that its events will have.
type Turn struct {
	// Commit is the one that the events will be in: the next one, should they not fit into it
	// together with those of others.
	Commit   Commit
	Position Position // of its first event
	Time     int64    // Unix nanoseconds: the wall clock as it is; it may step back
}

// Proposal is one command that wants to append.
type Proposal struct {
	// Meta goes into the commit. Proposals that wait at the same time and have equal Metas share a
	// commit.
	Meta Meta
	// Essential proposals (outcomes of runs, ends of workers) may use the space that is reserved for them on a full
	// disk.
	Essential bool
	// Decide is called at most once (but see Resumer), with the exclusive right to append and every older
	// commit folded. It returns the events to append after it has folded them into the State, or an error
	// and has folded nothing; or neither, and nothing is appended. Data must stay unchanged until
	// Append returns.
	Decide func(Turn) ([]Event, error)

	// Err is set by AppendAll: nil if the events are durable or Decide returned none, the error of
	// Decide, or what became of the write.
	Err error
}

// Options are preferences; the zero value is the production default.
type Options struct {
	// Create is called when the directory has no log, for the events of its first commit; there
	// must be one. nil = Open returns ErrNoLog.
	Create func(LogID) (Meta, []Event)
	// ReadOnly opens for reading only what is known durable; Append returns ErrReadOnly. A
	// directory without write permission is opened so by itself.
	ReadOnly bool
	// AllowNetworkFS opens a log on a network file system, where locks and syncs may not hold what
	// they promise.
	AllowNetworkFS bool
	Now            func() int64 // Unix nanoseconds of the wall clock; nil = time.Now
	SegmentSize    int          // bytes after which a new segment is begun, up to 1 GiB; 0 = 128 KiB
	// Recorded says if the State has an event of the repair whose copy has that name in quarantine.
	// Who cuts off a torn tail may die before it is recorded, or have nothing to append. So the
	// first time that a Log may append, TakeRepairs also returns the repairs of others of which the
	// State knows nothing. It is called as State is. nil = those of others are not looked for.
	Recorded func(quarantine string) bool
	// OnWait is called, as State is, when the append lock was waited for longer than a second, with
	// a description of its holder, "" if unknown. It must not block.
	OnWait func(holder string)

	disk *disk // nil = the real one
}

// The bounds of Options.SegmentSize.
const (
	defaultSegmentSize = 128 << 10
	maxSegmentSize     = 1 << 30
)

func (o *Options) complete() error {
	if o.SegmentSize < 0 || o.SegmentSize > maxSegmentSize {
		return fmt.Errorf("segment size %d: not in 0 to %d", o.SegmentSize, maxSegmentSize)
	}
	if o.SegmentSize == 0 {
		o.SegmentSize = defaultSegmentSize
	}
	if o.Now == nil {
		o.Now = wallClock
	}
	if o.OnWait == nil {
		o.OnWait = func(string) {}
	}
	return nil
}

// wallClock is what Now is by default.
func wallClock() int64 { return time.Now().UnixNano() }

// Log is one process's handle on a log. All methods are safe for concurrent use.
type Log struct {
	id      LogID
	opt     Options
	inbox   inbox
	quit    chan struct{} // closed when Close or Kill begins
	done    chan struct{} // closed when the Log's goroutine has ended
	watched sync.Once
	damage  atomic.Pointer[CorruptError]
	closed  error // of the store; set before done is closed

	mu      sync.Mutex
	repairs []Repair
	changed chan struct{} // closed and forgotten at a fold; nil = nobody asked

	core *core
}

// Open opens or creates the log in dir/log and folds all its commits into state before it returns.
// It creates dir and its parents if need be, all with mode 0700.
//
// A log whose beginning is sound is opened even if it is damaged after that: Damage says so, View
// shows the sound part, and Append returns the *CorruptError. Errors: ErrNoLog, ErrNotOurs,
// ErrNewer, ErrNetworkFS, a *CorruptError if the whole log is missing where one was, that of ctx,
// or of a file.
//
// While nothing is wrong with an existing log, opening it takes no lock and writes nothing.
// Otherwise it waits for the append lock, and cuts off a torn tail: see TakeRepairs. A log that it
// made is durable when it returns. The Log must be closed.
func Open(ctx context.Context, dir string, state State, opt Options) (*Log, error) {
	if err := opt.complete(); err != nil {
		return nil, err
	}
	s, err := openDir(dir, &opt)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return start(ctx, s, state, opt)
}

// start makes a Log of a store, which it owns from then on.
func start(ctx context.Context, s store, state State, opt Options) (*Log, error) {
	l := &Log{
		id:   s.identity(),
		opt:  opt,
		quit: make(chan struct{}),
		done: make(chan struct{}),
	}
	l.core = newCore(l, s, state)
	go l.core.run()
	if err := l.ask(ctx, &request{kind: askOpen}); err != nil {
		l.Close() // the first error says more
		return nil, fmt.Errorf("open log: %w", err)
	}
	return l, nil
}

// ID returns the log's id.
func (l *Log) ID() LogID { return l.id }

// Append runs one proposal; see AppendAll.
func (l *Log) Append(ctx context.Context, p *Proposal) error { return l.AppendAll(ctx, p) }

// AppendAll runs the proposals in order, together with those of other goroutines, in as few commits
// as their Metas and the bounds (MaxFrame, MaxEvents) allow, with one sync for all, and returns
// when all are durable. What became of each is in its Err; the returned error is the first of them.
//
// ctx ends the waiting only before the proposals are taken up: afterwards AppendAll waits for the
// truth, which is one of
//
//   - nil: the events are in the log and durable;
//   - the error of Decide, ErrTooLarge, ErrDiskFull, ErrReadOnly, ErrClosed, ErrNewer, a
//     *CorruptError, the error of ctx, or one that wraps ErrNotCommitted: nothing is in the log
//     (but see Kill);
//   - one that wraps ErrUnknown: a write or a sync failed, or another caller's code panicked. The
//     events may or may not be in the log.
func (l *Log) AppendAll(ctx context.Context, ps ...*Proposal) error {
	if len(ps) == 0 {
		return nil
	}
	r := &request{kind: askAppend, proposals: ps}
	if err := l.ask(ctx, r); err != nil {
		r.fail(err)
	}
	for _, p := range ps {
		if p.Err != nil {
			return p.Err
		}
	}
	return nil
}

// View catches up with what other processes appended, runs fn, which may read the State, and
// returns when everything that fn can have seen is durable. fn must copy what it needs. On a
// damaged log fn sees the sound part.
//
// If View returns an error, what fn saw must not be used: ErrClosed, ErrNewer, ErrNoLog if the
// directory is gone, that of ctx, which ends the waiting, or of a file; ErrUnknown if what fn saw
// cannot be synced.
func (l *Log) View(ctx context.Context, fn func(Head)) error {
	return l.ask(ctx, &request{kind: askView, view: fn})
}

// Peek is View without waiting for durability: what fn sees may still be lost with a power cut. It
// is for deciding what to propose next (a proposal built on it becomes durable only after it);
// nothing of it may leave the process.
func (l *Log) Peek(ctx context.Context, fn func(Head)) error {
	return l.ask(ctx, &request{kind: askPeek, view: fn})
}

// Changed returns a channel that is closed after the next commit is folded, by whichever process it
// was written. Take the channel before looking at the state.
func (l *Log) Changed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return l.changed
}

// Watch starts to follow other processes' appends, until Close, so that Changed tells of them
// without a View.
func (l *Log) Watch() {
	// A closed Log has nothing to follow.
	l.watched.Do(func() { _ = l.ask(context.Background(), &request{kind: askWatch}) })
}

// TakeRepairs returns the repairs made by this Log that were not taken yet, and those that other
// processes made and did not come to record: see Options.Recorded. The engine records them as
// events. There may be new ones whenever Decide is called.
func (l *Log) TakeRepairs() []Repair {
	l.mu.Lock()
	defer l.mu.Unlock()
	repairs := l.repairs
	l.repairs = nil
	return repairs
}

// Rebase lets the State, a Resumer, give up what is in the newest snapshot. Errors: ErrClosed, that of ctx or
// of a file.
func (l *Log) Rebase(ctx context.Context) error {
	r := &request{kind: askRebase}
	err := l.ask(ctx, r)
	// Here and not where others wait: the last to close a file that was removed gives back all of its blocks, which
	// takes tens of milliseconds for a million jobs.
	closeAll(r.left)
	return err
}

// Damage returns what stops this log from being written, as far as this Log has found out; nil if
// it is sound. It is nil again when an append has found that the log is.
func (l *Log) Damage() *CorruptError { return l.damage.Load() }

// Close ends the Log's goroutines. Proposals that are taken up are finished first; all other
// waiting ends with ErrClosed, and so does every later call. The error is about how much of what is
// durable is known to be so; no acknowledged commit depends on it.
func (l *Log) Close() error {
	l.end(false)
	return l.closed
}

// Kill makes the handle behave as if its process had been killed: everything under way ends with
// ErrClosed, whatever became of it, and nothing is synced or cleaned up. For tests.
func (l *Log) Kill() { l.end(true) }

func (l *Log) end(kill bool) {
	if kill {
		l.core.store.kill() // before it can end in good order
	}
	l.shut()
	<-l.done
}

// shut lets nobody in any more, and has the Log's goroutine answer those who are.
func (l *Log) shut() {
	if l.inbox.close() {
		close(l.quit)
	}
}

// notify wakes those who wait for a change.
func (l *Log) notify() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

func (l *Log) addRepairs(repairs []Repair) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.repairs = append(l.repairs, repairs...)
}

// damaged is the *CorruptError in err, nil if there is none.
func damaged(err error) *CorruptError {
	var c *CorruptError
	errors.As(err, &c)
	return c
}
