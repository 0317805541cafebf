package file

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// holder looks the file up in /proc/locks (proc_locks(5)), which names who took a lock, not who
// inherited it:
//
//	1: FLOCK  ADVISORY  WRITE 4711 fe:00:131078 0 EOF
func holder(f *os.File) string {
	var st unix.Stat_t
	if control(f, func(fd int) error { return unix.Fstat(fd, &st) }) != nil {
		return ""
	}
	locks, err := os.ReadFile("/proc/locks")
	if err != nil {
		return ""
	}
	dev := uint64(st.Dev) // 32 bits wide on some systems
	want := fmt.Sprintf("%02x:%02x:%d", unix.Major(dev), unix.Minor(dev), st.Ino)
	for line := range strings.Lines(string(locks)) {
		// A line with "->" after its number waits for the lock.
		field := strings.Fields(line)
		if len(field) < 6 || field[1] != "FLOCK" || field[5] != want || field[4] == "0" {
			continue
		}
		return describe(field[4])
	}
	return ""
}

func describe(pid string) string {
	args, err := os.ReadFile("/proc/" + pid + "/cmdline")
	args = bytes.TrimRight(args, "\x00")
	if err != nil || len(args) == 0 {
		return "pid " + pid
	}
	const most = 100 // bytes: for one line of a message
	line := strings.ToValidUTF8(string(bytes.ReplaceAll(args, []byte{0}, []byte{' '})), "?")
	if len(line) > most {
		line = strings.ToValidUTF8(line[:most], "") + "…"
	}
	return fmt.Sprintf("pid %s (%s)", pid, line)
}
