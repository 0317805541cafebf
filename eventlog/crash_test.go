package eventlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/queuectl/queuectl/internal/effort"
)

var crashes = effort.New("crash", "states", "how many states of a disk TestCrashStates opens, at least")

// TestCrashStates_LoseNothingThatWasAnswered records what processes do to the disk while they act out
// a few stories, and opens what a power cut may leave of it, at any moment. Each round of stories
// has a seed of its own; rounds follow until there were enough different states.
func TestCrashStates_LoseNothingThatWasAnswered(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a run without -short")
	}
	t.Parallel()
	k := newCrashCheck(t)
	first := crashes.Seed(1)
	seed := first
	for enough := crashes.Count(20_000 / sample()); k.states() < enough && !t.Failed(); seed++ {
		r := &crashRound{t: t, check: k, seed: seed, rng: rand.New(rand.NewPCG(seed, 0))}
		r.run()
	}
	k.finish()
	t.Logf("seeds %d to %d: %s", first, seed-1, k.summary())
	effort.Report(t, map[string]int{"states": k.states(), "rounds of stories": int(seed - first)})
}

// crashRound is a round of stories, and the power cuts in them.
type crashRound struct {
	t     *testing.T
	check *crashCheck
	seed  uint64
	rng   *rand.Rand

	backup []byte // of another log, to be restored
}

// story is what processes do.
type story struct {
	name string
	act  func(c *crashTrace)
}

// How many states there are of a story, more or less.
const (
	statesOfStory = 250
	statesOfKill  = 50
	killsOfStory  = 6
)

func (r *crashRound) run() {
	part := 1
	if sample() > 1 {
		part = 3
	}
	h := manySegments(r.t, r.seed, 4)
	dir := h.write(r.t)
	archiveOf(r.t, dir, h.segments[1].first-1)
	r.backup, _ = backedUp(r.t, dir)
	for _, s := range []story{
		{"one process", r.oneProcess},
		{"two processes", r.twoProcesses},
		{"two that make the log", r.twoMakers},
		{"syncs that fail", r.failingSyncs},
		{"more syncs that fail", r.failingSyncs},
		{"archiving", r.archiving},
		{"restoring", r.restoring},
		{"snapshots", r.snapshots},
		{"pruning", r.pruning},
	} {
		if c := r.record(s, newCrashDisk()); c != nil {
			r.cut(s.name, c, statesOfStory/part)
			r.kill(s.name, c, killsOfStory/part)
		}
	}
}

// record has a story acted out in a bubble, where time passes only when all wait for it.
func (r *crashRound) record(s story, d *crashDisk) (c *crashTrace) {
	synctest.Test(r.t, func(t *testing.T) {
		root := r.check.scratch()
		c = record(t, root, d, s.act)
		r.check.remove(root)
	})
	return c
}

func (r *crashRound) oneProcess(c *crashTrace) {
	a := c.enter(r.segmentSize(), nil)
	a.show()
	for range 8 + r.rng.IntN(8) {
		a.append(r.texts()...)
	}
	time.Sleep(3 * settleAfter) // D is synced, and segments are sealed
	c.observe()
	for range 3 {
		a.append(r.texts()...)
	}
	a.close()
	a = c.enter(r.segmentSize(), nil)
	a.append(r.texts()...)
	a.close()
}

func (r *crashRound) twoProcesses(c *crashTrace) {
	both := []*actor{c.enter(r.segmentSize(), nil), c.enter(r.segmentSize(), nil)}
	for range 12 {
		i := r.rng.IntN(2)
		switch r.rng.IntN(6) {
		case 0:
			both[i].show()
		case 1:
			both[i].close()
			both[i] = c.enter(r.segmentSize(), nil)
		case 2:
			both[i].meanwhile = func() { both[1-i].append(r.texts()...) }
			both[i].append(r.texts()...)
			both[i].meanwhile = nil // there was no sync, as it filled a segment
		default:
			both[i].append(r.texts()...)
		}
	}
	both[0].close()
	both[1].close()
}

// twoMakers: while one makes the log, another does, and is faster.
func (r *crashRound) twoMakers(c *crashTrace) {
	var fast *actor
	slow := c.enter(r.segmentSize(), func() {
		fast = c.enter(r.segmentSize(), nil)
		fast.append(r.texts()...)
	})
	slow.append(r.texts()...)
	fast.append(r.texts()...)
	slow.close()
	fast.close()
}

