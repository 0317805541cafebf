package lease

import (
	"path/filepath"
	"strconv"
	"strings"
)

// LockFile is the lock file of a run.
type LockFile struct {
	Run  uint64
	Held bool // something of the run, or its worker, lives
}

// Survey lists the lock files of runs, as they are at the moment, in the order of their names. It changes nothing. The
// error is that one of them, or the directory, cannot be looked at.
func Survey(dir string) (files []LockFile, err error) {
	entries, err := list(runsDir(dir))
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		run, err := strconv.ParseUint(strings.TrimSuffix(e.Name(), lockSuffix), 10, 64)
		if err != nil {
			continue // hidden, or not ours
		}
		held, err := held(filepath.Join(runsDir(dir), e.Name()))
		if err != nil {
			return nil, err
		}
		files = append(files, LockFile{run, held})
	}
	return files, nil
}
