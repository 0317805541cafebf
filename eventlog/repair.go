package eventlog

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/queuectl/queuectl/internal/file"
)

// RepairOptions are preferences; the zero value is the production default.
type RepairOptions struct {
	Accepted string // who accepts the loss, and why, for people: Repair.Accepted of every piece
	// Confirm is called with the plan before anything is changed, while nobody may append. Its error
	// ends the repair. nil = nobody is asked.
	Confirm        func(*Plan) error
	AllowNetworkFS bool                // as in Options
	OnWait         func(holder string) // as in Options

	disk *disk // nil = the real one
}

// RepairLog makes a damaged log one that can be written again: it moves all that a Plan names to
// quarantine, and takes back promises of what is gone. It returns the plan, whose Pieces then say
// where each is; without damage nothing is done. What was acknowledged and is damaged, or stands
// behind damage, is no longer part of the log: that is for its owner to accept.
//
// Whatever interrupts it, a power cut too, leaves a log that is damaged still, and can be repaired
// again, or one that is repaired. Other processes that use the log meanwhile read it anew. The first
// Log that may append tells of the repair: see TakeRepairs.
//
// Errors: as of MakePlan; ErrReadOnly; ErrNetworkFS; that of Confirm, or of a file that cannot be
// moved or copied.
func RepairLog(ctx context.Context, dir string, opt RepairOptions) (*Plan, error) {
	plan, err := planOn(ctx, dir, opt.disk)
	if err != nil || len(plan.Damage) == 0 {
		return plan, err
	}
	logOpt := Options{AllowNetworkFS: opt.AllowNetworkFS, OnWait: opt.OnWait, disk: opt.disk}
	if err := logOpt.complete(); err != nil {
		return nil, err
	}
	s, err := openDir(dir, &logOpt)
	if err != nil {
		return nil, fmt.Errorf("repair log: %w", err)
	}
	defer s.shut()
	if s.noWrit {
		return nil, fmt.Errorf("repair log: %w", ErrReadOnly)
	}
	if err := s.lockWith(ctx); err != nil {
		return nil, fmt.Errorf("lock log: %w", err)
	}
	defer s.unlock()
	room, ok, err := roomOf(s.dir, s.disk)
	if err == nil && !ok {
		err = errors.New("a snapshot is being written at the moment: try again")
	}
	if err != nil {
		return nil, fmt.Errorf("repair log: %w", err)
	}
	defer room.Close()
	archives, ok, err := archivesOf(s.dir, s.disk)
	if err == nil && !ok {
		err = errors.New("the log is being archived at the moment: try again")
	}
	if err != nil {
		return nil, fmt.Errorf("repair log: %w", err)
	}
	defer archives.Close()
	if plan, err = makePlan(ctx, s.source()); err != nil || len(plan.Damage) == 0 {
		return plan, err
	}
	if opt.Confirm != nil {
		if err := opt.Confirm(plan); err != nil {
			return nil, err
		}
	}
	for i := range plan.Pieces {
		plan.Pieces[i].Accepted = opt.Accepted
	}
	if err := (&repair{s: s, plan: plan}).run(); err != nil {
		return nil, fmt.Errorf("repair log: %w", err)
	}
	return plan, nil
}

// roomOf keeps others from writing snapshot files.
func roomOf(dir string, d disk) (io.Closer, bool, error) {
	if _, err := os.Lstat(filepath.Join(dir, snapshotDir)); errors.Is(err, fs.ErrNotExist) {
		return io.NopCloser(nil), true, nil // nobody has written any
	}
	room, ok, err := lockSnapshots(dir, d)
	return room, ok, err
}

// archivesOf keeps others from archiving.
func archivesOf(dir string, d disk) (io.Closer, bool, error) {
	lock, err := file.OpenExistingLock(filepath.Join(dir, archiveDir, archiveLock))
	if errors.Is(err, fs.ErrNotExist) {
		return io.NopCloser(nil), true, nil // nobody ever has
	}
	if err != nil {
		return nil, false, err
	}
	ok, err := d.take(lock, lockTry)
	if !ok {
		lock.Close() // not held
	}
	return lock, ok, err
}

