package queue

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/scheduler/lease"
)

// leases says which workers live. Files and their kernel locks say it for a directory, a table for a
// queue in memory.
type leases interface {
	hold(id string) (release func() error, err error)
	alive(id string) (bool, error)
	watch(ctx context.Context, id string) <-chan struct{} // closed when it may have died: a hint
	forget(id string) error
	endOrphan(ctx context.Context, run job.Position, grace time.Duration) error
	sweep(keep func() (runs map[uint64]bool, workers map[string]bool, err error)) error
}

type fileLeases struct{ dir string }

func (l fileLeases) hold(id string) (func() error, error) {
	w, err := lease.HoldWorker(l.dir, id)
	if err != nil {
		return nil, fmt.Errorf("hold worker lock: %w", err)
	}
	return w.Release, nil
}

func (l fileLeases) alive(id string) (bool, error) { return lease.WorkerAlive(l.dir, id) }

func (l fileLeases) watch(ctx context.Context, id string) <-chan struct{} {
	return lease.WatchWorker(ctx, l.dir, id)
}

func (l fileLeases) forget(id string) error { return lease.ForgetWorker(l.dir, id) }

func (l fileLeases) endOrphan(ctx context.Context, run job.Position, grace time.Duration) error {
	return lease.EndOrphan(ctx, l.dir, uint64(run), grace)
}

func (l fileLeases) sweep(keep func() (map[uint64]bool, map[string]bool, error)) error {
	return lease.Sweep(l.dir, keep)
}

// Memory is a queue that lives in memory, for tests: several Queues may be opened on it, as processes
// open a directory. It runs handlers, not commands.
type Memory struct {
	Log *eventlog.Memory // its log: faults and power cuts are injected there

	mu      sync.Mutex
	workers map[string]*memWorker
}

// memWorker is a worker that was started and has neither stopped nor been forgotten.
type memWorker struct {
	owner leases
	gone  chan struct{} // closed when it died
}

func (w *memWorker) dead() bool {
	select {
	case <-w.gone:
		return true
	default:
		return false
	}
}

// die is called with the Memory's lock held.
func (w *memWorker) die() {
	if !w.dead() {
		close(w.gone)
	}
}

// NewMemory returns an empty queue in memory.
func NewMemory() *Memory {
	return &Memory{Log: eventlog.NewMemory(), workers: map[string]*memWorker{}}
}

// Open opens the queue, as one process would.
func (m *Memory) Open(ctx context.Context, opt Options) (*Queue, error) {
	q := newQueue("", opt)
	q.leases = &memLeases{m: m}
	q.reader = func(from eventlog.Position) (*eventlog.Reader, error) { return m.Log.ReaderAt(from), nil }
	var err error
	if q.log, err = m.Log.Open(ctx, q.m, q.logOptions()); err != nil {
		return nil, fmt.Errorf("open queue in memory: %w", err)
	}
	return q, nil
}

// Kill makes q, which was opened by this Memory, behave as if its process had been killed: nothing that
// it has not made durable happens any more, and its workers are dead.
func (m *Memory) Kill(q *Queue) {
	q.log.Kill()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, w := range m.workers {
		if w.owner == q.leases {
			w.die()
		}
	}
}

type memLeases struct{ m *Memory }

func (l *memLeases) hold(id string) (func() error, error) {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	l.m.workers[id] = &memWorker{owner: l, gone: make(chan struct{})}
	return func() error { return l.forget(id) }, nil
}

func (l *memLeases) alive(id string) (bool, error) {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	w := l.m.workers[id]
	return w != nil && !w.dead(), nil
}

func (l *memLeases) watch(_ context.Context, id string) <-chan struct{} {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	if w := l.m.workers[id]; w != nil {
		return w.gone
	}
	gone := make(chan struct{})
	close(gone)
	return gone
}

func (l *memLeases) forget(id string) error {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	delete(l.m.workers, id)
	return nil
}

func (l *memLeases) endOrphan(context.Context, job.Position, time.Duration) error { return nil }

func (l *memLeases) sweep(func() (map[uint64]bool, map[string]bool, error)) error { return nil }
