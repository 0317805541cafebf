package eventlog

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"testing"
)

// tail is a segment whose frames lie so that pieces can be taken out of them: commits 1 to 6 end at
// these offsets, so that commit 3 fills the piece [1024, 1536) and more, and commits 4 and 5 share
// [2048, 2560).
var tailEnds = []int64{300, 900, 1700, 2300, 2500, 3000}

// tailLog promises nothing, so that what follows from promises can be said in each test.
func tailLog(tb testing.TB) *handmade {
	h := newHandmade(20, 1<<40)
	for _, end := range tailEnds {
		h.padTo(tb, end)
	}
	return h
}

// zero clears [from, to).
func zero(b []byte, from, to int64) []byte {
	clear(b[from:to])
	return b
}

func TestJudge_EveryRowOfTheTable(t *testing.T) {
	t.Parallel()
	flip := func(at int) func([]byte) []byte { return func(b []byte) []byte { b[at] ^= 4; return b } }
	tests := []struct {
		name     string
		damage   func(b []byte) []byte
		promised Commit
		valid    Commit // last commit of the valid prefix
		row      int
	}{
		{"clean", func(b []byte) []byte { return b }, 6, 6, 1},
		{"clean, nothing promised", func(b []byte) []byte { return b }, 0, 6, 1},
		{"a promised commit missing", func(b []byte) []byte { return b[:2500] }, 6, 5, 2},
		{"all of it missing", func(b []byte) []byte { return b[:0] }, 1, 0, 2},
		{"empty", func(b []byte) []byte { return b[:0] }, 0, 0, 9},

		{"promised commit flipped", flip(2900), 6, 5, 4},
		{"promised commit cut", func(b []byte) []byte { return b[:2999] }, 6, 5, 4},
		{"promised commit never written", func(b []byte) []byte { return zero(b, 2500, 3000) }, 6, 5, 4},
		{"later commit promised than stands there", flip(2900), 7, 5, 4},
		{"promise up to the bad one only", flip(2900), 5, 5, 6},

		{"cut in the prefix", func(b []byte) []byte { return b[:2501] }, 5, 5, 5},
		{"cut in the header", func(b []byte) []byte { return b[:2540] }, 5, 5, 5},
		{"cut in the body", func(b []byte) []byte { return b[:2900] }, 0, 5, 5},
		{"cut by one byte", func(b []byte) []byte { return b[:2999] }, 0, 5, 5},
		{"nothing written but the size", func(b []byte) []byte { return zero(b, 2500, 3000) }, 0, 5, 5},
		{"first piece never written", func(b []byte) []byte { return zero(b, 2500, 2560) }, 0, 5, 5},
		{"second piece never written", func(b []byte) []byte { return zero(b, 2560, 3000) }, 0, 5, 5},
		{"two commits, never written", func(b []byte) []byte { return zero(b, 2300, 3000) }, 0, 4, 5},
		{"zeros behind the end", func(b []byte) []byte { return append(b, make([]byte, 4096)...) }, 0, 6, 5},
		{"last commits lost pieces, first and last", func(b []byte) []byte { return zero(zero(b, 1700, 2048), 2560, 3000) }, 0, 3, 7},

		{"flip in the body", flip(2900), 0, 5, 6},
		{"flip in the header", flip(2510), 0, 5, 6},
		{"flip in the length", flip(2501), 0, 5, 6},
		{"flip in the checksum", flip(2998), 0, 5, 6},
		{"zeros, but no whole piece", func(b []byte) []byte { return zero(b, 2570, 3000) }, 0, 5, 6},
		{"too little for a frame, and zeros", func(b []byte) []byte { return append(b, make([]byte, 31)...) }, 0, 6, 5},
		{"too little for a frame, and other bytes", func(b []byte) []byte { return append(b, bytes.Repeat([]byte("x"), 31)...) }, 0, 6, 6},
		{"two pieces too small to tell", smallPieces(31), 0, 6, 6},
		{"two pieces, one of them just large enough", smallPieces(32), 0, 6, 5},
		{"garbage", func(b []byte) []byte { return append(b, bytes.Repeat([]byte("garbage"), 100)...) }, 0, 6, 6},
		{"flipped, and zeros behind it", func(b []byte) []byte { b[2900]++; return append(b, make([]byte, 4096)...) }, 0, 5, 6},

		{"hole in one commit", func(b []byte) []byte { return zero(b, 1024, 1536) }, 0, 2, 7},
		{"hole of one commit", func(b []byte) []byte { return zero(b, 900, 1700) }, 0, 2, 7},
		{"hole over two commits", func(b []byte) []byte { return zero(b, 2048, 2500) }, 0, 3, 7},
		{"two holes", func(b []byte) []byte { return zero(zero(b, 512, 1024), 2048, 2300) }, 0, 1, 7},
		{"hole, and the last commit cut", func(b []byte) []byte { return zero(b[:2990], 1024, 1536) }, 0, 2, 7},
		{"hole, and the last header cut", func(b []byte) []byte { return zero(b[:2510], 1024, 1536) }, 0, 2, 7},

		{"flip before whole commits", flip(1300), 0, 2, 8},
		{"hole, but not of a whole piece", func(b []byte) []byte { return zero(b, 1030, 1536) }, 0, 2, 8},
		{"hole, and a flip before it", func(b []byte) []byte { b[400]++; return zero(b, 1024, 1536) }, 0, 1, 8},
		{"hole, and a flip behind it", func(b []byte) []byte { b[2900]++; return zero(b, 1024, 1536) }, 0, 2, 8},
		{"hole, and garbage at the end", func(b []byte) []byte { return append(zero(b, 1024, 1536), "garbage"...) }, 0, 2, 8},
		{"length that swallows whole commits", swallow, 0, 2, 8},
		{"cut, and not the next commit", func(b []byte) []byte { b[2502+offCommit]++; return b[:2990] }, 0, 5, 6},
	}
	rows := map[int]bool{3: true} // see TestVerify_RowThree
	for _, tt := range tests {
		rows[tt.row] = true
		h := tailLog(t)
		data := tt.damage(bytes.Clone(h.last().data))
		at := firstTip(h.id)
		_, why := scanAll(t, data, &at)
		if at != h.tips[tt.valid] {
			t.Errorf("%s: valid up to commit %d (%v), want %d", tt.name, at.head.Commit, why, tt.valid)
			continue
		}
		v, highest, err := judge(bytes.NewReader(data), int64(len(data)), at, why, tt.promised)
		if err != nil {
			t.Fatal(err)
		}
		if v.row != tt.row || highest != tt.promised {
			t.Errorf("%s: %s, promised %d; want row %d, %d", tt.name, v, highest, tt.row, tt.promised)
		}
		if want := oracle(data, at, why, tt.promised); want != tt.row {
			t.Errorf("%s: the oracle says row %d, want %d", tt.name, want, tt.row)
		}
		checkVerdict(t, tt.name, v, at)
	}
	for row := 1; row <= 9; row++ {
		if !rows[row] {
			t.Errorf("row %d has no case", row)
		}
	}
}