// lockWith waits for A until ctx ends, and tells who holds it if that takes long.
func (s *dirStore) lockWith(ctx context.Context) error {
	granted := make(chan grant)
	go func() {
		var g grant
		g.hold, g.drop, g.err = s.await(nil)
		select {
		case granted <- g:
		case <-ctx.Done():
			if g.err == nil {
				g.drop()
			}
		}
	}()
	notice := newPause()
	defer notice.stop()
	notice.start(noticeAfter)
	for {
		select {
		case g := <-granted:
			if g.err == nil {
				g.hold()
			}
			return g.err
		case <-notice.timer.C:
			s.opt.OnWait(s.holder())
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// repair carries out a plan, while nobody else may append.
//
// At every moment the log is either damaged, so that nobody writes to it, or as it will be in the
// end, and all bytes are in it or in quarantine. So what goes is first copied, or has its place;
// then segments are cut, while later ones still stand behind the cut; then whole files are moved, the
// last first; and last of all, D no longer promises what is gone.
type repair struct {
	s      *dirStore
	plan   *Plan
	folder repairFolder
}

func (r *repair) run() error {
	for _, step := range []func() error{
		r.keep,
		r.renew, // or else a process that knows of no repair might write to a file that has moved
		r.settle,
		r.cut,
		r.move,
		r.promise,
		r.finish,
		r.renew, // for those that have read in between
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// keep says in quarantine what will be done, and copies what will be cut off.
func (r *repair) keep() (err error) {
	if r.folder, err = r.s.repairFolder(r.plan.Pieces); err != nil {
		return err
	}
	for i := range r.plan.Pieces {
		p := &r.plan.Pieces[i]
		p.Quarantine = r.folder.name + "/" + p.folded()
	}
	if err := r.folder.note(r.plan.Pieces); err != nil {
		return err
	}
	for _, p := range r.plan.Pieces {
		if p.kind == pieceWhole {
			continue
		}
		if err := r.copy(p); err != nil {
			return fmt.Errorf("copy to quarantine: %w", err)
		}
	}
	return r.s.disk.syncDir(r.folder.path)
}

func (r *repair) copy(p Piece) error {
	from, err := os.Open(p.Path)
	if err != nil {
		return err
	}
	defer from.Close() // only read
	r.s.disk.at(pointMake)
	to, err := os.OpenFile(r.folder.place(p), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	sum := crc32.New(castagnoli)
	n, err := io.Copy(io.MultiWriter(to, sum), io.NewSectionReader(from, p.Offset, p.Size))
	if err == nil && (n != p.Size || sum.Sum32() != p.CRC) {
		err = fmt.Errorf("%s has changed since it was looked at", p.Path)
	}
	if err == nil {
		err = r.s.disk.datasync(to)
	}
	return errors.Join(err, to.Close())
}

// renew replaces the lock file by another that this process holds.
func (r *repair) renew() error {
	temp := r.s.path(lockFile + ".new")
	r.s.disk.at(pointMake)
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	lock, err := file.CreateLock(temp)
	if err != nil {
		return err
	}
	if _, err = r.s.disk.take(lock, lockWait); err == nil {
		r.s.disk.at(pointRename)
		err = lock.Rename(r.s.path(lockFile))
	}
	if err != nil {
		return errors.Join(err, lock.Close())
	}
	r.s.lock.Close() // lets those go on who wait for it, and they find the other
	r.s.lock = lock
	return nil
}

// settle makes the last segment one that can be appended to: durable as far as it stays, and in log.
func (r *repair) settle() error {
	t, name := r.plan.tail, segmentName(r.plan.tail.segment)
	if r.plan.empty {
		if err := r.s.writeFile(r.s.path(name), nil); err != nil {
			return err
		}
		return r.s.disk.syncDir(r.s.path(""))
	}
	path := r.path(t.segment)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err = r.s.disk.rewrite(f, 0, t.offset); err == nil {
		err = r.s.disk.datasync(f)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if path == r.s.path(name) {
		return r.s.disk.syncDir(r.s.path(""))
	}
	r.s.disk.at(pointRename)
	if err := os.Rename(path, r.s.path(name)); err != nil {
		return err
	}
	return r.syncDirs(logDir, sealedDir)
}

// path is where a segment that stays is.
func (r *repair) path(first Commit) string {
	path := r.s.path(segmentName(first))
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		path = filepath.Join(r.s.dir, sealedDir, segmentName(first))
	}
	return path
}

// cut cuts off what goes of segments that stay.
func (r *repair) cut() error {
	for _, p := range r.plan.Pieces {
		first, ok := parseSegmentName(p.Segment)
		if p.kind != pieceRest || !ok {
			continue
		}
		f, err := os.OpenFile(r.path(first), os.O_RDWR, 0)
		if err != nil {
			return err
		}
		r.s.disk.at(pointCut)
		if err = f.Truncate(p.Offset); err == nil {
			err = r.s.disk.datasync(f)
		}
		if err := errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("cut segment: %w", err)
		}
	}
	return nil
}

// move takes whole files away.
func (r *repair) move() error {
	moved := false
	for _, p := range slices.Backward(r.plan.Pieces) {
		if p.kind != pieceWhole {
			continue
		}
		r.s.disk.at(pointRename)
		if err := os.Rename(p.Path, r.folder.place(p)); err != nil {
			return err
		}
		moved = true
	}
	if !moved {
		return nil
	}
	if err := r.s.disk.syncDir(r.folder.path); err != nil {
		return err
	}
	return r.syncDirs(logDir, sealedDir, snapshotDir)
}

func (r *repair) syncDirs(names ...string) error {
	for _, name := range names {
		err := r.s.disk.syncDir(filepath.Join(r.s.dir, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // nothing was sealed yet
			return err
		}
	}
	return nil
}

// promise makes D anew, so that it says how far the log goes now. It is another file than before: a
// process that does not know of the repair yet may have synced before it, and be about to write that into
// the D that it has open.
func (r *repair) promise() error {
	path := r.s.path(durableFile)
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil // nothing is promised
	}
	var slots [2 * slotSize]byte
	markOf(r.plan.tail).encode((*[slotSize]byte)(slots[:slotSize]), r.s.id)
	temp := path + ".new"
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := r.s.writeFile(temp, slots[:]); err != nil {
		return fmt.Errorf("write D file: %w", err)
	}
	r.s.marks.close() // or Windows would not let it be replaced
	r.s.disk.at(pointRename)
	if err := os.Rename(temp, path); err != nil {
		return err
	}
	return r.s.disk.syncDir(r.s.path(""))
}

// finish notes that all is done.
func (r *repair) finish() error { return r.folder.done() }
