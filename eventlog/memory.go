package eventlog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
)

// Memory is a log that lives in memory, with the same behaviour and the same frames as one in a directory: several "processes" may open
// it, each with a handle and a State of its own. It does no I/O and has no randomness, so the same calls in the same order have the same
// results; and it can be used in a testing/synctest bubble, if it was made there. All methods are safe for concurrent use.
type Memory struct {
	lock chan struct{} // A: has one token while it is free

	mu      sync.Mutex
	owner   *memStore // of A; nil = free, or on its way
	data    []byte    // the one segment
	tips    []tip     // tips[i] is the end of commit i
	durable Commit
	cuts    int // of the power; a handle that was opened before the last one is dead
	fault   func(Op) error
	changed chan struct{} // closed and replaced when anything is written or synced
}

// memoryID is the id of every log in memory.
var memoryID = LogID([]byte("only in memory  "))

// NewMemory returns a log without commits: Open has to create the first.
func NewMemory() *Memory {
	m := &Memory{lock: make(chan struct{}, 1), tips: []tip{firstTip(memoryID)}, changed: make(chan struct{})}
	m.lock <- struct{}{}
	return m
}

// Open is as the function Open.
func (m *Memory) Open(ctx context.Context, state State, opt Options) (*Log, error) {
	if err := opt.complete(); err != nil {
		return nil, err
	}
	s := &memStore{m: m, opt: &opt, tip: firstTip(memoryID)}
	if err := m.create(s); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return start(ctx, s, state, opt)
}

// create makes the first commit, unless it is there.
func (m *Memory) create(s *memStore) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	s.born = m.cuts
	if len(m.tips) > 1 {
		return nil
	}
	if s.opt.Create == nil || s.opt.ReadOnly {
		return ErrNoLog
	}
	meta, events := s.opt.Create(memoryID)
	frame, end, err := m.frame(&meta, events, s.opt.Now())
	if err != nil {
		return err
	}
	m.append(frame, end)
	m.durable = 1
	return nil
}

// Reader is as NewReader.
func (m *Memory) Reader(from Commit) *Reader {
	r, err := newReader(memSource{m}, memoryID, from)
	if err != nil {
		panic("eventlog: a listing in memory failed: " + err.Error())
	}
	return r
}

// Op is a step of an append that a fault can be injected into.
type Op uint8

// The steps.
const (
	OpLock  Op = 1 // taking the append lock
	OpWrite Op = 2 // writing a frame
	OpSync  Op = 3 // syncing what was written
)

// Inject sets a function that is asked before each step of any handle and makes it fail with the error that it returns; nil takes it away
// again. A failed lock or write leaves nothing; except that for OpWrite an error that wraps ErrUnknown leaves the frame written or
// not, as a bit of the frame's hash has it. What a failed sync leaves is lost with the next PowerCut, unless a later sync succeeds.
// The function is called on the goroutine of the Log, which does nothing else meanwhile.
func (m *Memory) Inject(fault func(Op) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fault = fault
}

// PowerCut drops what was never synced, but for the first keep commits of it, and breaks all open handles, which answer ErrUnknown
// from then on. (*Log).Kill breaks one handle without losing anything.
func (m *Memory) PowerCut(keep int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cuts++
	left := min(int(m.durable)+keep, len(m.tips)-1)
	m.tips = m.tips[:left+1]
	m.data = m.data[:m.tips[left].offset]
	m.free(m.owner)
	m.tell()
}

// The following are called with mu held.

func (m *Memory) end() tip { return m.tips[len(m.tips)-1] }

// frame returns a frame for the end of the log, as an entry, and where the log will end then.
func (m *Memory) frame(meta *Meta, events []Event, time int64) ([]byte, tip, error) {
	end := m.end()
	h := header{
		Commit: end.head.Commit + 1, First: end.head.Position + 1,
		Time: time, SyncedThrough: m.durable, Prev: end.head.Hash,
	}
	frame, sum, err := appendFrame(nil, h, meta, events, end.place())
	if err != nil {
		return nil, tip{}, err
	}
	entry := append(binary.AppendUvarint(nil, uint64(len(frame))), frame...)
	end.offset += int64(len(entry))
	end.head = Head{Commit: h.Commit, Position: h.First + Position(len(events)) - 1, Hash: sum}
	return entry, end, nil
}

func (m *Memory) append(entry []byte, end tip) {
	m.data = append(m.data, entry...)
	m.tips = append(m.tips, end)
	m.tell()
}

func (m *Memory) tell() {
	close(m.changed)
	m.changed = make(chan struct{})
}

// free lets A go if it is s that holds it.
func (m *Memory) free(s *memStore) {
	if s != nil && m.owner == s {
		m.owner = nil
		m.lock <- struct{}{}
	}
}

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
func (s *memStore) rewind()                 { s.tip = firstTip(memoryID) }
func (s *memStore) prove() error            { return nil }
func (s *memStore) full() error             { return nil }
func (s *memStore) tidy(bool) error         { return nil }
func (s *memStore) holder() string          { return "another handle" }

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

func (s *memStore) refresh(fold func(*Entry) error, _ bool) (*Repair, error) {
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

func (s *memStore) sync() error {
	fault := s.ask(OpSync)
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if err := s.alive(); err != nil {
		return err
	}
	if fault != nil {
		return fault
	}
	if s.tip.head.Commit > s.m.durable {
		s.m.durable = s.tip.head.Commit
		s.m.tell()
	}
	return nil
}

func (s *memStore) durable(Commit) (Commit, error) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	return s.m.durable, s.alive()
}

func (s *memStore) watch(quit <-chan struct{}, hint func(bool)) (unsure bool) {
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

// still needs to keep nobody from appending: a frame appears whole.
func (s memSource) still(fn func() error) error { return fn() }

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
