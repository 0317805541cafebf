package eventlog

import (
	"context"
	"errors"
	"strings"
)

// actor is a process in a story: a handle whose steps are recorded.
type actor struct {
	handle
	trace *crashTrace

	appending bool
	making    func()      // what another process does before the log that is being made gets its name; nil = nothing
	meanwhile func()      // the same, before a sync of what was appended
	fails     func() bool // does such a sync fail? nil = no
}

// enter opens the log for one more process, which makes it if need be. making may be nil.
func (c *crashTrace) enter(segmentSize int, making func()) *actor {
	a := &actor{handle: handle{state: &ledger{}}, trace: c, making: making}
	opt := Options{
		Create: created, SegmentSize: segmentSize, disk: c.diskFor(a.before),
		Now: func() int64 { return int64(1e18) + c.clock.Add(1) },
	}
	var err error
	a.Log, err = Open(context.Background(), c.dir(), a.state, opt)
	c.must(err)
	c.actors = append(c.actors, a)
	c.observe()
	return a
}

// before is called in each sync. Its error is that of the sync.
func (a *actor) before(name string) error {
	_, segment := parseSegmentName(name)
	switch {
	case strings.HasPrefix(name, tempPrefix):
		once(&a.making)
	case segment && a.appending:
		if a.trace.unlocked() {
			once(&a.meanwhile)
		}
		if a.fails != nil && a.fails() {
			return errDisk
		}
	}
	return nil
}

func once(fn *func()) {
	if do := *fn; do != nil {
		*fn = nil
		do()
	}
}

// append appends one commit for each text. They share a sync if they fit into a segment.
func (a *actor) append(texts ...string) {
	var proposals []*Proposal
	last := Commit(0)
	for i, text := range texts {
		parts := []string{text, text[:len(text)/2]}
		p := a.proposes(parts...)
		p.Meta.PID = uint32(i) // so it is another commit
		decide := p.Decide
		p.Decide = func(turn Turn) ([]Event, error) {
			last = turn.Commit
			a.trace.want[last] = parts
			return decide(turn)
		}
		proposals = append(proposals, p)
	}
	a.appending = true
	err := a.AppendAll(context.Background(), proposals...)
	a.appending = false
	a.answer(last, err)
}

// show looks at the log as a command does that prints it.
func (a *actor) show() {
	var seen Commit
	err := a.View(context.Background(), func(head Head) { seen = head.Commit })
	a.answer(seen, err)
}

func (a *actor) answer(with Commit, err error) {
	if a.fails != nil && (errors.Is(err, ErrUnknown) || errors.Is(err, ErrNotCommitted)) {
		a.trace.observe()
		return
	}
	a.trace.must(err)
	a.trace.observe(effect{kind: effectAnswer, commit: with})
}

func (a *actor) close() {
	a.trace.must(a.Close())
	a.trace.observe()
}