// checkVerdict holds what is true of all verdicts.
func checkVerdict(t *testing.T, name string, v verdict, at tip) {
	t.Helper()
	torn := v.row == 5 || v.row == 7
	sound := v.row == 1 || v.row == 9
	if v.torn != torn || (v.damage == nil) != (torn || sound) {
		t.Errorf("%s: row %d is torn: %v, damage: %v", name, v.row, v.torn, v.damage)
	}
	if d := v.damage; d != nil {
		want := CorruptError{segmentName(at.segment), at.offset, at.head.Commit + 1, at.head.Position + 1, v.row, d.Reason}
		if *d != want || d.Reason == "" {
			t.Errorf("%s: damage is %+v, want %+v", name, *d, want)
		}
	}
}

// smallPieces adds garbage that ends with zeros: 31 to the end of a piece, and some in the next.
func smallPieces(zeros int) func(b []byte) []byte {
	return func(b []byte) []byte {
		b = append(b, bytes.Repeat([]byte{'x'}, 3584-31-len(b))...)
		return append(b, make([]byte, 31+zeros)...)
	}
}

// swallow makes commit 3 claim all the rest of the segment and more.
func swallow(b []byte) []byte {
	const frame = 5000
	binary.PutUvarint(b[900:], frame)
	binary.LittleEndian.PutUint32(b[902+offBodyLen:], frame-headerSize-trailerSize)
	return b
}

