package eventlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"
)

// tip is everything known after a valid prefix: the place where the next frame must begin, and what
// it must say.
type tip struct {
	id      LogID
	segment Commit
	offset  int64
	head    Head
	// unlinked: what stands before the next frame was not read (except for its Commit), so its
	// First and Prev are taken as they are.
	unlinked bool
}

// firstTip is the beginning of a log.
func firstTip(id LogID) tip {
	return tip{id: id, segment: 1, head: Head{Hash: id.hash()}}
}

// midTip is the beginning of a segment that is read without those before it.
func midTip(id LogID, segment Commit) tip {
	if segment == 1 {
		return firstTip(id)
	}
	return tip{id: id, segment: segment, head: Head{Commit: segment - 1}, unlinked: true}
}

// next is the beginning of the segment that follows, if this one ends here.
func (t tip) next() tip {
	t.segment, t.offset = t.head.Commit+1, 0
	return t
}

func (t tip) place() place { return place{id: t.id, segment: t.segment, offset: t.offset} }

// damage describes what was found where the next frame must begin. The caller makes a path of the
// segment's name.
func (t tip) damage(row int, reason string) *CorruptError {
	e := &CorruptError{Path: segmentName(t.segment), Offset: t.offset, Commit: t.head.Commit + 1, Row: row, Reason: reason}
	if !t.unlinked {
		e.Position = t.head.Position + 1
	}
	return e
}

// link says why a sound frame does not continue the log, or "".
func (t tip) link(e *Entry) string {
	switch {
	case e.Commit != t.head.Commit+1:
		return fmt.Sprintf("the frame of commit %d stands here", e.Commit)
	case e.SyncedThrough >= e.Commit:
		return "it says that it was durable before it was written"
	case t.unlinked:
		return ""
	case e.First != t.head.Position+1:
		return fmt.Sprintf("its first position is %d", e.First)
	case e.Prev != t.head.Hash:
		return "it follows another commit than the one before it (hash chain)"
	}
	return ""
}

// stop is why a scan ended.
type stop struct {
	kind   stopKind
	reason string // for people
}

type stopKind uint8

const (
	stopClean stopKind = iota // at the end of the segment
	stopCut                   // at a beginning of the next frame: the end of the segment cuts it off
	stopBad                   // what is there is not the next frame
)

// scan passes every sound frame of the segment in r from t on to fn, and moves t along. It reads r
// up to size, in large pieces; memory stays bounded by the largest frame. The Entry is valid until
// fn returns. The error is that of r or fn, or ErrNewer.
func scan(r io.ReaderAt, size int64, t *tip, fn func(*Entry) error) (stop, error) {
	s := scanners.Get().(*scanner)
	defer scanners.Put(s)
	s.reset(r, size)
	for {
		e, why, err := s.next(t)
		if e == nil {
			return why, err
		}
		if err := fn(e); err != nil {
			return stop{}, err
		}
	}
}

// scanners keeps buffers: what is scanned is mostly the last few hundred bytes, again and again.
var scanners = sync.Pool{New: func() any { return new(scanner) }}

// scanner is scan in single steps. It may be reset and used again, and then keeps its buffers.
type scanner struct {
	window
	entry Entry
}

// next returns the frame at t and moves t behind it. It returns no Entry where there is no sound
// frame: then the stop says why, or the error. The Entry is valid until the next call.
func (s *scanner) next(t *tip) (*Entry, stop, error) {
	b, err := s.peek(t.offset, maxPrefix+headerSize)
	if err != nil {
		return nil, stop{}, err
	}
	switch {
	case t.offset > s.size:
		return nil, stop{stopBad, "the segment is shorter than what was read of it before"}, nil
	case len(b) == 0:
		return nil, stop{stopClean, "end"}, nil
	}
	size, err := claim(b)
	if err != nil {
		return nil, stop{stopBad, err.Error()}, nil
	}
	if size > s.size-t.offset {
		return nil, t.cut(b), nil
	}
	b, err = s.peek(t.offset, int(size))
	if err != nil {
		return nil, stop{}, err
	}
	if int64(len(b)) < size {
		return nil, t.cut(b), nil // it was longer a moment ago
	}
	_, k := uvarint(b)
	if err := decodeFrame(b[k:], t.place(), &s.entry); err != nil {
		if errors.Is(err, ErrNewer) {
			return nil, stop{}, fmt.Errorf("read commit %d: %w", t.head.Commit+1, err)
		}
		return nil, stop{stopBad, err.Error()}, nil
	}
	if reason := t.link(&s.entry); reason != "" {
		return nil, stop{stopBad, reason}, nil
	}
	t.offset += size
	t.head, t.unlinked = s.entry.Head(), false
	return &s.entry, stop{}, nil
}

