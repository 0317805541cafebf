package eventlog

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"slices"
	"sort"

	"github.com/queuectl/queuectl/internal/file"
)

// A snapshot file is blocks, a directory of the blocks, and a header that is written last. All numbers are
// little endian. docs/internals/format.md has the same tables; a test compares them.
//
//	0       4   5   6    8       24      32      40      48      56      64     96      104     112     120    124
//	+-------+---+---+----+-------+-------+-------+-------+-------+-------+------+-------+-------+-------+------+-----+
//	| magic |fmt|flg|hlen| log   | from  | from  | commit| posi- | time  | hash | seg-  | offset| direc-| its  | CRC |
//	|       |   |   |    | id    | commit| posit.|       | tion  |       |      | ment  |       | tory  | size |     |
//	+-------+---+---+----+-------+-------+-------+-------+-------+-------+------+-------+-------+-------+------+-----+
//
// The directory has an entry for each block, sorted by section and then by what the block begins with:
//
//	0        2       4        8       16      24      28    32
//	+--------+-------+--------+-------+-------+-------+-----+
//	| section| 0     | 0      | first | offset| size  | CRC |
//	+--------+-------+--------+-------+-------+-------+-----+
//
// and a CRC of all of that at its end. The CRCs are CRC32C; those of the blocks begin with the header's first
// 40 bytes, so that a block counts only in its file.
const (
	snapshotMagic  = 0x4e5351a7 // bytes A7 'Q' 'S' 'N'
	snapshotFormat = 1

	snapLogID      = 8
	snapFrom       = 24
	snapFromPos    = 32
	snapCommit     = 40
	snapPosition   = 48
	snapTime       = 56
	snapHash       = 64
	snapSegment    = 96
	snapOffset     = 104
	snapDirectory  = 112
	snapDirSize    = 120
	snapCRC        = 124
	snapHeaderSize = 128
	snapEntrySize  = 32
	snapSeedSize   = 40
	snapSections   = 16 // sections are numbered from 0
)

// Checkpoint is a place between two commits: after Head.Commit, and where the frame of the next one begins
// or, if a new segment has begun meanwhile, would have begun.
type Checkpoint struct {
	Head    Head
	Time    int64  // of that commit, Unix nanoseconds
	Segment Commit // name of the segment that has it
	Offset  int64  // in Segment, behind it
}

// End returns the place behind the commit.
func (e *Entry) End() Checkpoint {
	return Checkpoint{Head: e.Head(), Time: e.Time, Segment: e.segment, Offset: e.Offset + int64(entrySize(e.Size))}
}

// Snapshot is an open snapshot file: what the log's user made of the commits after From up to At. The
// blocks are the user's own. Safe for concurrent use.
type Snapshot struct {
	From    Commit   // what it builds on; 0 = on nothing
	FromPos Position // of the last event of that commit
	At      Checkpoint
	Base    bool // the log begins behind it: no other file builds on it, and it is kept

	path   string
	log    LogID
	r      io.ReaderAt
	close  func() error
	size   int64
	seed   uint32
	blocks [snapSections][]snapshotBlock // by section, in order of what they begin with
}

type snapshotBlock struct {
	section uint16
	first   uint64
	offset  int64
	size    uint32
	crc     uint32
}

// errSnapshot is what is wrong with a snapshot file. It is never a reason to stop: there are older ones,
// and the log.
type errSnapshot string

func (e errSnapshot) Error() string { return "bad snapshot: " + string(e) }

// openSnapshot opens a file and checks all of it but the blocks. The error is an errSnapshot or that of a
// file.
func openSnapshot(path string, id LogID) (*Snapshot, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open snapshot: %w", err)
	}
	info, err := f.Stat()
	s := &Snapshot{path: path, r: f, close: f.Close}
	if err == nil {
		s.size = info.Size()
		err = s.open(id)
	}
	if err != nil {
		f.Close() // only read
		return nil, fmt.Errorf("open snapshot %s: %w", path, err)
	}
	return s, nil
}