// TestJudge_PromiseOfAWholeFrameBehindTheSpot: what follows a bad spot proves that it was durable.
func TestJudge_PromiseOfAWholeFrameBehindTheSpot(t *testing.T) {
	t.Parallel()
	for lag, want := range map[Commit]int{0: 4, 1: 4, 2: 4, 3: 8, 1 << 40: 8} {
		h := newHandmade(21, lag)
		for _, end := range tailEnds {
			h.padTo(t, end)
		}
		data := h.last().data
		data[1300]++ // commit 3; commit 6 promises 5-lag
		at := firstTip(h.id)
		_, why := scanAll(t, data, &at)
		v, highest, err := judge(bytes.NewReader(data), int64(len(data)), at, why, 0)
		if err != nil || v.row != want {
			t.Errorf("lag %d: %s, %v; want row %d", lag, v, err, want)
		}
		if lag < 5 && highest != 5-lag {
			t.Errorf("lag %d: promised %d, want %d", lag, highest, 5-lag)
		}
	}
}

func TestJudge_WholeFrameThatIsNotTheNextIsNeverCut(t *testing.T) {
	t.Parallel()
	h := tailLog(t)
	at := h.tips[5]
	// As a process would write it that does not know commit 5: with a piece of zeros, to tempt.
	stale := header{Commit: 5, First: 5, Prev: h.tips[4].head.Hash}
	frame, _, err := appendFrame(nil, stale, &Meta{}, []Event{{Data: make([]byte, 2000)}}, at.place())
	if err != nil {
		t.Fatal(err)
	}
	data := append(binary.AppendUvarint(bytes.Clone(h.last().data[:at.offset]), uint64(len(frame))), frame...)
	from := firstTip(h.id)
	_, why := scanAll(t, data, &from)
	v, _, err := judge(bytes.NewReader(data), int64(len(data)), from, why, 0)
	if err != nil || v.row != 6 || from != at {
		t.Errorf("got %s, %v", v, err)
	}
}

// TestJudge_HeaderThatLostAPieceAndIsCutIsTorn: it does not say then that it is the next commit.
func TestJudge_HeaderThatLostAPieceAndIsCutIsTorn(t *testing.T) {
	t.Parallel()
	for before := int64(minPiece); before < minEntry+minPiece; before++ { // bytes in the first piece
		h := newHandmade(24, 1<<40)
		h.padTo(t, pieceSize-before)
		h.padTo(t, 2*pieceSize)
		for size := int64(pieceSize + 1); size < pieceSize+minEntry+minPiece; size++ {
			data := zero(bytes.Clone(h.last().data[:size]), pieceSize, size)
			at := firstTip(h.id)
			_, why := scanAll(t, data, &at)
			v, _, err := judge(bytes.NewReader(data), size, at, why, 0)
			if err != nil || at != h.tips[1] || v.row != 5 || oracle(data, at, why, 0) != 5 {
				t.Errorf("%d bytes, and %d zeros: got %s, %v; want row 5", before, size-pieceSize, v, err)
			}
			checkVerdict(t, "cut header", v, at)
		}
	}
}

// TestJudge_CopyOfTheLogIsNotTakenForOne: a job may print a segment, whose frames then lie in the
// data of an event.
func TestJudge_CopyOfTheLogIsNotTakenForOne(t *testing.T) {
	t.Parallel()
	h := newHandmade(22, 0)
	h.fill(t, 4000)
	inner := bytes.Clone(h.last().data)
	at := h.end()
	h.append(t, Event{Kind: 1, Data: inner})
	data := h.last().data
	data = data[:len(data)-1] // cut: nothing whole is behind it
	from := firstTip(h.id)
	_, why := scanAll(t, data, &from)
	v, highest, err := judge(bytes.NewReader(data), int64(len(data)), from, why, 0)
	if err != nil || from != at || v.row != 5 || highest != 0 {
		t.Errorf("got %s, promised %d, %v", v, highest, err)
	}
}

