//go:build !windows

package main

import "syscall"

// apart lets a process live on when the terminal that it was started from goes away: in a session of its own no
// Ctrl-C and no hang-up reaches it.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
