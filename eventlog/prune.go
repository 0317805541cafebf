package eventlog

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
)

// ArchiveInfo is an archive of a log.
type ArchiveInfo struct {
	First, Last Commit
	From, To    Position // of the first and the last event
	Hash        Hash     // of the last commit …
	Time        int64    // … and when it was made, Unix nanoseconds
	Segments    int
	Bytes       int64 // of the file
	Before      int64 // of the segments

	end Checkpoint
}

// Archives lists the archives of the log in dir, the oldest first. What was pruned is not among them. Errors:
// ErrNoLog, ErrNotOurs, ErrNewer, a *CorruptError for an archive that cannot be read, that of ctx.
func Archives(ctx context.Context, dir string) ([]ArchiveInfo, error) {
	id, err := readFormat(dir)
	if err != nil {
		return nil, err
	}
	files, bad, err := listArchives(dir)
	if err == nil && len(bad) > 0 {
		err = bad[0]
	}
	if err != nil {
		return nil, err
	}
	var list []ArchiveInfo
	for _, file := range files {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		info, err := archiveInfo(file, newArchive(dir, id))
		if err != nil {
			return nil, err
		}
		list = append(list, info)
	}
	return list, nil
}

func archiveInfo(file archiveFile, a *archive) (ArchiveInfo, error) {
	g, err := readGroup(file, a.id)
	if err != nil {
		return ArchiveInfo{}, err
	}
	first, last := g.rows[0], g.rows[len(g.rows)-1]
	info := ArchiveInfo{
		First: first.first, Last: last.last, From: first.from, To: last.to, Hash: last.hash,
		Segments: len(g.rows), Bytes: g.end() + int64(len(g.encode())),
	}
	for _, r := range g.rows {
		info.Before += r.size
	}
	segment, err := a.unpack(g, last)
	if err != nil {
		return ArchiveInfo{}, err
	}
	t := midTip(a.id, last.first)
	_, err = scan(segment, last.size, &t, func(e *Entry) error { info.Time = e.Time; return nil })
	if d := segment.misfit(t); err == nil && d != nil {
		return ArchiveInfo{}, d
	}
	info.end = Checkpoint{Head: t.head, Time: info.Time, Segment: last.first, Offset: last.size}
	return info, err
}

// PruneOptions say how a prune is made part of the log.
type PruneOptions struct {
	// Save writes the blocks of a snapshot file of one level: what everything up to that place adds up to.
	Save func(ctx context.Context, at Checkpoint, w *SnapshotWriter) error
	// Record appends the event that tells of it, durably. Nothing is removed before it returns nil.
	Record         func(Pruned) error
	AllowNetworkFS bool // as in ArchiveOptions

	disk *disk // nil = the real one
}

// Pruned is what Prune removed.
type Pruned struct {
	First, Last Commit
	From, To    Position
	Hash        Hash              // of the last commit
	Base        [sha256.Size]byte // of the file that the log begins with now
	Archives    int
	Bytes       int64 // of those
}

// Prune removes the archives of the log in dir up to the one that ends with the commit through, and puts a base in
// their place: see docs/decisions/0009-prune.md. Everybody else may go on meanwhile; who reads what is being removed
// gets ErrPruned.
//
// At every moment the log is whole from its first commit on, or from a base, also after a power cut. An error beside the
// zero Pruned means that nothing was removed, even if Record has told of it. One after that is returned beside what was
// pruned: whoever archives or prunes next removes what is left of it. Errors: ErrNotArchived if no archive ends with through; ErrPruned if somebody else
// was faster; ErrDiskFull, ErrReadOnly, that of ctx, of Save or Record, a *CorruptError.
func Prune(ctx context.Context, dir string, through Commit, opt PruneOptions) (Pruned, error) {
	id, err := readFormat(dir)
	if err != nil {
		return Pruned{}, err
	}
	a := archiver{dir: dir, id: id, through: math.MaxUint64, disk: realDisk, reader: newArchive(dir, id)}
	if opt.disk != nil {
		a.disk = *opt.disk
	}
	if !opt.AllowNetworkFS {
		err = a.disk.local(dir)
	}
	var did Pruned
	if err == nil {
		did, err = (&pruner{archiver: &a, opt: opt}).run(ctx, through)
	}
	if denied(err) {
		err = fmt.Errorf("%w: %w", ErrReadOnly, err)
	}
	if err != nil {
		err = fmt.Errorf("prune: %w", diskFull(err))
	}
	return did, err
}

// ErrNotArchived says that no archive ends with that commit.
var ErrNotArchived = errors.New("no archive ends with it")

// pruner is one call of Prune.
type pruner struct {
	*archiver
	opt PruneOptions
}

