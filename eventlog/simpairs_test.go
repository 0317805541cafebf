package eventlog

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/queuectl/queuectl/internal/effort"
	"github.com/queuectl/queuectl/internal/interleave"
)

var (
	simPairs = effort.New("pairs", "share", "of 1000 pairs of points that are not always forced, how many TestSimulation_PairsOfPoints forces; 1000 = all")
	simPair  = flag.String("pairs.only", "", "the pair that it forces alone, as a failure prints it")
)

// simDeed is what one of two processes does.
type simDeed struct {
	name    string
	segment int                       // Options.SegmentSize; 0 = 4096
	before  func(*simProcess) error   // while the other one waits; nil = nothing
	do      []func(*simProcess) error // while they are interleaved
}

func simAppendOne(p *simProcess) error { return p.appends(1) }

func simOpenAndAppend(p *simProcess) error { return errors.Join(p.open(), p.appends(1)) }

// simFill appends a commit that fills its segment.
func simFill(p *simProcess) error { return p.appendsText(strings.Repeat("x", 400)) }

func simRepair(p *simProcess) error {
	_, err := RepairLog(p.sim.t.Context(), p.disk.dir(), RepairOptions{Accepted: "ada@loom", disk: p.opt.disk})
	return err
}

var (
	deedAppend   = simDeed{name: "append", before: simOpenAndAppend, do: deeds(simAppendOne)}
	deedFill     = simDeed{name: "fill", segment: 300, before: simOpenAndAppend, do: deeds(simFill, simAppendOne)}
	deedLife     = simDeed{name: "life", segment: 300, do: deeds((*simProcess).open, simFill, (*simProcess).closes)}
	deedView     = simDeed{name: "view", before: simOpenAndAppend, do: deeds((*simProcess).views)}
	deedLook     = simDeed{name: "look", before: (*simProcess).looks, do: deeds((*simProcess).views)}
	deedSnapshot = simDeed{name: "snapshot", do: deeds((*simProcess).snapshots)}
	deedArchive  = simDeed{name: "archive", do: deeds((*simProcess).archives)}
	deedPrune    = simDeed{name: "prune", before: (*simProcess).open, do: deeds((*simProcess).prunes)}
	deedRepair   = simDeed{name: "repair", do: deeds(simRepair)}
	deedFollow   = simDeed{name: "follow", do: deeds((*simProcess).follows)}
	deedResume   = simDeed{name: "resume", do: deeds((*simProcess).open, (*simProcess).views)}
)

func deeds(do ...func(*simProcess) error) []func(*simProcess) error { return do }

// simScene is two deeds, and the log that they meet in.
type simScene struct {
	a, b simDeed
	disk string // a key of simDisks
	harm bool   // the log is damaged before they begin
	all  bool   // every pair is always forced
}

var simScenes = []simScene{
	{a: deedAppend, b: deedAppend, disk: "log", all: true},
	{a: deedFill, b: deedFill, disk: "log"},
	{a: deedFill, b: deedLife, disk: "log"},
	{a: deedLife, b: deedLife, disk: "torn"},
	{a: deedLife, b: deedLife, disk: "empty"},
	{a: deedFill, b: deedView, disk: "log"},
	{a: deedFill, b: deedLook, disk: "log"},
	{a: deedFill, b: deedFollow, disk: "log"},
	{a: deedLife, b: deedSnapshot, disk: "log"},
	{a: deedLife, b: deedArchive, disk: "log"},
	{a: deedLife, b: deedPrune, disk: "archived"},
	{a: deedAppend, b: deedRepair, disk: "log", harm: true},
	{a: deedLife, b: deedRepair, disk: "log", harm: true},
	{a: deedFollow, b: deedArchive, disk: "log"},
	{a: deedFollow, b: deedPrune, disk: "archived"},
	{a: deedSnapshot, b: deedArchive, disk: "log"},
	{a: deedSnapshot, b: deedPrune, disk: "archived"},
	{a: deedSnapshot, b: deedResume, disk: "log"},
	{a: deedPrune, b: deedResume, disk: "archived"},
	{a: deedArchive, b: deedPrune, disk: "archived"},
	{a: deedPrune, b: deedPrune, disk: "archived"},
	{a: deedArchive, b: deedArchive, disk: "log"},
}

