package eventlog

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/queuectl/queuectl/internal/file"
)

// The D file says which commit is known to be durable. It has two slots of 64 bytes, little endian:
//
//	0                16       24       32       40             52       60    64
//	+----------------+--------+--------+--------+--------------+--------+-----+
//	| log id         | seg-   | commit | end    | hash of the  | boot   | CRC |
//	|                | ment   |        | offset | commit       | id     |     |
//	+----------------+--------+--------+--------+--------------+--------+-----+
//
// Of the hash there are the first 12 bytes, of the SHA-256 of the boot id the first 8: for people
// who look into what happened; nothing is decided by it. The CRC is CRC32C.
//
// After a sync a process overwrites the slot that says less. It is not synced each time: an older D
// is never wrong. The highest valid slot counts; none, or no file, is as good as commit 0, and
// never a reason to stop.
const (
	slotSize   = 64
	slotLogID  = 0
	slotSeg    = 16
	slotCommit = 24
	slotEnd    = 32
	slotHash   = 40
	slotBoot   = 52
	slotCRC    = 60
)

// mark is what a slot says: everything up to the commit, which ends at that offset of that segment,
// is durable. The zero mark says nothing.
type mark struct {
	commit  Commit
	segment Commit
	end     int64
	hash    [slotBoot - slotHash]byte
}

// markOf is the mark of everything before t.
func markOf(t tip) mark {
	m := mark{commit: t.head.Commit, segment: t.segment, end: t.offset}
	copy(m.hash[:], t.head.Hash[:])
	return m
}

func (m mark) encode(b *[slotSize]byte, id LogID) {
	copy(b[slotLogID:], id[:])
	binary.LittleEndian.PutUint64(b[slotSeg:], uint64(m.segment))
	binary.LittleEndian.PutUint64(b[slotCommit:], uint64(m.commit))
	binary.LittleEndian.PutUint64(b[slotEnd:], uint64(m.end))
	copy(b[slotHash:], m.hash[:])
	copy(b[slotBoot:], bootHash())
	binary.LittleEndian.PutUint32(b[slotCRC:], crc32.Checksum(b[:slotCRC], castagnoli))
}

// decodeMark returns the zero mark for a slot that is not valid.
func decodeMark(b []byte, id LogID) (m mark) {
	if crc32.Checksum(b[:slotCRC], castagnoli) != binary.LittleEndian.Uint32(b[slotCRC:]) || !bytes.Equal(b[:slotSeg], id[:]) {
		return mark{}
	}
	m.segment = Commit(binary.LittleEndian.Uint64(b[slotSeg:]))
	m.commit = Commit(binary.LittleEndian.Uint64(b[slotCommit:]))
	m.end = int64(binary.LittleEndian.Uint64(b[slotEnd:]))
	copy(m.hash[:], b[slotHash:])
	return m
}

var bootHash = sync.OnceValue(func() []byte {
	sum := sha256.Sum256([]byte(file.BootID()))
	return sum[:slotCRC-slotBoot]
})

// durableMarks is the open D file.
type durableMarks struct {
	id    LogID
	f     *os.File // nil = absent, or not to be opened
	buf   [2 * slotSize]byte
	dirty bool // written since it was last synced
	top   mark // the highest that this process had to record

	// Of the disk; nil = it is only read.
	datasync func(*os.File) error
	writeAt  func(f *os.File, b []byte, offset int64) (int, error)
}

// readDurable returns the commit that dir's D file says is durable, 0 if the file is absent or bad.
// The error is that of a file that is there and cannot be read.
func readDurable(dir string, id LogID) (Commit, error) {
	d := durableMarks{id: id}
	if err := d.open(dir, os.O_RDONLY); err != nil {
		return 0, err
	}
	defer d.close()
	m, _, err := d.read()
	return m.commit, err
}

// open opens the file; with os.O_CREATE it makes it if need be.
func (d *durableMarks) open(dir string, flag int) error {
	f, err := os.OpenFile(filepath.Join(dir, logDir, durableFile), flag, 0o600)
	if errors.Is(err, fs.ErrNotExist) && flag&os.O_CREATE == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open D file: %w", err)
	}
	d.f = f
	return nil
}

// read returns the highest mark, and in which slot it is.
func (d *durableMarks) read() (mark, int, error) {
	if d.f == nil {
		return mark{}, 0, nil
	}
	n, err := d.f.ReadAt(d.buf[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return mark{}, 0, fmt.Errorf("read D file: %w", err)
	}
	clear(d.buf[n:])
	m0, m1 := decodeMark(d.buf[:slotSize], d.id), decodeMark(d.buf[slotSize:], d.id)
	if m1.commit > m0.commit {
		return m1, 1, nil
	}
	return m0, 0, nil
}

// highest is read for those who go on without D as well: with more work, or with less to show.
func (d *durableMarks) highest() mark {
	m, _, err := d.read()
	if err != nil {
		return mark{}
	}
	return m
}

// advance records m, unless as much is recorded already. Two processes may do so at the same moment, and the one that has
// less to say be the one whose slot stays: see sync.
func (d *durableMarks) advance(m mark) error {
	if m.commit > d.top.commit {
		d.top = m
	}
	highest, slot, err := d.read()
	if err != nil || highest.commit >= m.commit || d.f == nil {
		return err
	}
	var b [slotSize]byte
	m.encode(&b, d.id)
	if _, err := d.writeAt(d.f, b[:], int64(1-slot)*slotSize); err != nil {
		return fmt.Errorf("write D file: %w", err)
	}
	d.dirty = true
	return nil
}

// sync makes what is recorded survive a power cut, and records it once more if it was overwritten. So those who see no
// more than D says see all that was acknowledged when the log has been quiet, or its writers have closed it.
func (d *durableMarks) sync() error {
	if err := d.advance(d.top); err != nil {
		return err
	}
	if !d.dirty {
		return nil
	}
	if err := d.datasync(d.f); err != nil {
		return fmt.Errorf("sync D file: %w", err)
	}
	d.dirty = false
	return nil
}

func (d *durableMarks) close() {
	d.dirty, d.top = false, mark{}
	if d.f != nil {
		d.f.Close() // what had to be synced is
		d.f = nil
	}
}