// open reads the header and the directory.
func (s *Snapshot) open(id LogID) error {
	var h [snapHeaderSize]byte
	if _, err := s.r.ReadAt(h[:], 0); err != nil {
		return orShort(err)
	}
	number := func(at int) uint64 { return binary.LittleEndian.Uint64(h[at:]) }
	switch {
	case binary.LittleEndian.Uint32(h[:]) != snapshotMagic:
		return errSnapshot("it does not begin like one")
	case crc32.Checksum(h[:snapCRC], castagnoli) != binary.LittleEndian.Uint32(h[snapCRC:]):
		return errSnapshot("the checksum of its header is wrong")
	case h[4] != snapshotFormat || h[5] != 0 || binary.LittleEndian.Uint16(h[6:]) != snapHeaderSize:
		return errSnapshot("it is of another version")
	case !bytes.Equal(h[snapLogID:snapFrom], id[:]):
		return errSnapshot("it is of another log")
	}
	s.log = id
	s.From, s.FromPos = Commit(number(snapFrom)), Position(number(snapFromPos))
	s.At = Checkpoint{
		Head:    Head{Commit: Commit(number(snapCommit)), Position: Position(number(snapPosition)), Hash: Hash(h[snapHash:snapSegment])},
		Time:    int64(number(snapTime)),
		Segment: Commit(number(snapSegment)), Offset: int64(number(snapOffset)),
	}
	if s.From >= s.At.Head.Commit || s.FromPos >= s.At.Head.Position || s.At.Segment == 0 || s.At.Segment > s.At.Head.Commit || s.At.Offset <= 0 {
		return errSnapshot("its numbers are impossible")
	}
	s.seed = crc32.Checksum(h[:snapSeedSize], castagnoli)
	return s.readDirectory(int64(number(snapDirectory)), int64(binary.LittleEndian.Uint32(h[snapDirSize:])))
}

// orShort says that a file ends where it should not.
func orShort(err error) error {
	if errors.Is(err, io.EOF) {
		return errSnapshot("it is cut short")
	}
	return err
}

func (s *Snapshot) readDirectory(at, size int64) error {
	if at < snapHeaderSize || size < 4 || size%snapEntrySize != 4 || at > s.size-size {
		return errSnapshot("its directory is not in it")
	}
	b := make([]byte, size)
	if _, err := s.r.ReadAt(b, at); err != nil {
		return orShort(err)
	}
	entries := b[:size-4]
	if crc32.Update(s.seed, castagnoli, entries) != binary.LittleEndian.Uint32(b[size-4:]) {
		return errSnapshot("the checksum of its directory is wrong")
	}
	blocks := make([]snapshotBlock, 0, len(entries)/snapEntrySize)
	for ; len(entries) > 0; entries = entries[snapEntrySize:] {
		blocks = append(blocks, snapshotBlock{
			section: binary.LittleEndian.Uint16(entries),
			first:   binary.LittleEndian.Uint64(entries[8:]),
			offset:  int64(binary.LittleEndian.Uint64(entries[16:])),
			size:    binary.LittleEndian.Uint32(entries[24:]),
			crc:     binary.LittleEndian.Uint32(entries[28:]),
		})
	}
	for i, block := range blocks {
		if block.offset < snapHeaderSize || block.offset > at-int64(block.size) {
			return errSnapshot("a block is not in it")
		}
		if i > 0 && compareBlocks(blocks[i-1], block) > 0 {
			return errSnapshot("its directory is out of order")
		}
	}
	for len(blocks) > 0 {
		section := blocks[0].section
		if section >= snapSections {
			return errSnapshot("it has a section of a later version")
		}
		n := sort.Search(len(blocks), func(i int) bool { return blocks[i].section > section })
		s.blocks[section], blocks = blocks[:n], blocks[n:]
	}
	return nil
}

func compareBlocks(a, b snapshotBlock) int {
	return cmp.Or(cmp.Compare(a.section, b.section), cmp.Compare(a.first, b.first))
}

// Blocks returns how many blocks a section has.
func (s *Snapshot) Blocks(section uint16) int { return len(s.blocks[section]) }

// First returns what the i-th block of a section begins with.
func (s *Snapshot) First(section uint16, i int) uint64 { return s.blocks[section][i].first }

// Block reads the i-th block of a section. An error means that it is not what was written: use the log
// without this file and those that build on it.
func (s *Snapshot) Block(section uint16, i int) ([]byte, error) {
	return s.read(&s.blocks[section][i])
}

func (s *Snapshot) read(block *snapshotBlock) ([]byte, error) {
	b := make([]byte, block.size)
	if _, err := s.r.ReadAt(b, block.offset); err != nil {
		return nil, fmt.Errorf("read %s: %w", s.path, orShort(err))
	}
	if crc32.Update(s.seed, castagnoli, b) != block.crc {
		return nil, fmt.Errorf("read %s at offset %d: %w", s.path, block.offset, errSnapshot("the checksum of a block is wrong"))
	}
	return b, nil
}