// TestSimulation_PairsOfPoints forces interleavings of two processes: one stops at a point, the other goes on to one
// of its own and stops, the first goes on to its end, then the second. Of each two deeds that is done for every pair
// of points, in both orders; and at each point of the first it is also killed there, and the other goes on alone.
func TestSimulation_PairsOfPoints(t *testing.T) {
	t.Parallel()
	disks := simDisks(t)
	var pairs, images atomic.Int64
	tasks := make(chan simPairing)
	go func() {
		defer close(tasks)
		for _, scene := range simScenes {
			tasks <- simPairing{scene, false}
			if scene.a.name != scene.b.name {
				tasks <- simPairing{scene, true}
			}
		}
	}()
	for worker := range runtime.GOMAXPROCS(0) {
		t.Run(fmt.Sprint(worker), func(t *testing.T) {
			t.Parallel()
			for task := range tasks {
				if !t.Failed() {
					task.playAll(t, disks, &pairs, &images)
				}
			}
		})
	}
	t.Cleanup(func() {
		effort.Report(t, map[string]int{"pairs": int(pairs.Load()), "states of pairs": int(images.Load())})
	})
}

// simPairing is the pairs of a scene in one order.
type simPairing struct {
	simScene
	reversed bool
}

func (c *simPairing) deeds() (first, second simDeed) {
	if c.reversed {
		return c.b, c.a
	}
	return c.a, c.b
}

func (c *simPairing) playAll(t *testing.T, disks map[string]diskState, pairs, images *atomic.Int64) {
	first, second := c.deeds()
	for i := 0; !t.Failed(); i++ {
		over := false
		for j := -1; ; j++ {
			name := fmt.Sprintf("%s/%s/%s/%d/%d", c.disk, first.name, second.name, i, j)
			if j > simMany {
				break
			}
			if !c.chosen(name) {
				continue
			}
			var end simPairEnd
			synctest.Test(t, func(t *testing.T) {
				s := newSimPair(t, name, disks[c.disk])
				end = s.playPair(c, i, j)
				images.Add(s.sum.images.Load())
			})
			pairs.Add(1)
			over = end == pairFirstOver
			if end != pairMore || t.Failed() {
				break
			}
		}
		if over || i > simMany {
			return
		}
	}
}

// chosen says if a pair is forced.
func (c *simPairing) chosen(name string) bool {
	if *simPair != "" {
		return *simPair == name
	}
	share := simPairs.Count(1)
	switch {
	case testing.Short():
		share = 1
	case c.all:
		return true
	}
	h := fnv.New64a()
	fmt.Fprint(h, name, simPairs.Seed(1))
	return h.Sum64()%1000 < uint64(share)
}

// simMany is more points than a deed has.
const simMany = 300

// simPairEnd says what became of a pair.
type simPairEnd uint8

const (
	pairMore       simPairEnd = iota // both stopped where they should
	pairFirstOver                    // the first does not have so many points
	pairSecondOver                   // the second does not, or cannot go on before the first one does
)

func newSimPair(t *testing.T, name string, state diskState) *simulation {
	s := &simulation{t: t, rng: rand.New(rand.NewPCG(uint64(len(name)), 0)), root: memoryDir(t), truth: newSimTruth()}
	s.name = fmt.Sprintf("go test ./eventlog -run TestSimulation_PairsOfPoints -pairs.only %s", name)
	s.quiet.Store(true)
	s.mount(installed(state))
	return s
}

// playPair has the first process go on for i points, the second for j, and then both to their ends. With j < 0 the first
// is killed there.
func (s *simulation) playPair(c *simPairing, i, j int) simPairEnd {
	first, second := c.deeds()
	s.truth.lossy = c.harm
	a, b := s.enter(first), s.enter(second)
	for _, p := range []*simProcess{a, b} { // each does what comes before
		for p.left > 1+len(p.deed.do) && s.advance(p) {
		}
	}
	if c.harm {
		s.harm()
	}
	for range i {
		if a.left <= 1 || !s.advance(a) {
			s.finishPair(a, b)
			return pairFirstOver
		}
	}
	if a.left <= 1 {
		s.finishPair(a, b)
		return pairFirstOver
	}
	s.turns.Ready()
	if j < 0 {
		s.note("process %v is killed", a)
		a.die()
		s.finishPair(b)
		return pairMore
	}
	for range j {
		if b.left <= 1 || !s.advance(b) {
			s.finishPair(a, b)
			return pairSecondOver
		}
	}
	if (i+j)%4 == 0 && !c.harm {
		s.disk.observe()
		s.lookAtImage()
	}
	over := b.left <= 1
	s.finishPair(a, b)
	if over {
		return pairSecondOver
	}
	return pairMore
}

// enter starts a process that does a deed.
func (s *simulation) enter(d simDeed) *simProcess {
	p := s.make(d.name)
	p.deed, p.opt.SegmentSize = d, d.segment
	if d.segment == 0 {
		p.opt.SegmentSize = 4096
	}
	all := d.do
	if d.before != nil {
		all = append(deeds(d.before), d.do...)
	}
	all = append(all[:len(all):len(all)], (*simProcess).leaves)
	p.left = len(all)
	s.group.Go(func() { p.actsOut(all) })
	return p
}

