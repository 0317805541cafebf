package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/queuectl/queuectl/internal/disk"
	"github.com/queuectl/queuectl/internal/file"
	"github.com/queuectl/queuectl/job"
)

// permissions looks who may do what in the directory.
func (v *visit) permissions(context.Context) error {
	if v.none {
		return errNothingThere
	}
	f, err := os.CreateTemp(v.near, ".queuectl-doctor-")
	if v.write = err == nil; v.write {
		if err := errors.Join(f.Close(), os.Remove(f.Name())); err != nil {
			return err
		}
	}
	if v.near != v.opt.Dir {
		if !v.write {
			v.say(Bad, v.near+" may not be written to, so that no queue can be made below it", "choose another directory with --dir")
			return nil
		}
		v.say(OK, v.near+" may be written to, so that a queue can be made below it", "")
		return nil
	}
	info, err := os.Stat(v.opt.Dir)
	if err != nil {
		return err
	}
	owner, known := disk.OwnerOf(info)
	if !known {
		if !v.write {
			v.say(Warn, "it may be read, and not changed", "check who may write to "+v.opt.Dir)
			return nil
		}
		v.say(OK, "it may be written to; who else may, is not looked at here", "")
		return nil
	}
	whose := fmt.Sprintf("%#o, of %s", info.Mode().Perm(), owner.Name())
	const groupOrOthers, write = 0o077, 0o022
	tighten := "chmod 700 " + job.Quote([]string{v.opt.Dir})
	switch mode := info.Mode().Perm(); {
	case !v.write:
		v.say(Warn, whose+": it may not be changed by this user", v.asOwner(info))
	case mode&write != 0:
		v.say(Bad, whose+": others may write to it, and so have commands run as whoever works here", tighten)
	case mode&groupOrOthers != 0:
		v.say(Warn, whose+": others may read commands and what they print", tighten)
	case !owner.Me:
		v.say(Warn, whose+": another user than this one; what this one writes there, that one may not be able to read", v.asOwner(info))
	default:
		v.say(OK, whose, "")
	}
	return nil
}

// fileSystem looks what the directory is on.
func (v *visit) fileSystem(context.Context) error {
	network, err := file.Network(v.near)
	if err != nil {
		return err
	}
	m, err := disk.MountOf(v.near)
	if err != nil {
		return err
	}
	kind := m.Kind
	if kind == "" {
		kind = "a file system of a kind that is not known"
	}
	if m.Point != "" {
		kind += " at " + m.Point
	}
	switch {
	case network != "" && !v.opt.AllowNetworkFS:
		v.say(Bad, kind+": locks of network file systems do not hold what a queue needs, and it is refused", "keep the queue on a local disk: choose a directory there with --dir")
	case network != "":
		v.say(Warn, kind+": locks of network file systems do not hold what a queue needs, and it is used all the same", "keep the queue on a local disk: choose a directory there with --dir")
	case m.Unsafe() != "":
		v.say(Warn, fmt.Sprintf("%s, mounted with %s: a sync does not outlast a power cut", kind, m.Unsafe()), "mount it without that option")
	case m.Vanishes() != "":
		v.say(Warn, kind+": "+m.Vanishes(), "keep the queue on a disk, or in a volume of the container: choose a directory there with --dir")
	case m.ReadOnly():
		v.say(Warn, kind+", mounted for reading only", "")
	default:
		v.say(OK, kind, "")
	}
	return nil
}

// space looks how much room is left.
func (v *visit) space(context.Context) error {
	s, known, err := disk.SpaceOf(v.near)
	if err != nil {
		return err
	}
	if !known || s.Total == 0 {
		return errUntold
	}
	const (
		none, little         = 4 << 20, 256 << 20 // bytes: a few segments of the log; a few runs that print much
		noFiles, littleFiles = 16, 1000
	)
	message := fmt.Sprintf("%s of %s are free", bytesWords(s.Free), bytesWords(s.Total))
	fewFiles := s.TotalFiles > 0 && s.Files < littleFiles
	if fewFiles {
		message += fmt.Sprintf(", and %d inodes", s.Files)
	}
	hint := "free some space; 'queuectl clean', 'queuectl log archive' and 'queuectl log prune' free that of the queue"
	switch {
	case s.Free < none || s.TotalFiles > 0 && s.Files < noFiles:
		v.say(Bad, message+": nothing new is accepted when that is gone", hint)
	case s.Free < little || fewFiles:
		v.say(Warn, message, hint)
	default:
		v.say(OK, message, "")
	}
	return nil
}

// sync measures how long a small commit takes.
func (v *visit) sync(ctx context.Context) error {
	if !v.write {
		return errors.New("the directory may not be written to")
	}
	const (
		syncs, most      = 50, 2 * time.Second
		incredible       = 15 * time.Microsecond // the quickest disks with a cache that outlasts a power cut take longer
		slow, sluggishly = 25 * time.Millisecond, 100 * time.Millisecond
	)
	s, err := disk.SyncLatency(ctx, v.near, disk.Measure{Syncs: syncs, Most: most})
	if err != nil {
		return err
	}
	message := fmt.Sprintf("p50 %s, p99 %s of %d syncs", round(s.P50), round(s.P99), s.N)
	many := "each change waits for one; many at a time share it, as with 'queuectl enqueue -f FILE'"
	switch {
	case s.P50 < incredible:
		v.say(Note, message+": so quick that this disk probably says so before it is true", "what was answered may be lost with the power; a disk with a cache that outlasts that is as quick")
	case s.P50 > sluggishly:
		v.say(Warn, message+": slow", many)
	case s.P50 > slow:
		v.say(Note, message, many)
	default:
		v.say(OK, message, "")
	}
	return nil
}

// locks looks whether a lock of this process excludes another.
func (v *visit) locks(ctx context.Context) error {
	if !v.write {
		return errors.New("the directory may not be written to")
	}
	f, err := os.CreateTemp(v.near, ".queuectl-lock-")
	if err != nil {
		return err
	}
	path := f.Name()
	defer os.Remove(path) // it says nothing
	l, err := file.OpenExistingLock(path)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	defer l.Close() // only locked
	if err := l.Exclusive(); err != nil {
		v.say(Bad, "no file can be locked: "+err.Error(), "choose a directory on another file system with --dir")
		return nil
	}
	whileHeld, err := v.opt.TryLock(ctx, path)
	if err == nil {
		err = l.Unlock()
	}
	if err != nil {
		return err
	}
	whenFree, err := v.opt.TryLock(ctx, path)
	if err != nil {
		return err
	}
	switch {
	case whileHeld:
		v.say(Bad, "a second process could take a lock that this one held: two workers could run one job", "choose a directory on another file system with --dir")
	case !whenFree:
		v.say(Bad, "a lock is held by nobody and cannot be taken: workers would wait for ever", "choose a directory on another file system with --dir")
	default:
		v.say(OK, "a lock excludes a second process, and is free when it is let go", "")
	}
	return nil
}

// TryLock says whether the lock of a file can be taken at once. It is let go again.
func TryLock(path string) (free bool, err error) {
	l, err := file.OpenExistingLock(filepath.Clean(path))
	if err != nil {
		return false, err
	}
	defer l.Close() // only locked
	return l.TryExclusive()
}
