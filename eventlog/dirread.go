package eventlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
)

func (s *dirStore) follow(fold func(*Entry) error) error {
	if err := s.current(); err != nil {
		return err
	}
	if err := s.rewound(); err != nil {
		return err
	}
	if !s.noWrit {
		if err := s.read(fold, everything); !s.noWrit {
			return err
		}
	}
	return s.followDurable(fold)
}

// bounds say where read ends.
type bounds struct {
	through Commit
	size    int64 // of what is unread of a segment; more is errBehind
}

var everything = bounds{through: math.MaxUint64, size: math.MaxInt64}

// read passes to fold what stands after tip.
func (s *dirStore) read(fold func(*Entry) error, to bounds) error {
	for {
		if s.tail.f == nil {
			f, err := s.openSegment(s.tip.segment)
			if errors.Is(err, fs.ErrNotExist) {
				more, err := s.readArchived(fold, to)
				if err != nil || !more {
					return err
				}
				s.tip = s.tip.next()
				continue
			}
			if err != nil {
				return err
			}
			s.tail = tail{f: f}
			s.watchTail()
		}
		more, err := s.readTail(fold, to)
		if err != nil || !more {
			return err
		}
		there, err := s.followed()
		if err != nil || !there {
			return err
		}
		f, err := s.openSegment(s.tip.head.Commit + 1)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // if it does not exist, it is archived
			return err
		}
		s.tail.f.Close() // only read, or synced by who began the next
		s.tail = tail{f: f}
		s.tip = s.tip.next()
		if f != nil {
			s.watchTail()
		}
	}
}

// readArchived reads the segment at tip, which is neither in log nor sealed. It reports if it came
// to its very end: then another follows.
func (s *dirStore) readArchived(fold func(*Entry) error, to bounds) (bool, error) {
	s.disk.at(pointOpen)
	segment, err := s.archive.open(s.tip.segment)
	if errors.Is(err, fs.ErrNotExist) {
		return false, s.missing()
	}
	if err != nil {
		return false, err
	}
	more, err := s.scanTail(segment, segment.row.size, fold, to)
	if err == nil && !more && s.tip.head.Commit < to.through {
		d := s.tip.damage(3, s.why.reason)
		locate(d, []segmentInfo{{first: segment.row.first, last: segment.row.last, path: segment.path}})
		err = d
	}
	return more, err
}

// missing is what it means that the segment at tip is nowhere.
func (s *dirStore) missing() error {
	base, err := openBase(s.dir, s.id, s.doubts)
	if err != nil {
		return err // without it, nothing can be known of what was before
	}
	if base != nil {
		defer base.Close() // only read
		if base.At.Head.Commit > s.tip.head.Commit {
			return errRewound // it was pruned meanwhile: begin again
		}
	}
	return s.tip.damage(3, "the segment is missing")
}

// followed says if another segment comes after S, all of which was read. Its name is the number of
// the commit that comes next; so if it is there, S is complete. It is looked for in log first: a
// segment that leaves log meanwhile is in sealed by then. While S is in log, those that follow are not
// archived.
func (s *dirStore) followed() (bool, error) {
	next := s.tip.head.Commit + 1
	for _, sub := range []string{logDir, sealedDir} {
		s.disk.at(pointNext)
		if there, err := exists(s.root, sub+"/"+segmentName(next)); err != nil || there {
			return there, err
		}
	}
	if there, err := exists(s.root, logDir+"/"+segmentName(s.tip.segment)); err != nil || there {
		return false, err
	}
	s.disk.at(pointOpen)
	// What was not sealed yet may have moved twice meanwhile, or was pruned: then whoever reads it will tell, too.
	var err error
	switch _, err = s.archive.open(next); {
	case errors.Is(err, fs.ErrNotExist):
		begins, err := lastBase(s.dir)
		return begins >= next, err
	case damaged(err) != nil:
		return true, nil // whoever reads it will tell
	}
	return err == nil, err
}

