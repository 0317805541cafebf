package eventlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/queuectl/queuectl/internal/file"
)

// What an archive has at most, though always one segment: so many that there are few files and few
// manifests, so few that one is made in a moment.
const (
	groupSegments = 64
	groupSize     = 64 << 20 // bytes of the segments
)

const (
	archiveLock = "lock"
	unfinished  = "unfinished" // the name of an archive that is being made
)

// ArchiveOptions are preferences; the zero value is for somebody who asks for it by hand.
type ArchiveOptions struct {
	// Full leaves segments that do not fill an archive where they are, and returns at once if another
	// process archives. It is for those who come by from time to time, and costs them little.
	Full bool
	// AllowNetworkFS archives on a network file system, where locks may not keep others from doing the
	// same.
	AllowNetworkFS bool
	// Progress, if not nil, is told the bytes done and in all, of segments.
	Progress func(done, total int64)

	disk *disk // nil = the real one
}

// Archived is what Archive did.
type Archived struct {
	Archives int    // files that were made
	Segments int    // in them
	Before   int64  // bytes of those
	After    int64  // bytes of the files
	Through  Commit // all up to this one are archived, whoever did it
	Busy     bool   // with Full: another process archives
}

// Archive compresses sealed segments of the log in dir into archives, in order, as far as all of
// their commits are up to through. Everybody reads on as before: what is in an archive is in the log.
// Nobody is kept waiting, except for others who archive.
//
// At every moment each segment is whole in one place at least, also after a power cut: it leaves
// sealed only when its archive was compared with it and is durable. After an error the archives that
// were finished stay, as Archived tells, and nothing is missing: ErrDiskFull, ErrReadOnly, that of
// ctx, a *CorruptError for a segment that is damaged, which is not archived, or an archive that is.
func Archive(ctx context.Context, dir string, through Commit, opt ArchiveOptions) (Archived, error) {
	id, err := readFormat(dir)
	if err != nil {
		return Archived{}, err
	}
	a := archiver{dir: dir, id: id, through: through, opt: opt, disk: realDisk, reader: newArchive(dir, id)}
	if opt.disk != nil {
		a.disk = *opt.disk
	}
	if !opt.AllowNetworkFS {
		err = a.disk.local(dir)
	}
	if err == nil {
		err = a.run(ctx)
	}
	if denied(err) {
		err = fmt.Errorf("%w: %w", ErrReadOnly, err)
	}
	if err != nil {
		err = fmt.Errorf("archive: %w", diskFull(err))
	}
	return a.did, err
}

// diskFull adds ErrDiskFull to the error of a file that means that.
func diskFull(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", ErrDiskFull, err)
	}
	return err
}

// archiver is one call of Archive.
type archiver struct {
	dir     string
	id      LogID
	through Commit
	opt     ArchiveOptions
	disk    disk
	reader  *archive

	did         Archived
	done, total int64
}

func (a *archiver) path(name string) string { return filepath.Join(a.dir, archiveDir, name) }

func (a *archiver) run(ctx context.Context) error {
	todo, err := a.sealed()
	if err != nil {
		return err
	}
	begins, err := lastBase(a.dir)
	if err != nil {
		return err
	}
	if len(todo) == 0 && begins == 0 || a.opt.Full && !fills(todo) {
		_, err := a.end()
		return err // without a lock: most often there is nothing to do
	}
	unlock, err := a.lock(ctx)
	if err != nil || unlock == nil {
		return err
	}
	defer unlock()
	if todo, err = a.settle(); err != nil {
		return err
	}
	if err := a.removePruned(); err != nil {
		return err
	}
	if err := a.mendBase(); err != nil {
		return err
	}
	end, err := a.end()
	if err != nil {
		return err
	}
	if len(todo) > 0 && end.head.Commit > 0 && todo[0].first != end.head.Commit+1 {
		d := end.damage(3, fmt.Sprintf("commits %d to %d are neither archived nor sealed", end.head.Commit+1, todo[0].first-1))
		d.Path = filepath.Join(a.dir, sealedDir, d.Path)
		return d
	}
	for _, s := range todo {
		a.total += s.size
	}
	for len(todo) > 0 && (!a.opt.Full || fills(todo)) {
		n := groupOf(todo)
		if end, err = a.make(ctx, end, todo[:n]); err != nil {
			return err
		}
		todo = todo[n:]
	}
	return nil
}

