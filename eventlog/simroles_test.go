package eventlog

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"slices"
	"strings"

	"github.com/queuectl/queuectl/internal/interleave"
)

// The roles that a process of a simulation may have. Each does a number of things, one after the other, and may be
// killed at any moment; another one then takes over what it has not come to.
var simRoles = map[string]func(*simProcess) error{
	"writer":   (*simProcess).writes,
	"keeper":   (*simProcess).keeps,
	"follower": (*simProcess).follows,
	"reader":   (*simProcess).looks,
}

// act does what the role says until there is nothing left to be done, and closes the log.
func (p *simProcess) act() {
	defer func() {
		if p.log != nil {
			p.log.Kill() // which changes nothing if it is closed
		}
	}()
	for *p.todo > 0 {
		if p.stop("begin") == interleave.Ended {
			return
		}
		err := simRoles[p.role](p)
		if p.Over() {
			return
		}
		*p.todo--
		if err != nil && !p.excused(err) {
			p.sim.failf("process %v: %v", p, err)
			return
		}
	}
	if p.stop("begin") != interleave.Ended && p.log != nil {
		p.closes()
	}
}

// excused says that an error is of what the simulation has done to the process.
func (p *simProcess) excused(err error) bool {
	if p.sim.sound() {
		return errors.Is(err, ErrNoLog) // another process has not come to make it
	}
	return damaged(err) == nil
}

// choice draws one of the weights.
func (p *simProcess) choice(weights ...int) int {
	sum := 0
	for _, w := range weights {
		sum += w
	}
	n := p.rng.IntN(sum)
	for i, w := range weights {
		if n -= w; n < 0 {
			return i
		}
	}
	panic("unreachable")
}

// writes does one thing of a process that appends.
func (p *simProcess) writes() error {
	if p.log == nil {
		return p.open()
	}
	switch p.choice(60, 20, 10, 10) {
	case 0:
		return p.appends(1 + p.choice(6, 2, 1))
	case 1:
		return p.views()
	case 2:
		return p.log.Peek(p.sim.t.Context(), func(Head) {})
	default:
		return p.closes()
	}
}

// keeps does one thing of a process that also keeps the log small.
func (p *simProcess) keeps() error {
	if p.log == nil {
		return p.open()
	}
	switch p.choice(30, 10, 20, 20, 10, 10) {
	case 0:
		return p.appends(1)
	case 1:
		return p.views()
	case 2:
		return p.archives()
	case 3:
		return p.snapshots()
	case 4:
		return p.prunes()
	default:
		return p.closes()
	}
}

// looks does one thing of a process that may only read.
func (p *simProcess) looks() error {
	if p.log == nil {
		p.opt.ReadOnly = true
		return p.open()
	}
	if p.choice(4, 1) == 0 {
		return p.views()
	}
	return p.closes()
}

func (p *simProcess) closes() error {
	l := p.log
	p.log = nil
	return l.Close()
}

// appends appends one commit for each, which share a sync if they fit into a segment.
func (p *simProcess) appends(commits int) error {
	var all [][]string
	for range commits {
		all = append(all, p.texts())
	}
	return p.appendAll(all)
}

// appendsText appends one commit with one event.
func (p *simProcess) appendsText(text string) error {
	return p.appendAll([][]string{{fmt.Sprintf("%d.0 %d %s", p.sim.truth.number(), p.Number(), text)}})
}

func (p *simProcess) appendAll(texts [][]string) error {
	var proposals []*Proposal
	var all []*simAppend
	for i, texts := range texts {
		a := p.sim.truth.begin(p.sim.steps, texts)
		all = append(all, a)
		proposals = append(proposals, &Proposal{Meta: Meta{PID: uint32(i)}, Decide: func(turn Turn) ([]Event, error) {
			a.commit = turn.Commit
			return (&handle{state: &p.kept.ledger}).decide(turn, a.texts...), nil
		}})
	}
	err := p.log.AppendAll(p.sim.t.Context(), proposals...)
	if p.Over() {
		return nil
	}
	for i, a := range all {
		p.sim.truth.end(p.sim.steps, a, proposals[i].Err)
	}
	return err
}

// texts are those of the events of one commit. They begin as no others do.
func (p *simProcess) texts() (texts []string) {
	n := p.sim.truth.number()
	for i := range 1 + p.choice(3, 1, 1) {
		text := fmt.Sprintf("%d.%d %d ", n, i, p.Number())
		switch p.choice(3, 1, 1) {
		case 1:
			text += strings.Repeat("x", 100+p.rng.IntN(600))
		case 2:
			text += strings.Repeat("\x00", p.rng.IntN(1500)) // a piece of them reads as never written
		}
		texts = append(texts, text)
	}
	return texts
}

