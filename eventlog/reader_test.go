package eventlog

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// readLog reads until there is no more, for now.
func readLog(dir string, from Commit, fn func(*Entry)) error {
	r, err := NewReader(dir, from)
	if err != nil {
		return err
	}
	defer r.Close()
	return drain(r, fn)
}

// drain passes to fn what r returns until io.EOF.
func drain(r *Reader, fn func(*Entry)) error {
	for {
		e, err := r.Next(context.Background())
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if fn != nil {
			fn(e)
		}
	}
}

// heads collects what drain passes.
func heads(list *[]Head) func(*Entry) {
	return func(e *Entry) { *list = append(*list, e.Head()) }
}

// wantHeads are those of the given commits, both included.
func (h *handmade) wantHeads(from, to Commit) (list []Head) {
	for c := from; c <= to; c++ {
		list = append(list, h.tips[c].head)
	}
	return list
}

func TestReader_ReadsWhatIsDurableInOrder(t *testing.T) {
	t.Parallel()
	h := threeSegments(t, 70)
	dir := h.write(t)
	n := h.commits()
	for _, tt := range []struct {
		name string
		set  func()
		to   Commit
	}{
		{"by the frames' own promises", func() {}, n - 3},
		{"by the D file", func() { promise(t, dir, h) }, n},
	} {
		tt.set()
		second, third := h.segments[1].first, h.segments[2].first
		for _, from := range []Commit{0, 1, 2, second - 1, second, third + 5, n, n + 1, n + 1000} {
			var got []Head
			if err := readLog(dir, from, heads(&got)); err != nil {
				t.Fatal(err)
			}
			if want := h.wantHeads(max(from, 1), tt.to); !slices.Equal(got, want) {
				t.Errorf("%s, from %d: got %d commits, want %d", tt.name, from, len(got), len(want))
			}
		}
	}
}

func TestReader_CompleteSegmentIsDurable(t *testing.T) {
	t.Parallel()
	h := newHandmade(71, 1<<40) // no promises
	h.fill(t, 2000)
	durable := h.commits()
	h.rotate()
	h.fill(t, 2000)
	var got []Head
	if err := readLog(h.write(t), 1, heads(&got)); err != nil || !slices.Equal(got, h.wantHeads(1, durable)) {
		t.Errorf("got %d commits, %v; want %d", len(got), err, durable)
	}
}

