// Package lease says who may run a job, by locks that the kernel lets go when their last holder is gone.
//
// It promises: a worker that is alive is never taken for dead, and one that is dead, however it died, is known to be
// within milliseconds, without heartbeats or expiry times; and [EndOrphan] returns nil only when nothing of a lost run
// can be found any more, so that two runs of a job do not overlap.
//
// There are two kinds of lock, each a file under the queue's directory:
//
//	workers/<id>.lock   held by the worker's process for its whole life, inherited by nobody: this worker is alive
//	workers/<id>.fifo   open for writing in that process: its end wakes up whoever reads it. A hint, not the truth
//	runs/<run>.lock     held by the worker and, on Unix, by every process of the command: something of this run lives
//
// None of them is synced. After a power cut no process lives, and that is what a missing file and a free lock both say.
//
// All functions may be called from any goroutine and any process at the same time.
//
// The package decides nothing about jobs: what is claimed, lost and run again is in the log, and each function says
// what has to be durable there before it is called. A lock says alive, not progressing. It cannot see what hides from
// it: a process of a run that closed the lock, changed its session and its environment, or lives on another machine.
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

const (
	lockSuffix = ".lock"
	fifoSuffix = ".fifo"
)

func workersDir(dir string) string { return filepath.Join(dir, "workers") }
func runsDir(dir string) string    { return filepath.Join(dir, "runs") }

// workerFile is the path of one of the worker's files. Ids come from the log, so that they are not to be trusted as
// names of files.
func workerFile(dir, id, suffix string) (string, error) {
	if id == "" || strings.HasPrefix(id, ".") || strings.ContainsAny(id, "/\\:\x00") {
		return "", fmt.Errorf("worker id %q: not usable as a file name", id)
	}
	return filepath.Join(workersDir(dir), id+suffix), nil
}

func runFile(dir string, run uint64) string {
	return filepath.Join(runsDir(dir), strconv.FormatUint(run, 10)+lockSuffix)
}

// hiddenFile is where a lock file is before it is locked.
func hiddenFile(path string) string {
	dir, base := filepath.Split(path)
	return filepath.Join(dir, "."+base)
}

// publish makes a lock file under a hidden name, locks it, and renames it into place, so that nobody can see it
// unlocked and think its owner dead. A file that is in its place belongs to an owner whose number is used again because
// the log was restored from a backup; it is replaced.
func publish(path string) (*file.Lock, error) {
	hidden := hiddenFile(path)
	for {
		l, err := inDir(file.OpenLock, hidden)
		if err != nil {
			return nil, err
		}
		if err = l.Exclusive(); err == nil {
			err = os.Rename(hidden, path)
		}
		if err == nil {
			return l, nil
		}
		l.Close() // nothing was written
		// A Sweep that met the file before it was locked has removed it.
		if !errors.Is(err, fs.ErrNotExist) {
			os.Remove(hidden) // a leftover would be in nobody's way
			return nil, fmt.Errorf("publish lock file: %w", err)
		}
	}
}

// inDir opens a lock file in a directory that is made if there is none. The queue's own directory is not: who deleted it
// does not want it back.
func inDir(open func(string) (*file.Lock, error), path string) (*file.Lock, error) {
	l, err := open(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return l, err
	}
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make directory: %w", err)
	}
	return open(path)
}

// held says whether somebody holds the lock. It asks by a shared lock that it lets go at once, so that any number of
// askers see the same.
func held(path string) (bool, error) {
	l, err := file.OpenExistingLock(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer l.Close() // only locked
	free, err := l.TryShared()
	return !free, err
}

// remove removes files that may be gone already.
func remove(paths ...string) error {
	var errs []error
	for _, p := range paths {
		if err := os.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("remove lease file: %w", err))
		}
	}
	return errors.Join(errs...)
}
