package eventlog

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/queuectl/queuectl/internal/file"
)

// resealManifest makes the checksum at the end right.
func resealManifest(b []byte) {
	binary.LittleEndian.PutUint32(b[len(b)-4:], crc32.Checksum(b[:len(b)-4], castagnoli))
}

// manySegments is a log of n segments of about 2,000 bytes each.
func manySegments(tb testing.TB, seed uint64, n int) *handmade {
	h := newHandmade(seed, 0)
	for i := range n {
		if i > 0 {
			h.rotate()
		}
		h.fill(tb, 2000)
	}
	return h
}

// archiveOf archives what is sealed, as far as through.
func archiveOf(tb testing.TB, dir string, through Commit) Archived {
	tb.Helper()
	did, err := Archive(tb.Context(), dir, through, ArchiveOptions{})
	if err != nil {
		tb.Fatal(err)
	}
	return did
}

// lines are all entries of the log from a commit on, and the error after them.
func lines(dir string, from Commit) (all []string, err error) {
	err = readLog(dir, from, func(e *Entry) { all = append(all, fmt.Sprint(describe(e), e.Segment, e.Offset)) })
	return all, err
}

// folded is what a Log makes of the directory: all entries, and its damage.
func folded(tb testing.TB, dir string) ([]Hash, *CorruptError) {
	tb.Helper()
	state := &hashes{}
	l, err := Open(tb.Context(), dir, state, Options{disk: &quickDisk})
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close() // it was only read
	return state.list, l.Damage()
}

func names(tb testing.TB, dir, sub string) (names []string) {
	tb.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, sub))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		tb.Fatal(err)
	}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

