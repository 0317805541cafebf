package eventlog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/queuectl/queuectl/internal/file"
)

// dirStore is the log in a directory, as one process sees it.
//
// Three things point at the tail S, each for its own purpose: tip says how far S was read and
// checked; tail is a descriptor of S, for reading and for syncing; wal is tidwall/wal's handle, for
// writing. Only wal writes frames, and it knows nothing of other processes, so it is used only when
// tip is where it left S.
type dirStore struct {
	dir     string   // absolute
	root    *os.File // dir, open
	opt     *Options
	disk    disk
	id      LogID
	largest int64       // bytes that this process may write into a file
	noWrit  bool        // no permission to write, or so asked for
	lock    *file.Lock  // nil = there is none to be opened, and noWrit
	renewed bool        // the lock file was, by a repair: all must be read again
	killed  atomic.Bool // by Kill, from another goroutine

	levels   []*Snapshot      // that the State rests on
	doubts   map[string]error // snapshot files that are not used, by path, and why
	promise  Commit           // the highest that a snapshot file makes
	tip      tip
	why      stop // why reading stopped at tip
	checked  bool // nothing but S was looked at since; what else there is was found sound
	searched bool // for repairs that nobody has recorded
	scanner  scanner
	archive  *archive
	tail     tail
	writer   writer

	marks  durableMarks
	known  Commit   // durable for sure
	young  bool     // as far as is known nothing was ever acknowledged here
	turns  int      // segments begun since older ones were sealed
	turned bool     // a segment was begun since D was last made to survive a power cut
	made   []string // paths of directories in dir whose names are durable
	frame  []byte   // to be used again

	watcher  watcher
	watching sync.WaitGroup
}

// tail is the open segment at tip.
type tail struct {
	f        *os.File // nil = none
	proven   bool     // a sync of f covers all of it: see prove
	named    bool     // its name in the directory is durable
	reserved bool     // it has the blocks that it will need, or they cannot be reserved here
	last     bool     // no segment follows it while it ends at tip: see readTail
}

// disk is what a test may want to see, or to fail.
type disk struct {
	network  func(path string) (string, error)
	datasync func(*os.File) error
	syncDir  func(path string) error
	reserve  func(*os.File, int64) (bool, error)
	rewrite  func(f *os.File, from, to int64) error
	writeAt  func(f *os.File, b []byte, offset int64) (int, error) // of the D file

	lock func(*file.Lock, lockHow) (bool, error) // nil = as it is
	step func(point)                             // nil = nobody is told
}

var realDisk = disk{
	network: file.Network, datasync: file.Datasync, syncDir: file.SyncDir, reserve: file.Reserve, rewrite: rewrite,
	writeAt: (*os.File).WriteAt,
}

// write makes a file of what fill writes, durably but for its name.
func (d disk) write(path string, fill func(*os.File) error) error {
	d.at(pointMake)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err = fill(f); err == nil {
		err = d.datasync(f)
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}

// local returns an error if dir is on a network file system.
func (d disk) local(dir string) error {
	name, err := d.network(dir)
	if err == nil && name != "" {
		err = fmt.Errorf("%s is on %s: %w", dir, name, ErrNetworkFS)
	}
	return err
}

func (s *dirStore) identity() LogID { return s.id }
func (s *dirStore) head() Head      { return s.tip.head }
func (s *dirStore) readOnly() bool  { return s.noWrit }

func (s *dirStore) path(name string) string { return filepath.Join(s.dir, logDir, name) }

// openDir opens the log in dir, and makes it first if it may.
func openDir(dir string, opt *Options) (*dirStore, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	s := &dirStore{dir: dir, opt: opt, disk: realDisk, largest: file.Largest(), noWrit: opt.ReadOnly}
	if opt.disk != nil {
		s.disk = *opt.disk
	}
	if !opt.AllowNetworkFS {
		if err := s.disk.local(dir); err != nil {
			return nil, err
		}
	}
	s.disk.at(pointFormat)
	s.id, err = readFormat(dir)
	if errors.Is(err, ErrNoLog) && opt.Create != nil && !opt.ReadOnly {
		s.id, err = s.create()
	}
	if err != nil {
		return nil, err
	}
	if err := s.openFiles(); err != nil {
		s.shut()
		return nil, err
	}
	s.archive = newArchive(dir, s.id)
	s.tip, s.doubts = firstTip(s.id), map[string]error{}
	return s, nil
}

// openFiles opens the append lock and the D file. Who may not write them opens the log for reading.
func (s *dirStore) openFiles() (err error) {
	s.marks.id, s.marks.datasync, s.marks.writeAt = s.id, s.disk.datasync, s.disk.writeAt
	if s.root, err = os.Open(s.dir); err != nil {
		return err
	}
	if !s.noWrit {
		err = s.marks.open(s.dir, os.O_RDWR)
		if !denied(err) {
			if err == nil {
				s.lock, err = file.OpenLock(s.path(lockFile))
			}
			return err
		}
		s.noWrit = true
	}
	if err := s.marks.open(s.dir, os.O_RDONLY); err != nil {
		return err
	}
	s.lock, err = file.OpenExistingLock(s.path(lockFile))
	if denied(err) || errors.Is(err, fs.ErrNotExist) {
		s.lock, err = nil, nil // it would only tell if the directory was replaced
	}
	return err
}

// denied says that it is for lack of permission that something cannot be written.
func denied(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)
}

