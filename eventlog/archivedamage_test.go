package eventlog

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// archivedLog is a log with three archives of two segments each, and two segments in log.
func archivedLog(tb testing.TB, seed uint64) (h *handmade, dir string, archives []string) {
	h = manySegments(tb, seed, 8)
	dir = h.write(tb)
	promise(tb, dir, h)
	for _, i := range []int{2, 4, 6} {
		archiveOf(tb, dir, h.segments[i].first-1)
	}
	for _, name := range names(tb, dir, archiveDir) {
		if name != archiveLock {
			archives = append(archives, filepath.Join(dir, archiveDir, name))
		}
	}
	if len(archives) != 3 {
		tb.Fatalf("got %v", archives)
	}
	return h, dir, archives
}

// holdsDamage checks that the log is known to be damaged in a file, at a commit, and that all is
// readable but for the commits from there up to last.
func holdsDamage(t *testing.T, name, dir string, h *handmade, want CorruptError, last Commit) {
	t.Helper()
	r := verify(t, dir)
	if len(r.Damage) == 0 {
		t.Errorf("%s: Verify notices nothing", name)
		return
	}
	d := *r.Damage[0]
	if d.Path != want.Path || d.Commit != want.Commit || d.Row != 3 || !strings.Contains(d.Reason, want.Reason) {
		t.Errorf("%s: Verify says %+v, want %+v", name, d, want)
	}
	if len(r.Damage) > 1 {
		t.Errorf("%s: Verify says, too: %v", name, r.Damage[1:])
	}
	if r.Head.Commit != want.Commit-1 {
		t.Errorf("%s: the head is commit %d, want %d", name, r.Head.Commit, want.Commit-1)
	}
	sound := h.end().head.Position - (h.tips[last].head.Position - h.tips[want.Commit-1].head.Position)
	if r.Events != uint64(sound) {
		t.Errorf("%s: %d events are sound, want %d", name, r.Events, sound)
	}
	before, err := lines(dir, 1)
	if damaged(err) == nil || len(before) != int(want.Commit-1) {
		t.Errorf("%s: a Reader returns %d commits and then %v, want %d", name, len(before), err, want.Commit-1)
	}
	if behind, err := lines(dir, last+1); err != nil || len(behind) != int(h.commits()-last) {
		t.Errorf("%s: a Reader returns %d commits from %d on, %v", name, len(behind), last+1, err)
	}
	there, err := NewReaderAt(dir, h.tips[last].head.Position+1)
	if err != nil {
		t.Fatalf("%s: a Reader at a position: %v", name, err)
	}
	defer there.Close() // only read
	if e, err := there.Next(t.Context()); err != nil || e.Commit != last+1 {
		t.Errorf("%s: a Reader at position %d: %+v, %v", name, h.tips[last].head.Position+1, e, err)
	}
	state, damage := folded(t, dir)
	if damage == nil || len(state) != int(want.Commit-1) {
		t.Errorf("%s: a Log folds %d commits, and says %v", name, len(state), damage)
	}
}

