//go:build !windows

package main

import "syscall"

// errPipeClosed is what writing to a pipe that nobody reads gives, to those whom SIGPIPE does not end.
const errPipeClosed = syscall.EPIPE
