package eventlog

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
)

// Memory is a log that lives in memory, with the same behaviour and the same frames as one in a
// directory: several "processes" may open it, each with a handle and a State of its own. It does no
// I/O and has no randomness, so the same calls in the same order have the same results; and it can
// be used in a testing/synctest bubble, if it was made there. All methods are safe for concurrent
// use.
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

// ReaderAt is as NewReaderAt.
func (m *Memory) ReaderAt(from Position) *Reader {
	r, err := newReaderAt(memSource{m}, memoryID, from)
	if err != nil {
		panic("eventlog: a search in memory failed: " + err.Error())
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

// Inject sets a function that is asked before each step of any handle and makes it fail with the
// error that it returns; nil takes it away again. A failed lock or write leaves nothing; except
// that for OpWrite an error that wraps ErrUnknown leaves the frame written or not, as a bit of the
// frame's hash has it. What a failed sync leaves is lost with the next PowerCut, unless a later
// sync succeeds. The function is called on the goroutine of the Log, which does nothing else
// meanwhile.
func (m *Memory) Inject(fault func(Op) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fault = fault
}

// PowerCut drops what was never synced, but for the first keep commits of it, and breaks all open
// handles, which answer ErrUnknown from then on. (*Log).Kill breaks one handle without losing
// anything.
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
		Time: time, SyncedThrough: m.durable, Prev: end.head.Hash, fill: true,
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
