package eventlog

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/klauspost/compress/zstd"
)

// archive reads the segments of a log that are archived. It keeps the manifest of the archive that
// it read from last, so that reading on costs no listing. Not safe for concurrent use.
type archive struct {
	dir     string // of the queue
	id      LogID
	group   *group // read last; nil = none
	decoder *zstd.Decoder
}

// group is an archive with a sound manifest.
type group struct {
	path string
	manifest
}

func newArchive(dir string, id LogID) *archive { return &archive{dir: dir, id: id} }

// archiveFile is an archive as the directory lists it.
type archiveFile struct {
	first, last Commit
	path        string
}

// listArchives returns the archives in dir, in order, by their names, and what is wrong with those. What was pruned is
// not among them.
func listArchives(dir string) (files []archiveFile, bad []*CorruptError, err error) {
	files, bad, err = listAllArchives(dir)
	if err != nil {
		return nil, nil, err
	}
	// In this order: what was removed before the listing had its base.
	begins, err := lastBase(dir)
	files = slices.DeleteFunc(files, func(f archiveFile) bool { return f.last <= begins })
	return files, bad, err
}

func listAllArchives(dir string) (files []archiveFile, bad []*CorruptError, err error) {
	entries, err := os.ReadDir(filepath.Join(dir, archiveDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // it is made with the first archive
		return nil, nil, fmt.Errorf("list archives: %w", err)
	}
	for _, entry := range entries { // sorted by name
		path := filepath.Join(dir, archiveDir, entry.Name())
		if !segmentLike(entry.Name()) {
			continue
		}
		first, last, ok := parseArchiveName(entry.Name())
		if !ok || !entry.Type().IsRegular() {
			bad = append(bad, &CorruptError{Path: path, Row: 3, Reason: "not the name or not the kind of file of an archive"})
			continue
		}
		if n := len(files); n > 0 && first <= files[n-1].last {
			reason := fmt.Sprintf("archive begins with commit %d, which is in the one before it", first)
			bad = append(bad, &CorruptError{Path: path, Commit: first, Row: 3, Reason: reason})
			continue
		}
		files = append(files, archiveFile{first, last, path})
	}
	return files, bad, nil
}

// open reads the archived segment with that first commit. The error is fs.ErrNotExist if there is
// none, and a *CorruptError if there was one that cannot be read any more.
func (a *archive) open(first Commit) (*archivedSegment, error) {
	if a.group == nil || first < a.group.first() || first > a.group.last() {
		files, _, err := listArchives(a.dir)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(files, func(f archiveFile) bool { return f.first <= first && first <= f.last })
		if i < 0 {
			return nil, fmt.Errorf("open segment %d: %w", first, fs.ErrNotExist)
		}
		if a.group, err = readGroup(files[i], a.id); err != nil {
			return nil, err
		}
	}
	i, found := slices.BinarySearchFunc(a.group.rows, first, func(r manifestEntry, first Commit) int { return cmp.Compare(r.first, first) })
	if !found {
		return nil, fmt.Errorf("open segment %d: %w", first, fs.ErrNotExist)
	}
	return a.unpack(a.group, a.group.rows[i])
}

// readGroup reads the manifest of an archive of the log. The error is a *CorruptError if it is not
// what its name says; it wraps ErrNewer if it was written by a later version.
func readGroup(file archiveFile, id LogID) (*group, error) {
	f, err := os.Open(file.path)
	if err != nil {
		return nil, fmt.Errorf("open archive: %w", err)
	}
	defer f.Close() // only read
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("open archive: %w", err)
	}
	damage := &CorruptError{Path: file.path, Offset: info.Size(), Commit: file.first, Row: 3}
	b, err := readManifest(f, info.Size())
	if err != nil && !errors.As(err, new(badManifest)) {
		return nil, fmt.Errorf("read archive: %w", err)
	}
	var m *manifest
	if err == nil {
		damage.Offset -= int64(len(b))
		m, err = decodeManifest(b)
	}
	switch {
	case errors.Is(err, ErrNewer):
		return nil, fmt.Errorf("%s: %w", file.path, err)
	case err != nil:
		damage.Reason = "archive: " + err.Error()
	case m.id != id:
		damage.Reason = fmt.Sprintf("archive of another log, %v", m.id)
	case m.first() != file.first || m.last() != file.last:
		damage.Reason = fmt.Sprintf("archive holds commits %d to %d and not those of its name", m.first(), m.last())
	case m.end()+skippableSize != damage.Offset:
		damage.Reason = "archive: its size is not what its manifest says"
	default:
		return &group{file.path, *m}, nil
	}
	return nil, damage
}