func (r *crashRound) failingSyncs(c *crashTrace) {
	both := []*actor{c.enter(r.segmentSize(), nil), c.enter(r.segmentSize(), nil)}
	for _, a := range both {
		a.fails = func() bool { return r.rng.IntN(3) == 0 }
	}
	for range 16 {
		both[r.rng.IntN(2)].append(r.texts()...)
	}
	for _, a := range both {
		a.show()
		a.close()
	}
}

// archiving: what is sealed is archived, in steps, while processes append and seal more.
func (r *crashRound) archiving(c *crashTrace) {
	a := c.enter(300, nil)
	archive := func(through Commit) {
		_, err := Archive(context.Background(), c.dir(), through, ArchiveOptions{disk: a.opt.disk})
		c.must(err)
		c.observe()
	}
	for range 2 + r.rng.IntN(2) {
		for range 4 {
			a.append(r.texts()...)
		}
		time.Sleep(3 * settleAfter) // segments are sealed
		c.observe()
		archive(Commit(1 + r.rng.IntN(len(c.want))))
		a.append(r.texts()...)
		archive(math.MaxUint64)
	}
	a.close()
	archive(math.MaxUint64)
}

// pruning: archives are pruned, with an event that says so, while a process appends. The first time somebody dies when
// the base has its names, and the next one who archives goes on.
func (r *crashRound) pruning(c *crashTrace) {
	a := c.enter(300, nil)
	for round := range 2 {
		d := *a.opt.disk
		if round == 0 {
			d.syncDir = func(path string) error {
				if begins, _ := lastBase(c.dir()); begins > 0 {
					return errDisk
				}
				return a.opt.disk.syncDir(path)
			}
		}
		for range 2 {
			a.append(r.texts()...)
			a.append(r.texts()...)
			time.Sleep(3 * settleAfter) // segments are sealed
			_, err := Archive(context.Background(), c.dir(), math.MaxUint64, ArchiveOptions{disk: a.opt.disk})
			c.must(err)
			c.observe()
		}
		archives, err := Archives(context.Background(), c.dir())
		c.must(err)
		_, err = Prune(context.Background(), c.dir(), archives[r.rng.IntN(len(archives))].Last, PruneOptions{
			Save:   saveBase(c.dir()),
			Record: func(Pruned) error { a.append("pruned"); return nil },
			disk:   &d,
		})
		if round > 0 || !errors.Is(err, errDisk) {
			c.must(err)
		}
		c.observe()
	}
	a.close()
}

// snapshots: they are written, in levels, while processes append.
func (r *crashRound) snapshots(c *crashTrace) {
	a := c.enter(r.segmentSize(), nil)
	for range 4 {
		a.append(r.texts()...)
		c.must(writeLevels(c, a.opt.disk, r.rng.IntN(2) == 0))
		c.observe()
		a.append(r.texts()...)
	}
	a.close()
}

// writeLevels writes a snapshot file of what is durable, on top of all others or in place of them.
func writeLevels(c *crashTrace, disk *disk, onTop bool) error {
	room, ok, err := lockSnapshots(c.dir(), *disk)
	if err != nil || !ok {
		return errors.Join(err, errors.New("nobody else writes snapshots"))
	}
	defer room.Close()
	chain, err := room.Chain()
	if err != nil {
		return err
	}
	defer closeAll(chain)
	from := Head{}
	if onTop && len(chain) > 0 {
		from = chain[len(chain)-1].At.Head
	}
	r, err := NewReader(c.dir(), from.Commit+1)
	if err != nil {
		return err
	}
	defer r.Close()
	var at Checkpoint
	for {
		e, err := r.Next(context.Background())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		at = e.End()
	}
	if at.Head.Commit == from.Commit || at.Head.Commit == 0 {
		return nil
	}
	return room.Write(from, at, func(w *SnapshotWriter) error {
		for i := range uint64(3) {
			if err := w.Block(1, i, bytes.Repeat([]byte{byte(i)}, 300)); err != nil {
				return err
			}
		}
		return nil
	})
}

// restoring: a log is restored, with an event that says so, and goes on.
func (r *crashRound) restoring(c *crashTrace) {
	d := c.diskFor(func(string) error { return nil })
	var last Commit
	c.unread = true // what somebody is shown before Restore returns may be lost; but it is in the backup
	_, err := Restore(context.Background(), bytes.NewReader(r.backup), c.dir(), RestoreOptions{
		disk: d,
		Finish: func(dir string, info BackupInfo) error {
			state := &ledger{}
			l, err := Open(context.Background(), dir, state, Options{disk: d, SegmentSize: r.segmentSize()})
			if err != nil {
				return err
			}
			err = l.Append(context.Background(), (&handle{Log: l, state: state}).proposes("restored"))
			last = info.Head.Commit + 1
			return errors.Join(err, l.Close())
		},
	})
	c.must(err)
	c.unread = false
	c.observe(effect{kind: effectAnswer, commit: last})
	a := c.enter(r.segmentSize(), nil)
	a.append(r.texts()...)
	a.close()
}

