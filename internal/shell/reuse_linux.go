package shell

import (
	"os"

	"golang.org/x/sys/unix"
)

// renameUnshared renames an open file if nobody else has it open, which the system knows who is asked for a lease: see
// F_SETLEASE in fcntl(2). Whoever opens the file while it is leased waits until it has its new name.
func renameUnshared(f *os.File, path string) bool {
	fd := f.Fd()
	if _, err := unix.FcntlInt(fd, unix.F_SETLEASE, unix.F_WRLCK); err != nil {
		return false
	}
	renamed := os.Rename(f.Name(), path) == nil
	_, err := unix.FcntlInt(fd, unix.F_SETLEASE, unix.F_UNLCK)
	return renamed && err == nil
}
