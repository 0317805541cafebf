//go:build unix

package process

import (
	"errors"

	"golang.org/x/sys/unix"
)

// GroupExists says whether a process group has members, zombies among them. It is cheap, where [Group] looks at every
// process.
func GroupExists(pgid int) bool {
	// The call fails with EPERM if there are members, none of which we may signal.
	return pgid > 1 && !errors.Is(unix.Kill(-pgid, 0), unix.ESRCH)
}
