package soak

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Process returns how many bytes of memory a process has that it shares with no file, and how many descriptors are
// open in it. It needs /proc, and the right to look there.
func Process(pid int) (memory int64, descriptors int, err error) {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return 0, 0, err
	}
	_, rest, found := strings.Cut(string(status), "\nRssAnon:")
	if !found {
		return 0, 0, fmt.Errorf("%s/status tells no memory: the process is dead, or the kernel older than Linux 4.5", dir)
	}
	var kib int64
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		return 0, 0, fmt.Errorf("%s/status: %w", dir, err)
	}
	open, err := os.ReadDir(filepath.Join(dir, "fd"))
	return kib << 10, len(open), err
}

// Directory adds up the files below a directory, those of others that come and go meanwhile or not.
func Directory(dir string) (bytes int64, files int, err error) {
	err = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			var info fs.FileInfo
			if info, err = entry.Info(); err == nil {
				bytes, files = bytes+info.Size(), files+1
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	return bytes, files, err
}
