package eventlog

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
)

// One commit is one frame, and one frame is one entry of tidwall/wal, which puts the frame's length
// before it as a uvarint. All numbers are little endian. docs/internals/format.md has the same
// tables; a test compares them.
//
//	0        4   5   6    8        16       24       32       40       72     76     80
//	+--------+---+---+----+--------+--------+--------+--------+--------+------+------+- - - -+-----+
//	| magic  |fmt|flg|hlen| commit | first  | time   | synced | prev   |events| body | body  | CRC |
//	|        |   |   |    |        | pos.   | ns     | through| hash   |      | size |       |     |
//	+--------+---+---+----+--------+--------+--------+--------+--------+------+------+- - - -+-----+
//
// hlen is the size of the header: a later version may lengthen it, and this one skips what it does
// not know. This one lengthens it by zeros, which mean nothing, for the sake of recovery: see
// filler. A reader that does not know fmt or a bit of flg must not read on.
const (
	frameMagic  = 0x464c51a7 // bytes A7 'Q' 'L' 'F'
	frameFormat = 1

	offMagic     = 0
	offFormat    = 4
	offFlags     = 5
	offHeaderLen = 6
	offCommit    = 8
	offFirst     = 16
	offTime      = 24
	offSynced    = 32
	offPrev      = 40
	offEvents    = 72
	offBodyLen   = 76
	headerSize   = 80
	trailerSize  = 4

	// minFrame is a frame of one event without data and an empty Meta.
	minFrame = headerSize + 1 + minEvent + trailerSize
	minEvent = 2
	minEntry = 1 + minFrame
	// maxPrefix is the size of the longest length prefix: a uvarint holds 28 bits in four bytes.
	maxPrefix = 4
)

