package eventlog

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"
)

// An archive is a file of segments that follow each other, each compressed as a zstd frame of its
// own, and a manifest in a skippable frame, which zstd programs pass over:
//
//	zstd frame | zstd frame | … | 50 2A 4D 18 | size of the manifest | manifest
//
// The manifest, little endian; its last 8 bytes are those of the file:
//
//	0       4     5    6      8                24               56
//	+-------+-----+----+------+----------------+----------------+--------------+------+-----+
//	| magic | for-|    | seg- | log id         | hash of the    | a row for    | size | CRC |
//	|       | mat |    | ments|                | frame before   | each segment |      |     |
//	+-------+-----+----+------+----------------+----------------+--------------+------+-----+
//
// A row:
//
//	0       8      16      24      32      40        48      56    60        92      124
//	+-------+------+-------+-------+-------+---------+-------+-----+---------+-------+
//	| first | last | first | last  | size  | offset  | packed| CRC | SHA-256 | hash of the
//	| commit       | position      |       | of the frame    | of it         | last frame
//	+-------+------+-------+-------+-------+---------+-------+-----+---------+-------+
const (
	manifestMagic  = 0x414c51a7
	manifestFormat = 1

	manOffFormat   = 4
	manOffFlags    = 5
	manOffSegments = 6
	manOffLogID    = 8
	manOffPrev     = 24
	manHeaderSize  = 56
	manTrailerSize = 8

	rowOffFirst    = 0
	rowOffLast     = 8
	rowOffFrom     = 16
	rowOffTo       = 24
	rowOffSize     = 32
	rowOffOffset   = 40
	rowOffPacked   = 48
	rowOffCRC      = 56
	rowOffSum      = 60
	rowOffHash     = 92
	manifestRow    = 124
	manifestMaxLen = manHeaderSize + manTrailerSize + manifestRow*maxArchived

	skippableMagic = 0x184d2a50 // RFC 8878, 3.1.2
	skippableSize  = 8          // of its header
)

// maxArchived bounds what an archive may hold: more segments than are put into one, but few enough
// that a manifest is read at once.
const maxArchived = 4096

// archiveSuffix ends the names of archives.
const archiveSuffix = ".zst"

// archiveName is the file name of the archive of these commits.
func archiveName(first, last Commit) string {
	return segmentName(first) + "-" + segmentName(last) + archiveSuffix
}

// parseArchiveName is the inverse of archiveName; ok is false for every other name.
func parseArchiveName(name string) (first, last Commit, ok bool) {
	a, rest, _ := strings.Cut(name, "-")
	b, isArchive := strings.CutSuffix(rest, archiveSuffix)
	first, ok1 := parseSegmentName(a)
	last, ok2 := parseSegmentName(b)
	return first, last, isArchive && ok1 && ok2 && first <= last
}

// manifest says what is in an archive.
type manifest struct {
	id   LogID
	prev Hash // of the frame before the first
	rows []manifestEntry
}

// manifestEntry is one segment in an archive.
type manifestEntry struct {
	first, last    Commit
	from, to       Position // of its first and its last event
	size           int64    // of the segment
	offset, packed int64    // of its zstd frame: where it begins in the file, and its size
	crc            uint32   // of the zstd frame
	sum            [sha256.Size]byte
	hash           Hash // of its last frame
}

func (m *manifest) first() Commit { return m.rows[0].first }
func (m *manifest) last() Commit  { return m.rows[len(m.rows)-1].last }

// end is the offset of the skippable frame that holds the manifest.
func (m *manifest) end() int64 {
	last := m.rows[len(m.rows)-1]
	return last.offset + last.packed
}

// head is that of the log up to the end of the archive.
func (m *manifest) head() Head {
	last := m.rows[len(m.rows)-1]
	return Head{Commit: last.last, Position: last.to, Hash: last.hash}
}

// encode returns the skippable frame that ends the archive.
func (m *manifest) encode() []byte {
	size := manHeaderSize + manifestRow*len(m.rows) + manTrailerSize
	file := make([]byte, 0, skippableSize+size)
	file = binary.LittleEndian.AppendUint32(file, skippableMagic)
	file = binary.LittleEndian.AppendUint32(file, uint32(size))
	b := file[skippableSize:]
	b = binary.LittleEndian.AppendUint32(b, manifestMagic)
	b = append(b, manifestFormat, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(m.rows)))
	b = append(b, m.id[:]...)
	b = append(b, m.prev[:]...)
	for i := range m.rows {
		b = m.rows[i].append(b)
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(size))
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	return file[:skippableSize+len(b)]
}