// current returns an error if the directory was deleted or replaced under our feet. A repair makes a
// new lock file, so that every process finds out that what it knows may be gone: then that one is
// opened, and the next follow or refresh returns errRewound.
func (s *dirStore) current() error {
	if s.lock == nil {
		return nil
	}
	s.disk.at(pointLook)
	ok, err := s.lock.Current()
	if err != nil || ok {
		return err
	}
	lock, err := s.lockAgain()
	if err == nil {
		s.adopt(lock)
	}
	return err
}

// adopt goes on with another lock, in place of one that is not held.
func (s *dirStore) adopt(lock *file.Lock) {
	s.renewed = s.renewed || !s.lock.Same(lock)
	s.lock.Close()
	s.lock = lock
}

// rewound returns errRewound, once, if a repair was made since the log was read. What was known to be
// durable may be gone, too, and D is another file.
func (s *dirStore) rewound() error {
	if !s.renewed {
		return nil
	}
	s.renewed, s.known = false, 0
	s.marks.close()
	flag := os.O_RDWR
	if s.noWrit {
		flag = os.O_RDONLY
	}
	if err := s.marks.open(s.dir, flag); err != nil {
		return err
	}
	return errRewound
}

func (s *dirStore) tryLock() (bool, error) {
	ok, err := s.disk.take(s.lock, lockTry)
	if errors.Is(err, fs.ErrClosed) { // by unlock
		var lock *file.Lock
		if lock, err = s.lockAgain(); err == nil {
			s.adopt(lock)
			return s.tryLock()
		}
	}
	if err != nil || !ok {
		return false, err
	}
	held := s.lock
	if err := s.current(); err != nil {
		s.unlock()
		return false, err
	}
	if s.lock != held {
		return s.tryLock()
	}
	return true, nil
}

// lockAgain opens the lock file once more. What it returns is of the same log. It may be called from
// other goroutines.
func (s *dirStore) lockAgain() (*file.Lock, error) {
	lock, err := file.OpenExistingLock(s.path(lockFile))
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%s was deleted: %w", filepath.Join(s.dir, logDir), ErrNoLog)
	}
	if err != nil {
		return nil, err
	}
	id, err := readFormat(s.dir)
	if err == nil && (id != s.id || !s.sameDir()) {
		err = fmt.Errorf("%s was replaced: %w", filepath.Join(s.dir, logDir), ErrNoLog)
	}
	if err != nil {
		lock.Close() // not held
		return nil, err
	}
	return lock, nil
}

// sameDir says if the directory is the one that was opened: a copy has the same log, and other locks.
func (s *dirStore) sameDir() bool {
	opened, err1 := s.root.Stat()
	named, err2 := os.Stat(s.dir)
	return err1 == nil && err2 == nil && os.SameFile(opened, named)
}

// await opens the lock file once more: this goroutine may still wait when the store is closed.
func (s *dirStore) await(<-chan struct{}) (hold, drop func(), err error) {
	for {
		lock, err := s.lockAgain()
		if err != nil {
			return nil, nil, err
		}
		drop = func() { lock.Close() } // lets it go
		current := false
		if _, err = s.disk.take(lock, lockWait); err == nil {
			current, err = lock.Current()
		}
		if err != nil {
			drop()
			return nil, nil, err
		}
		if current {
			return func() { s.adopt(lock) }, drop, nil
		}
		drop() // and look what has become of the file meanwhile
	}
}

