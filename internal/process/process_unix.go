//go:build unix

package process

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// GroupExists says whether a process group has members, zombies among them. It is cheap, where [Group] looks at every
// process.
func GroupExists(pgid int) bool {
	// The call fails with EPERM if there are members, none of which we may signal.
	return pgid > 1 && !errors.Is(unix.Kill(-pgid, 0), unix.ESRCH)
}

// kill compares the start time and then signals the pid.
func (id ID) kill(sig syscall.Signal) error {
	if !id.Lives() {
		return os.ErrProcessDone
	}
	if err := unix.Kill(id.Pid, sig); errors.Is(err, unix.ESRCH) {
		return os.ErrProcessDone
	} else if err != nil {
		return fmt.Errorf("signal process %d: %w", id.Pid, err)
	}
	return nil
}
