package eventlog

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// handmade is a log put together from bytes, without tidwall/wal and without the committer.
type handmade struct {
	id       LogID
	segments []*handmadeSegment
	tips     []tip // tips[i] is where commit i+1 begins; the last is the end
	lag      Commit
	rng      *rand.Rand
}

type handmadeSegment struct {
	first Commit
	data  []byte
}

// newHandmade returns a log without commits, whose frames promise that all is durable but the last
// lag commits before them.
func newHandmade(seed uint64, lag Commit) *handmade {
	h := &handmade{lag: lag, rng: rand.New(rand.NewPCG(seed, 1))}
	for i := range h.id {
		h.id[i] = byte(h.rng.Uint32())
	}
	h.segments = []*handmadeSegment{{first: 1}}
	h.tips = []tip{firstTip(h.id)}
	return h
}

func (h *handmade) last() *handmadeSegment { return h.segments[len(h.segments)-1] }
func (h *handmade) end() tip               { return h.tips[len(h.tips)-1] }
func (h *handmade) commits() Commit        { return Commit(len(h.tips) - 1) }

// encode returns the frame of the next commit, and the tip behind it.
func (h *handmade) encode(tb testing.TB, events ...Event) ([]byte, tip) {
	tb.Helper()
	t := h.end()
	head := header{Commit: t.head.Commit + 1, First: t.head.Position + 1, Prev: t.head.Hash}
	head.Time = int64(1e18) + int64(t.head.Commit)
	if head.Commit > h.lag+1 {
		head.SyncedThrough = head.Commit - 1 - h.lag
	}
	meta := Meta{User: "ada", Host: "loom", PID: 42, Program: "queuectl 1.0"}
	if head.Commit%3 == 0 {
		meta.Reason = "by hand"
	}
	frame, sum, err := appendFrame(nil, head, &meta, events, t.place())
	if err != nil {
		tb.Fatal(err)
	}
	t.offset += int64(entrySize(len(frame)))
	t.head = Head{Commit: head.Commit, Position: head.First + Position(len(events)) - 1, Hash: sum}
	return frame, t
}

// append adds one commit.
func (h *handmade) append(tb testing.TB, events ...Event) {
	tb.Helper()
	frame, t := h.encode(tb, events...)
	s := h.last()
	s.data = append(binary.AppendUvarint(s.data, uint64(len(frame))), frame...)
	h.tips = append(h.tips, t)
}

// padTo appends one commit that ends at the given offset of the segment.
func (h *handmade) padTo(tb testing.TB, offset int64) {
	tb.Helper()
	for n := offset - h.end().offset; n >= 0; n-- {
		if _, t := h.encode(tb, Event{Kind: 1, Data: make([]byte, n)}); t.offset == offset {
			h.noiseOf(tb, 1, int(n))
			return
		}
	}
	tb.Fatalf("no frame ends at %d", offset)
}

// noise appends a commit of one event with n random bytes, none of them zero: so no piece of it
// reads as never written.
func (h *handmade) noise(tb testing.TB, n int) {
	tb.Helper()
	h.noiseOf(tb, uint16(h.rng.IntN(300)), n)
}

func (h *handmade) noiseOf(tb testing.TB, kind uint16, n int) {
	tb.Helper()
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(1 + h.rng.IntN(255))
	}
	h.append(tb, Event{Kind: kind, Data: b})
}

// fill appends commits until the last segment has at least n bytes.
func (h *handmade) fill(tb testing.TB, n int) {
	tb.Helper()
	for len(h.last().data) < n {
		switch h.rng.IntN(4) {
		case 0:
			h.noise(tb, 1+h.rng.IntN(1500))
		case 1:
			h.append(tb, Event{Kind: 1, Data: []byte("a")}, Event{Kind: 200}, Event{Kind: 65535, Data: []byte("three")})
		default:
			h.noise(tb, 20+h.rng.IntN(200))
		}
	}
}

// rotate begins a new segment.
func (h *handmade) rotate() {
	t := h.end().next()
	h.tips[len(h.tips)-1] = t
	h.segments = append(h.segments, &handmadeSegment{first: t.segment})
}

// threeSegments is the log of 64 KiB that the damage tests work on.
func threeSegments(tb testing.TB, seed uint64) *handmade {
	h := newHandmade(seed, 2)
	for i := range 3 {
		if i > 0 {
			h.rotate()
		}
		h.fill(tb, 64<<10/3)
	}
	return h
}

// write puts the log into a new directory, which it returns.
func (h *handmade) write(tb testing.TB) string {
	tb.Helper()
	dir := tb.TempDir()
	for _, sub := range []string{logDir, sealedDir, quarantineDir} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			tb.Fatal(err)
		}
	}
	put(tb, filepath.Join(dir, logDir, formatFile), encodeFormat(h.id))
	put(tb, filepath.Join(dir, logDir, lockFile), nil)
	for i, s := range h.segments {
		put(tb, h.path(dir, i), s.data)
	}
	return dir
}

// path is where segment i lies: the last two are in log.
func (h *handmade) path(dir string, i int) string {
	sub := sealedDir
	if i >= len(h.segments)-2 {
		sub = logDir
	}
	return filepath.Join(dir, sub, segmentName(h.segments[i].first))
}

func put(tb testing.TB, path string, data []byte) {
	tb.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		tb.Fatal(err)
	}
}

// describe is one line for an entry, everything in it.
func describe(e *Entry) string {
	s := fmt.Sprintf("%d %d %d %d %s %x %x", e.Commit, e.First, e.Time, e.SyncedThrough, e.Meta.Reason, e.Prev[:], e.Hash[:])
	for _, ev := range e.Events {
		s += fmt.Sprintf(" %d:%x", ev.Kind, ev.Data)
	}
	return s
}
