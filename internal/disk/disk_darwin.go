package disk

import (
	"os"

	"golang.org/x/sys/unix"
)

func mountOf(path string) (Mount, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return Mount{}, &os.PathError{Op: "statfs", Path: path, Err: err}
	}
	m := Mount{Kind: unix.ByteSliceToString(st.Fstypename[:]), Point: unix.ByteSliceToString(st.Mntonname[:])}
	if st.Flags&unix.MNT_RDONLY != 0 {
		m.Options = append(m.Options, "ro")
	}
	return m, nil
}

func spaceOf(path string) (Space, bool, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return Space{}, false, &os.PathError{Op: "statfs", Path: path, Err: err}
	}
	block := uint64(st.Bsize)
	return Space{Free: st.Bavail * block, Total: st.Blocks * block, Files: st.Ffree, TotalFiles: st.Files}, true, nil
}
