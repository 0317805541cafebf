package eventlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/queuectl/queuectl/internal/file"
	"github.com/queuectl/queuectl/internal/interleave"
)

// simProcess is a process of a simulation: a goroutine that does what its role says, and those of the Log
// that it has open. Each stops before it does something to the disk, and where it has done something after
// which it may well die.
type simProcess struct {
	*interleave.Process
	sim  *simulation
	disk *crashTrace // what it runs on: another process may run on what a power cut has left of it
	role string
	todo *int // how much it has to do yet, or of a deed:
	deed simDeed
	left int
	opt  Options
	log  *Log // nil = not open
	kept *simState
	busy bool       // it may have changed a file since it stopped last; guarded by disk.mu
	rng  *rand.Rand // for its role; only its main goroutine draws

	mu   sync.Mutex
	held []*file.Lock // that it has ever tried to take
	torn *rand.Rand   // how much of a write is there when something comes in between
}

// errDead is what a dead process would not live to see.
var errDead = errors.New("the process is dead")

// changing are the points after which a file may be another.
var changing = map[string]bool{
	string(pointWrite): true, string(pointCut): true, string(pointMake): true, string(pointRename): true, string(pointRemove): true,
	"begin": true, "writing": true,
}

// stop waits for a turn. Before that, the disk takes note of what the process has done since the last time.
func (p *simProcess) stop(at string) interleave.Turn { return p.stopUntil(at, nil) }

func (p *simProcess) stopUntil(at string, ready func() bool) interleave.Turn {
	if p.Over() {
		return interleave.Ended
	}
	p.disk.mu.Lock()
	if p.busy || at == "sync file" {
		p.disk.look()
	}
	p.busy = false
	p.disk.mu.Unlock()
	turn := p.StopUntil(at, ready)
	if changing[at] { // from here on: another goroutine of the process may have stopped meanwhile
		p.disk.mu.Lock()
		p.busy = true
		p.disk.mu.Unlock()
	}
	return turn
}

// step is disk.step.
func (p *simProcess) step(at point) {
	turn := p.stop(string(at))
	if at == pointWrite && (turn == interleave.Odd || turn == interleave.Fail) {
		p.tear(turn == interleave.Fail)
	}
}

// tear does a part of a write, stops there, and then lets tidwall/wal do all of it, or fail. A part ends where a piece
// does: one write never leaves a piece half done that another write of the same bytes then completes.
func (p *simProcess) tear(fail bool) {
	s, entry := p.entry()
	p.mu.Lock()
	n := 0
	if pieces := (int(s.tip.offset)%pieceSize + len(entry) - 1) / pieceSize; pieces > 0 {
		n = (1+p.torn.IntN(pieces))*pieceSize - int(s.tip.offset)%pieceSize
	}
	if fail && p.torn.IntN(3) == 0 {
		n = len(entry) // what fails may come after the write
	}
	p.mu.Unlock()
	p.writePart(s, entry[:n])
	if p.stop("writing"); fail {
		writer := s.writer // a copy
		writer.release()
	}
}

// entry is what the process is about to write.
func (p *simProcess) entry() (*dirStore, []byte) {
	s := p.log.core.store.(*dirStore)
	return s, append(binary.AppendUvarint(nil, uint64(len(s.frame))), s.frame...)
}

func (p *simProcess) writePart(s *dirStore, part []byte) {
	f, err := os.OpenFile(s.path(segmentName(s.tip.segment)), os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteAt(part, s.tip.offset)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		p.sim.failf("write a part of a frame: %v", err)
	}
}

// dieWriting leaves a part of what the process is about to write, and dies.
func (p *simProcess) dieWriting() {
	s, entry := p.entry()
	p.writePart(s, entry[:p.torn.IntN(len(entry)+1)])
	p.disk.observe()
	p.die()
}

