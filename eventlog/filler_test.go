package eventlog

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

func TestFiller_FrameEndsFarFromTheEndsOfPieces(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 1))
	for range 20_000 {
		offset, frame := random.Int64N(1<<20), minFrame+random.IntN(20_000)
		n := filler(offset, frame)
		if in := (offset + int64(entrySize(frame+n))) % pieceSize; n < 0 || n >= len(zeros) || in > 0 && (in < minPiece || in > pieceSize-minPiece) {
			t.Fatalf("entry at %d with a frame of %d bytes: %d more, and it ends at %d of a piece", offset, frame, n, in)
		}
		if n > 0 && filler(offset, frame+n) != 0 {
			t.Fatalf("entry at %d with a frame of %d bytes needs no filler and gets one", offset, frame+n)
		}
	}
	// 4 bytes of prefix: the entry would end one byte behind the end of a piece.
	if n := filler(pieceSize-3, MaxFrame); n != 0 {
		t.Errorf("a frame of the largest size is filled with %d bytes", n)
	}
}

// TestFiller_AnyPieceThatAPowerCutTookIsSeen builds logs whose last two commits were not synced. Whatever
// pieces of them never reached the disk, the log is sound or torn: nothing that was acknowledged is in doubt.
func TestFiller_AnyPieceThatAPowerCutTookIsSeen(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(2, 2))
	noise := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(1 + random.IntN(255))
		}
		return b
	}
	for size := range 2 * pieceSize {
		at := firstTip(LogID{1})
		var data []byte
		add := func(events ...Event) tip {
			h := header{Commit: at.head.Commit + 1, First: at.head.Position + 1, Time: int64(random.Uint64()), Prev: at.head.Hash, fill: true}
			frame, sum, err := appendFrame(nil, h, &Meta{User: "ada", PID: 7}, events, at.place())
			if err != nil {
				t.Fatal(err)
			}
			data = append(binary.AppendUvarint(data, uint64(len(frame))), frame...)
			at.offset = int64(len(data))
			at.head = Head{Commit: h.Commit, Position: h.First, Hash: sum}
			return at
		}
		synced := add(Event{Kind: 1, Data: noise(size)})
		add(Event{Kind: 1, Data: noise(random.IntN(600))})
		add(Event{Kind: 1, Data: noise(random.IntN(600))})
		first := synced.offset / pieceSize
		pieces := (int64(len(data))-1)/pieceSize + 1 - first
		for lost := range 1 << pieces {
			after := bytes.Clone(data)
			for i := range pieces {
				if lost>>i&1 == 1 {
					from := max(synced.offset, (first+i)*pieceSize)
					clear(after[from:min(int64(len(after)), (first+i+1)*pieceSize)])
				}
			}
			end := firstTip(LogID{1})
			_, why := scanAll(t, after, &end)
			v, _, err := judge(bytes.NewReader(after), int64(len(after)), end, why, synced.head.Commit)
			if err != nil || v.damage != nil || end.head.Commit < synced.head.Commit {
				t.Fatalf("size %d, %d bytes synced, pieces %b lost: %s, %v", size, synced.offset, lost, v, err)
			}
		}
	}
}
