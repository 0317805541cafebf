package shell

import (
	"os"

	"golang.org/x/sys/unix"
)

// unnamedFile makes a file that is gone when the last who has it open closes it.
func unnamedFile() (*os.File, error) {
	fd, err := unix.MemfdCreate("stdin", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	return os.NewFile(uintptr(fd), "stdin"), nil
}