// readTail reads the open segment. It reports if it came to its very end, and another may follow. Nobody begins one
// without having written to this one first, all under A. So where it was seen under A that none follows, none does
// while the segment is as large as it was: two looks for names less for each append.
func (s *dirStore) readTail(fold func(*Entry) error, to bounds) (bool, error) {
	s.disk.at(pointTail)
	info, err := s.tail.f.Stat()
	if err != nil {
		return false, fmt.Errorf("read segment: %w", err)
	}
	size := info.Size()
	if size <= s.tip.offset {
		s.why = stop{stopClean, "end"}
		if size < s.tip.offset {
			s.known = 0 // as for rewound
			return false, errRewound
		}
		return size > 0 && !s.tail.last, nil
	}
	s.tail.last = false
	return s.scanTail(s.tail.f, size, fold, to)
}

// scanTail reads the segment in r, from tip on. It reports if it came to its very end.
func (s *dirStore) scanTail(r io.ReaderAt, size int64, fold func(*Entry) error, to bounds) (bool, error) {
	if size-s.tip.offset > to.size {
		return false, errBehind
	}
	s.disk.at(pointRead)
	s.scanner.reset(r, size)
	defer s.shrink()
	for s.tip.head.Commit < to.through {
		e, why, err := s.scanner.next(&s.tip)
		if e == nil {
			s.why = why
			return err == nil && why.kind == stopClean, err
		}
		if err := fold(e); err != nil {
			return false, err
		}
	}
	return false, nil
}

// shrink gives back the memory that a large commit needed.
func (s *dirStore) shrink() {
	if cap(s.scanner.buf) > 2*windowSize {
		s.scanner = scanner{}
	}
}

// openSegment opens a segment, for writing if it is in log. The error is fs.ErrNotExist if there is
// none, and ErrReadOnly if we turn out not to have the permission. It looks in log first: a segment
// that leaves it meanwhile is in sealed by then.
func (s *dirStore) openSegment(first Commit) (*os.File, error) {
	name := segmentName(first)
	s.disk.at(pointOpen)
	f, err := os.OpenFile(s.path(name), s.flag(), 0)
	if denied(err) && !s.noWrit {
		s.noWrit = true
		err = fmt.Errorf("%w: %w", ErrReadOnly, err)
	}
	if errors.Is(err, fs.ErrNotExist) {
		s.disk.at(pointOpen)
		f, err = os.Open(filepath.Join(s.dir, sealedDir, name))
	}
	if err != nil {
		return nil, fmt.Errorf("open segment: %w", err)
	}
	return f, nil
}

func (s *dirStore) flag() int {
	if s.noWrit {
		return os.O_RDONLY
	}
	return os.O_RDWR
}

// followDurable is read for those who may not sync, and so must not show what nobody has.
func (s *dirStore) followDurable(fold func(*Entry) error) error {
	if s.marks.f == nil {
		if err := s.marks.open(s.dir, os.O_RDONLY); err != nil {
			return err
		}
	}
	known := s.highest()
	if known == 0 {
		var err error
		if known, err = s.promised(); err != nil {
			return err
		}
	}
	s.known = max(s.known, known)
	switch {
	case s.tip.head.Commit > s.known:
		return errRewound // it was read before it was known that we may not write
	case s.tip.head.Commit == s.known:
		return nil
	}
	if err := s.read(fold, bounds{through: s.known, size: math.MaxInt64}); err != nil || s.tip.head.Commit >= s.known {
		return err
	}
	v, err := s.examine(s.known)
	if err == nil && v.damage != nil {
		err = v.damage // for all of it was there before it was known to be durable
	}
	return err
}

// promised is what the segments prove durable, for want of a D: not the newest commits, but all
// that they say of the others.
func (s *dirStore) promised() (Commit, error) {
	r, err := newReader(s.source(), s.id, math.MaxUint64)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	_, err = r.Next(context.Background()) // there is no such commit: it reads on as far as it may
	if errors.Is(err, io.EOF) || damaged(err) != nil {
		err = nil // whether anything is missing will be seen
	}
	return max(r.durable, r.tip.head.Commit), err
}