func TestArchiveDamage_IsNamed(t *testing.T) {
	t.Parallel()
	flip := func(offset func(m *group) int64) func(testing.TB, string, []string) {
		return func(tb testing.TB, dir string, archives []string) {
			data, err := os.ReadFile(archives[1])
			if err != nil {
				tb.Fatal(err)
			}
			data[offset(groupAt(tb, archives[1]))] ^= 1
			put(tb, archives[1], data)
		}
	}
	first := func(h *handmade) (Commit, Commit) { return h.segments[2].first, h.segments[4].first - 1 }
	half := func(h *handmade) (Commit, Commit) { return h.segments[3].first, h.segments[4].first - 1 }
	for _, row := range []struct {
		name   string
		spoil  func(tb testing.TB, dir string, archives []string)
		bad    func(h *handmade) (first, last Commit)
		reason string
	}{
		{"flip in a segment", flip(func(g *group) int64 { return g.rows[1].offset + 5 }), half, "checksum"},
		{"flip in the manifest", flip(func(g *group) int64 { return g.end() + 30 }), first, "checksum"},
		{"flip in the header of its frame", flip(func(g *group) int64 { return g.end() + 1 }), first, "does not end with one"},
		{"flip in the last byte", flip(func(g *group) int64 { return g.end() + int64(len(g.encode())) - 1 }), first, "checksum"},
		{"half of it", func(tb testing.TB, _ string, archives []string) { truncateTo(tb, archives[1], 100) }, first, "does not end with one"},
		{"nothing of it", func(tb testing.TB, _ string, archives []string) { truncateTo(tb, archives[1], 0) }, first, "too short"},
		{"a byte more", func(tb testing.TB, _ string, archives []string) {
			data, _ := os.ReadFile(archives[1])
			put(tb, archives[1], append([]byte{0}, data...))
		}, first, "size"},
		{"of another log", func(tb testing.TB, _ string, archives []string) {
			_, _, others := archivedLog(tb, 711)
			data, _ := os.ReadFile(others[1])
			put(tb, archives[1], data)
		}, first, "another log"},
		{"another one under its name", func(tb testing.TB, _ string, archives []string) {
			data, _ := os.ReadFile(archives[0])
			put(tb, archives[1], data)
		}, first, "not those of its name"},
		{"another segment in its place", func(tb testing.TB, _ string, archives []string) {
			retell(tb, archives[1], func(segments [][]byte) { segments[1] = segments[0] })
		}, half, "checksum is wrong"},
	} {
		h, dir, archives := archivedLog(t, 710)
		row.spoil(t, dir, archives)
		from, last := row.bad(h)
		holdsDamage(t, row.name, dir, h, CorruptError{Path: archives[1], Commit: from, Reason: row.reason}, last)
	}
}

// TestArchiveDamage_WhatWasToldAnewIsNoticed: somebody edits commits, and makes all checksums right, those
// of the manifest, too.
func TestArchiveDamage_WhatWasToldAnewIsNoticed(t *testing.T) {
	t.Parallel()
	h, dir, archives := archivedLog(t, 717)
	retell(t, archives[1], func(segments [][]byte) {
		m := groupAt(t, archives[1])
		g := newHandmade(1, 0)
		g.id, g.tips = m.id, []tip{{id: m.id, segment: m.rows[1].first, head: Head{Commit: m.rows[0].last, Position: m.rows[0].to}}}
		for range 3 {
			g.noise(t, 10)
		}
		segments[1] = g.last().data
	})
	bad := h.segments[3].first
	r := verify(t, dir)
	if len(r.Damage) == 0 || r.Damage[0].Path != archives[1] || r.Damage[0].Commit != bad || !strings.Contains(r.Damage[0].Reason, "hash chain") {
		t.Errorf("Verify says %v", r.Damage)
	}
	if before, err := lines(dir, 1); damaged(err) == nil || len(before) != int(bad-1) {
		t.Errorf("a Reader returns %d commits and then %v, want %d", len(before), err, bad-1)
	}
	if state, damage := folded(t, dir); damage == nil || len(state) != int(bad-1) {
		t.Errorf("a Log folds %d commits, and says %v", len(state), damage)
	}
}

func truncateTo(tb testing.TB, path string, size int64) {
	if err := os.Truncate(path, size); err != nil {
		tb.Fatal(err)
	}
}

// groupAt reads the manifest of an archive, whatever log it is of.
func groupAt(tb testing.TB, path string) *group {
	tb.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	b, err := readManifest(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		tb.Fatal(err)
	}
	m, err := decodeManifest(b)
	if err != nil {
		tb.Fatal(err)
	}
	return &group{path, *m}
}

// retell writes an archive anew, with other segments and a manifest that says so, as somebody would
// who wants nobody to notice.
func retell(tb testing.TB, path string, edit func(segments [][]byte)) {
	tb.Helper()
	g := groupAt(tb, path)
	a := newArchive("", g.id)
	var segments [][]byte
	for _, r := range g.rows {
		s, err := a.unpack(g, r)
		if err != nil {
			tb.Fatal(err)
		}
		data := make([]byte, r.size)
		if _, err := s.ReadAt(data, 0); err != nil {
			tb.Fatal(err)
		}
		segments = append(segments, data)
	}
	edit(segments)
	put(tb, path, archiveBytes(tb, g.manifest, segments))
}

