package eventlog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"syscall"

	"github.com/tidwall/wal"
)

// outcomeReserve is the space that is kept for the outcomes of running jobs when the disk is full,
// bytes.
const outcomeReserve = 256 << 10

// limit is the size at which the tail is to be followed by another segment. While the disk is full
// it is larger, so that what is reserved can be used: a new segment would have none (see mayTurn). A tail that is
// too large already gets one more commit: tidwall/wal would begin the next segment before that, and
// perhaps another behind it, whose names nobody could sync in between. Of what a file of this process
// can hold the last commit has as much as all before it.
func (s *dirStore) limit() int {
	limit := s.opt.SegmentSize
	if !s.tail.reserved {
		limit += outcomeReserve
	}
	return max(1, int(min(int64(limit), s.largest/2)), int(s.tip.offset))
}

// full reserves what the tail will need and a little more, so that outcomes can be written when
// nothing else can.
func (s *dirStore) full() error {
	if s.tail.reserved {
		return nil
	}
	_, err := s.disk.reserve(s.tail.f, max(int64(s.opt.SegmentSize), s.tip.offset)+outcomeReserve)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", ErrDiskFull, err)
	}
	s.tail.reserved = true // or it cannot be done here for another reason: then go on without
	return nil
}

func (s *dirStore) write(meta *Meta, events []Event, time int64) error {
	if s.killed.Load() {
		return ErrClosed
	}
	if err := s.prepare(); err != nil {
		return notCommitted(err)
	}
	h := header{
		Commit: s.tip.head.Commit + 1, First: s.tip.head.Position + 1,
		Time: time, SyncedThrough: s.known, Prev: s.tip.head.Hash, fill: true,
	}
	frame, sum, err := appendFrame(s.frame[:0], h, meta, events, s.tip.place())
	if err != nil {
		return err
	}
	if cap(frame) <= windowSize {
		s.frame = frame
	}
	end := s.tip
	end.offset += int64(entrySize(len(frame)))
	end.head = Head{Commit: h.Commit, Position: h.First + Position(len(events)) - 1, Hash: sum}
	turns, err := s.ends(end.offset)
	if err != nil {
		return notCommitted(err)
	}
	s.disk.at(pointWrite)
	err = s.writer.log.Write(uint64(h.Commit), frame)
	s.disk.at(pointWritten)
	if err != nil {
		return s.mend(end, fmt.Errorf("write commit %d: %w", h.Commit, err))
	}
	s.tip = end
	if turns {
		s.turn()
	}
	s.writer.at = s.tip.place()
	if len(frame) > windowSize {
		s.writer.release() // it would keep a copy of the frame
	}
	return nil
}

// ends says if tidwall/wal will begin another segment when it has written as far as end, and makes the tail ready for that.
func (s *dirStore) ends(end int64) (bool, error) {
	if end < int64(s.writer.limit) {
		return false, nil
	}
	if s.tail.reserved && !s.mayTurn(end) {
		s.tail.reserved = false // full says so from now on, and limit is larger
		if err := s.prepare(); err != nil || end < int64(s.writer.limit) {
			return false, err
		}
	}
	return true, s.finish()
}

// mayTurn says if there is room for another segment and all that is to be reserved of it. It takes that for the tail, from
// which it is given back when the next segment is there to have it: on a full disk, somebody else would have it at once.
func (s *dirStore) mayTurn(end int64) bool {
	_, err := s.disk.reserve(s.tail.f, end+int64(s.opt.SegmentSize)+outcomeReserve)
	return !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT)
}

// prepare makes writer ready to write at tip.
func (s *dirStore) prepare() error {
	if err := s.prove(); err != nil {
		return err
	}
	w := &s.writer
	if w.log != nil && w.at == s.tip.place() && w.limit == s.limit() {
		return nil
	}
	w.release()
	s.disk.at(pointHandle)
	log, err := wal.Open(s.path(""), &wal.Options{
		NoSync:           true, // see sync
		SegmentSize:      s.limit(),
		SegmentCacheSize: 1,
		NoCopy:           true,
		AllowEmpty:       true, // of two segments the first may be sealed already, and the second empty
		DirPerms:         0o700,
		FilePerms:        0o600,
	})
	if err != nil {
		return fmt.Errorf("open segments: %w", err)
	}
	*w = writer{log: log, at: s.tip.place(), limit: s.limit(), proven: s.known >= s.tip.head.Commit}
	last, err := log.LastIndex()
	if err == nil && Commit(last) != s.tip.head.Commit {
		err = fmt.Errorf("they end with commit %d, not %d", last, s.tip.head.Commit)
	}
	if err != nil {
		w.release()
		return fmt.Errorf("open segments: %w", err)
	}
	return nil
}

