package eventlog

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
)

// TestRepairLog_IsWholeOrCanBeRepeatedAfterAPowerCut records what a repair of each damage does to the
// disk, and cuts the power at each moment of it, and for some at each moment of the repair that
// follows. What is left must be the damaged log, with all that must stay, or the repaired one; and
// another repair must take out what is left, and tell of all that was taken out, once.
func TestRepairLog_IsWholeOrCanBeRepeatedAfterAPowerCut(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a run without -short")
	}
	t.Parallel()
	tasks := make(chan func())
	var wait sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for task := range tasks {
				task()
			}
		})
	}
	c := &repairCheck{t: t, root: memoryDir(t), hash: maphash.MakeSeed(), known: map[uint64]bool{}}
	for i, row := range damages() {
		tasks <- func() {
			h, dir := row.spoiled(t, uint64(100+i))
			plan, err := MakePlan(t.Context(), dir)
			if err != nil {
				t.Error(err)
				return
			}
			r := repairCase{
				repairCheck: c, name: row.name, before: files(t, dir), keep: h.tips[row.keep(h)].head,
				rng: rand.New(rand.NewPCG(uint64(i), 1)), again: true,
			}
			for _, p := range plan.Pieces {
				r.gone += fromSegments(p.Repair)
			}
			r.cut(stateOf(t, dir))
		}
	}
	close(tasks)
	wait.Wait()
	t.Logf("%d states", len(c.known))
}

// repairCheck repairs what power cuts in repairs leave.
type repairCheck struct {
	t    *testing.T
	root string
	hash maphash.Seed

	mu    sync.Mutex
	made  int
	known map[uint64]bool
}

// repairCase is one damaged log.
type repairCase struct {
	*repairCheck
	name   string
	before map[string][]byte // its files
	keep   Head
	gone   int64 // bytes of segments that must go
	rng    *rand.Rand
	again  bool // the power may be cut again in the next repair
	twice  bool // a segment may have been cut off in part
}

// stateOf is the disk that has a log's directory.
func stateOf(t testing.TB, dir string) (s diskState) {
	t.Helper()
	parent, _ := parentOf(crashDir)
	s = diskState{{path: parent, dir: true}, {path: crashDir, dir: true}}
	all := files(t, dir)
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		name, _ := filepath.Rel(dir, path)
		name = filepath.ToSlash(name)
		if err == nil && name != "." {
			s = append(s, diskFile{path: crashDir + "/" + name, dir: entry.IsDir(), data: all[name]})
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// scratch makes a directory.
func (c *repairCheck) scratch() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made++
	return (&crashCheck{t: c.t, root: c.root}).scratchNamed(c.made)
}

// cut repairs the log of a disk, and cuts the power at each moment of that.
func (r repairCase) cut(s diskState) {
	root := r.scratch()
	trace := record(r.t, root, installed(s), func(c *crashTrace) {
		c.blind = true
		_, err := RepairLog(context.Background(), c.dir(), RepairOptions{
			Accepted: "ada@loom", disk: c.diskFor(func(string) error { return nil }),
		})
		c.must(err)
		c.observe()
	})
	(&crashCheck{t: r.t}).remove(root)
	if trace == nil {
		return // it was told why
	}
	ways := 8
	if sample() > 1 {
		ways = 2
	}
	d := trace.before.clone()
	twice := r.twice
	for i, e := range trace.effects {
		d.apply(e)
		// What such a power cut leaves in the segment may be neither what was cut off nor nothing: that
		// is then kept as well.
		r.twice = twice || e.kind == effectTruncate
		d.cuts(ways, r.rng, func(way []int) {
			if state := d.leave(way); !r.t.Failed() && r.news(state) {
				if err := r.open(state); err != nil {
					r.t.Errorf("%s: after effect %d of %d, %v; left is %v: %v\n%v", r.name, i, len(trace.effects), e, way, err, state)
				}
			}
		})
	}
}

// news says if a state is new.
func (r repairCase) news(s diskState) bool {
	key := s.hash(r.hash)
	r.mu.Lock()
	defer r.mu.Unlock()
	known := r.known[key]
	r.known[key] = true
	return !known
}

// open looks at what a power cut has left, and repairs it.
func (r repairCase) open(s diskState) error {
	root := r.scratch()
	defer (&crashCheck{t: r.t}).remove(root)
	if err := s.install(root); err != nil {
		return err
	}
	dir := filepath.Join(root, filepath.FromSlash(crashDir))
	plan, err := MakePlan(r.t.Context(), dir)
	if err != nil {
		return err
	}
	if plan.Head != r.keep || plan.Torn != nil && !r.twice {
		return fmt.Errorf("there remains %+v, want %+v; torn is %v", plan.Head, r.keep, plan.Torn)
	}
	if err := keepsAll(r.before, files(r.t, dir)); err != nil {
		return err
	}
	if r.again && len(plan.Damage) > 0 && r.rng.IntN(5) == 0 {
		second := r
		second.again = false
		second.cut(s)
	}
	if _, err := RepairLog(r.t.Context(), dir, RepairOptions{Accepted: "ada@loom", disk: &quickDisk}); err != nil {
		return err
	}
	var gone int64
	names := map[string]bool{}
	for _, p := range tellsOf(r.t, dir) {
		gone += fromSegments(p)
		if names[p.Quarantine] {
			return fmt.Errorf("%s is told of twice", p.Quarantine)
		}
		names[p.Quarantine] = true
	}
	if gone != r.gone && !(r.twice && gone > r.gone) {
		return fmt.Errorf("%d bytes are told of, want %d: %v", gone, r.gone, names)
	}
	report, err := Verify(r.t.Context(), dir, VerifyOptions{Heads: pinsOf(r.keep)})
	if err != nil {
		return err
	}
	if !report.Sound() || report.Torn != nil || report.Head.Commit != r.keep.Commit+1 {
		return fmt.Errorf("repaired, the log is %+v", report)
	}
	return errors.Join(keepsAll(r.before, files(r.t, dir)))
}

// fromSegments is the size of a piece, unless it is what D said, which may be written in parts.
func fromSegments(r Repair) int64 {
	if r.Segment == durableFile {
		return 0
	}
	return r.Size
}

// pinsOf is that of a head, if there is anything before it.
func pinsOf(h Head) (pins []Pin) {
	if h.Commit > 0 {
		pins = slices.Insert(pins, 0, h.Pin())
	}
	return pins
}
