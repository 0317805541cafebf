package eventlog

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/queuectl/queuectl/internal/effort"
	"github.com/queuectl/queuectl/internal/interleave"
)

var simSeeds = effort.New("sim", "seeds", "how many seeds TestSimulation_SeedsLoseNothing plays")

// TestSimulation_SeedsLoseNothing plays a history of several processes for each seed: they stop before whatever they do
// to the disk, and the seed says who goes on, whose sync or write fails, who dies, and when the power is cut. What was
// answered must be true of what is on the disk, whatever a power cut leaves of it, and the log must go on.
func TestSimulation_SeedsLoseNothing(t *testing.T) {
	t.Parallel()
	seeds, seed := simSeeds.Count(500), simSeeds.Seed(1)
	if testing.Short() {
		seeds = max(1, seeds/10)
	}
	var next, sum simSum
	for worker := range runtime.GOMAXPROCS(0) {
		t.Run(fmt.Sprint(worker), func(t *testing.T) {
			t.Parallel()
			for {
				n := next.seeds.Add(1) - 1
				if n >= int64(seeds) || t.Failed() {
					return
				}
				synctest.Test(t, func(t *testing.T) {
					s := newSimulation(t, seed+uint64(n))
					s.play()
					sum.add(&s.sum)
				})
			}
		})
	}
	t.Cleanup(func() { sum.report(t) })
}

// simSum is how much was done.
type simSum struct{ seeds, steps, kills, cuts, faults, images atomic.Int64 }

func (s *simSum) add(of *simSum) {
	s.seeds.Add(1)
	s.steps.Add(of.steps.Load())
	s.kills.Add(of.kills.Load())
	s.cuts.Add(of.cuts.Load())
	s.faults.Add(of.faults.Load())
	s.images.Add(of.images.Load())
}

func (s *simSum) report(t *testing.T) {
	figures := map[string]int{}
	for name, n := range map[string]*atomic.Int64{
		"seeds": &s.seeds, "steps": &s.steps, "kills": &s.kills, "power cuts": &s.cuts, "faults": &s.faults, "states": &s.images,
	} {
		figures[name] = int(n.Load())
	}
	effort.Report(t, figures)
}

// simulation is a run of several processes on one disk.
type simulation struct {
	t    *testing.T
	name string // that a failure is repeated by
	rng  *rand.Rand
	root string
	made int // directories in root
	sum  simSum

	turns     interleave.Schedule
	disk      *crashTrace
	group     sync.WaitGroup // of the main goroutines of processes
	processes []*simProcess  // that live
	dead      []*simProcess  // that were killed on this disk
	last      *interleave.Process
	truth     *simTruth
	steps     int
	todo      []*int // what is left to each process
	roles     []string

	stay  int // of 100 times, how often the process goes on that went on last
	sick  int // of 1000 things that can fail, how many do
	kills int // of 10,000 steps, how many are a kill
	quiet atomic.Bool

	mu    sync.Mutex
	trace []string
}

func newSimulation(t *testing.T, seed uint64) *simulation {
	s := &simulation{t: t, rng: rand.New(rand.NewPCG(seed, 0)), root: memoryDir(t), truth: newSimTruth()}
	s.name = fmt.Sprintf("go test ./eventlog -run TestSimulation_SeedsLoseNothing -sim.seed %d -sim.seeds 1", seed)
	if testing.Short() {
		s.name += "0 # the first"
	}
	s.stay = []int{0, 50, 80, 95}[s.rng.IntN(4)]
	s.sick = []int{0, 0, 10, 100}[s.rng.IntN(4)]
	s.kills = []int{0, 30, 100}[s.rng.IntN(3)]
	s.quiet.Store(s.sick == 0)
	s.roles = []string{"writer", "writer"}
	for range s.rng.IntN(3) {
		s.roles = append(s.roles, []string{"writer", "keeper", "keeper", "follower", "reader"}[s.rng.IntN(5)])
	}
	s.mount(newCrashDisk())
	return s
}

