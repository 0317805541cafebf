package eventlog

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"sync"
)

// verdict is one row of the recovery table (docs/internals/format.md has it whole).
//
//	row  found                                                          verdict
//	1    clean end, nothing promised beyond it                          sound
//	2    clean end, a promise beyond it                                 damage
//	3    a bad segment that is not the last, a gap, a misnamed segment  damage (see replay and Verify)
//	4    bad bytes, a promise beyond them                               damage
//	5    a frame cut by the end of the file, or pieces never written    torn
//	6    bad bytes that neither explains                                damage: cannot be told from it
//	7    as 5, and whole frames behind                                  torn
//	8    as 6, and whole frames behind                                  damage: cannot be told from it
//	9    empty                                                          sound
type verdict struct {
	row    int
	torn   bool          // what follows the valid prefix was never acknowledged: it may be cut
	reason string        // of torn, for people
	damage *CorruptError // nil if sound or torn; Path is only the segment's name
}

// judge says what the end of the last segment is, after a scan came to t and stopped there.
// promised is the highest Commit known durable from elsewhere. It looks for whole frames behind t;
// the highest that any of them or promised names is returned too.
func judge(r io.ReaderAt, size int64, t tip, why stop, promised Commit) (verdict, Commit, error) {
	if why.kind == stopClean {
		return judgeClean(t, promised), promised, nil
	}
	a := aheads.Get().(*ahead)
	defer aheads.Put(a)
	a.reset(r, size, t)
	a.highest = promised
	if err := a.survey(why); err != nil {
		return verdict{}, 0, err
	}
	v := verdict{row: 6}
	switch {
	case a.highest > t.head.Commit:
		v.row = 4
	case a.stranger || a.tired:
	case a.frames && a.explained:
		v.row, v.torn = 7, true
	case a.frames:
		v.row = 8
	case a.explained:
		v.row, v.torn = 5, true
	}
	v.reason = why.reason
	switch v.row {
	case 4:
		v.reason += fmt.Sprintf("; commit %d is known to have been durable", a.highest)
	case 6, 8:
		v.reason += "; it cannot be told whether it was acknowledged"
	case 7:
		v.reason += "; pieces of the file were never written, though later ones were"
	}
	if !v.torn {
		v.damage = t.damage(v.row, v.reason)
	}
	return v, a.highest, nil
}

func judgeClean(t tip, promised Commit) verdict {
	switch {
	case t.head.Commit < promised:
		reason := fmt.Sprintf("the log ends here, but commit %d is known to have been durable", promised)
		return verdict{row: 2, damage: t.damage(2, reason)}
	case t.offset == 0:
		return verdict{row: 9}
	}
	return verdict{row: 1}
}

// misplaced is row 3 for a segment that is not the last: the scan of it ended at t, and the next
// segment's name is next. It returns nil if all is as it should be.
func misplaced(t tip, why stop, next Commit) *CorruptError {
	switch {
	case why.kind != stopClean:
		return t.damage(3, why.reason+"; later segments follow")
	case next > t.head.Commit+1:
		return t.damage(3, fmt.Sprintf("the next segment begins with commit %d: what is between is missing", next))
	case next <= t.head.Commit:
		return t.damage(3, fmt.Sprintf("the next segment begins with commit %d, which is in this one", next))
	}
	return nil
}

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
		if from+size > end {
			return end == a.size, nil
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
	for from < until {
		next := min(from-from%pieceSize+pieceSize, end)
		b, err := a.peek(from, int(next-from))
		if err != nil {
			return false, err
		}
		if len(b) >= minPiece && bytes.Count(b, []byte{0}) == len(b) {
			return true, nil
		}
		from = next
	}
	return false, nil
}

// found is a whole frame that find came to.
type found struct {
	offset, size int64 // of its entry; size 0 = none
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
	f := found{size: int64(entrySize(size)), synced: decodeHeader(b).SyncedThrough}
	prefix := f.size - int64(size)
	f.offset = at - prefix
	if f.offset < 0 || f.offset+f.size > a.size {
		return found{}, nil
	}
	if b, err = a.body.peek(f.offset, int(prefix)); err != nil || !bytes.Equal(b, binary.AppendUvarint(nil, uint64(size))) {
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
	if b, err = a.body.peek(at+int64(size-trailerSize), trailerSize); err != nil || len(b) < trailerSize || binary.LittleEndian.Uint32(b) != crc {
		return found{}, err
	}
	return f, nil
}

// checksum returns the CRC32C of n bytes at offset.
func (w *window) checksum(crc uint32, offset, n int64) (uint32, error) {
	for n > 0 {
		b, err := w.peek(offset, int(min(n, windowSize)))
		if err != nil {
			return 0, err
		}
		if len(b) == 0 {
			return 0, io.ErrUnexpectedEOF
		}
		crc = crc32.Update(crc, castagnoli, b)
		offset, n = offset+int64(len(b)), n-int64(len(b))
	}
	return crc, nil
}

// tornTail describes what the verdict says may be cut: everything from t to the end of the segment.
func tornTail(r io.ReaderAt, size int64, t tip, v verdict) (Repair, error) {
	var w window
	w.reset(r, size)
	crc, err := w.checksum(0, t.offset, size-t.offset)
	return Repair{Segment: segmentName(t.segment), Offset: t.offset, Size: size - t.offset, CRC: crc, Verdict: v.String()}, err
}

// String says the verdict in a few words.
func (v verdict) String() string {
	switch {
	case v.torn:
		return fmt.Sprintf("torn tail (row %d): %s", v.row, v.reason)
	case v.damage != nil:
		return fmt.Sprintf("damage (row %d): %s", v.row, v.damage.Reason)
	}
	return fmt.Sprintf("sound (row %d)", v.row)
}
