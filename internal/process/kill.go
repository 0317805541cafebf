//go:build linux || darwin

package process

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

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
