package eventlog

import (
	"bytes"
	"fmt"
	"iter"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/queuectl/queuectl/internal/effort"
)

var exhaustive = effort.New("exhaustive", "corpora", "how many logs are damaged in every way")

// The exhaustive damage test: a log of 64 KiB in three segments, and everything that can happen to
// it once. For each change the verdict must be that of the recovery table, and what is still
// accepted must be what was written.

// result is what recovery makes of a whole log.
type result struct {
	end tip // of the valid prefix
	row int
}

// examine is a recovery from the tip that begins segments[0] on, where nothing but the segments and
// what is promised is known.
func examine(segments []handmadeSegment, t tip, promised Commit, each func(*Entry)) (result, error) {
	for i, s := range segments {
		r, size := bytes.NewReader(s.data), int64(len(s.data))
		why, err := scan(r, size, &t, func(e *Entry) error { each(e); return nil })
		if err != nil {
			return result{}, err
		}
		if i == len(segments)-1 {
			v, _, err := judge(r, size, t, why, promised)
			return result{t, v.row}, err
		}
		if misplaced(t, why, segments[i+1].first) != nil {
			return result{t, 3}, nil
		}
		t = t.next()
	}
	return result{}, nil
}

// damageTest runs changes of one log on all cores.
type damageTest struct {
	*testing.T
	log   *handmade
	tasks chan func()
	count atomic.Int64
	wait  sync.WaitGroup
}

// corpora yields one log to damage after the other, each with a seed of its own.
func corpora(t *testing.T, usual uint64) iter.Seq[*damageTest] {
	return func(yield func(*damageTest) bool) {
		first := exhaustive.Seed(usual)
		for i := range exhaustive.Count(1) {
			d := newDamageTest(t, first+uint64(i))
			ok := yield(d)
			if d.finish(); !ok || t.Failed() {
				t.Logf("it was the log of seed %d", first+uint64(i))
				return
			}
		}
	}
}

func newDamageTest(t *testing.T, seed uint64) *damageTest {
	d := &damageTest{T: t, log: threeSegments(t, seed), tasks: make(chan func(), 64)}
	for range runtime.GOMAXPROCS(0) {
		d.wait.Go(func() {
			for task := range d.tasks {
				task()
			}
		})
	}
	return d
}

func (d *damageTest) finish() {
	close(d.tasks)
	d.wait.Wait()
	effort.Report(d, map[string]int{"damaged logs": int(d.count.Load())})
}

// segments is a copy of the log's list of segments; the bytes are shared.
func (d *damageTest) segments() []handmadeSegment {
	list := make([]handmadeSegment, len(d.log.segments))
	for i, s := range d.log.segments {
		list[i] = *s
	}
	return list
}

// sample is which part of all changes is made: one in so many, where all would take too long.
func sample() int {
	if testing.Short() || raceEnabled {
		return 37 // prime to the 8 bits of a byte
	}
	return 1
}

// each runs the test for all offsets of segment i, a few hundred at a time. segments is a list of
// its own, from i on.
func (d *damageTest) each(i int, test func(segments []handmadeSegment, offsets []int)) {
	var offsets []int
	for offset := 0; offset < len(d.log.segments[i].data); offset += sample() {
		offsets = append(offsets, offset)
	}
	for part := range slices.Chunk(offsets, 512) {
		d.tasks <- func() { test(d.segments()[i:], part) }
	}
}

// expect examines a damaged log: the valid prefix must end at the given commit, with the given row,
// and be what was written.
func (d *damageTest) expect(name func() string, segments []handmadeSegment, promised, valid Commit, row int) {
	d.expectFrom(name, segments, firstTip(d.log.id), promised, result{d.log.tips[valid], row})
}

func (d *damageTest) expectFrom(name func() string, segments []handmadeSegment, from tip, promised Commit, want result) {
	d.count.Add(1)
	got, err := examine(segments, from, promised, func(e *Entry) {
		if e.Hash != d.log.tips[e.Commit].head.Hash || e.Head() != d.log.tips[e.Commit].head {
			d.Errorf("%s: commit %d is accepted, and is not what was written", name(), e.Commit)
		}
	})
	if err != nil {
		d.Errorf("%s: %v", name(), err)
	}
	// Where a segment ends, the tip may say so or name the beginning of the next.
	if got.end.head != want.end.head || got.row != want.row {
		d.Errorf("%s: valid up to commit %d, row %d; want %d, row %d", name(), got.end.head.Commit, got.row, want.end.head.Commit, want.row)
	}
}

// frameAt returns the commit whose entry holds the offset of segment i, and where that entry
// begins.
func (d *damageTest) frameAt(i int, offset int64) (Commit, tip) {
	first := d.log.segments[i].first
	for c := first; ; c++ {
		if c == d.log.commits() || d.log.tips[c].segment != first || d.log.tips[c].offset > offset {
			return c, d.log.tips[c-1]
		}
	}
}