// leaves is what comes after a deed.
func (p *simProcess) leaves() error {
	if p.log == nil {
		return nil
	}
	return p.closes()
}

func (p *simProcess) actsOut(all []func(*simProcess) error) {
	defer func() {
		if p.log != nil {
			p.log.Kill() // which changes nothing if it is closed
		}
	}()
	for _, do := range all {
		if p.stop("begin") == interleave.Ended {
			return
		}
		err := do(p)
		if p.Over() {
			return
		}
		if err != nil && !p.allowed(err) {
			p.sim.failf("process %v: %v", p, err)
		}
		p.left--
	}
}

// allowed says that an error is what the process must expect of what the other one does.
func (p *simProcess) allowed(err error) bool {
	return errors.Is(err, ErrNoLog) || errors.Is(err, ErrPruned) || p.sim.truth.lossy
}

// advance has a process go one step further, unless it has done all, or cannot go on before the other one does.
func (s *simulation) advance(p *simProcess) bool {
	for range 100 {
		for _, stop := range s.turns.Ready() {
			if p.left > 0 && stop.Process == p.Process && !s.t.Failed() {
				s.give(stop, interleave.Odd)
				s.turns.Ready()
				return true
			}
		}
		if p.left == 0 || s.t.Failed() {
			return false
		}
		time.Sleep(time.Millisecond) // it may wait for time to pass
	}
	return false
}

// finishPair has processes go on, as far as each one can, to their ends, and looks at what has come of that.
func (s *simulation) finishPair(all ...*simProcess) {
	for idle := 0; idle < 100 && s.steps < 20*simMany && !s.t.Failed(); idle++ {
		left := 0
		for _, p := range all {
			for n := 0; n < simMany && s.advance(p); n++ { // or it looks again and again if the other one has got further
				idle = 0
			}
			left += p.left
		}
		if left == 0 {
			break
		}
	}
	for _, p := range all {
		if p.left > 0 {
			s.failf("process %v does not come to an end", p)
		}
	}
	if s.truth.lossy && len(all) == 1 {
		s.mend() // the one that was killed may have begun to
	}
	s.finish()
}

// harm damages a commit in the middle of the log.
func (s *simulation) harm() {
	s.disk.observe()
	path := filepath.Join(s.disk.dir(), sealedDir, segmentName(1))
	data, err := os.ReadFile(path)
	if err == nil {
		data[len(data)-20] ^= 1
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		s.failf("damage the log: %v", err)
	}
	s.note("a commit is damaged")
}

// mend repairs a log that nobody has come to repair.
func (s *simulation) mend() {
	_, err := RepairLog(s.t.Context(), s.disk.dir(), RepairOptions{Accepted: "ada@loom", disk: &quickDisk})
	if err != nil {
		s.failf("repair: %v", err)
	}
}

// simDisks are those that scenes begin with.
func simDisks(t *testing.T) map[string]diskState {
	t.Helper()
	dir := filepath.Join(memoryDir(t), "q")
	opt := Options{Create: created, SegmentSize: 300, disk: &quickDisk}
	l, err := Open(t.Context(), dir, &simState{}, opt)
	if err != nil {
		t.Fatal(err)
	}
	add := func(n int) {
		for i := range n {
			h := handle{Log: l, state: &ledger{}}
			h.append(t, fmt.Sprintf("going on %d %s", i, strings.Repeat("y", 100)))
		}
	}
	disks := map[string]diskState{"empty": nil}
	add(8)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	disks["log"] = stateOf(t, dir)
	disks["torn"] = simTorn(t, disks["log"])
	for range 2 {
		if _, err := Archive(context.Background(), dir, 1<<60, ArchiveOptions{disk: &quickDisk}); err != nil {
			t.Fatal(err)
		}
		if l, err = Open(t.Context(), dir, &simState{}, opt); err != nil {
			t.Fatal(err)
		}
		add(6)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	disks["archived"] = stateOf(t, dir)
	return disks
}

// simTorn is a log whose last commit is written by half.
func simTorn(t *testing.T, state diskState) diskState {
	t.Helper()
	root := memoryDir(t)
	if err := state.install(root); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, filepath.FromSlash(crashDir))
	known, err := os.ReadFile(filepath.Join(dir, logDir, durableFile))
	if err != nil {
		t.Fatal(err)
	}
	h := openDirLog(t, dir, Options{disk: &quickDisk})
	h.append(t, strings.Repeat("z", 100))
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	tail, data := tailOf(t, dir)
	if err := errors.Join(os.Truncate(tail, int64(len(data)-60)), os.WriteFile(filepath.Join(dir, logDir, durableFile), known, 0o600)); err != nil {
		t.Fatal(err)
	}
	return stateOf(t, dir)
}