// goOn is what the next process does when all others were killed.
func (r *crashRound) goOn(c *crashTrace) {
	// A log without D was restored by somebody who was killed before he returned: see restoring.
	_, err := os.Stat(filepath.Join(c.dir(), logDir, durableFile))
	c.unread = err != nil
	a := c.enter(r.segmentSize(), nil)
	if r.rng.IntN(2) == 0 {
		a.show()
	}
	a.append(r.texts()...)
	c.unread = false
	a.append(r.texts()...)
	a.close()
	if r.rng.IntN(2) == 0 {
		_, err := Archive(context.Background(), c.dir(), math.MaxUint64, ArchiveOptions{disk: a.opt.disk})
		c.must(err)
		c.observe()
	}
}

// segmentSize is from 300 bytes, which one commit may fill, to 4,800.
func (r *crashRound) segmentSize() int { return 300 << r.rng.IntN(5) }

// texts are those of a few commits.
func (r *crashRound) texts() []string {
	texts := []string{r.text()}
	for r.rng.IntN(3) == 0 {
		texts = append(texts, r.text())
	}
	return texts
}

// text is short, about as long as a piece, or longer than most segments. It may have pieces of
// zeros.
func (r *crashRound) text() string {
	n := 1 + r.rng.IntN(60)
	switch r.rng.IntN(4) {
	case 0:
		n = 200 + r.rng.IntN(500)
	case 1:
		n = 1000 + r.rng.IntN(1500)
		if r.rng.IntN(4) == 0 {
			return "zeros " + strings.Repeat("\x00", n)
		}
	}
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(1 + r.rng.IntN(255))
	}
	return string(b)
}

// kill kills all processes of a story at a few moments, without a power cut, and lets another one
// go on. The power is cut after that.
func (r *crashRound) kill(name string, c *crashTrace, times int) {
	var rare []int // effects, but for the many that append
	for i, e := range c.effects[:len(c.effects)-1] {
		if e.kind == effectMakeDir || e.kind == effectRename || e.kind == effectTruncate {
			rare = append(rare, i)
		}
	}
	for k := range times {
		at := r.rng.IntN(len(c.effects))
		if k%2 == 0 {
			at = rare[r.rng.IntN(len(rare))] + 1
		}
		d := c.before.clone()
		for _, e := range c.effects[:at] {
			d.apply(e)
		}
		if e := c.effects[at]; e.kind == effectWrite && len(e.data) > 1 {
			e.data = e.data[:1+r.rng.IntN(len(e.data)-1)]
			d.apply(e)
		}
		s := story{fmt.Sprintf("%s, killed at effect %d", name, at), r.goOn}
		if after := r.record(s, d); after != nil {
			r.cut(s.name, after, statesOfKill)
		}
	}
}

// cut cuts the power at each moment of a story: between two effects, and within each write, so that
// its beginning is all there is.
func (r *crashRound) cut(name string, c *crashTrace, most int) {
	share := 2 + most/(1+len(c.effects))
	d := c.before.clone()
	for i, e := range c.effects {
		if e.kind == effectWrite {
			for k := range min(share, len(e.data)-1) {
				n := len(e.data) - 1
				if k%2 == 0 {
					n = min(n, maxPrefix+headerSize) // within the header there is more to go wrong
				}
				part := e
				part.data = e.data[:1+r.rng.IntN(n)]
				within := d.clone()
				within.apply(part)
				r.cutAt(&crashMoment{r.seed, fmt.Sprintf("%s: in effect %d, %v", name, i, part), within, c}, 3)
			}
		}
		d.apply(e)
		r.cutAt(&crashMoment{r.seed, fmt.Sprintf("%s: after effect %d, %v", name, i, e), d.clone(), c}, share)
	}
}

func (r *crashRound) cutAt(at *crashMoment, most int) {
	at.disk.cuts(most, r.rng, func(way []int) {
		if !r.t.Failed() {
			r.check.open(at, way, r.rng.Uint64())
		}
	})
}

// crashMoment is one at which the power is cut.
type crashMoment struct {
	seed  uint64
	name  string
	disk  *crashDisk
	trace *crashTrace
}
