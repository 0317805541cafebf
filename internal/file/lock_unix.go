//go:build unix

package file

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// openShared opens a lock file. Unix lets an open file be renamed and removed.
func openShared(path string, flag int) (*os.File, error) { return os.OpenFile(path, flag, 0o600) }

func isReadOnlyFS(err error) bool { return errors.Is(err, unix.EROFS) }

func lockFile(f *os.File, exclusive, wait bool) (bool, error) {
	how := unix.LOCK_SH
	if exclusive {
		how = unix.LOCK_EX
	}
	if !wait {
		how |= unix.LOCK_NB
	}
	err := control(f, func(fd int) error { return unix.Flock(fd, how) })
	if !wait && errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

func unlockFile(f *os.File) error {
	return control(f, func(fd int) error { return unix.Flock(fd, unix.LOCK_UN) })
}

// control runs a system call on f's descriptor, again if a signal interrupted it. f cannot be
// closed meanwhile.
func control(f *os.File, call func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var result error
	err = conn.Control(func(fd uintptr) {
		result = call(int(fd))
		for errors.Is(result, unix.EINTR) {
			result = call(int(fd))
		}
	})
	if err != nil {
		return os.ErrClosed // the one reason that there is
	}
	return result
}
