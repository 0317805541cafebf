package eventlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/queuectl/queuectl/internal/file"
)

// source is where a Reader finds the segments of a log: a directory or a Memory.
type source interface {
	// origin is where the log begins. If that cannot be told in full, the tip is one without a link, and the
	// error a *CorruptError.
	origin() (tip, error)
	// segments lists all of them in order.
	segments() ([]segmentInfo, error)
	// open opens the one with that first commit; fs.ErrNotExist if there is none.
	open(first Commit) (segmentFile, error)
	// durable returns what is recorded as durable, 0 if nothing is.
	durable() (Commit, error)
	// still runs fn while nobody appends. ctx ends the wait for that.
	still(ctx context.Context, fn func() error) error
	// watch returns a channel that has something after more has become durable, perhaps late and
	// perhaps for nothing, until quit is closed; it is closed in the end.
	watch(quit <-chan struct{}) <-chan struct{}
	// there returns ErrNoLog if the log was deleted or replaced.
	there() error
}

// segmentFile is an open segment.
type segmentFile interface {
	io.ReaderAt
	io.Closer
	Size() (int64, error)
}

// dirSource is the log in a directory.
type dirSource struct {
	dir     string
	id      LogID
	archive *archive // nil = one is made for each segment that is read from there
	disk    *disk    // nil = the real one
}

func newDirSource(dir string, id LogID) dirSource {
	return dirSource{dir: dir, id: id, archive: newArchive(dir, id)}
}

// source is the same log as the store's, for a Reader.
func (s *dirStore) source() dirSource {
	src := newDirSource(s.dir, s.id)
	src.disk = &s.disk
	return src
}

func (s dirSource) segments() ([]segmentInfo, error) {
	segments, bad, err := s.list()
	if err == nil && len(bad) > 0 {
		err = bad[0]
	}
	return segments, err
}

// list is segments, and what is wrong with their names.
func (s dirSource) list() ([]segmentInfo, []*CorruptError, error) {
	s.disk.at(pointList)
	return listAll(s.dir, s.id)
}

// open looks in log first: a segment that leaves it in between is in sealed by then, and one that
// leaves that, in an archive.
func (s dirSource) open(first Commit) (segmentFile, error) {
	f, err := s.openFile(first)
	if err == nil {
		return osSegment{f}, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if s.archive == nil {
		s.archive = newArchive(s.dir, s.id)
	}
	s.disk.at(pointOpen)
	packed, err := s.archive.open(first)
	if err != nil {
		return nil, err // and no segment that is nil
	}
	return packed, nil
}

// openFile opens a segment that is not archived.
func (s dirSource) openFile(first Commit) (*os.File, error) {
	var f *os.File
	err := fs.ErrNotExist
	for try := 0; try < listTries && errors.Is(err, fs.ErrNotExist); try++ {
		for _, sub := range []string{logDir, sealedDir} {
			s.disk.at(pointOpen)
			if f, err = os.Open(filepath.Join(s.dir, sub, segmentName(first))); err == nil {
				return f, nil
			}
			if !errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("open segment: %w", err)
			}
		}
	}
	return nil, err
}

func (s dirSource) origin() (tip, error) { return origin(s.dir, s.id) }

func (s dirSource) there() error {
	id, err := readFormat(s.dir)
	if err == nil && id != s.id {
		err = fmt.Errorf("%s has another log now: %w", s.dir, ErrNoLog)
	}
	return err
}

func (s dirSource) durable() (Commit, error) {
	s.disk.at(pointMarks)
	return readDurable(s.dir, s.id)
}

// promised is durable, with what the snapshot files promise.
func (s dirSource) promised() (Commit, error) {
	known, err := s.durable()
	if err != nil {
		return 0, err
	}
	files, err := openChain(s.dir, s.id, map[string]error{})
	if damaged(err) != nil {
		return known, nil // of the base: it is no promise of what follows
	}
	if err != nil {
		return 0, err
	}
	defer closeAll(files)
	if n := len(files); n > 0 {
		known = max(known, files[n-1].At.Head.Commit)
	}
	return known, nil
}

// still holds the append lock shared. Who may not open the lock file looks without: fn then only
// repeats the first look.
func (s dirSource) still(ctx context.Context, fn func() error) error {
	lock, err := file.OpenExistingLock(filepath.Join(s.dir, logDir, lockFile))
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
		return fn()
	}
	if err != nil {
		return err
	}
	locked := make(chan error, 1)
	go func() { // it cannot be cancelled, and its owner may be stopped
		_, err := s.disk.take(lock, lockShared)
		locked <- err
	}()
	select {
	case err = <-locked:
		defer lock.Close() // lets it go
	case <-ctx.Done():
		go func() {
			<-locked
			lock.Close()
		}()
		err = ctx.Err()
	}
	if err != nil {
		return err
	}
	return fn()
}

type osSegment struct{ *os.File }

func (s osSegment) Size() (int64, error) {
	info, err := s.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