// archiveBytes is an archive of these segments that says the same of their commits as m.
func archiveBytes(tb testing.TB, m manifest, segments [][]byte) (file []byte) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		tb.Fatal(err)
	}
	m.rows = slices.Clone(m.rows)
	for i, data := range segments {
		r := &m.rows[i]
		packed := encoder.EncodeAll(data, nil)
		r.size, r.offset, r.packed = int64(len(data)), int64(len(file)), int64(len(packed))
		r.crc, r.sum = checksum(packed), sumOf(data)
		file = append(file, packed...)
	}
	return append(file, m.encode()...)
}

func TestArchiveDamage_MissingOnesAreNamed(t *testing.T) {
	t.Parallel()
	h, dir, archives := archivedLog(t, 712)
	if err := os.Remove(archives[1]); err != nil {
		t.Fatal(err)
	}
	from, next := h.segments[2].first, h.segments[4].first
	r := verify(t, dir)
	if len(r.Damage) != 1 || r.Damage[0].Commit != from || r.Damage[0].Path != archives[0] ||
		!strings.Contains(r.Damage[0].Reason, fmt.Sprintf("begins with commit %d", next)) {
		t.Errorf("Verify says %v", r.Damage)
	}
	if got, err := lines(dir, 1); damaged(err) == nil || len(got) != int(from-1) {
		t.Errorf("a Reader returns %d commits and %v", len(got), err)
	}
	if got, err := lines(dir, next); err != nil || len(got) != int(h.commits()-next+1) {
		t.Errorf("behind it a Reader returns %d commits and %v", len(got), err)
	}
	if got, damage := folded(t, dir); damage == nil || len(got) != int(from-1) {
		t.Errorf("a Log folds %d commits, and says %v", len(got), damage)
	}
	if _, err := Archive(t.Context(), dir, math.MaxUint64, ArchiveOptions{}); err != nil {
		t.Errorf("to archive what comes after it: %v", err)
	}
}

func TestArchiveDamage_ALogThatEndsInItsArchiveIsDamaged(t *testing.T) {
	t.Parallel()
	for _, durable := range []bool{true, false} {
		h, dir, _ := archivedLog(t, 713)
		for _, name := range names(t, dir, logDir) {
			if segmentLike(name) || name == durableFile && !durable {
				if err := os.Remove(filepath.Join(dir, logDir, name)); err != nil {
					t.Fatal(err)
				}
			}
		}
		end := h.segments[6].first
		if r := verify(t, dir); len(r.Damage) != 1 || r.Damage[0].Commit != end {
			t.Errorf("Verify says %v", r.Damage)
		}
		if got, err := lines(dir, 1); damaged(err) == nil || len(got) != int(end-1) {
			t.Errorf("a Reader returns %d commits and %v", len(got), err)
		}
		state := &hashes{}
		l, err := Open(t.Context(), dir, state, Options{disk: &quickDisk, Create: created})
		if err != nil {
			if damaged(err) == nil {
				t.Errorf("a Log says %v", err)
			}
			continue
		}
		if l.Damage() == nil || len(state.list) != int(end-1) {
			t.Errorf("a Log folds %d commits, and says %v", len(state.list), l.Damage())
		}
		l.Close()
	}
}