func TestArchive_IsReadLikeTheLog(t *testing.T) {
	t.Parallel()
	h := manySegments(t, 700, 10)
	dir := h.write(t)
	promise(t, dir, h)
	want, err := lines(dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	before := verify(t, dir)
	hashesBefore, _ := folded(t, dir)

	half := h.segments[5].first - 1
	if did := archiveOf(t, dir, half); did.Archives != 1 || did.Segments != 5 || did.Through != half {
		t.Errorf("the first time: got %+v, want the first 5 segments", did)
	}
	did := archiveOf(t, dir, math.MaxUint64)
	if did.Archives != 1 || did.Segments != 3 || did.Through != h.segments[8].first-1 || did.After >= did.Before {
		t.Errorf("the second time: got %+v, want 3 segments", did)
	}
	if left := names(t, dir, sealedDir); len(left) > 0 {
		t.Errorf("left in sealed: %v", left)
	}
	if did := archiveOf(t, dir, math.MaxUint64); did.Archives != 0 {
		t.Errorf("the third time: got %+v, want nothing", did)
	}

	for _, from := range []Commit{1, 2, half, half + 1, h.segments[8].first - 1, h.commits()} {
		got, err := lines(dir, from)
		if err != nil || !slices.Equal(got, want[from-1:]) {
			t.Errorf("from %d: got %d commits, %v, want %d", from, len(got), err, len(want[from-1:]))
		}
	}
	for p := Position(1); p <= h.end().head.Position; p += 7 {
		r, err := NewReaderAt(dir, p)
		if err != nil {
			t.Fatal(err)
		}
		if e, err := r.Next(t.Context()); err != nil || e.First > p || e.Head().Position < p {
			t.Errorf("at position %d: got %+v, %v", p, e, err)
		}
		r.Close()
	}
	if after := verify(t, dir); fmt.Sprint(*after) != fmt.Sprint(*before) {
		t.Errorf("verify: got  %+v\nwant %+v", *after, *before)
	}
	got, damage := folded(t, dir)
	if !slices.Equal(got, hashesBefore) || damage != nil {
		t.Errorf("a Log folds %d commits, %v, want %d", len(got), damage, len(hashesBefore))
	}
}

func TestArchive_IsWrittenOn(t *testing.T) {
	t.Parallel()
	h := manySegments(t, 701, 6)
	dir := h.write(t)
	archiveOf(t, dir, math.MaxUint64)
	state := &ledger{}
	l, err := Open(t.Context(), dir, state, Options{disk: &quickDisk, SegmentSize: 1000})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // once more
	a := &handle{Log: l, state: state}
	for range 20 {
		if err := a.Append(t.Context(), a.proposes(strings.Repeat("x", 300))); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil { // which seals
		t.Fatal(err)
	}
	if did := archiveOf(t, dir, math.MaxUint64); did.Segments < 3 {
		t.Errorf("got %+v", did)
	}
	if r := verify(t, dir); len(r.Damage) > 0 || r.Head.Commit != h.commits()+20 {
		t.Errorf("got %+v", r)
	}
}

func TestArchive_AnyZstdProgramReadsIt(t *testing.T) {
	t.Parallel()
	h := manySegments(t, 702, 5)
	dir := h.write(t)
	archiveOf(t, dir, math.MaxUint64)
	f, err := os.Open(filepath.Join(dir, archiveDir, archiveName(1, h.segments[3].first-1)))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := zstd.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	want := slices.Concat(h.segments[0].data, h.segments[1].data, h.segments[2].data)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %d bytes, %v, want the %d of three segments", len(got), err, len(want))
	}
}

func TestArchive_TakesFullOnesOnly(t *testing.T) {
	t.Parallel()
	h := newHandmade(703, 0)
	for range 2*groupSegments + 12 {
		h.noise(t, 30)
		h.rotate()
	}
	dir := h.write(t)
	var told int64
	did, err := Archive(t.Context(), dir, math.MaxUint64, ArchiveOptions{Full: true, Progress: func(done, total int64) {
		if done < told || done > total {
			t.Errorf("progress went from %d to %d of %d", told, done, total)
		}
		told = done
	}})
	if err != nil || did.Archives != 2 || did.Segments != 2*groupSegments || told != did.Before {
		t.Errorf("got %+v, %v, progress ended at %d", did, err, told)
	}
	did, err = Archive(t.Context(), dir, math.MaxUint64, ArchiveOptions{Full: true})
	if err != nil || did.Archives > 0 || did.Through != 2*groupSegments {
		t.Errorf("of %d segments: got %+v, %v, want nothing", len(names(t, dir, sealedDir)), did, err)
	}
	if did := archiveOf(t, dir, math.MaxUint64); did.Archives != 1 || did.Segments != 11 {
		t.Errorf("asked by hand: got %+v, want 11 segments", did)
	}
	if r := verify(t, dir); len(r.Damage) > 0 || r.Head != h.end().head {
		t.Errorf("got %+v", r)
	}
}

func TestArchive_OneAtATime(t *testing.T) {
	t.Parallel()
	h := newHandmade(704, 0)
	for range groupSegments + 4 {
		h.noise(t, 30)
		h.rotate()
	}
	dir := h.write(t)
	if err := os.Mkdir(filepath.Join(dir, archiveDir), 0o700); err != nil {
		t.Fatal(err)
	}
	lock, err := file.OpenLock(filepath.Join(dir, archiveDir, archiveLock))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := lock.Exclusive(); err != nil {
		t.Fatal(err)
	}
	did, err := Archive(t.Context(), dir, math.MaxUint64, ArchiveOptions{Full: true})
	if err != nil || !did.Busy || did.Archives > 0 {
		t.Errorf("who comes by: got %+v, %v", did, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := Archive(waitedFor{ctx, cancel}, dir, math.MaxUint64, ArchiveOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("who waits: got %v", err)
	}
	done := make(chan Archived)
	go func() {
		did, err := Archive(context.Background(), dir, math.MaxUint64, ArchiveOptions{})
		if err != nil {
			t.Error(err)
		}
		done <- did
	}()
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	if did := <-done; did.Archives != 2 {
		t.Errorf("then: got %+v", did)
	}
}

func TestArchive_AFailureLosesNothing(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		fail func(d *disk)
		want error
	}{
		{"a network file system", func(d *disk) { d.network = func(string) (string, error) { return "nfs", nil } }, ErrNetworkFS},
		{"the disk is full", func(d *disk) { d.datasync = func(*os.File) error { return syscall.ENOSPC } }, ErrDiskFull},
		{"the sync fails", func(d *disk) { d.datasync = func(*os.File) error { return errDisk } }, errDisk},
		{"the sync of the names fails", func(d *disk) {
			d.syncDir = func(path string) error {
				if strings.TrimSuffix(filepath.Base(path), "/") == archiveDir {
					return errDisk
				}
				return nil
			}
		}, errDisk},
	} {
		h := manySegments(t, 705, 6)
		dir := h.write(t)
		d := quickDisk
		row.fail(&d)
		did, err := Archive(t.Context(), dir, math.MaxUint64, ArchiveOptions{disk: &d})
		if !errors.Is(err, row.want) || did.Archives > 0 {
			t.Errorf("%s: got %+v, %v", row.name, did, err)
		}
		if got := names(t, dir, sealedDir); len(got) != 4 {
			t.Errorf("%s: left in sealed: %v", row.name, got)
		}
		if slices.Contains(names(t, dir, archiveDir), unfinished) {
			t.Errorf("%s: what was begun is left", row.name)
		}
		if r := verify(t, dir); len(r.Damage) > 0 || r.Head != h.end().head {
			t.Errorf("%s: got %+v", row.name, r)
		}
		archiveOf(t, dir, math.MaxUint64)
		if got := names(t, dir, sealedDir); len(got) != 0 {
			t.Errorf("%s: the next time it leaves %v", row.name, got)
		}
	}
}

func TestArchive_TakesNoDamagedSegment(t *testing.T) {
	t.Parallel()
	h := manySegments(t, 706, 8)
	dir := h.write(t)
	data := bytes.Clone(h.segments[3].data)
	data[len(data)/2] ^= 1
	put(t, h.path(dir, 3), data)
	_, err := Archive(t.Context(), dir, math.MaxUint64, ArchiveOptions{})
	if d := damaged(err); d == nil || d.Path != h.path(dir, 3) {
		t.Errorf("got %v, want damage of %s", err, h.path(dir, 3))
	}
	if got := names(t, dir, sealedDir); len(got) != 6 {
		t.Errorf("left in sealed: %v", got)
	}
	// What is before it can be archived all the same.
	if did := archiveOf(t, dir, h.segments[3].first-1); did.Segments != 3 {
		t.Errorf("got %+v", did)
	}
}

func TestArchive_OriginalsThatAreLeftAreCompared(t *testing.T) {
	t.Parallel()
	h := manySegments(t, 707, 8)
	dir := h.write(t)
	archiveOf(t, dir, h.segments[4].first-1)
	put(t, filepath.Join(dir, sealedDir, segmentName(1)), h.segments[0].data)
	put(t, filepath.Join(dir, sealedDir, segmentName(h.segments[1].first)), h.segments[1].data)
	if r := verify(t, dir); len(r.Damage) > 0 || r.Segments != 8 || r.Head != h.end().head {
		t.Errorf("while they are there twice: got %+v", r)
	}
	archiveOf(t, dir, math.MaxUint64)
	if got := names(t, dir, sealedDir); len(got) > 0 {
		t.Errorf("left in sealed: %v", got)
	}
	other := append(bytes.Clone(h.segments[0].data), 0)
	put(t, filepath.Join(dir, sealedDir, segmentName(1)), other)
	if _, err := Archive(t.Context(), dir, math.MaxUint64, ArchiveOptions{}); damaged(err) == nil {
		t.Errorf("one that is not the same: got %v", err)
	}
	if got := names(t, dir, sealedDir); len(got) != 1 {
		t.Errorf("left in sealed: %v", got)
	}
}

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

func sumOf(b []byte) [32]byte { return sha256.Sum256(b) }

// TestArchive_SyncsNamesBeforeWhatRestsOnThem: the crash states seldom show that somebody else sealed
// and did not come to sync.
func TestArchive_SyncsNamesBeforeWhatRestsOnThem(t *testing.T) {
	t.Parallel()
	h := manySegments(t, 708, 5)
	dir := h.write(t)
	var calls []string
	d := quickDisk
	note := func(path string) {
		call := filepath.Base(path)
		if len(names(t, dir, sealedDir)) == 0 {
			call += " (sealed is empty)"
		}
		calls = append(calls, call)
	}
	d.syncDir = func(path string) error { note(path); return nil }
	d.datasync = func(f *os.File) error { note(f.Name()); return nil }
	if _, err := Archive(t.Context(), dir, math.MaxUint64, ArchiveOptions{disk: &d}); err != nil {
		t.Fatal(err)
	}
	want := []string{filepath.Base(dir), sealedDir, logDir, archiveDir, unfinished, archiveDir, sealedDir + " (sealed is empty)"}
	if !slices.Equal(calls, want) {
		t.Errorf("got  %q\nwant %q", calls, want)
	}
}