// sound says that nothing fails.
func (s *simulation) sound() bool { return s.quiet.Load() }

// failf ends the simulation with the first failure.
func (s *simulation) failf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.t.Failed() {
		return
	}
	tail := s.trace[max(0, len(s.trace)-80):]
	s.t.Errorf("%s\nafter %d steps, the last of which were\n  %s\nagain: %s",
		fmt.Sprintf(format, args...), s.steps, strings.Join(tail, "\n  "), s.name)
}

func (s *simulation) note(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trace = append(s.trace, fmt.Sprintf(format, args...))
}

// mount begins to use a disk.
func (s *simulation) mount(d *crashDisk) {
	s.made++
	root := filepath.Join(s.root, fmt.Sprint("disk", s.made))
	if err := os.Mkdir(root, 0o700); err != nil {
		s.t.Fatal(err)
	}
	s.disk = newTrace(s.t, root, d)
	s.disk.unread, s.disk.quick = true, true
	s.disk.mount()
}

// start starts a process.
func (s *simulation) start(role string, todo *int) {
	p := s.make(role)
	p.todo = todo
	s.group.Go(func() { p.act() })
}

func (s *simulation) make(role string) *simProcess {
	p := &simProcess{Process: s.turns.Process(), sim: s, disk: s.disk, role: role}
	n := uint64(p.Number())
	p.rng, p.torn = rand.New(rand.NewPCG(s.rng.Uint64(), n)), rand.New(rand.NewPCG(s.rng.Uint64(), n))
	p.opt = Options{
		Create: created, SegmentSize: 300 << s.rng.IntN(5), disk: p.simDisk(),
		Now: func() int64 { return time.Now().UnixNano() },
	}
	s.processes = append(s.processes, p)
	return p
}

// play plays the history of a seed.
func (s *simulation) play() {
	for _, role := range s.roles {
		todo := 4 + s.rng.IntN(12)
		s.todo = append(s.todo, &todo)
		s.start(role, &todo)
	}
	cuts := s.rng.IntN(3)
	for s.proceed() {
		s.turns.Ready() // what goes on has come to its next stop
		switch n := s.rng.IntN(10_000); {
		case n < s.kills:
			s.kill()
		case n < s.kills+30:
			time.Sleep([]time.Duration{time.Microsecond, time.Millisecond, patience, 2 * settleAfter}[s.rng.IntN(4)])
		case n < s.kills+40 && cuts > 0:
			cuts--
			s.cut()
		}
	}
	s.finish()
}

// proceed has one process go one step further. It returns false when there is none that wants to.
func (s *simulation) proceed() bool {
	ready := s.turns.Ready()
	for idle := 0; len(ready) == 0; idle++ {
		if s.allDone() {
			return false
		}
		if idle == 1000 {
			s.failf("nothing goes on any more")
			return false
		}
		time.Sleep(100 * time.Millisecond)
		ready = s.turns.Ready()
	}
	if s.t.Failed() {
		return false
	}
	s.lookAtImages(3)
	stop := ready[s.rng.IntN(len(ready))]
	if s.rng.IntN(100) < s.stay {
		if i := slices.IndexFunc(ready, func(stop *interleave.Stop) bool { return stop.Process == s.last }); i >= 0 {
			stop = ready[i]
		}
	}
	s.give(stop, s.turn(stop))
	return true
}

func (s *simulation) give(stop *interleave.Stop, turn interleave.Turn) {
	s.steps++
	s.sum.steps.Add(1)
	s.last = stop.Process
	how := ""
	if turn == interleave.Fail {
		how = ", and it fails"
		s.sum.faults.Add(1)
	}
	s.note("%d: process %d: %s%s", s.steps, stop.Process.Number(), stop.At, how)
	s.turns.Give(stop, turn)
}

