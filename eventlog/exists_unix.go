//go:build unix

package eventlog

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// exists says if there is a file of that name in or below dir. It is asked three times for each commit of
// another process, and os.Lstat would take three times as long to say no.
func exists(dir *os.File, name string) (bool, error) {
	err := unix.Faccessat(int(dir.Fd()), name, unix.F_OK, 0)
	for errors.Is(err, unix.EINTR) {
		err = unix.Faccessat(int(dir.Fd()), name, unix.F_OK, 0)
	}
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, unix.ENOENT):
		return false, nil
	}
	return false, fmt.Errorf("look for %s: %w", name, err)
}