// TestJudge_FalseFramesDoNotKeepItBusy: without a bound this takes minutes.
func TestJudge_FalseFramesDoNotKeepItBusy(t *testing.T) {
	t.Parallel()
	h := newHandmade(23, 0)
	h.noise(t, 10)
	at := h.end()
	const size = 3 << 20
	data := bytes.Clone(h.last().data)
	for len(data) < size/2 {
		frame := size / 2
		data = binary.AppendUvarint(data, uint64(frame))
		head := make([]byte, headerSize)
		copy(head, magicBytes)
		head[offFormat] = frameFormat
		binary.LittleEndian.PutUint16(head[offHeaderLen:], headerSize)
		binary.LittleEndian.PutUint32(head[offBodyLen:], uint32(frame-headerSize-trailerSize))
		data = append(data, head...)
	}
	data = append(data, bytes.Repeat([]byte{1}, size-len(data)+size/2)...)
	from := firstTip(h.id)
	_, why := scanAll(t, data, &from)
	m := &tally{ReaderAt: bytes.NewReader(data)}
	v, _, err := judge(m, int64(len(data)), from, why, 0)
	if err != nil || from != at || v.row != 6 {
		t.Errorf("got %s, %v", v, err)
	}
	if limit := int64(8*len(data) + 3*MaxFrame); m.read > limit {
		t.Errorf("%d bytes were read for %d", m.read, len(data))
	}
}

// TestJudge_FindsFramesWherePiecesMeet: the search reads a window at a time.
func TestJudge_FindsFramesWherePiecesMeet(t *testing.T) {
	t.Parallel()
	at := firstTip(someID)
	junk := bytes.Repeat([]byte{0xff}, windowSize)
	for d := -10; d <= 10; d++ {
		data := append(bytes.Clone(junk), junk[:10]...)[:windowSize+d]
		p := place{id: someID, segment: 1, offset: int64(len(data))}
		frame, _, err := appendFrame(nil, header{Commit: 9, SyncedThrough: 5}, &Meta{}, []Event{{}}, p)
		if err != nil {
			t.Fatal(err)
		}
		data = append(binary.AppendUvarint(data, uint64(len(frame))), frame...)
		v, highest, err := judge(bytes.NewReader(data), int64(len(data)), at, stop{kind: stopBad}, 0)
		if err != nil || v.row != 4 || highest != 5 {
			t.Errorf("frame at %d: got %s, promised %d, %v", p.offset, v, highest, err)
		}
	}
}

// TestJudge_SegmentThatBecomesShorter: without the lock, another process may be cutting it.
func TestJudge_SegmentThatBecomesShorter(t *testing.T) {
	t.Parallel()
	h := tailLog(t)
	data := zero(bytes.Clone(h.last().data), 1024, 1536)
	at := h.tips[2]
	for size := range data {
		for _, kind := range []stopKind{stopBad, stopCut} {
			_, highest, err := judge(bytes.NewReader(data[:size]), int64(len(data)), at, stop{kind: kind}, 0)
			if err != nil || highest != 0 {
				t.Errorf("size %d: promised %d, %v", size, highest, err)
			}
		}
	}
}

// tally counts what is read.
type tally struct {
	io.ReaderAt
	read int64
}

func (m *tally) ReadAt(p []byte, off int64) (int, error) {
	n, err := m.ReaderAt.ReadAt(p, off)
	m.read += int64(n)
	return n, err
}

func TestMisplaced_SaysWhatIsWrongBetweenSegments(t *testing.T) {
	t.Parallel()
	h := newHandmade(24, 0)
	h.noise(t, 10)
	h.noise(t, 10)
	clean, cut := stop{kind: stopClean}, stop{stopCut, "cut"}
	tests := []struct {
		why  stop
		next Commit
		want string
	}{
		{clean, 3, ""},
		{clean, 4, "missing"},
		{clean, 2, "in this one"},
		{cut, 3, "cut; later segments follow"},
	}
	for _, tt := range tests {
		d := misplaced(h.end(), tt.why, tt.next)
		switch {
		case d == nil && tt.want != "", d != nil && tt.want == "":
			t.Errorf("next %d: got %v, want %q", tt.next, d, tt.want)
		case d != nil && (d.Row != 3 || d.Commit != 3 || d.Position != 3 || !strings.Contains(d.Reason, tt.want)):
			t.Errorf("next %d: got %+v, want %q", tt.next, d, tt.want)
		}
	}
}