// turn says how the process goes on.
func (s *simulation) turn(stop *interleave.Stop) interleave.Turn {
	n := s.rng.IntN(1000)
	switch {
	case n < s.sick && canFail(stop.At):
		return interleave.Fail
	case n >= 800:
		return interleave.Odd
	}
	return interleave.Go
}

// canFail says if what follows a stop can be made to fail.
func canFail(at string) bool {
	return strings.HasPrefix(at, "sync ") || slices.Contains([]string{"lock", "reserve", "rewrite", "write", "write D"}, at)
}

// allDone says that all processes have come to their ends.
func (s *simulation) allDone() bool {
	return !slices.ContainsFunc(s.todo, func(todo *int) bool { return *todo > 0 })
}

// lookAtImages opens what a power cut would leave, after something was answered; not each time.
func (s *simulation) lookAtImages(often int) {
	s.truth.mu.Lock()
	news := s.truth.news
	s.truth.news = false
	s.truth.mu.Unlock()
	if !news || s.rng.IntN(often) > 0 {
		return
	}
	s.lookAtImage()
}

// lookAtImage opens one thing that a power cut would leave: of each piece the oldest version, or any.
func (s *simulation) lookAtImage() {
	s.sum.images.Add(1)
	way := s.wayOut()
	if err := s.checkImage(s.disk.disk.leave(way)); err != nil {
		s.failf("after a power cut that leaves %v: %v", way, err)
	}
}

func (s *simulation) wayOut() []int {
	way := s.disk.disk.open()
	how := s.rng.IntN(3)
	for i, n := range way {
		switch {
		case how == 0 || how == 1 && s.rng.IntN(8) > 0:
			way[i] = 0
		default:
			way[i] = s.rng.IntN(n)
		}
	}
	return way
}

// kill kills a process, and starts another in its place.
func (s *simulation) kill() {
	live := s.living()
	if len(live) == 0 {
		return
	}
	s.sum.kills.Add(1)
	victim := live[s.rng.IntN(len(live))]
	s.note("process %v is killed", victim)
	writes := func(stop *interleave.Stop) bool {
		return stop.Process == victim.Process && stop.At == string(pointWrite)
	}
	if slices.ContainsFunc(s.turns.Ready(), writes) {
		victim.dieWriting()
	} else {
		victim.die()
	}
	s.dead = append(s.dead, victim)
	s.processes = slices.DeleteFunc(s.processes, func(p *simProcess) bool { return p == victim })
	s.start(victim.role, victim.todo)
}

// living are the processes that have something to do.
func (s *simulation) living() (live []*simProcess) {
	for _, p := range s.processes {
		if *p.todo > 0 {
			live = append(live, p)
		}
	}
	return live
}

// cut cuts the power. Other processes go on with what that leaves.
func (s *simulation) cut() {
	s.sum.cuts.Add(1)
	s.note("the power is cut")
	state := s.disk.disk.leave(s.wayOut())
	if err := s.checkImage(state); err != nil {
		s.failf("after a power cut: %v", err)
		return
	}
	before := s.processes
	s.bury()
	s.mount(installed(state))
	for _, p := range before {
		if *p.todo > 0 {
			s.start(p.role, p.todo)
		}
	}
}

// bury lets all processes of a disk come to their ends, which nobody looks at any more.
func (s *simulation) bury() {
	for _, p := range append(s.processes, s.dead...) {
		p.End()
	}
	s.group.Wait()
	s.processes, s.dead = nil, nil
	if err := os.RemoveAll(s.disk.root); err != nil {
		s.t.Error(err)
	}
}

// finish looks at what has come of all.
func (s *simulation) finish() {
	defer s.bury()
	if s.t.Failed() {
		return
	}
	s.disk.observe()
	if !s.truth.lossy { // or it may be damaged
		s.lookAtImage()
	}
	if err := s.checkDir(s.disk.dir()); err != nil {
		s.failf("in the end: %v", err)
	}
}