// Check reads every block.
func (s *Snapshot) Check() error {
	for _, blocks := range s.blocks {
		for i := range blocks {
			if _, err := s.read(&blocks[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// Path returns the path of the file.
func (s *Snapshot) Path() string { return s.path }

// Size returns the size of the file in bytes.
func (s *Snapshot) Size() int64 { return s.size }

// Close closes the file. What it had is in use no more.
func (s *Snapshot) Close() error { return s.close() }

// SnapshotWriter writes the blocks of a snapshot file. Sections are numbered from 0 to 15.
type SnapshotWriter struct {
	f      *os.File
	at     int64
	sent   int64 // bytes that were given to the system
	gone   int64 // of those, bytes that are on their way to the disk no more
	seed   uint32
	blocks []snapshotBlock
	buf    []byte
}

// Block writes one block. Those of a section must be in order of what they begin with; equal ones are
// read in the order in which they were written.
func (w *SnapshotWriter) Block(section uint16, first uint64, data []byte) error {
	if section >= snapSections {
		panic(fmt.Sprintf("eventlog: section %d of a snapshot", section))
	}
	w.blocks = append(w.blocks, snapshotBlock{
		section: section, first: first, offset: w.at, size: uint32(len(data)), crc: crc32.Update(w.seed, castagnoli, data),
	})
	w.at += int64(len(data))
	return w.write(data)
}

// write gathers what is small.
func (w *SnapshotWriter) write(data []byte) error {
	w.buf = append(w.buf, data...)
	if len(w.buf) < windowSize {
		return nil
	}
	return w.flush()
}

// flush keeps little on its way to the disk: an append, whose sync shares the disk, waits for it.
func (w *SnapshotWriter) flush() error {
	const most = 1 << 20
	n, err := w.f.Write(w.buf)
	w.buf = w.buf[:0]
	if w.sent += int64(n); err == nil && w.sent-w.gone >= most {
		err = file.WriteOut(w.f, w.gone, w.sent-w.gone)
		w.gone = w.sent
	}
	return err
}

// writeSnapshot writes a whole snapshot file into f.
func writeSnapshot(f *os.File, id LogID, from Head, at Checkpoint, fill func(*SnapshotWriter) error) error {
	var h [snapHeaderSize]byte
	put := func(at int, n uint64) { binary.LittleEndian.PutUint64(h[at:], n) }
	binary.LittleEndian.PutUint32(h[:], snapshotMagic)
	h[4] = snapshotFormat
	binary.LittleEndian.PutUint16(h[6:], snapHeaderSize)
	copy(h[snapLogID:], id[:])
	put(snapFrom, uint64(from.Commit))
	put(snapFromPos, uint64(from.Position))
	put(snapCommit, uint64(at.Head.Commit))
	put(snapPosition, uint64(at.Head.Position))
	put(snapTime, uint64(at.Time))
	copy(h[snapHash:], at.Head.Hash[:])
	put(snapSegment, uint64(at.Segment))
	put(snapOffset, uint64(at.Offset))

	w := &SnapshotWriter{f: f, at: snapHeaderSize, seed: crc32.Checksum(h[:snapSeedSize], castagnoli)}
	if err := w.write(make([]byte, snapHeaderSize)); err != nil {
		return err
	}
	if err := fill(w); err != nil {
		return err
	}
	slices.SortStableFunc(w.blocks, compareBlocks)
	var entries []byte
	for _, block := range w.blocks {
		entries = binary.LittleEndian.AppendUint16(entries, block.section)
		entries = append(entries, 0, 0, 0, 0, 0, 0)
		entries = binary.LittleEndian.AppendUint64(entries, block.first)
		entries = binary.LittleEndian.AppendUint64(entries, uint64(block.offset))
		entries = binary.LittleEndian.AppendUint32(entries, block.size)
		entries = binary.LittleEndian.AppendUint32(entries, block.crc)
	}
	entries = binary.LittleEndian.AppendUint32(entries, crc32.Update(w.seed, castagnoli, entries))
	put(snapDirectory, uint64(w.at))
	binary.LittleEndian.PutUint32(h[snapDirSize:], uint32(len(entries)))
	binary.LittleEndian.PutUint32(h[snapCRC:], crc32.Checksum(h[:snapCRC], castagnoli))
	if err := w.write(entries); err != nil {
		return err
	}
	if err := w.flush(); err != nil {
		return err
	}
	_, err := f.WriteAt(h[:], 0)
	return err
}