func (p *pruner) run(ctx context.Context, through Commit) (Pruned, error) {
	unlock, err := p.lock(ctx)
	if err != nil {
		return Pruned{}, err
	}
	defer unlock()
	if _, err := p.settle(); err != nil {
		return Pruned{}, err
	}
	if err := p.removePruned(); err != nil {
		return Pruned{}, err
	}
	archives, err := Archives(ctx, p.dir)
	if err != nil {
		return Pruned{}, err
	}
	i := slices.IndexFunc(archives, func(a ArchiveInfo) bool { return a.Last == through })
	if i < 0 {
		return Pruned{}, p.notThere(through)
	}
	did := Pruned{First: archives[0].First, From: archives[0].From, Last: through, To: archives[i].To, Hash: archives[i].Hash}
	for _, a := range archives[:i+1] {
		did.Archives++
		did.Bytes += a.Bytes
	}
	if did.Base, err = p.writeBase(ctx, archives[i].end); err == nil {
		err = p.opt.Record(did)
	}
	temp, paths := p.temp(), basePaths(p.dir, through)
	if err == nil {
		p.disk.at(pointRename)
		err = os.Rename(temp[0], paths[0])
	}
	if err != nil {
		os.Remove(temp[0]) // what is left of them would be in nobody's way
		os.Remove(temp[1])
		return Pruned{}, err
	}
	// From here on it has happened. Who finds one of the two has enough.
	p.disk.at(pointRename)
	if err := os.Rename(temp[1], paths[1]); err != nil {
		return did, err
	}
	return did, p.removePruned()
}

// notThere is what it means that no archive ends with a commit.
func (p *pruner) notThere(through Commit) error {
	begins, err := lastBase(p.dir)
	switch {
	case err != nil:
		return err
	case through <= begins:
		return errPruned("commit", uint64(through), uint64(begins+1))
	}
	return fmt.Errorf("commit %d: %w", through, ErrNotArchived)
}

func (a *archiver) temp() [2]string {
	path := filepath.Join(a.dir, baseDir, unfinished)
	return [2]string{path, path + copySuffix}
}

// writeBase writes both files of a base under names that count for nothing, durably, reads them back and returns their
// hash.
func (p *pruner) writeBase(ctx context.Context, at Checkpoint) (sum [sha256.Size]byte, err error) {
	if err := (&dirStore{dir: p.dir, disk: p.disk}).makeDir(filepath.Join(p.dir, baseDir)); err != nil {
		return sum, err
	}
	temp := p.temp()
	err = p.disk.write(temp[0], func(f *os.File) error {
		return writeSnapshot(f, p.id, Head{}, at, func(w *SnapshotWriter) error { return p.opt.Save(ctx, at, w) })
	})
	if err == nil {
		err = p.copyBase(temp[0], temp[1])
	}
	if err != nil {
		return sum, err
	}
	for i, path := range temp {
		check, err := checkBaseFile(path, p.id, at.Head.Commit)
		switch {
		case err != nil:
			return sum, fmt.Errorf("read base back: %w", err)
		case check.Head != at.Head || i > 0 && check.SHA256 != sum:
			return sum, fmt.Errorf("read base back: %w", errSnapshot("it is not what was written"))
		}
		sum = check.SHA256
	}
	return sum, nil
}

func (a *archiver) copyBase(from, to string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close() // only read
	return a.disk.write(to, func(w *os.File) error { _, err := io.Copy(w, f); return err })
}

// removePruned removes the archives that were pruned, and the bases before the one that counts. Whoever gave that its
// name may have died before he synced it.
func (a *archiver) removePruned() error {
	begins, err := lastBase(a.dir)
	if err != nil || begins == 0 {
		return err
	}
	if err := a.disk.syncDir(filepath.Join(a.dir, baseDir)); err != nil {
		return err
	}
	files, _, err := listAllArchives(a.dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		if f.last > begins {
			continue
		}
		a.disk.at(pointRemove)
		if err := os.Remove(f.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove what was pruned: %w", err)
		}
	}
	if err := a.disk.syncDir(a.path("")); err != nil {
		return err
	}
	entries, err := os.ReadDir(filepath.Join(a.dir, baseDir))
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if c, ok := baseFile(entry.Name()); ok && c < begins {
			a.disk.at(pointRemove)
			_ = os.Remove(filepath.Join(a.dir, baseDir, entry.Name())) // on Windows not while somebody rests on it: the next one tries again
		}
	}
	return nil
}

// mendBase makes one file of the base anew from the other, if that is sound. It is left to who archives by hand: it
// takes reading both.
func (a *archiver) mendBase() error {
	if a.opt.Full {
		return nil
	}
	check, _, err := checkBase(a.dir, a.id)
	if err != nil || check == nil || check.Files == 2 {
		return err
	}
	paths, temp := basePaths(a.dir, check.Head.Commit), a.temp()[0]
	if check.Path == paths[0] {
		slices.Reverse(paths[:])
	}
	if err := a.copyBase(check.Path, temp); err != nil {
		return err
	}
	a.disk.at(pointRename)
	if err := os.Rename(temp, paths[0]); err != nil {
		return err
	}
	return a.disk.syncDir(filepath.Join(a.dir, baseDir))
}
