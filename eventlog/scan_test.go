package eventlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
)

// scanAll reads a segment from t on and returns what it holds, a line for each entry.
func scanAll(tb testing.TB, data []byte, t *tip) (lines []string, why stop) {
	tb.Helper()
	why, err := scan(bytes.NewReader(data), int64(len(data)), t, func(e *Entry) error {
		lines = append(lines, describe(e))
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return lines, why
}

func TestScan_ReadsEveryFrameAndStopsAtTheEnd(t *testing.T) {
	t.Parallel()
	h := threeSegments(t, 1)
	at := firstTip(h.id)
	n := 0
	for i, s := range h.segments {
		if i > 0 {
			at = at.next()
		}
		lines, why := scanAll(t, s.data, &at)
		if n += len(lines); why.kind != stopClean {
			t.Fatalf("segment %d: stopped with %v", i, why)
		}
	}
	if at != h.end() || Commit(n) != h.commits() {
		t.Errorf("got %d commits and %+v, want %d and %+v", n, at, h.commits(), h.end())
	}
}

func TestScan_ResumesAtATip(t *testing.T) {
	t.Parallel()
	h := newHandmade(2, 0)
	h.fill(t, 5000)
	for i, at := range h.tips {
		lines, why := scanAll(t, h.last().data, &at)
		if len(lines) != int(h.commits())-i || why.kind != stopClean || at != h.end() {
			t.Errorf("from commit %d on: %d commits, %v", i+1, len(lines), why)
		}
	}
}

func TestScan_FrameLargerThanAPieceIsRead(t *testing.T) {
	t.Parallel()
	h := newHandmade(3, 0)
	for _, n := range []int{10, windowSize - 100, windowSize, 3 * windowSize, 10} {
		h.noise(t, n)
	}
	at := firstTip(h.id)
	if lines, why := scanAll(t, h.last().data, &at); len(lines) != 5 || why.kind != stopClean {
		t.Errorf("got %d commits, %v", len(lines), why)
	}
}

func TestScan_StopsAtFirstFrameThatDoesNotContinueTheLog(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(h *header)
		reason string
	}{
		{"commit skipped", func(h *header) { h.Commit++ }, "commit 3"},
		{"commit repeated", func(h *header) { h.Commit-- }, "commit 1"},
		{"position skipped", func(h *header) { h.First++ }, "position"},
		{"position repeated", func(h *header) { h.First-- }, "position"},
		{"hash of another", func(h *header) { h.Prev[31]++ }, "hash chain"},
		{"promise of itself", func(h *header) { h.SyncedThrough = h.Commit }, "before it was written"},
	}
	for _, tt := range tests {
		h := newHandmade(4, 0)
		h.noise(t, 50)
		at := h.end()
		head := header{Commit: 2, First: 2, SyncedThrough: 1, Prev: at.head.Hash}
		tt.change(&head)
		frame, _, err := appendFrame(nil, head, &Meta{}, []Event{{Kind: 1}}, at.place())
		if err != nil {
			t.Fatal(err)
		}
		data := append(binary.AppendUvarint(h.last().data, uint64(len(frame))), frame...)
		from := firstTip(h.id)
		lines, why := scanAll(t, data, &from)
		if len(lines) != 1 || why.kind != stopBad || !strings.Contains(why.reason, tt.reason) {
			t.Errorf("%s: %d commits, %v", tt.name, len(lines), why)
		}
	}
}

func TestScan_FromTheMiddleTakesTheFirstFrameAsItIs(t *testing.T) {
	t.Parallel()
	h := threeSegments(t, 5)
	s := h.segments[1]
	at := midTip(h.id, s.first)
	if _, why := scanAll(t, s.data, &at); why.kind != stopClean || at.next() != midTipLinked(h) {
		t.Errorf("stopped with %v at %+v", why, at)
	}
	at = midTip(h.id, s.first+1)
	if lines, why := scanAll(t, s.data, &at); len(lines) != 0 || why.kind != stopBad {
		t.Errorf("another commit than expected was taken: %v", why)
	}
}

// midTipLinked is where segment 2 begins.
func midTipLinked(h *handmade) tip { return h.tips[h.segments[2].first-1] }

func TestScan_FrameOfALaterVersionIsNeitherBadNorCut(t *testing.T) {
	t.Parallel()
	h := newHandmade(6, 0)
	h.noise(t, 50)
	at := h.end()
	h.noise(t, 50)
	frame := h.last().data[at.offset+1:] // one byte of prefix would be 127 at most
	if frame[0] != magicBytes[0] {
		frame = frame[1:]
	}
	frame[offFormat]++
	reseal(frame, at.place())
	from := firstTip(h.id)
	_, err := scan(bytes.NewReader(h.last().data), int64(len(h.last().data)), &from, func(*Entry) error { return nil })
	if !errors.Is(err, ErrNewer) || from != at {
		t.Errorf("got %v at %+v", err, from)
	}
}

// TestScan_CutIsOnlyWhatAWholeFrameBeginsWith puts bytes at the end of a sound segment and looks
// for the difference between a frame that is not finished and bytes that only claim to be long.
func TestScan_CutIsOnlyWhatAWholeFrameBeginsWith(t *testing.T) {
	t.Parallel()
	h := newHandmade(7, 0)
	h.noise(t, 300)
	at := h.end()
	h.noise(t, 300)
	whole := h.last().data[at.offset:]
	if whole[2] != magicBytes[0] {
		t.Fatal("the test wants a prefix of two bytes")
	}
	edit := func(n int, change func(b []byte)) []byte {
		b := bytes.Clone(whole[:n])
		change(b)
		return b
	}
	nothing := func([]byte) {}
	tests := []struct {
		name string
		tail []byte
		want stopKind
	}{
		{"nothing", nil, stopClean},
		{"half a prefix", edit(1, nothing), stopCut},
		{"a prefix", edit(2, nothing), stopCut},
		{"half a magic number", edit(4, nothing), stopCut},
		{"half a header", edit(42, nothing), stopCut},
		{"a header", edit(82, nothing), stopCut},
		{"all but one byte", edit(len(whole)-1, nothing), stopCut},
		{"prefix of five bytes", []byte{0x80, 0x80, 0x80, 0x80, 0x01}, stopBad},
		{"prefix without end", []byte{0xff, 0xff, 0xff, 0xff}, stopBad},
		{"prefix in a longer form", []byte{0x80, 0x00}, stopBad},
		{"zero", []byte{0}, stopBad},
		{"impossibly short", []byte{minFrame - 1}, stopBad},
		{"impossibly long", binary.AppendUvarint(nil, MaxFrame+1), stopBad},
		{"other magic", edit(4, func(b []byte) { b[3]++ }), stopBad},
		{"other commit", edit(42, func(b []byte) { b[2+offCommit]++ }), stopBad},
		{"other position", edit(42, func(b []byte) { b[2+offFirst]++ }), stopBad},
		{"other hash", edit(82, func(b []byte) { b[2+offPrev]++ }), stopBad},
		{"longer by its prefix", edit(len(whole)-1, func(b []byte) { b[0]++ }), stopBad},
		{"longer by its header", edit(len(whole)-1, func(b []byte) { b[2+offBodyLen]++ }), stopBad},
		{"whole, but longer by its prefix", edit(len(whole), func(b []byte) { b[1]++ }), stopBad},
		{"whole, but longer by its header", edit(len(whole), func(b []byte) { b[2+offBodyLen+1]++ }), stopBad},
		{"whole, longer by both", edit(len(whole), func(b []byte) { b[1]++; b[2+offBodyLen] += 128 }), stopCut},
	}
	for _, tt := range tests {
		data := append(bytes.Clone(h.last().data[:at.offset]), tt.tail...)
		from := firstTip(h.id)
		if _, why := scanAll(t, data, &from); why.kind != tt.want || from != at {
			t.Errorf("%s: stopped with %v, want kind %d", tt.name, why, tt.want)
		}
	}
}

// meter counts what is read and how large the largest piece is.
type meter struct {
	io.ReaderAt
	largest int
}

func (m *meter) ReadAt(p []byte, off int64) (int, error) {
	m.largest = max(m.largest, len(p))
	return m.ReaderAt.ReadAt(p, off)
}

func TestScan_LengthIsBoundedBeforeMemoryIsTaken(t *testing.T) {
	t.Parallel()
	at := firstTip(someID)
	head := header{Commit: 1, First: 1, Prev: someID.hash()}
	frame, _, err := appendFrame(nil, head, &Meta{}, []Event{{Data: make([]byte, 1000)}}, at.place())
	if err != nil {
		t.Fatal(err)
	}
	const claimed = MaxFrame
	binary.LittleEndian.PutUint32(frame[offBodyLen:], claimed-headerSize-trailerSize)
	data := append(binary.AppendUvarint(nil, claimed), frame...)
	m := &meter{ReaderAt: bytes.NewReader(data)}
	why, err := scan(m, int64(len(data)), &at, func(*Entry) error { return nil })
	if err != nil || why.kind != stopCut || m.largest > len(data) {
		t.Errorf("got %v, %v; %d bytes were asked for, there are %d", why, err, m.largest, len(data))
	}
}

func TestScan_MemoryIsBoundedByTheLargestFrame(t *testing.T) {
	t.Parallel()
	h := newHandmade(8, 0)
	h.fill(t, 8*windowSize)
	data := h.last().data
	m := &meter{ReaderAt: bytes.NewReader(data)}
	at := firstTip(h.id)
	if why, err := scan(m, int64(len(data)), &at, func(*Entry) error { return nil }); err != nil || why.kind != stopClean {
		t.Fatal(why, err)
	}
	if m.largest > windowSize {
		t.Errorf("pieces of up to %d bytes were read, want %d", m.largest, windowSize)
	}
}

func TestScan_SegmentThatBecameShorterIsCut(t *testing.T) {
	t.Parallel()
	h := newHandmade(9, 0)
	h.noise(t, 100)
	at := h.end()
	h.noise(t, 100)
	data := h.last().data
	from := firstTip(h.id)
	why, err := scan(bytes.NewReader(data[:len(data)-10]), int64(len(data)), &from, func(*Entry) error { return nil })
	if err != nil || why.kind != stopCut || from != at {
		t.Errorf("got %v, %v at %+v", why, err, from)
	}
	from = h.end()
	if why, err = scan(bytes.NewReader(data[:10]), 10, &from, nil); err != nil || why.kind != stopBad {
		t.Errorf("shorter than the tip: got %v, %v", why, err)
	}
}

var errRead = errors.New("input/output error")

type failing struct{}

func (failing) ReadAt([]byte, int64) (int, error) { return 0, errRead }

func TestScan_ErrorsOfFileAndCallbackEndIt(t *testing.T) {
	t.Parallel()
	h := newHandmade(10, 0)
	h.noise(t, 100)
	from := firstTip(h.id)
	if _, err := scan(failing{}, 100, &from, nil); !errors.Is(err, errRead) {
		t.Errorf("file: got %v", err)
	}
	data := h.last().data
	_, err := scan(bytes.NewReader(data), int64(len(data)), &from, func(*Entry) error { return io.ErrClosedPipe })
	if !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("callback: got %v", err)
	}
}