// TestReader_FollowsAWriter does step by step what a writer does, and looks after each step.
func TestReader_FollowsAWriter(t *testing.T) {
	t.Parallel()
	h := newHandmade(72, 1<<40)
	dir := h.write(t)
	r, err := NewReader(dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var got []Head
	expect := func(step string, n Commit) {
		t.Helper()
		if err := drain(r, heads(&got)); err != nil {
			t.Fatalf("%s: %v", step, err)
		}
		if !slices.Equal(got, h.wantHeads(1, n)) {
			t.Fatalf("%s: got %d commits, want %d", step, len(got), n)
		}
	}
	save := func() { put(t, filepath.Join(dir, logDir, segmentName(h.last().first)), h.last().data) }

	expect("empty", 0)
	h.noise(t, 100)
	save()
	expect("written", 0)
	promise(t, dir, h)
	expect("synced", 1)

	h.noise(t, 1000)
	whole := h.last().data
	h.last().data = whole[:len(whole)-7]
	save()
	expect("half written", 1)
	h.last().data = whole
	save()
	expect("all written", 1)

	// Its writer dies, and another cuts it off and writes something else of the same size.
	h.last().data, h.tips = whole[:h.tips[1].offset], h.tips[:2]
	save()
	expect("cut", 1)
	h.noiseOf(t, 1, len(whole)-int(h.tips[1].offset)-1000+800)
	save()
	expect("written by another", 1)
	promise(t, dir, h)
	expect("synced by another", 2)

	h.rotate()
	save()
	expect("rotated", 2)
	h.noise(t, 10)
	h.noise(t, 10)
	save()
	promise(t, dir, h)
	expect("in the next segment", 4)

	// The segment that is open moves.
	old := segmentName(h.last().first)
	h.rotate()
	h.noise(t, 10)
	save()
	if err := os.Rename(filepath.Join(dir, logDir, old), filepath.Join(dir, sealedDir, old)); err != nil {
		t.Fatal(err)
	}
	promise(t, dir, h)
	expect("sealed", 5)

	// A segment is synced before the next is made.
	h.noise(t, 10)
	save()
	expect("written, not synced", 5)
	h.rotate()
	save()
	expect("followed by a segment", 6)
}

func TestReader_StaleBytesAreNotTakenForDurable(t *testing.T) {
	t.Parallel()
	h := newHandmade(73, 1<<40)
	h.noise(t, 100)
	dir := h.write(t)
	promise(t, dir, h)
	before := h.tips
	h.noiseOf(t, 1, 100)
	put(t, h.path(dir, 0), h.last().data)
	r, err := NewReader(dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := drain(r, nil); err != nil {
		t.Fatal(err)
	}
	// It has seen commit 2, which is replaced by one of the same size before it is durable.
	h.last().data, h.tips = h.last().data[:before[1].offset], before
	h.noiseOf(t, 1, 100)
	put(t, h.path(dir, 0), h.last().data)
	promise(t, dir, h)
	e, err := r.Next(t.Context())
	if err != nil || e.Head() != h.end().head {
		t.Errorf("got %+v, %v; want %+v", e, err, h.end().head)
	}
}

func TestReader_DamageIsToldFromNotYet(t *testing.T) {
	t.Parallel()
	lastBad := func(n Commit) Commit { return n - 1 }
	allSound := func(n Commit) Commit { return n }
	cutOne := func(_ *handmade, b []byte) []byte { return b[:len(b)-1] }
	add := func(tail []byte) func(*handmade, []byte) []byte {
		return func(_ *handmade, b []byte) []byte { return append(b, tail...) }
	}
	tests := []struct {
		name   string
		change func(h *handmade, b []byte) []byte
		d      bool // promised by the D file
		row    int  // 0 = io.EOF
		valid  func(n Commit) Commit
	}{
		{"torn", cutOne, false, 0, lastBad},
		{"torn, but promised", cutOne, true, 4, lastBad},
		{"never written", add(make([]byte, 4096)), false, 0, allSound},
		{"garbage behind what is not promised", add([]byte("garbage")), false, 0, allSound},
		{"garbage behind what is promised", add([]byte("garbage")), true, 6, allSound},
		{"last commit gone", func(h *handmade, b []byte) []byte {
			return b[:h.tips[h.commits()-1].offset]
		}, true, 2, lastBad},
		{"flip in the second", func(h *handmade, b []byte) []byte {
			b[h.tips[1].offset+50]++
			return b
		}, false, 4, func(Commit) Commit { return 1 }},
	}
	for _, tt := range tests {
		h := newHandmade(74, 0)
		h.fill(t, 2000)
		dir := h.write(t)
		if tt.d {
			promise(t, dir, h)
		}
		put(t, h.path(dir, 0), tt.change(h, bytes.Clone(h.last().data)))
		var got []Head
		err := readLog(dir, 1, heads(&got))
		var damage *CorruptError
		if errors.As(err, &damage) != (tt.row != 0) || (damage == nil) != (err == nil) {
			t.Errorf("%s: got %v, want row %d", tt.name, err, tt.row)
		}
		if damage != nil && (damage.Row != tt.row || damage.Path != h.path(dir, 0)) {
			t.Errorf("%s: got %+v, want row %d", tt.name, damage, tt.row)
		}
		valid := tt.valid(h.commits())
		if damage != nil && damage.Commit != valid+1 {
			t.Errorf("%s: damage at commit %d, want %d", tt.name, damage.Commit, valid+1)
		}
		// Without the D file, the last sound commit is not known durable.
		if !slices.Equal(got, h.wantHeads(1, Commit(len(got)))) || Commit(len(got)) < valid-1 {
			t.Errorf("%s: got %d commits, want %d or %d", tt.name, len(got), valid-1, valid)
		}
	}
}

// scripted is a source whose segment changes with each opening of it and each size taken.
type scripted struct {
	id    LogID
	data  [][]byte // its contents; the last one stays
	known Commit
	looks int // under the lock
}

func (s *scripted) segments() ([]segmentInfo, error) {
	return []segmentInfo{{first: 1, path: "memory"}}, nil
}

func (s *scripted) open(first Commit) (segmentFile, error) {
	if first != 1 {
		return nil, os.ErrNotExist
	}
	return s, nil
}

func (s *scripted) durable() (Commit, error) { return s.known, nil }

func (s *scripted) still(_ context.Context, fn func() error) error {
	s.looks++
	if len(s.data) > 1 {
		s.data = s.data[1:]
	}
	return fn()
}

func (s *scripted) watch(<-chan struct{}) <-chan struct{} { return nil }
func (s *scripted) there() error                          { return nil }
func (s *scripted) origin() (tip, error)                  { return firstTip(s.id), nil }

func (s *scripted) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(s.data[0]).ReadAt(p, off)
}
func (s *scripted) Size() (int64, error) { return int64(len(s.data[0])), nil }
func (s *scripted) Close() error         { return nil }

func TestReader_WrongChecksumIsLookedAtAgainBeforeItIsDamage(t *testing.T) {
	t.Parallel()
	h := newHandmade(75, 0)
	h.noise(t, 100)
	h.noise(t, 100)
	whole := h.last().data
	half := bytes.Clone(whole) // as a reader may see it that is faster than its writer
	half[len(half)-1]++

	s := &scripted{id: h.id, data: [][]byte{half, whole}, known: 2}
	r, err := newReader(s, h.id, 1)
	if err != nil {
		t.Fatal(err)
	}
	var got []Head
	if err := drain(r, heads(&got)); err != nil || len(got) != 2 || s.looks != 1 {
		t.Errorf("got %d commits, %v, after %d looks", len(got), err, s.looks)
	}

	s = &scripted{id: h.id, data: [][]byte{half}, known: 2}
	if r, err = newReader(s, h.id, 1); err != nil {
		t.Fatal(err)
	}
	var damage *CorruptError
	if err := drain(r, nil); !errors.As(err, &damage) || damage.Row != 4 || damage.Path != "memory" || s.looks != 1 {
		t.Errorf("got %v after %d looks", err, s.looks)
	}
}

func TestReader_LaterVersionEndsIt(t *testing.T) {
	t.Parallel()
	h := newHandmade(76, 0)
	h.noise(t, 10)
	h.noise(t, 10)
	at := h.tips[1]
	_, k := binary.Uvarint(h.last().data[at.offset:])
	frame := h.last().data[at.offset+int64(k):]
	frame[offFlags] = 1
	reseal(frame, at.place())
	dir := h.write(t)
	promise(t, dir, h)
	var got []Head
	if err := readLog(dir, 1, heads(&got)); !errors.Is(err, ErrNewer) || len(got) != 1 {
		t.Errorf("got %d commits, %v", len(got), err)
	}
}

func TestReader_CloseEndsIt(t *testing.T) {
	t.Parallel()
	h := newHandmade(77, 0)
	h.fill(t, 1000)
	r, err := NewReader(h.write(t), 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := r.Next(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestNewReader_RefusesWhatIsNotOurs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := NewReader(dir, 1); !errors.Is(err, ErrNoLog) || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v", err)
	}
}
