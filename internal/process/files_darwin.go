package process

import "golang.org/x/sys/unix"

// MostFiles returns how many files this process, pid 0, may have open. Of another process known is false.
func MostFiles(pid int) (most uint64, known bool) {
	var limit unix.Rlimit
	if pid != 0 || unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return 0, false
	}
	return limit.Cur, true
}
