package queue

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
)

const (
	// worthASnapshot is how much of the log may have to be folded by who begins with a snapshot, bytes.
	worthASnapshot = 64 << 10
	// mostOfATail is how much of it is folded before a file is written, so that memory is bounded.
	mostOfATail = 32 << 20
)

// SnapshotReport says what [Queue.Snapshot] came to.
type SnapshotReport struct {
	Busy   bool          // another process is writing one
	Files  int           // written now
	Head   eventlog.Head // that the newest snapshot has; zero = there is none
	Levels int           // files that it consists of
	Bytes  int64         // of those
}

// Snapshot writes what has happened since the last snapshot to a file of its own, so that those who open the
// queue need not fold it again. It reads the log beside the living state, which goes on meanwhile. Snapshots
// are written without being asked for: by workers, and by who closes a queue of which it had much to fold.
// They can be deleted at any time. What it has brought to a file, q gives up the memory of, as far as it has ended. Error: eventlog.ErrReadOnly for a queue in memory, or one that was opened
// so; a *eventlog.CorruptError; that of ctx, or of a file.
func (q *Queue) Snapshot(ctx context.Context) (SnapshotReport, error) { return q.snapshot(ctx, 1) }

// snapshot is Snapshot, if at least so many bytes of the log are in none.
func (q *Queue) snapshot(ctx context.Context, worth int64) (SnapshotReport, error) {
	if q.dir == "" || q.opt.ReadOnly {
		return SnapshotReport{}, eventlog.ErrReadOnly
	}
	seen := int64(0)
	if err := q.view(ctx, func(*decide.State) { seen = q.m.tail }); err != nil { // what was shown can be in it then
		return SnapshotReport{}, err
	}
	defer func() { // also if another process has written one: it is as good
		_ = q.log.Peek(context.WithoutCancel(ctx), q.m.looking(func(*decide.State) { q.m.tail = max(0, q.m.tail-seen) }))
	}()
	room, ok, err := eventlog.LockSnapshots(q.dir)
	if err != nil || !ok {
		return SnapshotReport{Busy: !ok}, err
	}
	defer room.Close() // which lets the lock go
	s := snapshotter{dir: q.dir, room: room, worth: worth}
	defer s.shut()
	if err := s.run(ctx); err != nil {
		return s.report, err
	}
	return s.report, q.log.Rebase(ctx)
}

// snapshotter folds the end of the log onto the last snapshot.
type snapshotter struct {
	dir   string
	room  *eventlog.SnapshotRoom
	worth int64

	files  []*eventlog.Snapshot
	state  *decide.State
	at     eventlog.Checkpoint // that state has come to
	tail   int64               // bytes folded since the last file
	report SnapshotReport
}

func (s *snapshotter) shut() {
	for _, f := range s.files {
		f.Close() // only read
	}
	s.files = nil
}

// run writes as many files as it takes.
func (s *snapshotter) run(ctx context.Context) error {
	for {
		more, err := s.step(ctx)
		var broken *projection.BaseError
		if errors.As(err, &broken) {
			s.room.Distrust(s.files[broken.Level], broken.Err)
			continue
		}
		if err != nil || !more {
			return err
		}
	}
}

// step begins with the last snapshot, folds what follows, and writes a file if that was worth it. more says
// that it has not come to the end of the log.
func (s *snapshotter) step(ctx context.Context) (more bool, err error) {
	defer func() {
		if failed, ok := recover().(*projection.BaseError); ok {
			err = failed
		}
	}()
	s.shut()
	if s.files, err = s.room.Chain(); err != nil {
		return false, err
	}
	s.state, s.at, s.tail = decide.LoadState(projectionFiles(s.files)), eventlog.Checkpoint{}, 0
	if n := len(s.files); n > 0 {
		s.at = s.files[n-1].At
	}
	s.tell()
	more, err = s.fold(ctx)
	if err != nil || s.tail < s.worth || s.tail == 0 {
		return false, err
	}
	keep, from := s.keep()
	err = s.room.Write(from, s.at, func(w *eventlog.SnapshotWriter) error {
		return s.state.Jobs.Save(keep, cancelled{ctx, w})
	})
	if err != nil {
		return false, err
	}
	s.report.Files++
	if !more {
		s.shut()
		if s.files, err = s.room.Chain(); err != nil {
			return false, err
		}
		s.tell()
	}
	return more, nil
}

// cancelled is a sink that can be left.
type cancelled struct {
	ctx context.Context
	projection.Sink
}

func (c cancelled) Block(section uint16, first uint64, data []byte) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	return c.Sink.Block(section, first, data)
}

func (s *snapshotter) tell() {
	s.report.Head, s.report.Levels, s.report.Bytes = s.at.Head, len(s.files), 0
	for _, f := range s.files {
		s.report.Bytes += f.Size()
	}
}

// fold folds the commits after the snapshot, at most so much that memory stays bounded.
func (s *snapshotter) fold(ctx context.Context) (more bool, err error) {
	r, err := eventlog.NewReader(s.dir, s.at.Head.Commit+1)
	if err != nil {
		return false, err
	}
	defer r.Close() // only read
	var by author
	for s.tail < mostOfATail {
		e, err := r.Next(ctx)
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if n := len(s.files); n > 0 && e.Commit == s.at.Head.Commit+1 && e.Prev != s.at.Head.Hash {
			return false, &projection.BaseError{Level: n - 1, Err: errors.New("the log goes on from another commit")}
		}
		at := job.At{Position: job.Position(e.First), Time: e.Time, Actor: by.actor(e.Meta)}
		for _, ev := range e.Events {
			if err := s.state.FoldRaw(at, job.Kind(ev.Kind), ev.Data); err != nil {
				return false, fmt.Errorf("fold event %d: %w", at.Position, err)
			}
			at.Position++
		}
		s.at = e.End()
		s.tail += int64(e.Size)
	}
	return true, nil
}

// keep says how many of the files stay as they are, and where they end. The newest ones are taken up as long as one
// is less than twice as large as all that is new beyond it. So each file is at least twice as large as all
// that come after it, there are few, and a job is written as often as there are files.
func (s *snapshotter) keep() (keep int, from eventlog.Head) {
	if len(s.files) > 0 && s.files[0].Base {
		return 0, from // a chain stands on its own
	}
	added := s.state.Jobs.Weight()
	keep = len(s.files)
	for keep > 0 && s.files[keep-1].Size() < 2*added {
		keep--
		added += s.files[keep].Size()
	}
	if keep > 0 {
		from = s.files[keep-1].At.Head
	}
	return keep, from
}
