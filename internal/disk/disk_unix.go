//go:build unix

package disk

import (
	"io/fs"
	"os"
	"strconv"
	"syscall"
)

func sameFS(a, b string) (same, known bool, err error) {
	var devices [2]uint64
	for i, path := range []string{a, b} {
		info, err := os.Stat(path)
		if err != nil {
			return false, false, err
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return false, false, nil
		}
		devices[i] = uint64(st.Dev)
	}
	return devices[0] == devices[1], true, nil
}

func ownerOf(info fs.FileInfo) (Owner, bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return Owner{}, false
	}
	return Owner{Me: int(st.Uid) == os.Geteuid(), Root: st.Uid == 0, id: strconv.FormatUint(uint64(st.Uid), 10)}, true
}