// rowOfBad is the row for a commit whose bytes are all there, but wrong: n is the last one, and
// promises all but two before it.
func rowOfBad(c, n, promised Commit) int {
	if c < n {
		promised = max(promised, n-3)
	}
	switch {
	case promised >= c:
		return 4
	case c < n:
		return 8
	}
	return 6
}

// bits are those of the bytes at the offsets; of a sample of bytes, one each.
func bits(offsets []int) (list []int) {
	for _, offset := range offsets {
		if sample() > 1 {
			list = append(list, 8*offset+offset%8)
			continue
		}
		for bit := range 8 {
			list = append(list, 8*offset+bit)
		}
	}
	return list
}

func TestDamage_EveryBitFlip(t *testing.T) {
	t.Parallel()
	for d := range corpora(t, 30) {
		n := d.log.commits()
		for i := range d.log.segments {
			last := i == len(d.log.segments)-1
			d.each(i, func(segments []handmadeSegment, offsets []int) {
				data := bytes.Clone(d.log.segments[i].data)
				segments[0].data = data
				for _, bit := range bits(offsets) {
					c, begin := d.frameAt(i, int64(bit/8))
					want := result{begin, 3}
					if last {
						want.row = rowOfBad(c, n, 0)
					}
					data[bit/8] ^= 1 << (bit % 8)
					// What is before the frame is untouched, and its reading does not depend on what
					// follows.
					name := func() string { return fmt.Sprintf("segment %d, bit %d", i, bit) }
					d.expectFrom(name, segments, begin, 0, want)
					if bit%1009 == 0 {
						whole := d.segments()
						whole[i].data = data
						d.expect(name, whole, 0, begin.head.Commit, want.row)
					}
					data[bit/8] ^= 1 << (bit % 8)
				}
			})
		}
	}
	effort.Report(t, map[string]int{"corpora": exhaustive.Count(1)})
}

func TestDamage_EveryTruncation(t *testing.T) {
	t.Parallel()
	for d := range corpora(t, 31) {
		for i, s := range d.log.segments {
			last := i == len(d.log.segments)-1
			d.each(i, func(segments []handmadeSegment, sizes []int) {
				for _, size := range sizes {
					segments[0].data = s.data[:size]
					_, begin := d.frameAt(i, int64(size))
					boundary := begin.offset == int64(size)
					for _, promised := range []Commit{begin.head.Commit, begin.head.Commit + 1} {
						row := 5
						switch {
						case !last:
							row = 3
						case promised > begin.head.Commit && boundary:
							row = 2
						case promised > begin.head.Commit:
							row = 4
						case size == 0:
							row = 9
						case boundary:
							row = 1
						}
						name := func() string { return fmt.Sprintf("segment %d, size %d, promised %d", i, size, promised) }
						d.expectFrom(name, segments, begin, promised, result{begin, row})
					}
				}
			})
		}
	}
}

func TestDamage_EveryZeroSuffix(t *testing.T) {
	t.Parallel()
	for d := range corpora(t, 32) {
		n := d.log.commits()
		for i, s := range d.log.segments {
			last := i == len(d.log.segments)-1
			d.each(i, func(segments []handmadeSegment, offsets []int) {
				data := bytes.Clone(s.data)
				segments[0].data = data
				for _, from := range slices.Backward(offsets) {
					clear(data[from:])
					c, begin := d.frameAt(i, int64(from))
					if bytes.Equal(data[:d.log.tips[c].offset], s.data[:d.log.tips[c].offset]) {
						continue // the end of the last frame was zeros before
					}
					for _, promised := range []Commit{0, n} {
						row := 3
						switch {
						case last && promised >= c:
							row = 4
						case last:
							// No frame is whole behind it, so the table asks for a piece that was never
							// written.
							row = 6
							if oracleTorn(data, begin.offset, begin.offset, int64(len(data))) {
								row = 5
							}
						}
						name := func() string { return fmt.Sprintf("segment %d, zeros from %d, promised %d", i, from, promised) }
						d.expectFrom(name, segments, begin, promised, result{begin, row})
					}
					// Whatever the rule says in detail: zeros over a whole piece of the frame, or over
					// its header, are torn.
					whole := int64(from+pieceSize-1)/pieceSize*pieceSize + pieceSize
					if last && whole <= d.log.tips[c].offset && !oracleTorn(data, begin.offset, begin.offset, int64(len(data))) {
						d.Errorf("zeros from %d are not torn", from)
					}
				}
			})
		}
	}
}