// FuzzScan reads arbitrary bytes behind a sound frame, judges them, and reads arbitrary changes of
// sound ones.
func FuzzScan(f *testing.F) {
	h := newHandmade(11, 1)
	h.fill(f, 2000)
	sound := h.last().data
	f.Add(sound[h.tips[1].offset:], uint16(0), byte(0))
	f.Add([]byte{0, 0, 0}, uint16(700), byte(1))
	f.Fuzz(func(t *testing.T, tail []byte, at uint16, flip byte) {
		data := append(bytes.Clone(sound[:h.tips[1].offset]), tail...)
		if int(at) < len(data) {
			data[at] ^= flip
		}
		from := firstTip(h.id)
		why, err := scan(bytes.NewReader(data), int64(len(data)), &from, func(e *Entry) error {
			if i := int(e.Commit); i >= len(h.tips) || e.Hash != h.tips[i].head.Hash {
				t.Errorf("commit %d was accepted, and is not the one that was written", e.Commit)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if from.offset > int64(len(data)) || why.kind == stopClean && from.offset != int64(len(data)) {
			t.Fatalf("stopped with %v at %d of %d bytes", why, from.offset, len(data))
		}
		v, _, err := judge(bytes.NewReader(data), int64(len(data)), from, why, 0)
		if err != nil {
			t.Fatal(err)
		}
		if (v.damage != nil) == v.torn && why.kind != stopClean {
			t.Fatalf("verdict is neither torn nor damage: %+v", v)
		}
		if want := oracle(data, from, why, 0); v.row != want {
			t.Fatalf("row %d, want %d: %s", v.row, want, v)
		}
	})
}
