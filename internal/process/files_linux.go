package process

import "golang.org/x/sys/unix"

// MostFiles returns how many files a process may have open (RLIMIT_NOFILE, "ulimit -n"); the pid 0 is this process.
// known is false where that cannot be told, as of a process of another user.
func MostFiles(pid int) (most uint64, known bool) {
	var limit unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &limit); err != nil {
		return 0, false
	}
	return limit.Cur, true
}
