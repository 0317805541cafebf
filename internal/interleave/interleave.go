// Package interleave has the processes of a test go on one step at a time, in the order that the test
// chooses.
//
// A process is a set of goroutines. Each of them stops wherever the test has put a Stop: mostly before it
// does something that other processes can see. Nothing of it goes on before the test lets it. So the same
// choices lead to the same interleaving, and any interleaving of such steps can be had.
//
// It works in a testing/synctest bubble only, which knows when nothing moves any more; time passes when
// the test sleeps.
package interleave

import (
	"cmp"
	"slices"
	"sync"
	"testing/synctest"
)

// Schedule is where goroutines wait for their turn.
type Schedule struct {
	mu        sync.Mutex
	processes int
	stopped   []*Stop
}

// Process is what stops and goes on together. Its methods, but Kill and End, are for its own goroutines.
type Process struct {
	schedule *Schedule
	number   int
	state    state // guarded by schedule.mu
}

type state uint8

const (
	alive state = iota
	dead        // it stays where it stopped
	ended       // it no longer stops, so that its goroutines come to their ends
)

// Stop is where a goroutine waits for its turn.
type Stop struct {
	Process *Process
	At      string
	ready   func() bool // nil = always
	turn    chan Turn
}

// Turn is what a goroutine is told when it goes on.
type Turn int

const (
	Ended Turn = iota // the process is over: what this goroutine does now is seen by nobody
	Go
	Fail // what it is about to do is to fail
	Odd  // it is to do it in the other way, if there is one
)

// Process adds a process.
func (s *Schedule) Process() *Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.processes++
	return &Process{schedule: s, number: s.processes}
}

// Number is from 1, in the order in which the processes were added.
func (p *Process) Number() int { return p.number }

// Stop waits for a turn.
func (p *Process) Stop(at string) Turn { return p.StopUntil(at, nil) }

// StopUntil waits for a turn, which is given only if ready, if it is not nil, says so.
func (p *Process) StopUntil(at string, ready func() bool) Turn {
	s := p.schedule
	stop := &Stop{Process: p, At: at, ready: ready, turn: make(chan Turn, 1)}
	s.mu.Lock()
	if p.state == ended {
		s.mu.Unlock()
		return Ended
	}
	s.stopped = append(s.stopped, stop)
	s.mu.Unlock()
	return <-stop.turn
}

// Over says that the process has ended, for a goroutine that did not stop meanwhile.
func (p *Process) Over() bool {
	p.schedule.mu.Lock()
	defer p.schedule.mu.Unlock()
	return p.state == ended
}

// Kill leaves the goroutines of the process where they are when they stop next.
func (p *Process) Kill() { p.set(dead) }

// End lets the goroutines of the process run to their ends.
func (p *Process) End() {
	p.set(ended)
	s := p.schedule
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = slices.DeleteFunc(s.stopped, func(stop *Stop) bool {
		if stop.Process == p {
			stop.turn <- Ended
		}
		return stop.Process == p
	})
}

func (p *Process) set(to state) {
	p.schedule.mu.Lock()
	defer p.schedule.mu.Unlock()
	p.state = to
}

// Ready waits until nothing moves, and returns the stops of all goroutines that can be given a turn, in an order that
// does not depend on which came first.
func (s *Schedule) Ready() []*Stop {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	var ready []*Stop
	for _, stop := range s.stopped {
		if stop.Process.state == alive && (stop.ready == nil || stop.ready()) {
			ready = append(ready, stop)
		}
	}
	slices.SortStableFunc(ready, func(a, b *Stop) int {
		return cmp.Or(cmp.Compare(a.Process.number, b.Process.number), cmp.Compare(a.At, b.At))
	})
	return ready
}

// Give gives a turn. The goroutine has stopped again, or waits for something else, when Ready returns next.
func (s *Schedule) Give(stop *Stop, turn Turn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.stopped, stop)
	s.stopped = slices.Delete(s.stopped, i, i+1)
	stop.turn <- turn
}
