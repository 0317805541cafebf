package eventlog

import (
	"bytes"
	"encoding/binary"
	"io"
	"sync"
)

// ahead looks at what lies behind a bad spot.
//
// A whole frame there is recognised by its checksum, which is seeded with its place. What lies
// before, between and behind whole frames is a hole. A power cut leaves holes when the file's size
// reached the disk, but not all of its pieces did: those read as zeros. So each bad frame in a hole
// must have lost a piece; one that has all its pieces and is bad all the same was damaged after it
// was written.
type ahead struct {
	window        // for searching
	body   window // for checksums
	t      tip
	seed   [seedSize]byte
	budget int64 // bytes that may be checksummed and read for it

	highest   Commit // that anything promises
	frames    bool   // there are whole frames
	stranger  bool   // a whole frame stands at t itself: nothing is torn, but it is not the next one
	explained bool   // every hole can be the work of a power cut
	tired     bool   // budget is used up: nothing is known
}

// aheads keeps buffers.
var aheads = sync.Pool{New: func() any { return new(ahead) }}

func (a *ahead) reset(r io.ReaderAt, size int64, t tip) {
	*a = ahead{window: a.window, body: a.body, t: t}
	a.window.reset(r, size)
	a.body.reset(r, size)
	// Without a bound, bytes made of nothing but large false headers would keep a recovery busy for
	// days.
	a.budget = 4*(size-t.offset) + 2*MaxFrame
}

// survey walks from t to the end of the segment.
func (a *ahead) survey(why stop) error {
	a.explained = true
	for from := a.t.offset; from < a.size; {
		f, err := a.find(from)
		if err != nil {
			return err
		}
		hole := a.size
		if f.size > 0 {
			hole = f.offset
		}
		cut := why.kind == stopCut && from == a.t.offset && hole == a.size
		if hole > from && !cut && a.explained {
			if a.explained, err = a.torn(from, hole); err != nil {
				return err
			}
		}
		if f.size == 0 {
			return nil
		}
		a.frames = true
		a.stranger = a.stranger || f.offset == a.t.offset
		a.highest = max(a.highest, f.synced)
		from = f.offset + f.size
	}
	return nil
}

// torn says whether a power cut can have left [from, end) as it is: every frame in it lost a piece,
// or runs past the end of the segment.
func (a *ahead) torn(from, end int64) (bool, error) {
	for from < end {
		b, err := a.peek(from, maxPrefix+headerSize)
		if err != nil {
			return false, err
		}
		size, bad := claim(b)
		if bad != nil {
			return a.lostPiece(from, end, end) // where this frame ends is not known: perhaps not before end
		}
		switch {
		case from+size <= end:
		case end < a.size || from > a.t.offset:
			return end == a.size, nil
		default:
			// Right behind the valid prefix, the scan has said that it is not the next frame. It may
			// be, if a piece of its header is lost.
			return a.lostPiece(from, end, end)
		}
		if lost, err := a.lostPiece(from, from+size, end); !lost || err != nil {
			return false, err
		}
		from += size
	}
	return true, nil
}

const (
	// pieceSize is what disks and file systems write wholly or not at all.
	pieceSize = 512
	// minPiece: fewer zeros than that are too likely to be part of a frame.
	minPiece = 32
)

// lostPiece says whether one of the pieces that touch the frame [from, until) reads as zeros. A
// piece is what lies between two multiples of pieceSize, as far as it is in [from, end).
func (a *ahead) lostPiece(from, until, end int64) (bool, error) {
	least := minPiece
	last := end // where a frame can have ended: see filler
	if in := end % pieceSize; in < minPiece {
		last -= in
	}
	if end == a.size && last-from < minEntry {
		least = 1 // no frame has ever been there, but for the beginning of one
	}
	for from < until {
		next := min(from-from%pieceSize+pieceSize, end)
		b, err := a.peek(from, int(next-from))
		if err != nil {
			return false, err
		}
		if len(b) >= least && bytes.Count(b, []byte{0}) == len(b) {
			return true, nil
		}
		from = next
	}
	return false, nil
}

// found is a whole frame that find came to.
type found struct {
	offset, size int64 // of its entry; size 0 = none
	commit       Commit
	synced       Commit
}

// find returns the first whole frame whose entry begins at from or later.
func (a *ahead) find(from int64) (found, error) {
	for at := from + 1; !a.tired; at++ { // a length prefix has at least one byte
		var err error
		if at, err = a.magic(at); err != nil || at < 0 {
			return found{}, err
		}
		f, err := a.frame(at)
		if err != nil {
			return found{}, err
		}
		if f.size > 0 && f.offset >= from {
			return f, nil
		}
	}
	return found{}, nil
}

// magic returns where the next magic number stands, -1 if there is none.
func (a *ahead) magic(from int64) (int64, error) {
	for {
		b, err := a.peek(from, headerSize)
		if err != nil {
			return 0, err
		}
		if len(b) < headerSize {
			return -1, nil // no room for a frame
		}
		b = a.buf[from-a.off:] // all that is there already
		if i := bytes.Index(b, magicBytes); i >= 0 {
			return from + int64(i), nil
		}
		from += int64(len(b) - len(magicBytes) + 1)
	}
}

// frame returns the frame whose magic number stands at the given offset, if it is whole.
func (a *ahead) frame(at int64) (found, error) {
	b, err := a.peek(at, headerSize)
	if err != nil || len(b) < headerSize {
		return found{}, err
	}
	size, bad := frameSize(b)
	if bad != nil {
		return found{}, nil
	}
	h := decodeHeader(b)
	f := found{size: int64(entrySize(size)), commit: h.Commit, synced: h.SyncedThrough}
	prefix := f.size - int64(size)
	f.offset = at - prefix
	if f.offset < 0 || f.offset+f.size > a.size {
		return found{}, nil
	}
	b, err = a.body.peek(f.offset, int(prefix))
	if err != nil || !bytes.Equal(b, binary.AppendUvarint(nil, uint64(size))) {
		return found{}, err
	}
	// A body that jumps to and fro reads more than it checksums.
	if a.budget -= f.size; a.budget < a.body.got {
		a.tired = true
		return found{}, nil
	}
	p := a.t.place()
	p.offset = f.offset
	crc, err := a.body.checksum(p.seed(a.seed[:]), at, int64(size-trailerSize))
	if err != nil {
		return found{}, err
	}
	b, err = a.body.peek(at+int64(size-trailerSize), trailerSize)
	if err != nil || len(b) < trailerSize || binary.LittleEndian.Uint32(b) != crc {
		return found{}, err
	}
	return f, nil
}
