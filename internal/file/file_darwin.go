package file

import (
	"errors"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// datasync: the standard library's Sync is F_FULLFSYNC on darwin, since fsync there leaves the
// bytes in the disk's cache.
func datasync(f *os.File) error { return f.Sync() }

func writeOut(*os.File, int64, int64) error { return nil }

func reserve(f *os.File, size int64) (bool, error) {
	var st unix.Stat_t
	if err := control(f, func(fd int) error { return unix.Fstat(fd, &st) }); err != nil {
		return false, err
	}
	const block = 512                 // the unit of Blocks: stat(2)
	missing := size - st.Blocks*block // F_PREALLOCATE counts from the end of what is allocated
	if missing <= 0 {
		return true, nil
	}
	store := &unix.Fstore_t{Flags: unix.F_ALLOCATEALL, Posmode: unix.F_PEOFPOSMODE, Length: missing}
	err := control(f, func(fd int) error { return unix.FcntlFstore(uintptr(fd), unix.F_PREALLOCATE, store) })
	if errors.Is(err, unix.ENOTSUP) {
		return false, nil
	}
	return true, err
}

func network(path string) (string, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return "", err
	}
	if st.Flags&unix.MNT_LOCAL != 0 {
		return "", nil
	}
	return unix.ByteSliceToString(st.Fstypename[:]), nil
}

var bootID = sync.OnceValue(func() string {
	id, err := unix.Sysctl("kern.bootsessionuuid")
	if err != nil {
		return ""
	}
	return id
})