// finish makes the tail ready for its last commit. Before it begins the next segment, tidwall/wal
// syncs the tail, and whoever sees two segments takes the first for durable. But it knows nothing
// of names. And its descriptor says nothing of bytes whose sync had failed before it was opened:
// ours, which proves more, must have been synced since, unless all that was there was durable.
func (s *dirStore) finish() error {
	if s.tail.named && s.writer.proven {
		return nil
	}
	err := s.syncTail()
	if err != nil {
		s.leaveTail() // as for sync
	}
	return err
}

// turn follows tidwall/wal into a new segment. It has synced and closed the old one, so all of that
// is durable: see finish.
func (s *dirStore) turn() {
	s.known = s.tip.head.Commit
	_ = s.marks.advance(markOf(s.tip)) // D only ever saves work: see sync
	old, size := s.tail.f, s.tip.offset
	s.tail = tail{}
	s.tip = s.tip.next()
	s.turns++
	s.turned = true
	if f, err := s.openSegment(s.tip.segment); err == nil { // else nothing is written or synced until a descriptor can be had
		info, err := f.Stat()
		s.tail = tail{f: f, proven: err == nil && info.Size() == 0}
		s.watchTail()
		_ = s.full() // before anything is given back, which somebody else could take
	}
	// To set a file's size to what it is gives back the blocks that were reserved beyond.
	_ = old.Truncate(size)
	old.Close()
	if s.tail.f != nil && s.full() != nil {
		s.reserveSome()
	}
}

// reserveSome reserves what can be had for outcomes, when somebody who fills the disk was quicker with the rest. The next
// round asks for all again.
func (s *dirStore) reserveSome() {
	const least = 4 << 10
	for size := int64(outcomeReserve); size >= least; size /= 2 {
		if _, err := s.disk.reserve(s.tail.f, s.tip.offset+size); err == nil {
			return
		}
	}
}

// mend finds out what became of a write that failed and should have ended there, and cuts off what
// it left.
func (s *dirStore) mend(end tip, cause error) error {
	s.writer.release()
	s.tail.last = false // perhaps
	if errors.Is(cause, syscall.ENOSPC) || errors.Is(cause, syscall.EDQUOT) {
		cause = fmt.Errorf("%w: %w", ErrDiskFull, cause)
	}
	var failed *fs.PathError
	lost := errors.As(cause, &failed) && (failed.Op == "sync" || failed.Op == "close")
	whole, err := s.landed(end)
	if err != nil || lost {
		s.leaveTail() // what was written before is not safe either
	}
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w; then %w", ErrUnknown, cause, err)
	case !whole:
		return fmt.Errorf("%w: %w", ErrNotCommitted, cause)
	case lost:
		return fmt.Errorf("%w: %w", ErrUnknown, cause)
	}
	s.tip = end // it is the new segment that could not be made
	return nil
}

// landed says if the frame between tip and end is there. If it is there in part, it cuts that off.
func (s *dirStore) landed(end tip) (bool, error) {
	if s.tail.f == nil {
		return false, errNoTail
	}
	info, err := s.tail.f.Stat()
	if err != nil {
		return false, err
	}
	s.scanner.reset(s.tail.f, info.Size())
	at := s.tip
	e, _, err := s.scanner.next(&at)
	if err != nil {
		return false, err
	}
	if e != nil && at == end && info.Size() == end.offset {
		return true, nil
	}
	if info.Size() == s.tip.offset {
		return false, nil
	}
	_, err = s.truncate()
	return false, err
}

// truncate cuts the tail off at tip, for good. done says that it is cut, though with an error it
// may not last.
func (s *dirStore) truncate() (done bool, err error) {
	s.disk.at(pointCut)
	if err := s.tail.f.Truncate(s.tip.offset); err != nil {
		return false, fmt.Errorf("cut segment: %w", err)
	}
	s.tail.reserved = false // the blocks behind are gone, too
	if err := s.disk.datasync(s.tail.f); err != nil {
		return true, err
	}
	info, err := s.tail.f.Stat()
	if err == nil && info.Size() != s.tip.offset {
		err = fmt.Errorf("cut segment: it has %d bytes, not %d", info.Size(), s.tip.offset)
	}
	return true, err
}

// writer is tidwall/wal's handle on the tail.
type writer struct {
	log    *wal.Log // nil = none
	at     place    // where its next write goes
	limit  int      // its SegmentSize; not less than at.offset
	proven bool     // a sync by it covers all of the tail: see finish
}

// release closes the handle's file. wal.Close would sync it first: a useless flush of the disk,
// under A, of what other processes are about to sync themselves. And to leave the descriptor to the
// garbage collector may cost hundreds of them while processes take turns. A test watches that the
// field keeps its name.
func (w *writer) release() {
	if w.log != nil {
		if f := reflect.ValueOf(w.log).Elem().FieldByName("sfile"); f.IsValid() && !f.IsNil() {
			(*os.File)(f.UnsafePointer()).Close() // twice, if a rotation failed in the middle
		}
	}
	*w = writer{}
}