// groupOf says how many of the segments go into the next archive.
func groupOf(todo []segmentInfo) int {
	size := todo[0].size
	for n := 1; n < len(todo); n++ {
		if size += todo[n].size; n == groupSegments || size > groupSize {
			return n
		}
	}
	return len(todo)
}

// fills says that the first archive made of these will be full.
func fills(todo []segmentInfo) bool {
	return len(todo) > 0 && (groupOf(todo) < len(todo) || len(todo) == groupSegments)
}

// sealed lists the segments that are to be archived, and those that are and should have left. Which
// is the last commit of one, its successor says: the last segments of a log are in log.
func (a *archiver) sealed() (todo []segmentInfo, err error) {
	a.disk.at(pointList)
	segments, bad, err := listSegments(a.dir)
	if err != nil {
		return nil, err
	}
	if len(bad) > 0 {
		return nil, bad[0]
	}
	for i, s := range segments[:max(0, len(segments)-1)] {
		s.last = segments[i+1].first - 1
		if !s.sealed || s.last > a.through {
			break
		}
		todo = append(todo, s)
	}
	return todo, nil
}

// lockPoll is how often a lock is tried that another process has: the wait must end with a context.
const lockPoll = 20 * time.Millisecond

// lock makes sure that nobody else archives. It returns nil if somebody does and is not to be waited
// for. The lock is apart from that of those who append: to archive takes long.
func (a *archiver) lock(ctx context.Context) (unlock func(), err error) {
	dir := dirStore{dir: a.dir, disk: a.disk}
	if err := dir.makeDir(a.path("")); err != nil {
		return nil, err
	}
	lock, err := file.OpenLock(a.path(archiveLock))
	if err != nil {
		return nil, err
	}
	for {
		ok, err := a.disk.take(lock, lockTry)
		switch {
		case err == nil && ok:
			return func() { lock.Close() }, nil
		case err == nil && a.opt.Full:
			a.did.Busy = true
			return nil, lock.Close()
		case err == nil:
			select {
			case <-time.After(lockPoll):
				continue
			case <-ctx.Done():
				err = ctx.Err()
			}
		}
		lock.Close() // not held
		return nil, err
	}
}

// end is where the last archive ends, the beginning of the log if there is none.
func (a *archiver) end() (tip, error) {
	a.disk.at(pointList)
	files, bad, err := listArchives(a.dir)
	if err != nil {
		return tip{}, err
	}
	if len(bad) > 0 {
		return tip{}, bad[0]
	}
	if len(files) == 0 {
		return origin(a.dir, a.id)
	}
	last, err := readGroup(files[len(files)-1], a.id)
	if err != nil {
		return tip{}, err
	}
	a.did.Through = last.last()
	return tip{id: a.id, segment: last.rows[len(last.rows)-1].first, head: last.head()}.next(), nil
}

// settle sees to what others have begun who died, while nobody else archives, and returns what is to be archived.
func (a *archiver) settle() ([]segmentInfo, error) {
	todo, err := a.sealed()
	if err != nil {
		return nil, err
	}
	// They may have moved things before they synced that. After a power cut nothing that is archived may be in log
	// again, and nothing that is swept may be in no archive.
	for _, sub := range []string{sealedDir, logDir, archiveDir} {
		if err := a.disk.syncDir(filepath.Join(a.dir, sub)); err != nil && !(sub == sealedDir && errors.Is(err, fs.ErrNotExist)) {
			return nil, err
		}
	}
	return a.sweep(todo)
}

// sweep removes the segments that are archived, after one more comparison: somebody died before he
// came to that. It returns the others.
func (a *archiver) sweep(sealed []segmentInfo) ([]segmentInfo, error) {
	for i, s := range sealed {
		packed, err := a.reader.open(s.first)
		if errors.Is(err, fs.ErrNotExist) {
			return sealed[i:], a.remove(sealed[:i]) // nor are those that follow
		}
		if err == nil {
			err = compare(packed, s)
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, a.remove(sealed)
}

// remove removes the originals of segments that are archived.
func (a *archiver) remove(segments []segmentInfo) error {
	if len(segments) == 0 {
		return nil
	}
	for _, s := range segments {
		a.disk.at(pointRemove)
		if err := os.Remove(s.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove archived segment: %w", err)
		}
	}
	return a.disk.syncDir(filepath.Join(a.dir, sealedDir))
}