// simDisk is the disk as this process uses it.
func (p *simProcess) simDisk() *disk {
	c := p.disk
	note := func(do func()) {
		c.mu.Lock()
		defer c.mu.Unlock()
		do()
	}
	return &disk{
		network: func(string) (string, error) { return "", nil },
		datasync: func(f *os.File) (err error) {
			switch p.stop("sync " + simName(f.Name())) {
			case interleave.Ended:
				return errDead
			case interleave.Fail:
				err = errDisk
			}
			note(func() {
				if c.node(f) < 0 {
					c.look() // it was made just now
				}
				err = c.sync(f, err)
			})
			p.stop("synced")
			return err
		},
		syncDir: func(path string) error {
			switch p.stop("sync directory") {
			case interleave.Ended:
				return errDead
			case interleave.Fail:
				return errDisk
			}
			if _, err := os.Stat(path); err != nil {
				return err
			}
			note(func() {
				if node, known := c.paths()[c.relative(path)]; known {
					c.add(effect{kind: effectSyncDir, node: node})
				}
			})
			p.stop("synced")
			return nil
		},
		reserve: func(f *os.File, _ int64) (bool, error) {
			turn := p.stop("reserve")
			if turn == interleave.Ended {
				return false, errDead
			}
			note(func() {
				if _, known := c.trusted[f]; !known {
					c.trusted[f] = c.failed[c.node(f)]
				}
			})
			if turn == interleave.Fail {
				return false, syscall.ENOSPC
			}
			return true, nil
		},
		rewrite: func(f *os.File, from, to int64) error {
			turn := p.stop("rewrite")
			if turn == interleave.Ended {
				return errDead
			}
			if turn == interleave.Fail {
				return errDisk
			}
			err := rewrite(f, from, to)
			note(func() {
				node := c.node(f)
				c.trusted[f] = c.failed[node]
				if from < to && err == nil {
					c.add(effect{kind: effectWrite, node: node, offset: int(from), data: c.disk.nodes[node].data[from:to]})
				}
			})
			return err
		},
		writeAt: func(f *os.File, b []byte, offset int64) (int, error) {
			turn := p.stop("write D")
			if turn == interleave.Ended {
				return 0, errDead
			}
			part := b
			if turn == interleave.Fail {
				part = b[:len(b)/2]
			}
			note(func() {
				if c.node(f) < 0 {
					c.look() // it was made just now
				}
				c.add(effect{kind: effectWrite, node: c.node(f), offset: int(offset), data: append([]byte{}, part...)})
			})
			n, err := f.WriteAt(part, offset)
			if err == nil && n < len(b) {
				err = errDisk
			}
			return n, err
		},
		lock: p.take,
		step: p.step,
	}
}

// simName tells those files apart that are written where there are no points.
func simName(path string) string {
	name := filepath.Base(path)
	if _, segment := parseSegmentName(name); segment {
		return "segment"
	}
	if name == durableFile {
		return "D"
	}
	return "file"
}

// take is disk.lock.
func (p *simProcess) take(l *file.Lock, how lockHow) (ok bool, err error) {
	p.mu.Lock()
	p.held = append(p.held, l)
	p.mu.Unlock()
	try := l.TryExclusive
	if how == lockShared {
		try = l.TryShared
	}
	free := func() bool {
		ok, err := try()
		if ok {
			_ = l.Unlock() // it was only asked for
		}
		return ok || err != nil
	}
	if how == lockTry {
		free = nil
	}
	switch p.stopUntil("lock", free) {
	case interleave.Ended:
		return false, errDead
	case interleave.Fail:
		return false, errDisk
	}
	if ok, err = try(); ok {
		p.stop("locked")
	}
	return ok, err
}

// die lets go of what the kernel lets go of. Its goroutines stay where they are.
func (p *simProcess) die() {
	p.Kill()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.held {
		l.Close() // it may be closed
	}
}

// open opens the log, and makes it if need be.
func (p *simProcess) open() error {
	p.kept = &simState{}
	var err error
	p.log, err = Open(p.sim.t.Context(), p.disk.dir(), p.kept, p.opt)
	if err != nil {
		p.log = nil
	}
	return err
}

func (p *simProcess) String() string { return fmt.Sprintf("%d (%s)", p.Number(), p.role) }

// simState is a State that can rest on snapshot files, and on a base.
type simState struct{ ledger }

func (s *simState) Resume(files []*Snapshot) error {
	s.Reset()
	for _, f := range files {
		for i := range f.Blocks(linesSection) {
			b, err := f.Block(linesSection, i)
			if err != nil {
				return err
			}
			s.lines = append(s.lines, string(b))
		}
	}
	return nil
}

func (s *simState) Rebase([]*Snapshot) bool { return true }