func TestArchiveDamage_NoLogIsMadeWhereAnArchiveIs(t *testing.T) {
	t.Parallel()
	_, dir, _ := archivedLog(t, 714)
	for _, sub := range []string{logDir, sealedDir, quarantineDir} {
		if err := os.RemoveAll(filepath.Join(dir, sub)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open(t.Context(), dir, &hashes{}, Options{disk: &quickDisk, Create: created}); damaged(err) == nil {
		t.Errorf("got %v", err)
	}
}

func TestArchiveDamage_NamesThatAreNoneAreTold(t *testing.T) {
	t.Parallel()
	h, dir, archives := archivedLog(t, 715)
	for _, name := range []string{segmentName(1), archiveName(1, 2), archiveName(2, h.segments[3].first)} {
		path := filepath.Join(dir, archiveDir, name)
		data, _ := os.ReadFile(archives[0])
		put(t, path, data)
		if r := verify(t, dir); len(r.Damage) == 0 {
			t.Errorf("%s: not noticed", name)
		}
		if _, err := Archive(t.Context(), dir, math.MaxUint64, ArchiveOptions{}); err != nil && damaged(err) == nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	put(t, filepath.Join(dir, archiveDir, unfinished), []byte("half of one"))
	put(t, filepath.Join(dir, archiveDir, "notes"), nil)
	if r := verify(t, dir); len(r.Damage) > 0 || r.Head != h.end().head {
		t.Errorf("got %+v", r)
	}
}

// TestArchiveDamage_EveryFlipIsNoticed flips each bit of an archive.
func TestArchiveDamage_EveryFlipIsNoticed(t *testing.T) {
	t.Parallel()
	h := newHandmade(716, 0)
	for range 5 {
		h.append(t, Event{Kind: 1, Data: bytes.Repeat([]byte("ab"), 100)}, Event{Kind: 2})
		h.rotate()
	}
	dir := memoryDir(t) // a file that is exchanged so often would be written to the disk each time
	if err := os.CopyFS(dir, os.DirFS(h.write(t))); err != nil {
		t.Fatal(err)
	}
	archiveOf(t, dir, math.MaxUint64)
	path := filepath.Join(dir, archiveDir, archiveName(1, 4))
	want, err := lines(dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	flips := 0
	for bit := 0; bit < 8*len(sound); bit += 3 * sample() {
		data := bytes.Clone(sound)
		data[bit/8] ^= 1 << (bit % 8)
		put(t, path, data)
		if r := verify(t, dir); len(r.Damage) != 1 || r.Damage[0].Path != path {
			t.Fatalf("bit %d: Verify says %v", bit, r.Damage)
		}
		got, err := lines(dir, 1)
		if damaged(err) == nil && !errors.Is(err, ErrNewer) || len(got) > 4 || !slices.Equal(got, want[:len(got)]) {
			t.Fatalf("bit %d: a Reader returns %d commits and %v", bit, len(got), err)
		}
		flips++
	}
	t.Logf("%d flips", flips)
}

// TestRepair_LeavesArchivesAlone: what is damaged behind them can be taken out; they cannot be mended.
func TestRepair_LeavesArchivesAlone(t *testing.T) {
	t.Parallel()
	h, dir, archives := archivedLog(t, 718)
	data := bytes.Clone(h.segments[7].data)
	data[len(data)-1] ^= 1
	put(t, h.path(dir, 7), data)
	plan, _ := repaired(t, dir)
	if plan.Head.Commit != h.commits()-1 || len(plan.Pieces) == 0 {
		t.Errorf("damage behind archives: the plan is %+v", plan)
	}
	if r := verify(t, dir); len(r.Damage) > 0 || r.Head.Commit != h.commits() { // and one that tells of it
		t.Errorf("damage behind archives: repaired, it is %+v, %v", r, r.Damage)
	}

	// All that follows the archives is gone.
	h, dir, _ = archivedLog(t, 719)
	for i := 6; i < 8; i++ {
		if err := os.Remove(h.path(dir, i)); err != nil {
			t.Fatal(err)
		}
	}
	if plan, _ := repaired(t, dir); plan.Head.Commit != h.segments[6].first-1 {
		t.Errorf("nothing behind archives: the plan is %+v", plan)
	}
	if r := verify(t, dir); len(r.Damage) > 0 || r.Head.Commit != h.segments[6].first {
		t.Errorf("nothing behind archives: repaired, it is %+v, %v", r, r.Damage)
	}

	for name, spoil := range map[string]func() error{
		"a flip in a segment":  func() error { return flipAt(archives[1], 10) },
		"a flip in a manifest": func() error { return flipAt(archives[1], -10) },
		"an archive is gone":   func() error { return os.Remove(archives[1]) },
	} {
		_, dir, archives = archivedLog(t, 720)
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		before := files(t, dir)
		if _, err := RepairLog(t.Context(), dir, RepairOptions{disk: &quickDisk}); damaged(err) == nil || !strings.Contains(err.Error(), "backup") {
			t.Errorf("%s: got %v", name, err)
		}
		after := files(t, dir)
		for path, data := range before {
			if !bytes.Equal(after[path], data) {
				t.Errorf("%s: %s was changed", name, path)
			}
		}
	}
}
