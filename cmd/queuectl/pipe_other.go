//go:build !windows

package main

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// errPipeClosed is what writing to a pipe that nobody reads gives, to those whom SIGPIPE does not end.
const errPipeClosed = syscall.EPIPE

// abandoned says that nobody can read what is written to f any more: a pipe without readers, a terminal that
// is gone. Who has nothing to write would not notice otherwise.
func abandoned(f *os.File) bool {
	fds := []unix.PollFd{{Fd: int32(f.Fd())}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n > 0 && fds[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0
}
