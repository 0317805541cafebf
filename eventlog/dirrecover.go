package eventlog

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

func (s *dirStore) doubtful() (bool, error) {
	if s.why.kind != stopClean {
		return true, nil
	}
	if s.marks.highest().commit > s.tip.head.Commit {
		return true, nil
	}
	names, err := s.segments()
	if err != nil {
		return damaged(err) != nil, forReading(err)
	}
	s.checked = len(names) > 0 && names[len(names)-1] <= s.tip.segment
	return !s.checked, nil
}

// mostUnderA is how much is read while others wait.
const mostUnderA = 64 << 10

// refresh is called under A, so nothing is in motion: what is not sound now is torn or damaged.
func (s *dirStore) refresh(fold func(*Entry) error, near bool) (*Repair, error) {
	if s.noWrit {
		return nil, ErrReadOnly
	}
	to := everything
	if !near {
		to.size = mostUnderA
	}
	if err := s.read(fold, to); err != nil {
		return nil, err
	}
	if s.why.kind == stopClean && s.checked {
		return nil, nil
	}
	v, err := s.examine(s.marks.highest().commit)
	if err != nil {
		return nil, err
	}
	if v.damage != nil {
		return nil, v.damage
	}
	var repair *Repair
	if v.torn {
		if repair, err = s.cut(v); err != nil {
			return repair, fmt.Errorf("cut torn tail: %w", err)
		}
	}
	s.checked = true
	return repair, nil
}

// examine judges where reading has stopped. promised is known to be durable.
func (s *dirStore) examine(promised Commit) (verdict, error) {
	segments, bad, err := listSegments(s.dir)
	if err != nil {
		return verdict{}, err
	}
	if len(bad) > 0 {
		return verdict{damage: bad[0]}, nil
	}
	info, err := s.tail.f.Stat()
	if err != nil {
		return verdict{}, fmt.Errorf("read segment: %w", err)
	}
	var v verdict
	if damage, _ := later(segments, s.tip, s.why); damage != nil {
		v.damage = damage
	} else if v, _, err = judge(s.tail.f, info.Size(), s.tip, s.why, promised); err != nil {
		return verdict{}, err
	}
	if v.damage != nil {
		locate(v.damage, segments)
	}
	return v, nil
}

// cut moves what follows tip to quarantine. It describes what it has cut off also if that may not
// last: who finds nothing to cut will not do it.
func (s *dirStore) cut(v verdict) (*Repair, error) {
	s.writer.release()
	info, err := s.tail.f.Stat()
	if err != nil {
		return nil, err
	}
	repair, err := tornTail(s.tail.f, info.Size(), s.tip, v)
	if err != nil {
		return nil, err
	}
	if repair.Quarantine, err = s.quarantine(info.Size()); err != nil {
		return nil, err
	}
	done, err := s.truncate()
	if err != nil {
		s.leaveTail()
	} else {
		s.why = stop{stopClean, "end"}
		err = s.disk.syncDir(s.path(""))
	}
	if !done {
		return nil, err
	}
	return &repair, err
}

// quarantine copies what lies between tip and size, durably, and returns the name of the copy. It
// leaves none that it could not finish: the next append tries again, and so on.
func (s *dirStore) quarantine(size int64) (string, error) {
	dir := filepath.Join(s.dir, quarantineDir)
	if err := s.makeDir(dir); err != nil {
		return "", err
	}
	var f *os.File
	var name string
	err := error(fs.ErrExist)
	for n := 1; errors.Is(err, fs.ErrExist); n++ {
		name = fmt.Sprintf("%s-%d-%d", segmentName(s.tip.segment), s.tip.offset, n)
		f, err = os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	}
	if err != nil {
		return "", err
	}
	_, err = io.Copy(f, io.NewSectionReader(s.tail.f, s.tip.offset, size-s.tip.offset))
	if err == nil {
		err = s.disk.datasync(f)
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = s.disk.syncDir(dir)
	}
	if err != nil {
		os.Remove(f.Name()) // or else it is one copy too many
	}
	return name, err
}
