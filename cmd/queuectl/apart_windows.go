package main

import (
	"syscall"

	"golang.org/x/sys/windows"
)

// apart lets a process live on when the terminal that it was started from goes away: with a console of its own,
// which nobody sees and which its commands share, no Ctrl-C reaches it.
func apart() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: windows.CREATE_NO_WINDOW | windows.CREATE_NEW_PROCESS_GROUP}
}
