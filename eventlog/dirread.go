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
	if s.tail.f == nil {
		f, err := s.openSegment(s.tip.segment)
		if errors.Is(err, fs.ErrNotExist) {
			return s.tip.damage(3, "the segment is missing")
		}
		if err != nil {
			return err
		}
		s.tail = tail{f: f}
		s.watchTail()
	}
	for {
		more, err := s.readTail(fold, to)
		if err != nil || !more {
			return err
		}
		there, err := s.followed()
		if err != nil || !there {
			return err
		}
		f, err := s.openSegment(s.tip.head.Commit + 1)
		if err != nil {
			return err
		}
		s.tail.f.Close() // only read, or synced by who began the next
		s.tail = tail{f: f}
		s.tip = s.tip.next()
		s.watchTail()
	}
}

// followed says if another segment comes after S, all of which was read. Its name is the number of
// the commit that comes next; so if it is there, S is complete. It is looked for in log first: a
// segment that leaves log meanwhile is in sealed by then.
func (s *dirStore) followed() (bool, error) {
	name := segmentName(s.tip.head.Commit + 1)
	there, err := exists(s.root, logDir+"/"+name)
	if err != nil || there {
		return there, err
	}
	return exists(s.root, sealedDir+"/"+name)
}

// readTail reads the open segment. It reports if it came to its very end.
func (s *dirStore) readTail(fold func(*Entry) error, to bounds) (bool, error) {
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
		return size > 0, nil
	}
	if size-s.tip.offset > to.size {
		return false, errBehind
	}
	s.scanner.reset(s.tail.f, size)
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
	f, err := os.OpenFile(s.path(name), s.flag(), 0)
	if denied(err) && !s.noWrit {
		s.noWrit = true
		err = fmt.Errorf("%w: %w", ErrReadOnly, err)
	}
	if errors.Is(err, fs.ErrNotExist) {
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
	r, err := newReader(dirSource{dir: s.dir, id: s.id}, s.id, math.MaxUint64)
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
