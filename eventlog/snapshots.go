package eventlog

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/queuectl/queuectl/internal/file"
)

// DIR/snapshot/FROM-THROUGH are the snapshot files, named by their commits in 20 digits each. Together they
// are a few chains: a file builds on one that ends where it begins. DIR/snapshot/lock is held by who writes
// one.
const (
	snapshotDir  = "snapshot"
	snapshotLock = "lock"
)

func snapshotName(from, through Commit) string { return segmentName(from) + "-" + segmentName(through) }

// snapshotSpan is a snapshot file as its name tells of it.
type snapshotSpan struct{ from, through Commit }

func (s snapshotSpan) path(dir string) string {
	return filepath.Join(dir, snapshotDir, snapshotName(s.from, s.through))
}

func parseSnapshotName(name string) (s snapshotSpan, ok bool) {
	from, through, _ := strings.Cut(name, "-")
	if strings.Trim(from, "0") == "" && len(from) == segmentDigits {
		ok = true
	} else {
		s.from, ok = parseSegmentName(from)
	}
	if ok {
		s.through, ok = parseSegmentName(through)
	}
	return s, ok && s.through > s.from
}

// listSnapshots returns the snapshot files in dir by their names, in order of where they end and then of
// where they begin.
func listSnapshots(dir string) ([]snapshotSpan, error) {
	entries, err := os.ReadDir(filepath.Join(dir, snapshotDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list snapshots: %w", err)
	}
	var spans []snapshotSpan
	for _, entry := range entries {
		if s, ok := parseSnapshotName(entry.Name()); ok && entry.Type().IsRegular() {
			spans = append(spans, s)
		}
	}
	slices.SortFunc(spans, func(a, b snapshotSpan) int {
		return cmp.Or(cmp.Compare(a.through, b.through), cmp.Compare(a.from, b.from))
	})
	return spans, nil
}

// chain returns the files of the chain that comes farthest, oldest first: of several, that of the fewest
// files. through bounds it.
func chain(spans []snapshotSpan, through Commit) []snapshotSpan {
	type way struct {
		last  snapshotSpan
		files int
	}
	best := map[Commit]way{0: {}}
	far := Commit(0)
	for _, s := range spans {
		before, reached := best[s.from]
		if !reached || s.through > through {
			continue
		}
		if w, known := best[s.through]; !known || before.files+1 < w.files {
			best[s.through] = way{s, before.files + 1}
		}
		far = s.through // they are sorted by it
	}
	var files []snapshotSpan
	for at := far; at != 0; at = best[at].last.from {
		files = append(files, best[at].last)
	}
	slices.Reverse(files)
	return files
}

// openChain opens the files of the chain that comes farthest, except for those that bad knows, and notes in
// bad those that cannot be used. Where no chain goes beyond the base of the log, it is that alone; it is empty if there
// is none.
func openChain(dir string, id LogID, bad map[string]error) ([]*Snapshot, error) {
	begins, err := lastBase(dir)
	if err != nil {
		return nil, err
	}
	for {
		spans, err := listSnapshots(dir)
		if err != nil {
			return nil, err
		}
		spans = slices.DeleteFunc(spans, func(s snapshotSpan) bool { return bad[s.path(dir)] != nil })
		way := chain(spans, ^Commit(0))
		if n := len(way); begins > 0 && (n == 0 || way[n-1].through <= begins) {
			break
		}
		files, failed := openAll(dir, id, way, bad)
		if !failed {
			return files, nil
		}
	}
	base, err := openBase(dir, id, bad)
	if err != nil || base == nil {
		return nil, err
	}
	return []*Snapshot{base}, nil
}

// openAll opens files that build on one another.
func openAll(dir string, id LogID, spans []snapshotSpan, bad map[string]error) (files []*Snapshot, failed bool) {
	var before Head
	for _, span := range spans {
		s, err := openSnapshot(span.path(dir), id)
		if err == nil && (s.From != span.from || s.At.Head.Commit != span.through || s.FromPos != before.Position) {
			s.Close() // only read
			err = errSnapshot("it is not what its name says, or does not build on the one before it")
		}
		if err != nil {
			// One that was taken up by another meanwhile is not there any more, and not bad. But it would not
			// be listed again either.
			bad[span.path(dir)] = err
			closeAll(files)
			return nil, true
		}
		files = append(files, s)
		before = s.At.Head
	}
	return files, false
}

func closeAll(files []*Snapshot) {
	for _, s := range files {
		s.Close() // only read
	}
}

// Snapshots opens the chain of snapshot files of the log in dir that comes farthest, oldest first; its base, if none
// goes beyond that. It may be empty. Files that cannot be used are left out, with those that build on them. The caller closes them.
func Snapshots(dir string) ([]*Snapshot, error) {
	id, err := readFormat(dir)
	if err != nil {
		return nil, err
	}
	return openChain(dir, id, map[string]error{})
}

// Covered returns the last commit that would still be in a snapshot if the newest file turned out to be bad,
// 0 if there is none: who opens the log needs nothing before it.
func Covered(dir string) (Commit, error) {
	id, err := readFormat(dir)
	if err != nil {
		return 0, err
	}
	bad := map[string]error{}
	last := func() (*Snapshot, error) {
		files, err := openChain(dir, id, bad)
		closeAll(files)
		if err != nil || len(files) == 0 {
			return nil, err
		}
		return files[len(files)-1], nil
	}
	newest, err := last()
	if newest == nil {
		return 0, err
	}
	bad[newest.Path()] = errSnapshot("it is left out")
	before, err := last()
	if before == nil {
		return 0, err
	}
	return before.At.Head.Commit, nil
}

// SnapshotRoom is the right to write snapshot files of the log in a directory: one process at a time has it.
type SnapshotRoom struct {
	dir  string
	id   LogID
	disk disk
	lock *file.Lock
	bad  map[string]error // files that are not used, by path, and why
}

// LockSnapshots takes that right; ok is false if somebody else has it. The room must be closed.
func LockSnapshots(dir string) (room *SnapshotRoom, ok bool, err error) {
	return lockSnapshots(dir, realDisk)
}

func lockSnapshots(dir string, disk disk) (room *SnapshotRoom, ok bool, err error) {
	id, err := readFormat(dir)
	if err != nil {
		return nil, false, err
	}
	path := filepath.Join(dir, snapshotDir)
	s := dirStore{dir: dir, disk: disk}
	if err := s.makeDir(path); err != nil {
		return nil, false, err
	}
	lock, err := file.OpenLock(filepath.Join(path, snapshotLock))
	if err != nil {
		return nil, false, err
	}
	if ok, err = disk.take(lock, lockTry); !ok {
		lock.Close() // not held
		return nil, false, err
	}
	return &SnapshotRoom{dir: dir, id: id, disk: disk, lock: lock, bad: map[string]error{}}, true, nil
}

// Close gives the right back.
func (r *SnapshotRoom) Close() error { return r.lock.Close() }

// Chain opens the chain that comes farthest: see Snapshots.
func (r *SnapshotRoom) Chain() ([]*Snapshot, error) { return openChain(r.dir, r.id, r.bad) }

// Distrust leaves a file out of the chains from now on, and those that build on it.
func (r *SnapshotRoom) Distrust(s *Snapshot, why error) { r.bad[s.Path()] = why }

// Write writes a snapshot file of the commits after from (the zero Head: all) up to at, which must be
// durable; fill writes its blocks. It is durable when Write returns nil. Files that it has taken the place of
// are removed, but for those of the chain before: should the new file turn out to be bad, they are
// there.
func (r *SnapshotRoom) Write(from Head, at Checkpoint, fill func(*SnapshotWriter) error) error {
	before, err := listSnapshots(r.dir)
	if err != nil {
		return err
	}
	span := snapshotSpan{from: from.Commit, through: at.Head.Commit}
	temp := filepath.Join(r.dir, snapshotDir, unfinished)
	err = r.disk.write(temp, func(f *os.File) error { return writeSnapshot(f, r.id, from, at, fill) })
	if err == nil {
		r.disk.at(pointRename)
		err = os.Rename(temp, span.path(r.dir))
	}
	if err != nil {
		os.Remove(temp) // what is left of it would be in nobody's way
		return fmt.Errorf("write snapshot: %w", err)
	}
	if err := r.disk.syncDir(filepath.Join(r.dir, snapshotDir)); err != nil {
		return err
	}
	return r.tidy(before)
}

// tidy removes what is in neither the farthest chain nor the one that was so before.
func (r *SnapshotRoom) tidy(before []snapshotSpan) error {
	spans, err := listSnapshots(r.dir)
	if err != nil {
		return err
	}
	used := slices.Concat(chain(spans, ^Commit(0)), chain(before, ^Commit(0)))
	for _, s := range spans {
		if !slices.Contains(used, s) {
			r.disk.at(pointRemove)
			_ = os.Remove(s.path(r.dir)) // on Windows not while somebody has it open: the next writer tries again
		}
	}
	return nil
}

// BadSnapshot is a snapshot file that cannot be used.
type BadSnapshot struct {
	Path string
	Err  error
}

// SnapshotChains opens all snapshot files of the log in dir, each as the last of a chain that leads to it, in
// order of where they end. Those that cannot be used are bad, but for one that builds on nothing any more and comes no
// farther than the others: a power cut may bring a name back that was removed, and not that of the file before it; the
// next writer removes it again. The caller closes the files.
func SnapshotChains(dir string) (chains [][]*Snapshot, bad []BadSnapshot, err error) {
	id, err := readFormat(dir)
	if err != nil {
		return nil, nil, err
	}
	spans, err := listSnapshots(dir)
	if err != nil {
		return nil, nil, err
	}
	begins, err := lastBase(dir)
	if err != nil {
		return nil, nil, err
	}
	far := Commit(0)
	if way := chain(spans, ^Commit(0)); len(way) > 0 {
		far = way[len(way)-1].through
	}
	for _, last := range spans {
		if last.through <= begins {
			continue // nobody uses it any more
		}
		before := chain(spans, last.from)
		if end := len(before); last.from != 0 && (end == 0 || before[end-1].through != last.from) {
			if last.through <= far {
				continue
			}
			bad = append(bad, BadSnapshot{last.path(dir), errSnapshot("what it builds on is not there")})
			continue
		}
		doubts := map[string]error{}
		files, failed := openAll(dir, id, append(before, last), doubts)
		if !failed {
			chains = append(chains, files)
			continue
		}
		for _, why := range doubts {
			bad = append(bad, BadSnapshot{last.path(dir), why})
		}
	}
	return chains, bad, nil
}
