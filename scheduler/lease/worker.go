package lease

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/queuectl/queuectl/internal/file"
)

// Worker is the lock that says that a worker is alive. It is held until Release or the end of the process.
type Worker struct {
	lock       *file.Lock
	fifo       *os.File // open for writing; nil where there are none
	path, pipe string
}

// HoldWorker makes the files of a worker and takes its lock. The id is random and never used again: letters, digits,
// "-", "_". Nobody can see the lock file unlocked. The worker may be made known when HoldWorker has returned: others then
// find its FIFO.
func HoldWorker(dir, id string) (*Worker, error) {
	path, err := workerFile(dir, id, lockSuffix)
	if err != nil {
		return nil, err
	}
	w := &Worker{path: path}
	w.pipe, _ = workerFile(dir, id, fifoSuffix) // the id is usable
	if w.lock, err = publish(path); err != nil {
		return nil, err
	}
	if w.fifo, err = makeFIFO(w.pipe); err == nil {
		err = w.describe()
	}
	if err != nil {
		return nil, errors.Join(err, w.Release())
	}
	return w, nil
}

// describe says in the lock file whose it is. That is for people: the start of the worker is the time of the file.
func (w *Worker) describe() error {
	host, _ := os.Hostname() // "" if unknown
	text, err := json.Marshal(struct {
		Pid   int    `json:"pid"`
		Start uint64 `json:"start,omitempty"`
		Host  string `json:"host,omitempty"`
		Boot  string `json:"boot,omitempty"`
	}{self().Pid, self().Start, host, file.BootID()})
	if err == nil {
		_, err = w.lock.File().WriteAt(append(text, '\n'), 0)
	}
	if err != nil {
		return fmt.Errorf("write worker lock file: %w", err)
	}
	return nil
}

// Release removes the files and lets the lock go. The worker's end has to be durable in the log before: from here on
// others take it for dead.
func (w *Worker) Release() error {
	return errors.Join(remove(w.path, w.pipe), w.lock.Close(), w.closeFIFO())
}

func (w *Worker) closeFIFO() error {
	if w.fifo == nil {
		return nil
	}
	if err := w.fifo.Close(); err != nil {
		return fmt.Errorf("close worker fifo: %w", err)
	}
	return nil
}

// WorkerAlive says whether the process of the worker lives: false when its lock can be taken, shared, without waiting,
// or its file is missing. An error says nothing about the worker.
func WorkerAlive(dir, id string) (bool, error) {
	path, err := workerFile(dir, id, lockSuffix)
	if err != nil {
		return false, err
	}
	return held(path)
}

// WatchWorker returns a channel that is closed when the worker's process may be gone: look with [WorkerAlive]. Its own
// goroutine ends with ctx, after which the channel is never closed; no thread waits. It is a hint. On Windows, on
// darwin, and on file systems without FIFOs it does not come when a living worker dies, so that a slow sweep has to
// back it up.
func WatchWorker(ctx context.Context, dir, id string) <-chan struct{} {
	gone := make(chan struct{})
	path, err := workerFile(dir, id, fifoSuffix)
	if err != nil {
		return gone
	}
	fifo, err := openFIFO(path)
	if err != nil {
		if alive, err := WorkerAlive(dir, id); err == nil && !alive {
			close(gone)
		}
		return gone
	}
	go func() {
		stop := context.AfterFunc(ctx, func() { fifo.Close() }) // ends the read
		defer stop()
		buf := make([]byte, 64)
		for {
			if _, err = fifo.Read(buf); err != nil {
				break // nobody writes, so that this is the end, or ctx's
			}
		}
		if ctx.Err() == nil {
			fifo.Close() // opened for reading
			close(gone)
		}
	}()
	return gone
}

// ForgetWorker removes the files of a dead worker. That it was lost has to be durable in the log before. Files that are
// gone already are no error.
func ForgetWorker(dir, id string) error {
	lock, err := workerFile(dir, id, lockSuffix)
	if err != nil {
		return err
	}
	fifo, _ := workerFile(dir, id, fifoSuffix) // the id is usable
	return remove(lock, fifo)
}