func TestTornTail_DescribesWhatMayBeCut(t *testing.T) {
	t.Parallel()
	h := newHandmade(25, 0)
	h.noise(t, 10)
	at := h.end()
	data := append(h.last().data, "123456789"...)
	got, err := tornTail(bytes.NewReader(data), int64(len(data)), at, verdict{row: 5, torn: true, reason: "why"})
	// E3069283 is the check value of CRC-32C for these digits, in every catalogue.
	want := Repair{Segment: segmentName(1), Offset: at.offset, Size: 9, CRC: 0xe3069283, Verdict: "torn tail (row 5): why"}
	if err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

// oracle is judge once more, for bytes in memory and without any thrift: it tries a frame at every
// offset.
func oracle(data []byte, t tip, why stop, promised Commit) int {
	if why.kind == stopClean {
		switch {
		case t.head.Commit < promised:
			return 2
		case t.offset == 0:
			return 9
		}
		return 1
	}
	size := int64(len(data))
	var e Entry
	explained, frames, foreign := true, false, false
	hole := t.offset
	endHole := func(end int64) {
		whole := why.kind == stopCut && hole == t.offset && end == size
		explained = explained && (hole == end || whole || oracleTorn(data, t.offset, hole, end))
	}
	for at := t.offset; at < size; {
		n, k := binary.Uvarint(data[at:min(at+maxPrefix, size)])
		end := at + int64(k) + int64(n)
		if k <= 0 || n > MaxFrame || end > size || decodeFrame(data[at+int64(k):end], place{t.id, t.segment, at}, &e) != nil {
			at++
			continue
		}
		endHole(at)
		frames, foreign = true, foreign || at == t.offset
		promised = max(promised, e.SyncedThrough)
		at, hole = end, end
	}
	endHole(size)
	switch {
	case promised > t.head.Commit:
		return 4
	case foreign:
		return 6
	case frames && explained:
		return 7
	case frames:
		return 8
	case explained:
		return 5
	}
	return 6
}

// oracleTorn says whether each frame in data[at:end] lacks a piece, or is cut and not the first
// behind what is valid.
func oracleTorn(data []byte, valid, at, end int64) bool {
	if at >= end {
		return true
	}
	lacks := func(until int64) bool {
		for piece := at / 512 * 512; piece < min(until, end); piece += 512 {
			b := data[max(piece, at):min(piece+512, end)]
			room := end - at // for a whole frame
			if end%512 < 32 {
				room -= end % 512
			}
			few := end == int64(len(data)) && room < 88
			if (len(b) >= 32 || few) && len(bytes.Trim(b, "\x00")) == 0 {
				return true
			}
		}
		return false
	}
	rest := data[at:]
	n, k := binary.Uvarint(rest[:min(len(rest), 4)])
	switch {
	case k == 0 && len(rest) < 4:
		return at > valid || lacks(end)
	case k <= 0, k > 1 && rest[k-1] == 0, n < minFrame, n > MaxFrame:
		return lacks(end)
	}
	next := at + int64(k) + int64(n)
	if h := rest[k:]; len(h) >= headerSize {
		claims := int64(binary.LittleEndian.Uint16(h[6:])) + int64(binary.LittleEndian.Uint32(h[76:])) + 4
		if !bytes.HasPrefix(h, magicBytes) || claims != int64(n) || binary.LittleEndian.Uint16(h[6:]) < headerSize {
			return lacks(end)
		}
	} else if m := min(4, len(h)); !bytes.Equal(h[:m], magicBytes[:m]) {
		return lacks(end)
	}
	if next > end {
		return end == int64(len(data)) && (at > valid || lacks(end))
	}
	return lacks(next) && oracleTorn(data, valid, next, end)
}
