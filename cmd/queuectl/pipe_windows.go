package main

import "syscall"

// errPipeClosed is what writing to a pipe that nobody reads gives (ERROR_NO_DATA).
const errPipeClosed = syscall.Errno(232)