// claim returns the size of the entry that begins with b, if its length prefix and its header
// agree. b holds the first maxPrefix+headerSize bytes or, at the end of a segment, fewer: then they
// need to agree only as far as they are there. The error is a badFrame.
func claim(b []byte) (int64, error) {
	n, k := uvarint(firstN(b, maxPrefix))
	if k == 0 {
		if len(b) > 0 && len(b) < maxPrefix && b[len(b)-1] >= 0x80 {
			return entryMax, nil // not even the prefix is whole
		}
		return 0, badFrame("its length is malformed")
	}
	if n < minFrame || n > MaxFrame {
		return 0, badFrame("its length is impossible")
	}
	b = firstN(b[k:], headerSize)
	if len(b) < headerSize {
		if !bytes.HasPrefix(magicBytes, firstN(b, len(magicBytes))) {
			return 0, badFrame("it does not begin like one")
		}
		return int64(k) + int64(n), nil
	}
	size, err := frameSize(b)
	if err == nil && size != int(n) {
		err = badFrame("its lengths disagree")
	}
	return int64(k) + int64(n), err
}

// entryMax is more than the size of any entry.
const entryMax = MaxFrame + maxPrefix + 1

var magicBytes = binary.LittleEndian.AppendUint32(nil, frameMagic)

// cut tells a frame that the end of the segment cuts off from bytes that only look so: whatever is
// there of the header must be what the next frame says.
func (t tip) cut(b []byte) stop {
	_, k := uvarint(firstN(b, maxPrefix))
	b = firstN(b[k:], headerSize)
	var want [headerSize]byte
	binary.LittleEndian.PutUint64(want[offCommit:], uint64(t.head.Commit)+1)
	binary.LittleEndian.PutUint64(want[offFirst:], uint64(t.head.Position)+1)
	copy(want[offPrev:], t.head.Hash[:])
	same := func(from, to int) bool {
		from, to = min(from, len(b)), min(to, len(b))
		return bytes.Equal(b[from:to], want[from:to])
	}
	if !same(offCommit, offFirst) || !t.unlinked && (!same(offFirst, offTime) || !same(offPrev, offEvents)) {
		return stop{stopBad, "it runs past the end of the segment and is not the next commit"}
	}
	return stop{stopCut, "the end of the segment cuts it off"}
}

// window reads a segment in large pieces.
type window struct {
	r    io.ReaderAt
	size int64 // of the segment
	off  int64 // of buf[0] in the segment
	buf  []byte
	got  int64 // bytes read since reset
}

// windowSize is what a window reads at once: a usual segment is one piece.
const windowSize = 256 << 10

// reset begins anew: nothing that was read before is used again.
func (w *window) reset(r io.ReaderAt, size int64) {
	w.r, w.size, w.off, w.buf, w.got = r, size, 0, w.buf[:0], 0
}

// peek returns n bytes at offset, fewer only at the end of the segment. They are valid until the
// next call. It allocates no more than a piece or what is really there of n.
func (w *window) peek(offset int64, n int) ([]byte, error) {
	n = int(max(0, min(int64(n), w.size-offset)))
	if n == 0 {
		return nil, nil
	}
	if at := offset - w.off; at >= 0 && at+int64(n) <= int64(len(w.buf)) {
		return w.buf[at : at+int64(n)], nil
	}
	want := int(min(int64(max(n, windowSize)), w.size-offset))
	if cap(w.buf) < want {
		w.buf = make([]byte, want, max(want, min(2*cap(w.buf), windowSize)))
	}
	w.buf, w.off = w.buf[:want], offset
	got, err := w.r.ReadAt(w.buf, offset)
	w.buf = w.buf[:got]
	w.got += int64(got)
	// EOF: it was cut since it was measured. What the disk gives back before a bad spot is as good.
	if got < n && !errors.Is(err, io.EOF) {
		w.buf = w.buf[:0]
		return nil, fmt.Errorf("read segment: %w", err)
	}
	return w.buf[:min(n, got)], nil
}

// checksum returns the CRC32C of n bytes at offset, fewer only at the end of the segment.
func (w *window) checksum(crc uint32, offset, n int64) (uint32, error) {
	for n > 0 {
		b, err := w.peek(offset, int(min(n, windowSize)))
		if err != nil {
			return 0, err
		}
		if len(b) == 0 {
			break
		}
		crc = crc32.Update(crc, castagnoli, b)
		offset, n = offset+int64(len(b)), n-int64(len(b))
	}
	return crc, nil
}
