package shell

import (
	"errors"

	"golang.org/x/sys/unix"
)

// await returns when the first process has ended, without reaping it.
func (c *child) await() {
	for errors.Is(unix.Waitid(unix.P_PID, c.pid, nil, unix.WEXITED|unix.WNOWAIT, nil), unix.EINTR) {
	}
}