// The bounds of one commit. A commit that would exceed them is refused with ErrTooLarge.
const (
	MaxFrame  = 32 << 20 // bytes of a frame
	MaxEvents = 131072   // events in a commit
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// place is where a frame lies. It seeds the frame's CRC, so that a frame that was copied to another
// place (a job that printed a segment into its own output, a page that the disk wrote elsewhere) is
// never taken for one.
type place struct {
	id      LogID
	segment Commit // first commit of the segment, which is its name
	offset  int64  // of the entry in the segment, that is, of its length prefix
}

// seedSize is that of what a place is encoded to: log id 16 · segment 8 · offset 8.
const seedSize = 32

// seed is the CRC32C of p. buf has seedSize bytes to encode it in; were it a variable, it would be
// moved to the heap for each frame.
func (p place) seed(buf []byte) uint32 {
	copy(buf, p.id[:])
	binary.LittleEndian.PutUint64(buf[16:], uint64(p.segment))
	binary.LittleEndian.PutUint64(buf[24:], uint64(p.offset))
	return crc32.Update(0, castagnoli, buf[:seedSize])
}

// header is what a frame says besides its body.
type header struct {
	Commit        Commit
	First         Position // of the first event
	Time          int64    // Unix nanoseconds
	SyncedThrough Commit   // known durable when the frame was written, so older than Commit
	Prev          Hash
	fill          bool // make the header as much longer as filler says; not stored
}

// appendFrame appends the frame to dst, without the length prefix, which tidwall/wal writes. It
// returns its hash too. A commit beyond the bounds is ErrTooLarge. There must be an event.
func appendFrame(dst []byte, h header, meta *Meta, events []Event, at place) (frame []byte, sum Hash, err error) {
	if len(events) == 0 {
		panic("eventlog: a commit without events")
	}
	if len(events) > MaxEvents {
		return dst, Hash{}, fmt.Errorf("%d events: %w", len(events), ErrTooLarge)
	}
	start := len(dst)
	dst = append(dst, make([]byte, headerSize)...)
	dst = appendMeta(dst, meta)
	for i := range events {
		dst = binary.AppendUvarint(dst, uint64(events[i].Kind))
		dst = binary.AppendUvarint(dst, uint64(len(events[i].Data)))
		if len(dst)-start+len(events[i].Data)+trailerSize > MaxFrame {
			return dst[:start], Hash{}, fmt.Errorf("more than %d bytes: %w", MaxFrame, ErrTooLarge)
		}
		dst = append(dst, events[i].Data...)
	}
	head := headerSize
	if h.fill {
		n := filler(at.offset, len(dst)-start+trailerSize)
		dst = slices.Insert(dst, start+head, zeros[:n]...)
		head += n
	}
	b := dst[start:]
	binary.LittleEndian.PutUint32(b[offMagic:], frameMagic)
	b[offFormat] = frameFormat
	binary.LittleEndian.PutUint16(b[offHeaderLen:], uint16(head))
	binary.LittleEndian.PutUint64(b[offCommit:], uint64(h.Commit))
	binary.LittleEndian.PutUint64(b[offFirst:], uint64(h.First))
	binary.LittleEndian.PutUint64(b[offTime:], uint64(h.Time))
	binary.LittleEndian.PutUint64(b[offSynced:], uint64(h.SyncedThrough))
	copy(b[offPrev:], h.Prev[:])
	binary.LittleEndian.PutUint32(b[offEvents:], uint32(len(events)))
	binary.LittleEndian.PutUint32(b[offBodyLen:], uint32(len(b)-head))
	sum = sha256.Sum256(b)
	dst = append(dst, make([]byte, seedSize)...)
	seed := at.seed(dst[len(dst)-seedSize:])
	dst = dst[:len(dst)-seedSize]
	return binary.LittleEndian.AppendUint32(dst, crc32.Update(seed, castagnoli, b)), sum, nil
}

// filler returns by how much a frame of that size is to be longer if its entry begins at offset: so
// much that it ends where a piece of the file ends, or at least minPiece bytes from there on either
// side. Then neither it nor the frame behind it is in any piece with fewer bytes than recovery
// needs to see that the piece was never written.
func filler(offset int64, frame int) int {
	for n := range zeros {
		in := (offset + int64(entrySize(frame+n))) % pieceSize
		if frame+n <= MaxFrame && (in == 0 || in >= minPiece && in <= pieceSize-minPiece) {
			return n
		}
	}
	return 0 // there is no room for more
}

// zeros are enough to fill a frame. One more byte may lengthen the length prefix, too, and step over
// the end of a piece.
var zeros [2 * minPiece]byte

// decodeFrame decodes the frame b, which has no length prefix and was read at the given place. It
// checks everything that the frame says about itself; whether it continues the log is for the
// caller to check. e.Events is reused, and each Data aliases b.
//
// The error is a badFrame, or wraps ErrNewer for a sound frame of a later version.
func decodeFrame(b []byte, at place, e *Entry) error {
	size, err := frameSize(b)
	if err != nil {
		return err
	}
	if size != len(b) {
		return badFrame("its lengths disagree")
	}
	end := len(b) - trailerSize
	if crc32.Update(at.seed(e.seed[:]), castagnoli, b[:end]) != binary.LittleEndian.Uint32(b[end:]) {
		return badFrame("its checksum is wrong")
	}
	if b[offFormat] > frameFormat || b[offFlags] != 0 {
		return fmt.Errorf("frame format %d, flags %#x: %w", b[offFormat], b[offFlags], ErrNewer)
	}
	if b[offFormat] != frameFormat {
		return badFrame("it has format 0")
	}
	h := decodeHeader(b)
	e.Commit, e.First, e.Time, e.SyncedThrough, e.Prev = h.Commit, h.First, h.Time, h.SyncedThrough, h.Prev
	e.Frame = b[:end:end]
	e.Hash = sha256.Sum256(e.Frame)
	if e.Segment == "" || e.segment != at.segment {
		e.Segment, e.segment = segmentName(at.segment), at.segment
	}
	e.Offset, e.Size = at.offset, len(b)
	count := int(binary.LittleEndian.Uint32(b[offEvents:]))
	return e.decodeBody(b[binary.LittleEndian.Uint16(b[offHeaderLen:]):end], count)
}

// decodeBody takes the Meta and the events from a body:
//
//	meta length uvarint · meta · count × (kind uvarint · length uvarint · data)
func (e *Entry) decodeBody(b []byte, count int) error {
	n, k := uvarint(b)
	if k == 0 || n > uint64(len(b)-k) {
		return badFrame("its meta is cut short")
	}
	meta, b := b[k:k+int(n)], b[k+int(n):]
	if err := e.decodeMeta(meta); err != nil {
		return err
	}
	if count == 0 || count > MaxEvents || count > len(b)/minEvent {
		return badFrame("its number of events is impossible")
	}
	if cap(e.Events) < count {
		e.Events = make([]Event, count)
	}
	e.Events = e.Events[:count]
	for i := range e.Events {
		kind, k := uvarint(b)
		if k == 0 || kind > math.MaxUint16 {
			return badFrame("the kind of an event is impossible")
		}
		n, l := uvarint(b[k:])
		if l == 0 || n > uint64(len(b)-k-l) {
			return badFrame("an event is cut short")
		}
		begin, end := k+l, k+l+int(n)
		e.Events[i] = Event{Kind: uint16(kind), Data: b[begin:end:end]}
		b = b[end:]
	}
	if len(b) != 0 {
		return badFrame("bytes follow its last event")
	}
	return nil
}

// badFrame says what is wrong with bytes that should be a frame.
type badFrame string

func (b badFrame) Error() string { return "bad frame: " + string(b) }

// frameSize returns the size of the frame that begins with b, as its header has it.
func frameSize(b []byte) (int, error) {
	if len(b) < headerSize {
		return 0, badFrame("it is shorter than a header")
	}
	if binary.LittleEndian.Uint32(b[offMagic:]) != frameMagic {
		return 0, badFrame("it does not begin like one")
	}
	head := int64(binary.LittleEndian.Uint16(b[offHeaderLen:]))
	body := int64(binary.LittleEndian.Uint32(b[offBodyLen:]))
	size := head + body + trailerSize
	if head < headerSize || size < minFrame || size > MaxFrame {
		return 0, badFrame("its lengths are impossible")
	}
	return int(size), nil
}

// decodeHeader needs headerSize bytes.
func decodeHeader(b []byte) header {
	return header{
		Commit:        Commit(binary.LittleEndian.Uint64(b[offCommit:])),
		First:         Position(binary.LittleEndian.Uint64(b[offFirst:])),
		Time:          int64(binary.LittleEndian.Uint64(b[offTime:])),
		SyncedThrough: Commit(binary.LittleEndian.Uint64(b[offSynced:])),
		Prev:          Hash(b[offPrev:offEvents]),
	}
}

// entrySize returns the size of a frame with its length prefix.
func entrySize(frame int) int {
	n := 1
	for v := frame; v >= 0x80; v >>= 7 {
		n++
	}
	return n + frame
}

// uvarint is binary.Uvarint, except that it takes only the shortest form, so that what was decoded
// encodes to the same bytes. n = 0 if there is none.
func uvarint(b []byte) (v uint64, n int) {
	v, n = binary.Uvarint(b)
	if n <= 0 || n > 1 && b[n-1] == 0 {
		return 0, 0
	}
	return v, n
}
