//go:build unix

package lease

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// makeFIFO makes a FIFO and opens it for writing. It returns nil where the file system has none.
func makeFIFO(path string) (*os.File, error) {
	err := unix.Mkfifo(path, 0o600)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.ENOSYS) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("make worker fifo: %w", &os.PathError{Op: "mkfifo", Path: path, Err: err})
	}
	// O_WRONLY would fail while nobody reads, or wait; O_RDWR, which POSIX leaves open, does neither on any Unix.
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open worker fifo: %w", err)
	}
	return f, nil
}

// openFIFO opens a FIFO for reading without waiting for a writer, and so that reads park a goroutine, not a thread.
func openFIFO(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
}
