package eventlog

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func (s *dirStore) doubtful() (bool, error) {
	if s.why.kind != stopClean {
		return true, nil
	}
	if s.highest() > s.tip.head.Commit {
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
func (s *dirStore) refresh(fold func(*Entry) error, near bool) ([]Repair, error) {
	if s.noWrit {
		return nil, ErrReadOnly
	}
	if err := s.rewound(); err != nil {
		return nil, err
	}
	to := everything
	if !near {
		to.size = mostUnderA
	}
	if err := s.read(fold, to); err != nil {
		return nil, err
	}
	var repairs []Repair
	if s.why.kind != stopClean || !s.checked {
		v, err := s.examine(s.highest())
		if err != nil {
			return nil, err
		}
		if v.damage != nil {
			return nil, v.damage
		}
		if v.torn {
			if repairs, err = s.cut(v); err != nil {
				return repairs, fmt.Errorf("cut torn tail: %w", err)
			}
		}
		s.checked = true
	}
	s.tail.last = true
	s.known = min(s.known, s.tip.head.Commit) // a promise that a repair has just taken back
	if !s.searched && s.opt.Recorded != nil {
		s.searched = true
		repairs = s.unrecorded(repairs)
	}
	return repairs, nil
}

// examine judges where reading has stopped. promised is known to be durable.
func (s *dirStore) examine(promised Commit) (verdict, error) {
	s.disk.at(pointList)
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
func (s *dirStore) cut(v verdict) ([]Repair, error) {
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
	return []Repair{repair}, err
}

// quarantine copies what lies between tip and size, durably, and returns the name of the copy. It
// leaves none that it could not finish: the next append tries again, and so on.
func (s *dirStore) quarantine(size int64) (string, error) {
	dir := filepath.Join(s.dir, quarantineDir)
	if err := s.makeDir(dir); err != nil {
		return "", err
	}
	torn := io.NewSectionReader(s.tail.f, s.tip.offset, size-s.tip.offset)
	var f *os.File
	var name string
	err := error(fs.ErrExist)
	for n := 1; errors.Is(err, fs.ErrExist); n++ {
		name = copyName(s.tip, n)
		path := filepath.Join(dir, name)
		s.disk.at(pointMake)
		f, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) && s.unfinished(path, torn) {
			f, err = os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
		}
	}
	if err != nil {
		return "", err
	}
	_, err = io.Copy(f, torn)
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

// unfinished says if the copy at path was made of what is torn by somebody who did not come to cut
// it off.
func (s *dirStore) unfinished(path string, torn *io.SectionReader) bool {
	if s.opt.Recorded == nil || s.opt.Recorded(filepath.Base(path)) {
		return false
	}
	data, err := os.ReadFile(path)
	if err != nil || int64(len(data)) > torn.Size() {
		return false
	}
	same := make([]byte, len(data))
	_, err = torn.ReadAt(same, 0)
	return err == nil && bytes.Equal(data, same)
}

// unrecorded adds to the repairs those whose copies are in quarantine, and that the State has no
// event of. What cannot be read now is left to the next process.
func (s *dirStore) unrecorded(repairs []Repair) []Repair {
	entries, err := os.ReadDir(filepath.Join(s.dir, quarantineDir))
	if err != nil {
		return repairs // mostly there is none
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), repairPrefix) && entry.IsDir() {
			repairs = append(repairs, s.unrecordedIn(entry.Name())...)
			continue
		}
		r, ok := parseCopyName(entry.Name())
		own := func(own Repair) bool { return own.Quarantine == r.Quarantine }
		if !ok || slices.ContainsFunc(repairs, own) || s.opt.Recorded(r.Quarantine) {
			continue
		}
		data, err := os.ReadFile(filepath.Join(s.dir, quarantineDir, r.Quarantine))
		if err != nil {
			continue
		}
		r.Size, r.CRC = int64(len(data)), crc32.Checksum(data, castagnoli)
		r.Verdict = "torn tail: cut off by a process that did not record it"
		repairs = append(repairs, r)
	}
	return repairs
}

// unrecordedIn is unrecorded for the folder of a repair.
func (s *dirStore) unrecordedIn(name string) (repairs []Repair) {
	folder := repairFolder{s: s, name: name, path: filepath.Join(s.dir, quarantineDir, name)}
	for _, r := range folder.taken() {
		if !s.opt.Recorded(r.Quarantine) {
			repairs = append(repairs, r)
		}
	}
	return repairs
}

// copyName is the name in quarantine of the n-th copy of what followed t.
func copyName(t tip, n int) string {
	return fmt.Sprintf("%s-%d-%d", segmentName(t.segment), t.offset, n)
}

// parseCopyName is the inverse of copyName, as far as a Repair needs it.
func parseCopyName(name string) (r Repair, ok bool) {
	var t tip
	var n int
	_, err := fmt.Sscanf(name, "%d-%d-%d", &t.segment, &t.offset, &n)
	if err != nil || copyName(t, n) != name {
		return Repair{}, false
	}
	return Repair{Segment: segmentName(t.segment), Offset: t.offset, Quarantine: name}, true
}