// readManifest returns the bytes of the manifest that ends a file, after a look at its frame. The
// error is a badManifest or that of the file.
func readManifest(r io.ReaderAt, size int64) ([]byte, error) {
	var end [manTrailerSize]byte
	if size < int64(len(end)) {
		return nil, badManifest("the file is too short for one")
	}
	if _, err := r.ReadAt(end[:], size-int64(len(end))); err != nil {
		return nil, err
	}
	n := int64(binary.LittleEndian.Uint32(end[:]))
	if n < manHeaderSize+manTrailerSize || n > manifestMaxLen || n > size-skippableSize {
		return nil, badManifest("the file does not end with one")
	}
	b := make([]byte, skippableSize+n)
	if _, err := r.ReadAt(b, size-int64(len(b))); err != nil {
		return nil, err
	}
	if !skipsManifest(b[:skippableSize], int(n)) {
		return nil, badManifest("the file does not end with one")
	}
	return b[skippableSize:], nil
}

// unpack reads a segment into memory. It is what was archived, or the error is a *CorruptError or
// that of the file.
func (a *archive) unpack(g *group, r manifestEntry) (*archivedSegment, error) {
	f, err := os.Open(g.path)
	if err != nil {
		return nil, fmt.Errorf("open archive: %w", err)
	}
	defer f.Close() // only read
	packed := make([]byte, r.packed)
	if _, err := f.ReadAt(packed, r.offset); err != nil {
		return nil, fmt.Errorf("read archive: %w", err)
	}
	if a.decoder == nil {
		// One at a time, so that it starts no goroutines and need not be closed.
		options := []zstd.DOption{zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecodeAllCapLimit(true)}
		if a.decoder, err = zstd.NewReader(nil, options...); err != nil {
			return nil, err
		}
	}
	damage := &CorruptError{Path: g.path, Offset: r.offset, Commit: r.first, Position: r.from, Row: 3}
	if crc32.Checksum(packed, castagnoli) != r.crc {
		damage.Reason = "archived segment: its checksum is wrong"
		return nil, damage
	}
	data, err := a.decoder.DecodeAll(packed, make([]byte, 0, r.size))
	switch {
	case err != nil:
		damage.Reason = fmt.Sprintf("archived segment: %v", err)
	case int64(len(data)) != r.size || sha256.Sum256(data) != r.sum:
		damage.Reason = "archived segment: it is not what its manifest says (SHA-256)"
	default:
		return &archivedSegment{bytes.NewReader(data), g.path, r}, nil
	}
	return nil, damage
}

// archivedSegment is a segment that was read from an archive.
type archivedSegment struct {
	*bytes.Reader
	path string
	row  manifestEntry
}

// Size returns the size of the segment, which never changes.
func (s *archivedSegment) Size() (int64, error) { return s.row.size, nil }

// Close has nothing to close.
func (s *archivedSegment) Close() error { return nil }

// misfit is what is wrong with the manifest if reading the segment ended at t; nil if it tells the
// truth.
func (s *archivedSegment) misfit(t tip) *CorruptError {
	want := Head{Commit: s.row.last, Position: s.row.to, Hash: s.row.hash}
	if t.head == want && t.offset == s.row.size {
		return nil
	}
	d := &CorruptError{Path: s.path, Offset: s.row.offset, Commit: s.row.first, Position: s.row.from, Row: 3}
	d.Reason = fmt.Sprintf("archived segment: it ends with commit %d, position %d and not as its manifest says", t.head.Commit, t.head.Position)
	return d
}

// listAll is listSegments with those that are archived. An archive that cannot be read is in it as
// one segment that cannot.
//
// They move one way, so looking for the archived ones last misses none.
func listAll(dir string, id LogID) (segments []segmentInfo, bad []*CorruptError, err error) {
	live, bad, err := listSegments(dir)
	if err != nil {
		return nil, nil, err
	}
	files, more, err := listArchives(dir)
	if err != nil {
		return nil, nil, err
	}
	for _, file := range files {
		g, err := readGroup(file, id)
		damage := damaged(err)
		switch {
		case damage != nil:
			segments = append(segments, segmentInfo{first: file.first, last: file.last, path: file.path, sealed: true, bad: damage})
			continue
		case errors.Is(err, fs.ErrNotExist):
			continue // pruned since
		case err != nil:
			return nil, nil, err
		}
		for _, r := range g.rows {
			segments = append(segments, segmentInfo{first: r.first, last: r.last, from: r.from, path: g.path, size: r.size, sealed: true})
		}
	}
	// Those in sealed count, until they are gone.
	segments = slices.DeleteFunc(segments, func(s segmentInfo) bool {
		_, twice := slices.BinarySearchFunc(live, s.first, func(s segmentInfo, first Commit) int { return cmp.Compare(s.first, first) })
		return twice && s.bad == nil
	})
	segments = append(segments, live...)
	slices.SortStableFunc(segments, func(a, b segmentInfo) int { return cmp.Compare(a.first, b.first) })
	return segments, append(bad, more...), nil
}
