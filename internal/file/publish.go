// Package file does to files what the standard library leaves out.
//
// It promises: a [Lock] says that its holder lives, and says it no longer when the holder is gone,
// however it went; a file that [Publish] wrote is there whole or not at all, and for good when
// Publish returns; [Datasync] and [SyncDir] return nil only when the system said that bytes or
// names are on the disk.
//
// It does not make a disk honest, does not lock across a network, and knows nothing of queues.
package file

import (
	"fmt"
	"os"
	"path/filepath"
)

// Publish writes a file at path, in place of one that may be there: write fills a temporary file in the
// same directory, which is synced and renamed, then the directory is synced. Readers see the old file
// or the new one, whole. When it returns nil, the new one is durable; when the last step failed, the
// new one is there but may not outlast a power cut. A crash can leave the temporary file, whose name
// begins with a dot.
func Publish(path string, perm os.FileMode, write func(*os.File) error) error {
	dir, base := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	f, err := os.CreateTemp(dir, "."+base+".*")
	if err != nil {
		return fmt.Errorf("publish file: %w", err)
	}
	if err = fill(f, perm, write); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name()) // what is left of it would be in nobody's way
		return fmt.Errorf("publish file: %w", err)
	}
	return SyncDir(dir)
}

// fill writes, syncs and closes f.
func fill(f *os.File, perm os.FileMode, write func(*os.File) error) error {
	err := write(f)
	if err == nil {
		err = f.Chmod(perm)
	}
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}

// WriteOut returns when n bytes at offset, which were written before, are on their way to the disk no more, so that no
// great heap of them is waited for by whoever syncs another file. It makes nothing durable: [Datasync] does. An error is
// one of writing, which no later sync may tell of. It needs Linux; elsewhere it does nothing.
func WriteOut(f *os.File, offset, n int64) error {
	if err := writeOut(f, offset, n); err != nil {
		return &os.PathError{Op: "sync_file_range", Path: f.Name(), Err: err}
	}
	return nil
}

// Datasync makes the bytes of f durable, and as much of the rest as is needed to read them back:
// fdatasync on Linux, F_FULLFSYNC on darwin, [os.File.Sync] elsewhere. A signal does not end it.
// After an error nothing is known about any byte written since the last success, and a second call
// proves nothing about them.
func Datasync(f *os.File) error {
	if err := datasync(f); err != nil {
		return fmt.Errorf("sync %s: %w", f.Name(), err)
	}
	return nil
}

// SyncDir makes the names in a directory durable. Windows and file systems without that operation
// do nothing.
func SyncDir(path string) error {
	if err := syncDir(path); err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return nil
}

// Reserve allocates blocks for the first size bytes of f without changing its size or content.
// supported is false where the system or the file system cannot. A full disk is an error that wraps
// syscall.ENOSPC or syscall.EDQUOT.
func Reserve(f *os.File, size int64) (supported bool, err error) {
	supported, err = reserve(f, size)
	if err != nil {
		return supported, fmt.Errorf("reserve space for %s: %w", f.Name(), err)
	}
	return supported, nil
}

// Largest is how many bytes this process may write into a file (RLIMIT_FSIZE, "ulimit -f"). Where there
// is no limit it is the largest number.
func Largest() int64 { return largest() }

// Network names the kind of network file system that path lies on, or would lie on if it existed:
// "nfs", "smb", "9p", "fuse". It is "" for a local one, and where the system does not say.
func Network(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("find file system: %w", err)
	}
	for {
		name, err := network(abs)
		if parent := filepath.Dir(abs); os.IsNotExist(err) && parent != abs {
			abs = parent
			continue
		}
		if err != nil {
			return "", fmt.Errorf("find file system of %s: %w", abs, err)
		}
		return name, nil
	}
}

// BootID names this boot of the machine: what was there before it, process or lock, is gone. It is
// "" if that cannot be told (outside Linux and darwin).
func BootID() string { return bootID() }
