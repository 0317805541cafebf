package lease

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/queuectl/queuectl/internal/file"
)

// Sweep removes what nobody needs any more: lock files of runs that have ended, and files of workers that died before
// the log knew of them. It leaves alone what is locked, and what keep says: the current runs of jobs, whose files
// [EndOrphan] may need, and the workers that the log knows, whose files [ForgetWorker] removes.
//
// keep is called after the directories were listed: a run has a file only once its claim is durable, so that whoever
// looks at the log then sees every run that was listed and has not ended. An error of keep is returned, and nothing is
// removed.
func Sweep(dir string, keep func() (runs map[uint64]bool, workers map[string]bool, err error)) error {
	runFiles, runsErr := list(runsDir(dir))
	workerFiles, workersErr := list(workersDir(dir))
	if err := errors.Join(runsErr, workersErr); err != nil {
		return fmt.Errorf("sweep leases: %w", err)
	}
	runs, workers, err := keep()
	if err != nil {
		return err
	}
	return errors.Join(
		sweep(runsDir(dir), runFiles, func(name string) bool {
			run, err := strconv.ParseUint(name, 10, 64)
			return err != nil || runs[run]
		}),
		sweep(workersDir(dir), workerFiles, func(name string) bool { return workers[name] }),
	)
}

// list returns what is in a directory, nothing if it is not there.
func list(dir string) ([]os.DirEntry, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return entries, err
}

func sweep(dir string, entries []os.DirEntry, keep func(name string) bool) error {
	var errs []error
	for _, e := range entries {
		name := strings.TrimSuffix(strings.TrimSuffix(e.Name(), lockSuffix), fifoSuffix)
		if name == e.Name() {
			continue // not ours
		}
		// A hidden file is of an owner that died while it made it, or that starts again if it is gone: see publish.
		if !strings.HasPrefix(name, ".") && keep(name) {
			continue
		}
		path := filepath.Join(dir, name)
		errs = append(errs, removeUnheld(path+lockSuffix, path+fifoSuffix))
	}
	return errors.Join(errs...)
}

// removeUnheld removes the files unless somebody holds the lock. It holds it alone meanwhile: whoever made the file and
// is about to lock it finds it gone then, and no other Sweep takes a new file for the one that it looked at.
func removeUnheld(lock, fifo string) error {
	l, err := file.OpenExistingLock(lock)
	if errors.Is(err, fs.ErrNotExist) {
		return remove(fifo)
	}
	if err != nil {
		return err
	}
	defer l.Close() // only locked
	ours, err := l.TryExclusive()
	if ours {
		ours, err = l.Current()
	}
	if err != nil || !ours {
		return err
	}
	return remove(lock, fifo)
}
