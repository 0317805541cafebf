package eventlog

import (
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"
)

// counted is a source that counts which segments were opened.
type counted struct {
	dirSource
	opened map[Commit]bool
}

func (s counted) open(first Commit) (segmentFile, error) {
	s.opened[first] = true
	return s.dirSource.open(first)
}

// TestReaderAt_AgreesWithReadingFromTheBeginning compares a Reader that searches with one that passes
// over what comes before.
func TestReaderAt_AgreesWithReadingFromTheBeginning(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		h := newHandmade(rapid.Uint64().Draw(rt, "seed"), 0)
		for i := range rapid.IntRange(1, 12).Draw(rt, "segments") {
			if i > 0 {
				h.rotate()
			}
			if i == 0 || rapid.IntRange(0, 5).Draw(rt, "empty") > 0 {
				h.fill(t, rapid.IntRange(1, 3000).Draw(rt, "bytes"))
			} else {
				break // only the last segment may be empty
			}
		}
		dir := h.write(t)
		promise(t, dir, h)
		last := h.end().head.Position
		from := Position(rapid.Uint64Range(0, uint64(last)+1).Draw(rt, "from"))
		r, err := NewReaderAt(dir, from)
		if err != nil {
			rt.Fatal(err)
		}
		defer r.Close()
		var got []Head
		if err := drain(r, heads(&got)); err != nil {
			rt.Fatal(err)
		}
		var want []Head
		for _, head := range h.wantHeads(1, h.commits()) {
			if head.Position >= from {
				want = append(want, head)
			}
		}
		if len(got) != len(want) || len(want) > 0 && got[0] != want[0] {
			rt.Errorf("from %d: got %d commits, want %d", from, len(got), len(want))
		}

		// The position behind the next one is a mistake, or that of another log.
		beyond, err := NewReaderAt(dir, last+2)
		if err != nil {
			rt.Fatal(err)
		}
		defer beyond.Close()
		if _, err := beyond.Next(t.Context()); !errors.Is(err, ErrBeyond) {
			rt.Errorf("from %d of %d: got %v, want ErrBeyond", last+2, last, err)
		}
	})
}

func TestReaderAt_OpensFewSegments(t *testing.T) {
	t.Parallel()
	h := newHandmade(80, 0)
	for i := range 100 {
		if i > 0 {
			h.rotate()
		}
		h.fill(t, 500)
	}
	dir := h.write(t)
	promise(t, dir, h)
	opened := map[Commit]bool{}
	src := counted{dirSource{dir: dir, id: h.id}, opened}
	last := h.end().head
	r, err := newReaderAt(src, h.id, last.Position)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if e, err := r.Next(t.Context()); err != nil || e.Head() != last || len(opened) > 8 {
		t.Errorf("got %+v, %v, after opening %d of 100 segments", e, err, len(opened))
	}
}

// TestReaderAt_PositionThatIsNotDurableYetIsThere: whoever was shown an event may ask for the next one
// even if the note that it is durable was lost in a power cut.
func TestReaderAt_PositionThatIsNotDurableYetIsThere(t *testing.T) {
	t.Parallel()
	h := newHandmade(81, 1<<40) // no promises
	h.noise(t, 10)
	h.noise(t, 10)
	dir := h.write(t)
	r, err := NewReaderAt(dir, 3)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Next(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want io.EOF", err)
	}
}

func TestReaderAt_ReadsWhatIsSoundBehindDamage(t *testing.T) {
	t.Parallel()
	h := threeSegments(t, 82)
	dir := h.write(t)
	promise(t, dir, h)
	flip := func(segment int) {
		t.Helper()
		b := append([]byte(nil), h.segments[segment].data...)
		b[40]++
		put(t, h.path(dir, segment), b)
	}
	flip(1)
	third := h.tips[h.segments[2].first-1].head.Position + 1
	var got []Head
	r, err := NewReaderAt(dir, third)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := drain(r, heads(&got)); err != nil || len(got) != int(h.commits()-h.segments[2].first)+1 {
		t.Errorf("from %d: got %d commits, %v", third, len(got), err)
	}
	inside, err := NewReaderAt(dir, third-1)
	if err != nil {
		t.Fatal(err)
	}
	defer inside.Close()
	if err := drain(inside, nil); !errors.As(err, new(*CorruptError)) {
		t.Errorf("from %d: got %v, want the damage", third-1, err)
	}
}

func TestSkipToEnd_ReturnsTheHeadAndGoesOnBehindIt(t *testing.T) {
	t.Parallel()
	for _, empty := range []bool{false, true} {
		h := threeSegments(t, 83)
		if empty {
			h.rotate()
		}
		dir := h.write(t)
		promise(t, dir, h)
		opened := map[Commit]bool{}
		r, err := newReader(counted{dirSource{dir: dir, id: h.id}, opened}, h.id, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if _, err := r.Next(t.Context()); err != nil { // it may have begun
			t.Fatal(err)
		}
		for range 2 {
			if head, err := r.SkipToEnd(t.Context()); err != nil || head != h.end().head {
				t.Fatalf("got %+v, %v; want %+v", head, err, h.end().head)
			}
		}
		if _, err := r.Next(t.Context()); !errors.Is(err, io.EOF) {
			t.Errorf("got %v, want io.EOF", err)
		}
		h.noise(t, 10)
		put(t, h.path(dir, len(h.segments)-1), h.last().data)
		promise(t, dir, h)
		if e, err := r.Next(t.Context()); err != nil || e.Head() != h.end().head {
			t.Errorf("got %+v, %v; want %+v", e, err, h.end().head)
		}
	}
}

func TestSkipToEnd_OfNoLogIsAnError(t *testing.T) {
	t.Parallel()
	h := threeSegments(t, 84)
	dir := h.write(t)
	r, err := NewReader(dir, math.MaxUint64)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := os.RemoveAll(filepath.Join(dir, logDir)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.SkipToEnd(t.Context()); err == nil {
		t.Error("got no error")
	}
}
