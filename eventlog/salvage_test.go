package eventlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"syscall"
	"testing"

	"pgregory.net/rapid"
)

// salvaged is what Salvage passes on.
type salvaged struct {
	commits []Commit
	gaps    []Gap
}

func salvage(tb testing.TB, h *handmade, dir string) (s salvaged) {
	tb.Helper()
	err := Salvage(context.Background(), dir, func(e *Entry) error {
		if e.Head() != h.tips[e.Commit].head {
			tb.Errorf("commit %d is not what was written", e.Commit)
		}
		s.commits = append(s.commits, e.Commit)
		return nil
	}, func(g Gap) error {
		s.gaps = append(s.gaps, g)
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// TestSalvage_ReadsEverythingButWhatIsDamaged flips bits in any number of commits.
func TestSalvage_ReadsEverythingButWhatIsDamaged(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		h := newHandmade(rapid.Uint64().Draw(rt, "seed"), 0)
		for i := range 3 {
			if i > 0 {
				h.rotate()
			}
			h.fill(t, 2000)
		}
		n := h.commits()
		bad := map[Commit]bool{}
		for _, c := range rapid.SliceOfN(rapid.Uint64Range(1, uint64(n-1)), 1, 6).Draw(rt, "bad") {
			bad[Commit(c)] = true // the last one promises, so that none of them is torn
		}
		for i, s := range h.segments {
			for c := s.first; c <= n && (i == 2 || c < h.segments[i+1].first); c++ {
				if bad[c] {
					from := h.tips[c-1].offset
					s.data[from+maxPrefix+int64(rapid.IntRange(4, headerSize).Draw(rt, "at"))] ^= 1
				}
			}
		}
		s := salvage(t, h, h.write(t))
		want := salvaged{}
		var gap *Gap
		for c := Commit(1); c <= n; c++ {
			if !bad[c] {
				want.commits = append(want.commits, c)
				if gap != nil {
					gap.Commit, gap.First = c, h.tips[c-1].head.Position+1
					want.gaps, gap = append(want.gaps, *gap), nil
				}
			} else if gap == nil {
				gap = &Gap{After: h.tips[c-1].head}
				if c == 1 {
					gap.After = Head{}
				}
			}
		}
		for i := range s.gaps {
			if len(s.gaps[i].Damage) == 0 {
				rt.Error("a gap without a reason")
			}
			s.gaps[i].Damage = nil
		}
		if fmt.Sprint(s) != fmt.Sprint(want) {
			rt.Errorf("got  %+v\nwant %+v", s, want)
		}
	})
}

func TestSalvage_EndsWithTheErrorOfItsCaller(t *testing.T) {
	t.Parallel()
	h := threeSegments(t, 71)
	h.segments[0].data[h.tips[3].offset+20] ^= 1
	dir := h.write(t)
	enough := errors.New("enough")
	if err := Salvage(t.Context(), dir, func(*Entry) error { return enough }, nil); err != enough {
		t.Errorf("of fn: got %v", err)
	}
	every := func(*Entry) error { return nil }
	if err := Salvage(t.Context(), dir, every, func(Gap) error { return enough }); err != enough {
		t.Errorf("of gap: got %v", err)
	}
}

func TestGap_Missing(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		gap         Gap
		first, last Position
	}{
		{Gap{After: Head{Commit: 3, Position: 7}, Commit: 6, First: 12}, 8, 11},
		{Gap{After: Head{Commit: 3, Position: 7}, Commit: 4, First: 8}, 8, 7}, // nothing: what follows was made for another
		{Gap{After: Head{Commit: 3, Position: 7}}, 8, 0},
		{Gap{Commit: 2, First: 2}, 1, 1},
	} {
		if first, last := row.gap.Missing(); first != row.first || last != row.last {
			t.Errorf("%+v: got %d to %d, want %d to %d", row.gap, first, last, row.first, row.last)
		}
	}
}

// brokenSource is a directory on a disk that does not give back one place of one segment.
type brokenSource struct {
	dirSource
	segment Commit
	offset  int64
}

func (s brokenSource) open(first Commit) (segmentFile, error) {
	f, err := s.dirSource.open(first)
	if err == nil && first == s.segment {
		f = brokenSegment{f, s.offset}
	}
	return f, err
}

type brokenSegment struct {
	segmentFile
	offset int64
}

func (s brokenSegment) ReadAt(b []byte, offset int64) (int, error) {
	if offset+int64(len(b)) <= s.offset {
		return s.segmentFile.ReadAt(b, offset)
	}
	n, _ := s.segmentFile.ReadAt(b[:max(0, s.offset-offset)], offset)
	return n, &fs.PathError{Op: "read", Path: "segment", Err: syscall.EIO}
}

// TestVerify_NamesWhatTheDiskDoesNotGiveBack has bytes that cannot be read, in each of the segments.
func TestVerify_NamesWhatTheDiskDoesNotGiveBack(t *testing.T) {
	t.Parallel()
	h := threeSegments(t, 72)
	dir := h.write(t)
	for i, s := range h.segments {
		bad := s.first + 5
		src := brokenSource{newDirSource(dir, h.id), s.first, h.tips[bad-1].offset + 100}
		v := newVerifier(src, h.id)
		if err := errors.Join(v.prepare(), v.run(t.Context())); err != nil {
			t.Fatal(err)
		}
		r := v.report
		want := CorruptError{
			Path: h.path(dir, i), Offset: h.tips[bad-1].offset, Commit: bad, Position: h.tips[bad-1].head.Position + 1,
			Reason: "it cannot be read: input/output error",
		}
		if len(r.Damage) != 1 || *r.Damage[0] != want {
			t.Errorf("segment %d: damage is %v, want %v", i, r.Damage, want)
		}
		next := Commit(0)
		if i < 2 {
			next = h.segments[i+1].first
		}
		if len(r.Gaps) != 1 || r.Gaps[0].After != h.tips[bad-1].head || r.Gaps[0].Commit != next {
			t.Errorf("segment %d: gaps are %+v", i, r.Gaps)
		}
	}
}

// TestVerify_MemoryIsFlat: what it allocates is its buffer, and a little for each file.
func TestVerify_MemoryIsFlat(t *testing.T) { // not parallel: it counts
	const perSegment = 4 << 10
	h := newHandmade(73, 2)
	sizes := map[int]uint64{}
	for i := range 40 {
		if i > 0 {
			h.rotate()
		}
		h.fill(t, defaultSegmentSize)
		if i != 3 && i != 39 {
			continue
		}
		dir := h.write(t)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		verify(t, dir)
		runtime.ReadMemStats(&after)
		sizes[i] = after.TotalAlloc - before.TotalAlloc
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	if sizes[3] > 4*windowSize || sizes[39] > sizes[3]+36*perSegment {
		t.Errorf("4 segments take %d bytes, 40 take %d", sizes[3], sizes[39])
	}
}