// TestDamage_FramesSwappedDroppedDoubled moves whole entries within a segment, and from one to
// another.
func TestDamage_FramesSwappedDroppedDoubled(t *testing.T) {
	t.Parallel()
	for d := range corpora(t, 33) {
		for i, s := range d.log.segments {
			entries := d.entries(i)
			for a := range entries {
				d.rearranged(i, s.first+Commit(a), "drop", entries[:a], entries[a+1:])
				d.rearranged(i, s.first+Commit(a)+1, "double", entries[:a+1], entries[a:])
				for b := a + 1; b < len(entries); b++ {
					swapped := append([][]byte(nil), entries...)
					swapped[a], swapped[b] = swapped[b], swapped[a]
					d.rearranged(i, s.first+Commit(a), fmt.Sprintf("swap with %d of", b), swapped)
				}
				for other := range d.log.segments {
					if foreign := d.entries(other); other != i && a < len(foreign) {
						d.rearranged(i, s.first+Commit(a), "replace", entries[:a], foreign[a:a+1], entries[a+1:])
					}
				}
			}
		}
	}
}

// entries are those of segment i.
func (d *damageTest) entries(i int) (list [][]byte) {
	s := d.log.segments[i]
	from := int64(0)
	for c := s.first; from < int64(len(s.data)); c++ {
		_, begin := d.frameAt(i, from)
		end := int64(len(s.data))
		if c < d.log.commits() && d.log.tips[c].segment == s.first {
			end = d.log.tips[c].offset
		}
		list = append(list, s.data[begin.offset:end])
		from = end
	}
	return list
}

// rearranged expects that segment i, if made of these entries, is valid up to the commit before
// bad.
func (d *damageTest) rearranged(i int, bad Commit, what string, entries ...[][]byte) {
	d.tasks <- func() {
		var data []byte
		for _, list := range entries {
			for _, entry := range list {
				data = append(data, entry...)
			}
		}
		segments := d.segments()[i:]
		segments[0].data = data
		at := d.log.tips[bad-1]
		row := 3
		if len(segments) == 1 {
			from, why := at, stop{kind: stopClean}
			if at.offset < int64(len(data)) {
				_, why = scanAll(d, data, &from)
			}
			row = oracle(data, at, why, 0)
			if why.kind == stopClean && what != "drop" {
				d.Errorf("%s: commit %d is not noticed", what, bad)
			}
		}
		name := func() string { return fmt.Sprintf("%s commit %d", what, bad) }
		d.expectFrom(name, segments, d.log.tips[segments[0].first-1], 0, result{at, row})
	}
}

// TestDamage_SegmentsSwappedDroppedDoubled gives segments the place of others.
func TestDamage_SegmentsSwappedDroppedDoubled(t *testing.T) {
	t.Parallel()
	for d := range corpora(t, 34) {
		s, n := d.segments(), d.log.commits()
		first := func(i int) Commit { return s[i].first }
		as := func(content int, name Commit) handmadeSegment { return handmadeSegment{name, s[content].data} }
		tests := []struct {
			name     string
			segments []handmadeSegment
			promised Commit
			valid    Commit
			row      int
		}{
			{"untouched", s, n, n, 1},
			{"first and second swapped", []handmadeSegment{as(1, first(0)), as(0, first(1)), s[2]}, 0, 0, 3},
			{"second and last swapped", []handmadeSegment{s[0], as(2, first(1)), as(1, first(2))}, 0, first(1) - 1, 3},
			{"second dropped", []handmadeSegment{s[0], s[2]}, 0, first(1) - 1, 3},
			{"last dropped", s[:2], 0, first(2) - 1, 1}, // nobody can know, unless:
			{"last dropped, promised", s[:2], n, first(2) - 1, 2},
			{"last doubled", append(s[:3:3], as(2, n+1)), 0, n, 6},
			{"second doubled at the end", append(s[:3:3], as(1, n+1)), 0, n, 6},
			{"second doubled before the last", []handmadeSegment{s[0], s[1], as(1, first(2)-1), s[2]}, 0, first(2) - 1, 3},
			{"second in place of the last", []handmadeSegment{s[0], s[1], as(1, first(2))}, 0, first(2) - 1, 6},
			{"empty one at the end", append(s[:3:3], handmadeSegment{first: n + 1}), n, n, 9},
			{"empty one a commit too far", append(s[:3:3], handmadeSegment{first: n + 2}), 0, n, 3},
		}
		for _, tt := range tests {
			d.expect(func() string { return tt.name }, tt.segments, tt.promised, tt.valid, tt.row)
		}
		got, err := examine(s[1:], firstTip(d.log.id), 0, func(*Entry) { t.Error("a commit is accepted") })
		if err != nil || got.row != 3 || got.end.head.Commit != 0 {
			t.Errorf("first dropped: got %+v, %v", got, err)
		}
	}
}

// TestDamage_NoPromiseIsTooHigh: numbers at the end of their range do not wrap around.
func TestDamage_NoPromiseIsTooHigh(t *testing.T) {
	t.Parallel()
	for d := range corpora(t, 35) {
		d.expect(func() string { return "promise" }, d.segments(), math.MaxUint64, d.log.commits(), 2)
	}
}