func (r *manifestEntry) append(b []byte) []byte {
	for _, n := range []uint64{
		uint64(r.first), uint64(r.last), uint64(r.from), uint64(r.to),
		uint64(r.size), uint64(r.offset), uint64(r.packed),
	} {
		b = binary.LittleEndian.AppendUint64(b, n)
	}
	b = binary.LittleEndian.AppendUint32(b, r.crc)
	b = append(b, r.sum[:]...)
	return append(b, r.hash[:]...)
}

// badManifest says what is wrong with bytes that should be a manifest.
type badManifest string

func (b badManifest) Error() string { return "bad manifest: " + string(b) }

// decodeManifest is the inverse of encode, without the header of the skippable frame. It takes only
// what encode can have written. The error is a badManifest, or wraps ErrNewer for one of a later
// version.
func decodeManifest(b []byte) (*manifest, error) {
	if len(b) < manHeaderSize+manTrailerSize || binary.LittleEndian.Uint32(b) != manifestMagic {
		return nil, badManifest("it does not begin like one")
	}
	end := len(b) - manTrailerSize
	if crc32.Checksum(b[:len(b)-4], castagnoli) != binary.LittleEndian.Uint32(b[len(b)-4:]) {
		return nil, badManifest("its checksum is wrong")
	}
	if b[manOffFormat] > manifestFormat || b[manOffFlags] != 0 {
		return nil, fmt.Errorf("archive format %d, flags %#x: %w", b[manOffFormat], b[manOffFlags], ErrNewer)
	}
	m := &manifest{id: LogID(b[manOffLogID:manOffPrev]), prev: Hash(b[manOffPrev:manHeaderSize])}
	rows := int(binary.LittleEndian.Uint16(b[manOffSegments:]))
	if rows == 0 || rows > maxArchived || end != manHeaderSize+rows*manifestRow || binary.LittleEndian.Uint32(b[end:]) != uint32(len(b)) {
		return nil, badManifest("its sizes disagree")
	}
	for b = b[manHeaderSize:end]; len(b) > 0; b = b[manifestRow:] {
		r := decodeRow(b)
		if err := m.follows(&r); err != "" {
			return nil, err
		}
		m.rows = append(m.rows, r)
	}
	return m, nil
}

func decodeRow(b []byte) manifestEntry {
	number := func(offset int) uint64 { return binary.LittleEndian.Uint64(b[offset:]) }
	return manifestEntry{
		first: Commit(number(rowOffFirst)), last: Commit(number(rowOffLast)),
		from: Position(number(rowOffFrom)), to: Position(number(rowOffTo)),
		size: int64(number(rowOffSize)), offset: int64(number(rowOffOffset)), packed: int64(number(rowOffPacked)),
		crc: binary.LittleEndian.Uint32(b[rowOffCRC:]),
		sum: [sha256.Size]byte(b[rowOffSum:]), hash: Hash(b[rowOffHash:manifestRow]),
	}
}

// follows says what keeps r from being the next row, "" if nothing does.
func (m *manifest) follows(r *manifestEntry) badManifest {
	const largest = maxSegmentSize + 2*entryMax
	switch {
	case r.first == 0 || r.last < r.first || r.from < Position(r.first) || r.to < r.from:
		return "its commits and positions are impossible"
	case r.size <= 0 || r.size > largest || r.packed <= 0 || r.packed > 2*largest:
		return "its sizes are impossible"
	case len(m.rows) == 0 && r.offset != 0 || len(m.rows) > 0 && r.offset != m.end():
		return "its frames do not follow each other"
	case len(m.rows) > 0 && (r.first != m.last()+1 || r.from != m.head().Position+1):
		return "its segments do not follow each other"
	}
	return ""
}

// skipsManifest says if b is the header of the skippable frame around a manifest of that size.
func skipsManifest(b []byte, size int) bool {
	want := binary.LittleEndian.AppendUint32(nil, skippableMagic)
	return bytes.Equal(b, binary.LittleEndian.AppendUint32(want, uint32(size)))
}
