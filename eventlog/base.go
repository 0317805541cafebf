package eventlog

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// DIR/base/COMMIT and DIR/base/COMMIT.copy are a snapshot file, twice, with what everything up to that commit adds
// up to: the log begins behind it, because what was before was pruned. The newest counts; older ones, and archives
// that end before it, are about to be removed.
const (
	baseDir    = "base"
	copySuffix = ".copy"
)

// ErrPruned says that a place in the log was pruned: see [Prune].
var ErrPruned = errors.New("was pruned")

// errMeanwhile is the error of who reads all of the log while some of that is being removed.
var errMeanwhile = fmt.Errorf("the log %w while it was read: begin again", ErrPruned)

// basePaths are the two files of the base that ends with the commit.
func basePaths(dir string, c Commit) [2]string {
	path := filepath.Join(dir, baseDir, segmentName(c))
	return [2]string{path, path + copySuffix}
}

// baseFile says of which base a file in DIR/base is.
func baseFile(name string) (Commit, bool) {
	return parseSegmentName(strings.TrimSuffix(name, copySuffix))
}

// lastBase returns the commit that the newest base ends with, 0 if there is none: the log begins with its first
// commit then.
func lastBase(dir string) (last Commit, err error) {
	entries, err := os.ReadDir(filepath.Join(dir, baseDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // it is made with the first prune
		return 0, fmt.Errorf("look for a base: %w", err)
	}
	for _, entry := range entries {
		if c, ok := baseFile(entry.Name()); ok {
			last = max(last, c)
		}
	}
	return last, nil
}

// openBase opens the newest base, by the first of its files that is not in bad and can be used; nil if there is
// none. It notes in bad those that cannot. The error is a *CorruptError if none can.
func openBase(dir string, id LogID, bad map[string]error) (*Snapshot, error) {
	for last := Commit(0); ; {
		c, err := lastBase(dir)
		if err != nil || c == 0 {
			return nil, err
		}
		paths := basePaths(dir, c)
		if c == last {
			return nil, baseDamage(paths[0], c, bad[paths[0]])
		}
		last = c // should neither do, it may be gone because there is a newer one
		for _, path := range paths {
			if bad[path] != nil {
				continue
			}
			s, err := openBaseFile(path, id, c)
			if err == nil || unopened(err) {
				return s, err
			}
			bad[path] = err
		}
	}
}

// unopened says that a file is there and was not opened, as when this process may not or has too many open: that says
// nothing of what is in it.
func unopened(err error) bool {
	failed, ok := errors.AsType[*fs.PathError](err)
	return ok && failed.Op == "open" && !errors.Is(err, fs.ErrNotExist)
}

func openBaseFile(path string, id LogID, c Commit) (*Snapshot, error) {
	s, err := openSnapshot(path, id)
	if err == nil && (s.From != 0 || s.At.Head.Commit != c) {
		s.Close() // only read
		err = errSnapshot("it is not the one of its name")
	}
	if err != nil {
		return nil, err
	}
	s.Base = true
	return s, nil
}

// baseDamage says what is wrong with a file of the base that ends with c.
func baseDamage(path string, c Commit, why error) *CorruptError {
	reason := why.Error()
	if bad, ok := errors.AsType[errSnapshot](why); ok {
		reason = string(bad)
	}
	return &CorruptError{Path: path, Commit: c, Row: 3, Reason: "the base, with which the log begins: " + reason}
}

// origin is where the log in dir begins: see source.
func origin(dir string, id LogID) (tip, error) {
	base, err := openBase(dir, id, map[string]error{})
	if d := damaged(err); d != nil {
		return midTip(id, d.Commit+1), err
	}
	if err != nil || base == nil {
		return firstTip(id), err
	}
	defer base.Close() // only read
	return base.behind(), nil
}

// behind is where the log goes on behind a base.
func (s *Snapshot) behind() tip {
	return tip{id: s.log, segment: s.At.Head.Commit + 1, head: s.At.Head}
}

// ReadBase reads the base that the log in dir begins with into memory, so that all of its blocks are sound and it need
// not be closed; nil if the log begins with its first commit. Errors: as of NewReader.
func ReadBase(dir string) (*Snapshot, error) {
	id, err := readFormat(dir)
	if err != nil {
		return nil, err
	}
	for bad := map[string]error{}; ; {
		base, err := openBase(dir, id, bad)
		if err != nil || base == nil {
			return nil, err
		}
		if err = base.take(); err == nil {
			return base, nil
		}
		bad[base.Path()] = err
	}
}

// take reads the file into memory, and checks it there.
func (s *Snapshot) take() error {
	data := make([]byte, s.size)
	_, err := s.r.ReadAt(data, 0)
	s.Close() // only read
	if err != nil {
		return orShort(err)
	}
	s.r, s.close = bytes.NewReader(data), func() error { return nil }
	return s.Check()
}

// BaseCheck is what Verify found of the base of a log.
type BaseCheck struct {
	Path   string            // of the first of its files that is sound
	Head   Head              // of the last commit that was pruned
	Time   int64             // of that commit, Unix nanoseconds
	SHA256 [sha256.Size]byte // of the file
	Files  int               // that are there and sound in themselves, of 2. Whoever archives by hand makes the other anew
}

// checkBase checks both files of the base to their last bytes; nil if there is none. That one of them is not there is
// no damage: the power may have been cut between the two. The error is ErrPruned if there is a newer base by now.
func checkBase(dir string, id LogID) (check *BaseCheck, damage []*CorruptError, err error) {
	c, err := lastBase(dir)
	if err != nil || c == 0 {
		return nil, nil, err
	}
	for _, path := range basePaths(dir, c) {
		found, err := checkBaseFile(path, id, c)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case unopened(err):
			return nil, nil, err
		case err != nil:
			damage = append(damage, baseDamage(path, c, err))
		case check == nil:
			check = found
		default:
			if check.Files++; found.SHA256 != check.SHA256 { // which of them is right, the event of the prune says
				damage = append(damage, baseDamage(path, c, errSnapshot("it is not the same as the other file")))
			}
		}
	}
	if check == nil && len(damage) == 0 {
		return nil, nil, errMeanwhile
	}
	return check, damage, nil
}

func checkBaseFile(path string, id LogID, c Commit) (*BaseCheck, error) {
	s, err := openBaseFile(path, id, c)
	if err != nil {
		return nil, err
	}
	defer s.Close() // only read
	if err := s.Check(); err != nil {
		return nil, err
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(s.r, 0, s.size)); err != nil {
		return nil, err
	}
	return &BaseCheck{path, s.At.Head, s.At.Time, [sha256.Size]byte(sum.Sum(nil)), 1}, nil
}

// errPruned is the error for a position, or a commit, that is not behind where the log begins.
func errPruned(what string, n, begins uint64) error {
	return fmt.Errorf("%s %d %w: the log begins with %s %d", what, n, ErrPruned, what, begins)
}
