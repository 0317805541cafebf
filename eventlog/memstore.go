package eventlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
)

// memStore is a Memory as one process sees it.
type memStore struct {
	m       *Memory
	opt     *Options
	tip     tip
	scanner scanner
	born    int  // cuts when it was opened
	killed  bool // guarded by m.mu

	watching sync.WaitGroup
}

var _ store = (*memStore)(nil)

// alive returns what a dead process would not. It is called with mu held.
func (s *memStore) alive() error {
	switch {
	case s.killed:
		return ErrClosed
	case s.born != s.m.cuts:
		return fmt.Errorf("%w: the power was cut", ErrUnknown)
	}
	return nil
}

// ask asks if a step is to fail.
func (s *memStore) ask(op Op) error {
	s.m.mu.Lock()
	fault := s.m.fault
	s.m.mu.Unlock()
	if fault == nil {
		return nil
	}
	return fault(op)
}

func (s *memStore) identity() LogID         { return memoryID }
func (s *memStore) head() Head              { return s.tip.head }
func (s *memStore) readOnly() bool          { return s.opt.ReadOnly }
func (s *memStore) doubtful() (bool, error) { return false, nil }
func (s *memStore) prove() error            { return nil }
func (s *memStore) full() error             { return nil }
func (s *memStore) tidy(bool) error         { return nil }
func (s *memStore) holder() string          { return "another handle" }

func (s *memStore) rebase(func([]*Snapshot) bool) ([]*Snapshot, error) { return nil, nil }
func (s *memStore) distrust(*Snapshot, error)                          {}

func (s *memStore) rewind(resume func([]*Snapshot) (*Snapshot, error)) {
	s.tip = firstTip(memoryID)
	_, _ = resume(nil) // it cannot fail
}

func (s *memStore) follow(fold func(*Entry) error) error {
	s.m.mu.Lock()
	err, end := s.alive(), s.m.end()
	if s.opt.ReadOnly {
		end = s.m.tips[s.m.durable]
	}
	s.m.mu.Unlock()
	if err != nil || end.offset == s.tip.offset {
		return err
	}
	s.scanner.reset(memSegment{s.m}, end.offset)
	for {
		e, why, err := s.scanner.next(&s.tip)
		if err != nil {
			return err
		}
		if e == nil {
			if why.kind != stopClean {
				return s.tip.damage(0, why.reason) // the power was cut meanwhile
			}
			return nil
		}
		if err := fold(e); err != nil {
			return err
		}
	}
}

func (s *memStore) refresh(fold func(*Entry) error, _ bool) ([]Repair, error) {
	return nil, s.follow(fold)
}

func (s *memStore) tryLock() (bool, error) {
	if err := s.ask(OpLock); err != nil {
		return false, err
	}
	select {
	case <-s.m.lock:
		return true, s.own()
	default:
		return false, nil
	}
}

// own takes the lock whose token was taken.
func (s *memStore) own() error {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	s.m.owner = s
	err := s.alive()
	if err != nil {
		s.m.free(s)
	}
	return err
}

func (s *memStore) await(quit <-chan struct{}) (hold, drop func(), err error) {
	select {
	case <-s.m.lock:
		// A dead handle holds it for a moment; its round finds out.
		return func() { _ = s.own() }, func() { s.m.lock <- struct{}{} }, nil
	case <-quit:
		return nil, nil, ErrClosed
	}
}

func (s *memStore) unlock() {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	s.m.free(s)
}

func (s *memStore) write(meta *Meta, events []Event, time int64) error {
	fault := s.ask(OpWrite)
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if err := s.alive(); err != nil {
		return err
	}
	entry, end, err := s.m.frame(meta, events, time)
	switch {
	case err != nil:
		return err
	case fault == nil:
		s.m.append(entry, end)
		s.tip = end
		return nil
	case errors.Is(fault, ErrUnknown):
		if end.head.Hash[0]&1 == 1 {
			s.m.append(entry, end)
		}
		return fault
	}
	return fmt.Errorf("%w: %w", ErrNotCommitted, fault)
}

func (s *memStore) sync(need Commit) error {
	fault := s.ask(OpSync)
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if err := s.alive(); err != nil {
		return err
	}
	if fault != nil {
		return fault
	}
	if need = max(need, s.tip.head.Commit); need > s.m.durable {
		s.m.durable = need
		s.m.tell()
	}
	return nil
}

func (s *memStore) durable(Commit) (Commit, error) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	return s.m.durable, s.alive()
}

func (s *memStore) watch(quit <-chan struct{}, hint func(sure bool) bool) (unsure bool) {
	s.watching.Add(1)
	go func() {
		defer s.watching.Done()
		for {
			s.m.mu.Lock()
			changed := s.m.changed
			s.m.mu.Unlock()
			hint(false)
			select {
			case <-changed:
			case <-quit:
				return
			}
		}
	}()
	return false
}

func (s *memStore) stirred() bool {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	return s.m.end().offset != s.tip.offset
}

func (s *memStore) close() error {
	s.watching.Wait()
	return nil
}

func (s *memStore) kill() {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	s.killed = true
	s.m.free(s)
}

// memSource is a Memory for a Reader.
type memSource struct{ m *Memory }

func (s memSource) segments() ([]segmentInfo, error) {
	size, _ := memSegment(s).Size()
	return []segmentInfo{{first: 1, path: segmentName(1), size: size}}, nil
}

func (s memSource) open(first Commit) (segmentFile, error) {
	if first != 1 {
		return nil, fs.ErrNotExist
	}
	return memSegment(s), nil
}

func (s memSource) durable() (Commit, error) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	return s.m.durable, nil
}

func (s memSource) watch(quit <-chan struct{}) <-chan struct{} {
	news := make(chan struct{}, 1)
	go func() {
		defer close(news)
		for {
			s.m.mu.Lock()
			changed := s.m.changed
			s.m.mu.Unlock()
			select {
			case news <- struct{}{}:
			default:
			}
			select {
			case <-changed:
			case <-quit:
				return
			}
		}
	}()
	return news
}

func (memSource) origin() (tip, error) { return firstTip(memoryID), nil }

func (memSource) there() error { return nil }

// still needs to keep nobody from appending: a frame appears whole.
func (s memSource) still(_ context.Context, fn func() error) error { return fn() }

// memSegment is the one segment of a Memory.
type memSegment struct{ m *Memory }

func (s memSegment) ReadAt(b []byte, offset int64) (int, error) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if offset >= int64(len(s.m.data)) {
		return 0, io.EOF
	}
	n := copy(b, s.m.data[offset:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (s memSegment) Size() (int64, error) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	return int64(len(s.m.data)), nil
}

func (memSegment) Close() error { return nil }