func (s *dirStore) holder() string { return s.lock.Holder() }

// unlock lets A go. Should that ever fail, closing the descriptor does it, and tryLock opens another.
func (s *dirStore) unlock() {
	s.disk.at(pointUnlock)
	if err := s.lock.Unlock(); err != nil {
		s.lock.Close()
	}
	s.disk.at(pointFree)
}

func (s *dirStore) rewind(resume func([]*Snapshot) (*Snapshot, error)) {
	s.leaveTail()
	s.checked, s.searched = false, false
	before := s.levels
	defer func() { closeAll(before) }() // the State uses them until it is told to begin anew
	for {
		s.promise = 0
		s.levels = s.snapshots()
		bad, err := resume(s.levels)
		if err == nil {
			break
		}
		if bad == nil {
			bad = s.levels[0]
		}
		s.distrust(bad, err)
		closeAll(s.levels)
	}
	s.tip = firstTip(s.id)
	if n := len(s.levels); n > 0 {
		last := s.levels[n-1]
		if s.tip = last.behind(); !last.Base {
			s.tip.segment, s.tip.offset = last.At.Segment, last.At.Offset
		}
	}
	// Who cut the log, because somebody accepted a loss, has cut D as well.
	s.known = max(min(s.known, s.marks.highest().commit), s.tip.head.Commit)
}

func (s *dirStore) rebase(fn func([]*Snapshot) bool) (left []*Snapshot, err error) {
	files, err := openChain(s.dir, s.id, s.doubts)
	if err != nil || len(files) == 0 {
		return nil, err
	}
	last := files[len(files)-1]
	ahead := last.At.Head.Commit > s.tip.head.Commit
	same := len(s.levels) > 0 && last.At.Head == s.levels[len(s.levels)-1].At.Head
	if ahead || same || last.Base || !fn(files) {
		return files, nil
	}
	left, s.levels = s.levels, files
	return left, nil
}

func (s *dirStore) distrust(file *Snapshot, why error) { s.doubts[file.Path()] = why }

// snapshots opens the chain of snapshot files that comes farthest, of those that can be used. Each of them
// promises that its commits are durable; so if the log has no place for one, something is missing from the log, and that
// will be seen when all of it has been read.
func (s *dirStore) snapshots() []*Snapshot {
	for {
		files, err := openChain(s.dir, s.id, s.doubts)
		if err != nil || len(files) == 0 {
			return nil // it takes longer without
		}
		last := files[len(files)-1]
		s.promise = max(s.promise, last.At.Head.Commit)
		if last.Base || s.reaches(last.At) {
			return files
		}
		s.distrust(last, errSnapshot("the log does not have its place"))
		closeAll(files)
	}
}

// reaches says that the log has as much as a snapshot says.
func (s *dirStore) reaches(at Checkpoint) bool {
	f, err := s.openSegment(at.Segment)
	if errors.Is(err, fs.ErrNotExist) {
		archived, err := s.archive.open(at.Segment)
		return err == nil && archived.row.size >= at.Offset
	}
	if err != nil {
		return false
	}
	defer f.Close() // only looked at
	info, err := f.Stat()
	return err == nil && info.Size() >= at.Offset
}

// highest returns the highest commit that is known to be durable, by the D file or a snapshot.
func (s *dirStore) highest() Commit {
	s.disk.at(pointMarks)
	return max(s.marks.highest().commit, s.promise)
}

// leaveTail drops the descriptors of the tail.
func (s *dirStore) leaveTail() {
	if s.tail.f != nil {
		s.tail.f.Close() // what had to be synced is, or never will be by it
	}
	s.tail = tail{}
	s.writer.release()
}

func (s *dirStore) close() error {
	s.watching.Wait()
	var err error
	if !s.killed.Load() && !s.noWrit {
		err = s.tidy(true)
	}
	s.shut()
	return err
}

func (s *dirStore) shut() {
	s.leaveTail()
	closeAll(s.levels)
	s.marks.close()
	if s.root != nil {
		s.root.Close() // only looked at
	}
	if s.lock != nil {
		s.lock.Close() // not held
	}
}

func (s *dirStore) kill() { s.killed.Store(true) }
