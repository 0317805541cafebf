package lease

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/queuectl/queuectl/internal/file"
	"github.com/queuectl/queuectl/internal/process"
)

// Run is the lock of one run. On Unix the processes of the command inherit it and hold it too.
type Run struct {
	dir    string
	run    uint64
	lock   *file.Lock
	length int // of what the file says, perhaps of an earlier run
}

// HoldRun makes and takes the lock of a run, whose claim is durable.
func HoldRun(dir string, run uint64) (*Run, error) {
	path := runFile(dir, run)
	for {
		l, err := inDir(file.CreateLock, path)
		if errors.Is(err, fs.ErrExist) {
			if l, err = publish(path); err != nil {
				return nil, err
			}
			return &Run{dir: dir, run: run, lock: l}, nil
		}
		if err != nil {
			return nil, err
		}
		// Making the file under its own name saves a rename for each run. That it can be seen unlocked for a moment
		// misleads nobody but a Sweep that has not heard of the run yet: it locks the file and removes it.
		var ours bool
		if err = l.Exclusive(); err == nil {
			ours, err = l.Current()
		}
		if ours {
			return &Run{dir: dir, run: run, lock: l}, nil
		}
		if err = errors.Join(err, l.Close()); err != nil {
			return nil, err
		}
	}
}

// File is to be passed to the command, as a descriptor ≥ 100 where it may have so many: everyday scripts close low ones.
// It stays the Run's own.
func (r *Run) File() *os.File { return r.lock.File() }

// marks are the variables that every process of a run has in its environment, unless it took them out: the caller that
// starts the command puts them in.
func marks(dir string, run uint64) []string {
	return []string{"QUEUECTL_RUN=" + strconv.FormatUint(run, 10), "QUEUECTL_DIR=" + dir}
}

// record is what the lock file says about a started run: to [EndOrphan], and to people who look into it.
type record struct {
	Run       uint64 `json:"run"`                 // whose record it is: the file may have been that of an earlier one
	Dir       string `json:"dir"`                 // as the command's environment has it
	Group     int    `json:"group"`               // process group and session of the command
	Start     uint64 `json:"start,omitempty"`     // start time of the process that leads it; 0 = it had ended
	Boot      string `json:"boot,omitempty"`      // "" = unknown
	Namespace string `json:"namespace,omitempty"` // of pids; "" = unknown
	Worker    int    `json:"worker"`              // pid of the worker
}

// self is this process. It does not change.
var self = sync.OnceValue(func() process.ID {
	st, _ := process.Look(os.Getpid())
	return process.ID{Pid: os.Getpid(), Start: st.Start}
})

// Started records the command's process, which leads a group and session of its own, in the lock file, so that the
// command can be ended if the worker dies. The pid 0, of a command that could not be started, records nothing. An
// error does not touch the lock: the command is then found by its lock and its environment alone.
func (r *Run) Started(pid int) error {
	if pid == 0 {
		return nil
	}
	leader, err := process.Look(pid)
	switch {
	case errors.Is(err, os.ErrProcessDone), errors.Is(err, errors.ErrUnsupported): // Start is 0
	case err != nil:
		return fmt.Errorf("record started run: %w", err)
	}
	text, err := json.Marshal(record{
		Run: r.run, Dir: r.dir, Group: pid, Start: leader.Start,
		Boot: file.BootID(), Namespace: process.Namespace(),
		Worker: self().Pid,
	})
	if err == nil {
		// To write over all that is there costs less than to empty the file first.
		for len(text) < r.length-1 {
			text = append(text, ' ')
		}
		r.length, err = r.lock.File().WriteAt(append(text, '\n'), 0)
	}
	if err != nil {
		return fmt.Errorf("record started run: %w", err)
	}
	return nil
}

// Abandon lets the worker's hold go and leaves the file, for [EndOrphan]: the outcome of the run could not be recorded.
func (r *Run) Abandon() error { return r.lock.Close() }

// Release lets the worker's hold go. The outcome of the run has to be durable before. It removes the file unless a
// process that the command left behind still holds the lock; then leftBehind is true, and the file stays for a later
// [Sweep].
func (r *Run) Release() (leftBehind bool, err error) {
	l, err := r.retake()
	if err != nil || l == nil {
		return err == nil, err
	}
	defer l.Close() // only locked
	return false, remove(runFile(r.dir, r.run))
}

// Follow is Release, and then HoldRun of another run, whose claim is durable too. Unless something of the first run is
// left behind, the second gets its file, under another name: to make a file costs many times as much as to rename one,
// the more so the more were removed lately.
func (r *Run) Follow(run uint64) (*Run, error) {
	l, err := r.retake()
	if err != nil {
		return nil, err
	}
	if l == nil {
		return HoldRun(r.dir, run)
	}
	if l.Rename(runFile(r.dir, run)) != nil {
		// A Sweep, to which the first run is over, may have met the file while it was not locked, and has removed it.
		l.Close() // only locked
		return HoldRun(r.dir, run)
	}
	return &Run{dir: r.dir, run: run, lock: l, length: r.length}, nil
}

// retake lets the lock go, and takes it again if nobody else holds it; else it returns nil.
func (r *Run) retake() (*file.Lock, error) {
	if err := r.lock.Close(); err != nil {
		return nil, err
	}
	l, err := file.OpenLock(runFile(r.dir, r.run))
	if err != nil {
		return nil, err
	}
	ours, err := l.TryExclusive()
	if !ours && err == nil {
		// Perhaps only a process that this one is about to make holds it, which has our descriptors until it executes
		// its program. There is none while we keep others from forking, but for those that the kernel has let go on and
		// whose descriptors it is closing: that takes microseconds.
		const most = 4 * time.Millisecond
		syscall.ForkLock.RLock()
		ours, err = l.TryExclusive()
		syscall.ForkLock.RUnlock()
		for pause := 20 * time.Microsecond; !ours && err == nil && pause < most; pause *= 2 {
			time.Sleep(pause)
			ours, err = l.TryExclusive()
		}
	}
	if !ours {
		l.Close() // not locked
		return nil, err
	}
	return l, nil
}
