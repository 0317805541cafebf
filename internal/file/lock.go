package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
)

// Lock is an open lock file: flock(2) on Unix, LockFileEx on Windows. The kernel lets the lock go
// when its last holder is gone, however that came about. It is advisory, and belongs to the open
// file rather than to the process: two Locks of one path exclude each other even in one process,
// and on Unix a process that inherited [Lock.File] holds the lock as well. Its descriptor is
// close-on-exec.
//
// A Lock that is already held may be converted with the other kind of call; that is not atomic. The
// methods must not be called at the same time as Close.
type Lock struct {
	f    *os.File
	path string
	info fs.FileInfo // of f, for Current; the inode of an open file does not change
}

// OpenLock opens the file, and creates it (0600) if there is none; it does not lock it. A file that
// may not be written is opened for reading, which is enough to lock it.
func OpenLock(path string) (*Lock, error) {
	l, err := openLock(path, os.O_RDWR|os.O_CREATE)
	if !errors.Is(err, fs.ErrPermission) && !isReadOnlyFS(err) {
		return l, err
	}
	l, readErr := openLock(path, os.O_RDONLY)
	if errors.Is(readErr, fs.ErrNotExist) {
		return nil, err // why there is none: it may not be made
	}
	return l, readErr
}

// CreateLock is OpenLock of a new file: the error wraps [fs.ErrExist] if there is one.
func CreateLock(path string) (*Lock, error) { return openLock(path, os.O_RDWR|os.O_CREATE|os.O_EXCL) }

// OpenExistingLock opens the file for reading, which is enough to lock it. The error wraps
// [fs.ErrNotExist] if there is no such file.
func OpenExistingLock(path string) (*Lock, error) { return openLock(path, os.O_RDONLY) }

func openLock(path string, flag int) (*Lock, error) {
	f, err := openShared(path, flag)
	if err != nil {
		return nil, fmt.Errorf("open lock file: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close() // nothing was written
		return nil, fmt.Errorf("stat lock file: %w", err)
	}
	return &Lock{f: f, path: path, info: info}, nil
}

// Exclusive waits until it alone holds the lock. Waiting takes a thread and cannot be cancelled; a
// signal does not end it.
func (l *Lock) Exclusive() error { _, err := l.lock(true, true); return err }

// Shared waits until it holds the lock together with no one but other sharers.
func (l *Lock) Shared() error { _, err := l.lock(false, true); return err }

// TryExclusive is Exclusive without waiting: it reports false if somebody else holds the lock.
func (l *Lock) TryExclusive() (bool, error) { return l.lock(true, false) }

// TryShared is Shared without waiting: it reports false if somebody else holds the lock
// exclusively.
func (l *Lock) TryShared() (bool, error) { return l.lock(false, false) }

func (l *Lock) lock(exclusive, wait bool) (bool, error) {
	ok, err := lockFile(l.f, exclusive, wait)
	if err != nil {
		return false, &fs.PathError{Op: "lock", Path: l.path, Err: err}
	}
	return ok, nil
}

// Unlock lets the lock go at once, on behalf of every process that inherited it too.
func (l *Lock) Unlock() error {
	if err := unlockFile(l.f); err != nil {
		return &fs.PathError{Op: "unlock", Path: l.path, Err: err}
	}
	return nil
}

// Close closes the file. That lets the lock go unless a process inherited it.
func (l *Lock) Close() error {
	if runtime.GOOS == "windows" {
		// A closed handle's lock goes some time later, and nobody inherits it. The error would be
		// that nothing is locked.
		_ = l.Unlock()
	}
	if err := l.f.Close(); err != nil {
		return fmt.Errorf("close lock file: %w", err)
	}
	return nil
}

// Current says whether the path still leads to the open file. Ask while the lock is held: a lock on
// a file that was replaced or removed excludes nobody who comes by the path.
func (l *Lock) Current() (bool, error) {
	info, err := os.Stat(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("stat lock file: %w", err)
	}
	return os.SameFile(info, l.info), nil
}

// Same says whether both are locks on one file.
func (l *Lock) Same(other *Lock) bool { return os.SameFile(l.info, other.info) }

// Rename gives the file another name, in place of a file that may have it. Ask while the lock is
// held.
func (l *Lock) Rename(path string) error {
	if err := os.Rename(l.path, path); err != nil {
		return fmt.Errorf("rename lock file: %w", err)
	}
	l.path = path
	return nil
}

// File returns the open file: to pass it to a child process, or to read and write what the lock
// file says to people. It stays the Lock's own.
func (l *Lock) File() *os.File { return l.f }

// Holder describes who holds the lock now, for people: "pid 4711 (queuectl worker start)". It is ""
// if that cannot be told: outside Linux, for a holder in another container, or when nobody holds
// it.
func (l *Lock) Holder() string { return holder(l.f) }