// views looks at the log as a command does that prints it.
func (p *simProcess) views() error {
	before, at, lines := p.sim.truth.highest(), Head{}, []string(nil)
	err := p.log.View(p.sim.t.Context(), func(head Head) { at, lines = head, slices.Clone(p.kept.lines) })
	if err != nil || p.Over() {
		return err
	}
	if at.Commit < before && !p.opt.ReadOnly && !p.sim.truth.lossy { // what is durable may be known to another process only
		p.sim.failf("process %v is shown %d commits, and %d were answered before", p, at.Commit, before)
	}
	if err := p.sim.truth.show(at, lines); err != nil {
		p.sim.failf("process %v: %v", p, err)
	}
	return nil
}

// simSource is a directory whose segments are read in steps.
type simSource struct {
	dirSource
	p *simProcess
}

func (s simSource) open(first Commit) (segmentFile, error) {
	f, err := s.dirSource.open(first)
	if plain, ok := f.(osSegment); ok && err == nil {
		return simSegment{plain, s.p}, nil
	}
	return f, err
}

type simSegment struct {
	osSegment
	p *simProcess
}

func (s simSegment) Size() (int64, error) {
	s.p.stop("size")
	return s.osSegment.Size()
}

func (s simSegment) ReadAt(b []byte, offset int64) (int, error) {
	s.p.stop("read")
	return s.osSegment.ReadAt(b, offset)
}

// reader reads the log in steps.
func (p *simProcess) reader(from Commit) (*Reader, error) {
	id, err := readFormat(p.disk.dir())
	if err != nil {
		return nil, err
	}
	src := newDirSource(p.disk.dir(), id)
	src.disk = p.opt.disk
	return newReader(simSource{src, p}, id, from)
}

// follows reads the log as far as it goes, a few times.
func (p *simProcess) follows() error {
	r, err := p.reader(0)
	if err != nil {
		return err
	}
	defer r.Close() // only read
	for looks := 1 + p.choice(1, 1, 1, 1); looks > 0; {
		e, err := r.Next(p.sim.t.Context())
		switch {
		case p.Over():
			return nil
		case errors.Is(err, io.EOF):
			looks--
			p.stop("end")
		case errors.Is(err, ErrPruned):
			return nil
		case err != nil:
			return err
		default:
			if err := p.sim.truth.show(e.Head(), nil); err != nil {
				p.sim.failf("process %v: %v", p, err)
			}
		}
	}
	return nil
}

func (p *simProcess) archives() error {
	through := Commit(math.MaxUint64)
	if p.choice(1, 1) == 0 {
		through = p.sim.truth.highest() / 2
	}
	_, err := Archive(p.sim.t.Context(), p.disk.dir(), through, ArchiveOptions{disk: p.opt.disk})
	return err
}

// prunes removes the older half of the archives, or none.
func (p *simProcess) prunes() error {
	archives, err := Archives(p.sim.t.Context(), p.disk.dir())
	if err != nil || len(archives) == 0 {
		return unlessPruned(err)
	}
	_, err = Prune(p.sim.t.Context(), p.disk.dir(), archives[len(archives)/2].Last, PruneOptions{
		Save:   saveBase(p.disk.dir()),
		Record: func(Pruned) error { return p.appends(1) },
		disk:   p.opt.disk,
	})
	return unlessPruned(err)
}

// unlessPruned is no error if somebody else has pruned meanwhile.
func unlessPruned(err error) error {
	if errors.Is(err, ErrPruned) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// snapshots writes a snapshot file of what is durable, on top of all others or in place of them.
func (p *simProcess) snapshots() error {
	room, ok, err := lockSnapshots(p.disk.dir(), *p.opt.disk)
	if err != nil || !ok {
		return err
	}
	defer room.Close()
	chain, err := room.Chain()
	if err != nil {
		return err
	}
	defer closeAll(chain)
	from, state := Head{}, &ledger{}
	if n := len(chain); n > 0 && (chain[n-1].Base || p.choice(1, 1) == 0) {
		from = chain[n-1].At.Head
	}
	if begins, err := lastBase(p.disk.dir()); err != nil || begins > 0 && from.Commit <= begins {
		return err // a file must not build on a base
	}
	r, err := p.reader(from.Commit + 1)
	if err != nil {
		return unlessPruned(err)
	}
	defer r.Close()
	var at Checkpoint
	for {
		e, err := r.Next(p.sim.t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return unlessPruned(err)
		}
		at = e.End()
		if err := state.Fold(e); err != nil {
			return err
		}
	}
	if p.Over() || at.Head.Commit <= from.Commit {
		return nil
	}
	return room.Write(from, at, func(w *SnapshotWriter) error {
		for i, line := range state.lines {
			if err := w.Block(linesSection, uint64(i), []byte(line)); err != nil {
				return err
			}
		}
		return nil
	})
}
