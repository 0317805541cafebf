package eventlog

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"hash/crc32"
	"os"

	"github.com/klauspost/compress/zstd"
)

// make makes one archive of the segments, which follow end, and then removes them from sealed. It
// returns where the archive ends.
func (a *archiver) make(ctx context.Context, end tip, segments []segmentInfo) (tip, error) {
	temp := a.path(unfinished)
	size, end, err := a.write(ctx, temp, end, segments)
	if err == nil {
		err = a.check(ctx, temp, segments)
	}
	first, last := segments[0].first, segments[len(segments)-1].last
	if err == nil {
		a.disk.at(pointRename)
		err = os.Rename(temp, a.path(archiveName(first, last)))
	}
	if err != nil {
		os.Remove(temp) // what is left of it would be in nobody's way
		return tip{}, err
	}
	if err := a.disk.syncDir(a.path("")); err != nil {
		return tip{}, err
	}
	a.did.Archives++
	a.did.Segments += len(segments)
	a.did.After += size
	a.did.Through = last
	for _, s := range segments {
		a.did.Before += s.size
	}
	return end.next(), a.remove(segments)
}

// write writes an archive to path, durably, and returns its size.
func (a *archiver) write(ctx context.Context, path string, end tip, segments []segmentInfo) (size int64, _ tip, err error) {
	err = a.disk.write(path, func(f *os.File) error {
		size, end, err = a.fill(ctx, f, end, segments)
		return err
	})
	return size, end, err
}

func (a *archiver) fill(ctx context.Context, f *os.File, end tip, segments []segmentInfo) (int64, tip, error) {
	// One at a time, so that it starts no goroutines. The better level costs twice the time of the
	// default for 3 % less; the best would cost ten times for 5 % more.
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedBetterCompression))
	if err != nil {
		return 0, tip{}, err
	}
	m := manifest{id: a.id, prev: end.head.Hash}
	var packed []byte
	offset := int64(0)
	for i, s := range segments {
		if err := ctx.Err(); err != nil {
			return 0, tip{}, err
		}
		if i > 0 {
			end = end.next()
		}
		data, err := os.ReadFile(s.path)
		if err != nil {
			return 0, tip{}, fmt.Errorf("read segment: %w", err)
		}
		prev, row, err := describeSegment(data, s, &end)
		if err != nil {
			return 0, tip{}, err
		}
		if i == 0 {
			m.prev = prev
		}
		packed = encoder.EncodeAll(data, packed[:0])
		row.offset, row.packed, row.crc = offset, int64(len(packed)), crc32.Checksum(packed, castagnoli)
		m.rows = append(m.rows, row)
		if _, err := f.Write(packed); err != nil {
			return 0, tip{}, err
		}
		offset += row.packed
		a.done += s.size
		a.tell()
	}
	b := m.encode()
	_, err = f.Write(b)
	return offset + int64(len(b)), end, err
}

func (a *archiver) tell() {
	if a.opt.Progress != nil {
		a.opt.Progress(min(a.done, a.total), a.total)
	}
}

// describeSegment checks a segment, all of which must continue the log at t, and moves t to its end.
// It returns the hash of the frame before it, too.
func describeSegment(data []byte, s segmentInfo, t *tip) (prev Hash, row manifestEntry, err error) {
	if t.head.Commit == 0 && s.first != 1 {
		*t = midTip(t.id, s.first) // whether something is missing before it is not for an archive to say
	}
	row = manifestEntry{first: s.first, last: s.last, size: int64(len(data)), sum: sha256.Sum256(data)}
	why, err := scan(bytes.NewReader(data), row.size, t, func(e *Entry) error {
		if row.from == 0 {
			row.from, prev = e.First, e.Prev
		}
		return nil
	})
	if err != nil {
		return Hash{}, row, err
	}
	if d := misplaced(*t, why, s.last+1); d != nil {
		d.Path = s.path
		return Hash{}, row, d
	}
	row.to, row.hash = t.head.Position, t.head.Hash
	return prev, row, nil
}

// check reads an archive that was written, and compares it with the originals.
func (a *archiver) check(ctx context.Context, path string, segments []segmentInfo) error {
	g, err := readGroup(archiveFile{segments[0].first, segments[len(segments)-1].last, path}, a.id)
	if err != nil {
		return err
	}
	for i, r := range g.rows {
		if err := ctx.Err(); err != nil {
			return err
		}
		packed, err := a.reader.unpack(g, r)
		if err != nil {
			return err
		}
		if err := compare(packed, segments[i]); err != nil {
			return err
		}
	}
	return nil
}

// compare returns a *CorruptError if an archived segment is not the same as the original.
func compare(packed *archivedSegment, original segmentInfo) error {
	data, err := os.ReadFile(original.path)
	if err != nil {
		return fmt.Errorf("read segment: %w", err)
	}
	same := make([]byte, packed.row.size)
	if _, err := packed.ReadAt(same, 0); err != nil {
		return err
	}
	if bytes.Equal(same, data) {
		return nil
	}
	return &CorruptError{
		Path: packed.path, Offset: packed.row.offset, Commit: packed.row.first, Position: packed.row.from, Row: 3,
		Reason: "archived segment: it is not the same as " + original.path,
	}
}
