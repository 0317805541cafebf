package eventlog

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// tempPrefix is how the names of logs begin that are being made. What a crash leaves of one is in
// nobody's way.
const tempPrefix = "log.tmp-"

// neighbours may be in a directory that has no log yet: what the rest of the queue keeps there, and
// what a file system's root has.
var neighbours = []string{"workers", "runs", "output", "lost+found"}

// create makes the log: whole, under a temporary name, with its first commit; then renames it. If
// another process was faster, its log is the one. It returns the id of the log that is there in the
// end.
func (s *dirStore) create() (LogID, error) {
	if err := s.makeParents(s.dir); err != nil {
		return LogID{}, err
	}
	if err := s.vacant(); err != nil {
		return LogID{}, err
	}
	tip, err := s.build()
	if err != nil {
		return LogID{}, fmt.Errorf("create log: %w", err)
	}
	id, err := readFormat(s.dir)
	if err != nil || id != tip.id {
		return id, err
	}
	// D comes last, because it says that the log is there for good.
	if err := s.disk.syncDir(s.dir); err != nil {
		return LogID{}, fmt.Errorf("create log: %w", err)
	}
	marks := durableMarks{id: id, writeAt: s.disk.writeAt}
	if err := marks.open(s.dir, os.O_RDWR); err != nil {
		return LogID{}, fmt.Errorf("create log: %w", err)
	}
	defer marks.close()
	_ = marks.advance(markOf(tip)) // D only ever saves work
	return id, nil
}

// makeParents makes dir and what is missing above it, durably. Nothing is made in a directory before
// the directory's own name is durable: who made it may have died before that.
func (s *dirStore) makeParents(dir string) error {
	parent := filepath.Dir(dir)
	_, err := os.Stat(dir)
	if err == nil || parent == dir {
		if err := s.disk.syncDir(parent); !denied(err) { // what is above dir may not be ours to read
			return err
		}
		return nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		if err := s.makeParents(parent); err != nil {
			return err
		}
	}
	// It is there if another process was faster, or if it is a link that leads nowhere: then the
	// next step fails.
	s.disk.at(pointMake)
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make directory: %w", err)
	}
	return s.disk.syncDir(parent)
}

// vacant returns an error if the directory is one in which no log may be made.
func (s *dirStore) vacant() error {
	s.disk.at(pointFormat)
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("create log: %w", err)
	}
	for _, entry := range entries {
		switch name := entry.Name(); {
		case name == logDir:
			return nil // another process was faster
		case name == sealedDir || name == archiveDir || name == quarantineDir:
			// There was a log: it must not start anew as if nothing had ever been in it.
			return &CorruptError{
				Path: filepath.Join(s.dir, logDir), Commit: 1, Position: 1, Row: 3,
				Reason: fmt.Sprintf("it is missing, though %s is there", name),
			}
		case !slices.Contains(neighbours, name) && !strings.HasPrefix(name, tempPrefix):
			return fmt.Errorf("%s has no log, but %s: %w", s.dir, name, ErrNotOurs)
		}
	}
	return nil
}

// build puts a log together and gives it its name, unless one is there. It returns the end of what
// it made.
func (s *dirStore) build() (tip, error) {
	var id LogID
	rand.Read(id[:]) // never fails
	meta, events := s.opt.Create(id)
	end := firstTip(id)
	frame, sum, err := appendFrame(nil, header{Commit: 1, First: 1, Time: s.opt.Now(), Prev: id.hash(), fill: true}, &meta, events, end.place())
	if err != nil {
		return tip{}, err
	}
	entry := append(binary.AppendUvarint(nil, uint64(len(frame))), frame...)
	end.offset = int64(len(entry))
	end.head = Head{Commit: 1, Position: Position(len(events)), Hash: sum}

	s.disk.at(pointMake)
	temp, err := os.MkdirTemp(s.dir, tempPrefix)
	if err != nil {
		return tip{}, err
	}
	defer os.RemoveAll(temp) // nothing, once it has its name
	for _, part := range []struct {
		name string
		data []byte
	}{
		{formatFile, encodeFormat(id)},
		{lockFile, nil},
		{durableFile, make([]byte, 2*slotSize)},
		{segmentName(1), entry},
	} {
		if err := s.writeFile(filepath.Join(temp, part.name), part.data); err != nil {
			return tip{}, err
		}
	}
	if err := s.disk.syncDir(temp); err != nil {
		return tip{}, err
	}
	s.disk.at(pointRename)
	err = os.Rename(temp, filepath.Join(s.dir, logDir))
	if _, there := os.Stat(s.path(formatFile)); there == nil {
		err = nil // ours, or that of another process
	}
	return end, err
}

func (s *dirStore) writeFile(path string, data []byte) error {
	s.disk.at(pointMake)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = s.disk.datasync(f)
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}
