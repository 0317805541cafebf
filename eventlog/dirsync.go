package eventlog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// errNoTail is for what needs a tail that syncs can be believed of.
var errNoTail = errors.New("an earlier sync failed, or the segment could not be opened or read")

// errRepaired is for what was written before a repair and synced after it.
var errRepaired = errors.New("the log was repaired or replaced meanwhile")

// prove makes a sync of tail cover all of S. A descriptor proves nothing about bytes that were
// written before it was opened: after another process's failed sync the kernel may hold clean pages
// that never reached the disk, and a later sync succeeds. So every process, before its first sync,
// writes all bytes behind D once more, the same bytes to the same place. Mostly there are none.
func (s *dirStore) prove() error {
	if s.tail.proven {
		return nil
	}
	if s.tail.f == nil {
		return errNoTail
	}
	if s.marks.f == nil {
		_ = s.marks.open(s.dir, os.O_RDWR|os.O_CREATE) // D only ever saves work
	}
	s.disk.at(pointMarks)
	d := s.marks.highest()
	from := int64(0)
	if d.segment == s.tip.segment {
		from = d.end
	} else if err := s.proveOlder(d); err != nil {
		return err
	}
	if err := s.disk.rewrite(s.tail.f, from, s.tip.offset); err != nil {
		return err
	}
	s.known = max(s.known, d.commit)
	s.tail.proven = true
	// D names a segment only after its name was synced.
	s.tail.named = d.segment == s.tip.segment
	s.young = d.commit == 0
	return nil
}

// proveOlder makes durable what lies behind D in the segments before S. They were synced before S
// was made, by a process that had proved them; but it costs nothing not to rely on that. What is
// sealed is before D.
func (s *dirStore) proveOlder(d mark) error {
	names, err := s.segments()
	if err != nil {
		return err
	}
	for _, first := range names {
		if first < d.segment || first >= s.tip.segment {
			continue
		}
		from := int64(0)
		if first == d.segment {
			from = d.end
		}
		if err := s.proveSegment(first, from); err != nil {
			return err
		}
	}
	return nil
}

func (s *dirStore) proveSegment(first Commit, from int64) error {
	f, err := s.openSegment(first)
	if err != nil {
		return err
	}
	defer f.Close() // synced if need be
	info, err := f.Stat()
	if err != nil || info.Size() <= from {
		return err
	}
	if err := s.disk.rewrite(f, from, info.Size()); err != nil {
		return err
	}
	return s.disk.datasync(f)
}

// rewrite writes the bytes of f between two offsets once more.
func rewrite(f *os.File, from, to int64) error {
	b := make([]byte, max(0, min(to-from, windowSize)))
	for from < to {
		b = b[:min(to-from, int64(len(b)))]
		if _, err := f.ReadAt(b, from); err != nil {
			return fmt.Errorf("rewrite segment: %w", err)
		}
		if _, err := f.WriteAt(b, from); err != nil {
			return fmt.Errorf("rewrite segment: %w", err)
		}
		from += int64(len(b))
	}
	return nil
}

// sync needs no A. The D file is written, too, but need not be: whoever finds an older D
// only does more than needed.
func (s *dirStore) sync(need Commit) error {
	if s.killed.Load() {
		return ErrClosed
	}
	if s.known >= max(need, s.tip.head.Commit) {
		return nil // tidwall/wal has synced it, when it began a new segment
	}
	// tip is before need if the log could not be read again after a write that failed.
	if !s.tail.proven || s.tip.head.Commit < need {
		return errNoTail
	}
	if err := s.syncTail(); err != nil {
		s.leaveTail() // a second sync of it would prove nothing
		return err
	}
	s.disk.at(pointLook)
	if current, err := s.lock.Current(); err != nil || !current {
		s.leaveTail()
		return errRepaired
	}
	s.known = s.tip.head.Commit
	_ = s.marks.advance(markOf(s.tip))
	return nil
}

func (s *dirStore) syncTail() error {
	if err := s.disk.datasync(s.tail.f); err != nil {
		return err
	}
	s.writer.proven = true // what it cannot tell of came before
	if s.tail.named {
		return nil
	}
	if err := s.disk.syncDir(s.path("")); err != nil {
		return err
	}
	if s.young {
		// Nobody has acknowledged anything yet, so who made the log may not have made its name durable,
		// and who restored it, that of its directory. What is above that may not be ours to read.
		if err := s.disk.syncDir(s.dir); err != nil {
			return err
		}
		if err := s.disk.syncDir(filepath.Dir(s.dir)); err != nil && !denied(err) {
			return err
		}
	}
	s.tail.named, s.young = true, false
	return nil
}

func (s *dirStore) durable(need Commit) (Commit, error) {
	if s.known >= need {
		return s.known, nil
	}
	s.disk.at(pointMarks)
	s.known = max(s.known, s.marks.highest().commit)
	return s.known, nil
}

// sealBatch is how many segments may wait in log to be sealed while the log is busy: each sealing
// costs two syncs of directories.
const sealBatch = 8

// tidy does what need not be done before an acknowledgement.
func (s *dirStore) tidy(idle bool) error {
	if !s.turned && !idle {
		return nil
	}
	s.turned = false
	if err := s.marks.sync(); err != nil {
		return err
	}
	switch {
	case idle && s.turns == 0:
		return nil
	case idle:
		return s.seal()
	}
	names, err := s.segments() // others begin segments as well, and may be killed before they seal them
	if err != nil || len(names)-2 < sealBatch {
		return err
	}
	return s.seal()
}

// seal moves all segments but the last two out of log, so that wal.Open stays cheap. Several
// processes may do so at once.
func (s *dirStore) seal() error {
	names, err := s.segments()
	if err != nil {
		return err
	}
	sealed := filepath.Join(s.dir, sealedDir)
	if err := s.makeDir(sealed); err != nil {
		return err
	}
	for _, first := range names[:max(0, len(names)-2)] {
		name := segmentName(first)
		s.disk.at(pointRename)
		err := os.Rename(s.path(name), filepath.Join(sealed, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("seal segment: %w", err)
		}
	}
	if err := s.disk.syncDir(sealed); err != nil {
		return err
	}
	if err := s.disk.syncDir(s.path("")); err != nil {
		return err
	}
	s.turns = 0
	s.writer.release() // it remembers every segment that it has begun
	return nil
}

// makeDir makes a directory in dir, unless it is there. Whoever made it may not have made its name
// durable yet, so that is done once by everybody who puts something there.
func (s *dirStore) makeDir(path string) error {
	s.disk.at(pointMake)
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make directory: %w", err)
	}
	if slices.Contains(s.made, path) {
		return nil
	}
	if err := s.disk.syncDir(s.dir); err != nil {
		return err
	}
	s.made = append(s.made, path)
	return nil
}

// segments lists the segments in log, in order. It stops at a name that looks like one and is none:
// tidwall/wal would take it for one, and act on it.
func (s *dirStore) segments() ([]Commit, error) {
	s.disk.at(pointList)
	entries, err := os.ReadDir(s.path(""))
	if err != nil {
		return nil, fmt.Errorf("list segments: %w", err)
	}
	var firsts []Commit
	for _, entry := range entries { // sorted by name
		first, ok := parseSegmentName(entry.Name())
		if ok {
			firsts = append(firsts, first)
		} else if segmentLike(entry.Name()) {
			return nil, &CorruptError{Path: s.path(entry.Name()), Row: 3, Reason: "not the name of a segment"}
		}
	}
	return firsts, nil
}
