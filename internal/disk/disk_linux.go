package disk

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// mountOf looks into /proc/self/mountinfo, which has a line for each file system that is mounted, later ones over
// earlier ones: proc_pid_mountinfo(5).
//
//	36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
func mountOf(path string) (Mount, error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return Mount{}, nil // it is not mounted
	}
	return findMount(string(text), path), nil
}

func findMount(mountinfo, path string) (found Mount) {
	for line := range strings.Lines(mountinfo) {
		own, rest, _ := strings.Cut(line, " - ")
		field, kind := strings.Fields(own), strings.Fields(rest)
		if len(field) < 6 || len(kind) < 1 {
			continue
		}
		point := unescape(field[4])
		if !covers(point, path) || len(point) < len(found.Point) {
			continue
		}
		found = Mount{Kind: kind[0], Point: point, Options: strings.Split(field[5], ",")}
		if len(kind) > 2 {
			found.Options = append(found.Options, strings.Split(kind[2], ",")...)
		}
	}
	return found
}

// covers says that a path is a mount point or below it.
func covers(point, path string) bool {
	return point == "/" || path == point || strings.HasPrefix(path, point+"/")
}

// unescape undoes what the kernel does to the characters that would end a field.
func unescape(field string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(field)
}

func spaceOf(path string) (Space, bool, error) {
	var st unix.Statfs_t
	err := unix.Statfs(path, &st)
	for errors.Is(err, unix.EINTR) {
		err = unix.Statfs(path, &st)
	}
	if err != nil {
		return Space{}, false, &os.PathError{Op: "statfs", Path: path, Err: err}
	}
	block := uint64(st.Frsize)
	return Space{Free: st.Bavail * block, Total: st.Blocks * block, Files: st.Ffree, TotalFiles: st.Files}, true, nil
}
