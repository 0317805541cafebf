package eventlog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"pgregory.net/rapid"
)

// sampleBlock is a block of the sample file.
type sampleBlock struct {
	section uint16
	first   uint64
	data    string
}

var sampleBlocks = []sampleBlock{
	{5, 3, "three"}, {2, 0, ""}, {5, 9, strings.Repeat("nine", 100)}, {5, 9, "another nine"}, {1, 1 << 63, "a summary"},
}

var sampleFrom = Head{Commit: 7, Position: 11}

var sampleAt = Checkpoint{
	Head: Head{Commit: 9, Position: 20, Hash: Hash{1, 2, 3}}, Time: -5, Segment: 8, Offset: 4711,
}

// writeSample writes a snapshot file into a directory of its own, and returns its path.
func writeSample(t *testing.T, id LogID) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sample")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	err = writeSnapshot(f, id, sampleFrom, sampleAt, func(w *SnapshotWriter) error {
		for _, b := range sampleBlocks {
			if err := w.Block(b.section, b.first, []byte(b.data)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// readSample reads everything that a snapshot file says.
func readSample(data []byte, id LogID) (string, error) {
	s := &Snapshot{r: bytes.NewReader(data), size: int64(len(data))}
	if err := s.open(id); err != nil {
		return "", err
	}
	out := fmt.Sprint(s.From, s.FromPos, s.At)
	for section := range uint16(8) {
		for i := range s.Blocks(section) {
			data, err := s.Block(section, i)
			if err != nil {
				return "", err
			}
			out += fmt.Sprintf("\n%d %d %s", section, s.First(section, i), data)
		}
	}
	return out, s.Check()
}

func TestSnapshotFile_GivesBackWhatWasWritten(t *testing.T) {
	t.Parallel()
	path := writeSample(t, memoryID)
	s, err := openSnapshot(path, memoryID)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || s.Path() != path || s.Size() != info.Size() {
		t.Errorf("path %s, size %d, %v", s.Path(), s.Size(), err)
	}
	if err := errors.Join(s.Check(), s.Close()); err != nil {
		t.Error(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got, err := readSample(data, memoryID)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprint(sampleFrom.Commit, sampleFrom.Position, sampleAt)
	for _, i := range []int{4, 1, 0, 2, 3} { // by section, and then by first
		b := sampleBlocks[i]
		want += fmt.Sprintf("\n%d %d %s", b.section, b.first, b.data)
	}
	if got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

// TestSnapshotFile_EveryFlippedBitIsNoticed, every cut, every zeroed end, and another log's id.
func TestSnapshotFile_EveryFlippedBitIsNoticed(t *testing.T) {
	t.Parallel()
	sound, err := os.ReadFile(writeSample(t, memoryID))
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what string, data []byte) {
		t.Helper()
		_, err := readSample(data, memoryID)
		if _, bad := errors.AsType[errSnapshot](err); !bad {
			t.Errorf("%s: %v, want an errSnapshot", what, err)
		}
	}
	for bit := range 8 * len(sound) {
		data := bytes.Clone(sound)
		data[bit/8] ^= 1 << (bit % 8)
		refused(fmt.Sprintf("bit %d of byte %d flipped", bit%8, bit/8), data)
	}
	for n := range sound {
		refused(fmt.Sprintf("cut to %d bytes", n), sound[:n])
		data := bytes.Clone(sound)
		if clear(data[n:]); !bytes.Equal(data, sound) {
			refused(fmt.Sprintf("zeros from %d on", n), data)
		}
	}
	if _, err := readSample(sound, LogID{1}); err == nil {
		t.Error("it was taken for that of another log")
	}
}

// TestSnapshotWriter_TellsOfBytesThatCannotBeWrittenOut: a later sync may not.
func TestSnapshotWriter_TellsOfBytesThatCannotBeWrittenOut(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("needs sync_file_range of Linux")
	}
	read, write, err := os.Pipe() // which has no bytes on their way to a disk
	if err != nil {
		t.Fatal(err)
	}
	defer write.Close()
	go func() { _, _ = io.Copy(io.Discard, read); read.Close() }()
	w, blocks := &SnapshotWriter{f: write}, 0
	for block := make([]byte, 100<<10); err == nil && blocks < 100; blocks++ {
		err = w.Block(1, uint64(blocks), block)
	}
	if !errors.Is(err, syscall.ESPIPE) || blocks > 15 {
		t.Errorf("after %d blocks of 100 KiB: %v, want ESPIPE", blocks, err)
	}
}

// FuzzSnapshotFile: no bytes make reading panic, or take more memory than they are.
func FuzzSnapshotFile(f *testing.F) {
	dir := f.TempDir()
	path := filepath.Join(dir, "sample")
	file, err := os.Create(path)
	if err == nil {
		err = writeSnapshot(file, memoryID, sampleFrom, sampleAt, func(w *SnapshotWriter) error { return w.Block(1, 2, []byte("three")) })
	}
	if err != nil {
		f.Fatal(err)
	}
	file.Close()
	sound, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sound)
	f.Add(sound[:snapHeaderSize])
	f.Fuzz(func(t *testing.T, data []byte) {
		text, err := readSample(data, memoryID)
		if err == nil && len(text) > 4*len(data)+1000 {
			t.Errorf("%d bytes became %d", len(data), len(text))
		}
	})
}

// dumbChain tries every way.
func dumbChain(spans []snapshotSpan, at Commit) (best []snapshotSpan) {
	for _, s := range spans {
		if s.from != at {
			continue
		}
		way := append([]snapshotSpan{s}, dumbChain(spans, s.through)...)
		end := func(list []snapshotSpan) Commit {
			if len(list) == 0 {
				return at
			}
			return list[len(list)-1].through
		}
		if end(way) > end(best) || end(way) == end(best) && len(way) < len(best) {
			best = way
		}
	}
	return best
}

func TestChain_ComesFarthestInTheFewestFiles(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var spans []snapshotSpan
		for range rapid.IntRange(0, 10).Draw(t, "files") {
			from := rapid.Uint64Range(0, 8).Draw(t, "from")
			s := snapshotSpan{Commit(from), Commit(rapid.Uint64Range(from+1, 10).Draw(t, "through"))}
			if !slices.Contains(spans, s) {
				spans = append(spans, s)
			}
		}
		slices.SortFunc(spans, func(a, b snapshotSpan) int {
			return int(a.through)*100 + int(a.from) - int(b.through)*100 - int(b.from)
		})
		got, want := chain(spans, ^Commit(0)), dumbChain(spans, 0)
		at := Commit(0)
		for _, s := range got {
			if s.from != at {
				t.Fatalf("%v is no chain", got)
			}
			at = s.through
		}
		if len(got) != len(want) || len(want) > 0 && at != want[len(want)-1].through {
			t.Fatalf("got %v, want one like %v", got, want)
		}
	})
}

func TestParseSnapshotName_TakesOnlyWhatSnapshotNameMakes(t *testing.T) {
	t.Parallel()
	for _, s := range []snapshotSpan{{0, 1}, {1, 2}, {421, 1 << 63}} {
		if got, ok := parseSnapshotName(snapshotName(s.from, s.through)); got != s || !ok {
			t.Errorf("%v: got %v, %v", s, got, ok)
		}
	}
	sound := snapshotName(1, 2)
	for _, name := range []string{"", "lock", sound[1:], sound + "0", "x" + sound[1:], snapshotName(2, 2), snapshotName(3, 2), strings.ReplaceAll(sound, "-", "_")} {
		if s, ok := parseSnapshotName(name); ok {
			t.Errorf("%q was taken for %v", name, s)
		}
	}
}

// TestCovered_IsWhatTwoSnapshotsHave: the newest may be bad.
func TestCovered_IsWhatTwoSnapshotsHave(t *testing.T) {
	t.Parallel()
	h := manySegments(t, 740, 3)
	dir := h.write(t)
	covered := func() Commit {
		t.Helper()
		commit, err := Covered(dir)
		if err != nil {
			t.Fatal(err)
		}
		return commit
	}
	if got := covered(); got != 0 {
		t.Errorf("without a snapshot: got %d", got)
	}
	write := func(from, through Commit) {
		t.Helper()
		h.snapshot(t, dir, from, through)
	}
	write(0, 3)
	if got := covered(); got != 0 {
		t.Errorf("with one: got %d", got)
	}
	write(3, 5)
	if got := covered(); got != 3 {
		t.Errorf("with two, one on the other: got %d", got)
	}
	write(0, 7)
	if got := covered(); got != 5 {
		t.Errorf("with another one of all: got %d", got)
	}
}

// snapshot writes a snapshot file without blocks.
func (h *handmade) snapshot(t *testing.T, dir string, from, through Commit) {
	t.Helper()
	room, ok, err := LockSnapshots(dir)
	for err == nil && !ok { // a process that another test starts has it for a moment, until it executes
		room, ok, err = LockSnapshots(dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer room.Close() // which lets the lock go
	end := h.tips[through]
	var base Head
	if from > 0 {
		base = h.tips[from].head
	}
	at := Checkpoint{Head: end.head, Segment: end.segment, Offset: end.offset}
	if err := room.Write(base, at, func(*SnapshotWriter) error { return nil }); err != nil {
		t.Fatal(err)
	}
}

// TestSnapshotChains_AFileThatAPowerCutBroughtBackIsNotBad, though that which it builds on was not brought back.
func TestSnapshotChains_AFileThatAPowerCutBroughtBackIsNotBad(t *testing.T) {
	t.Parallel()
	h := manySegments(t, 750, 3)
	dir := h.write(t)
	h.snapshot(t, dir, 0, 3)
	h.snapshot(t, dir, 3, 5)
	name := snapshotSpan{3, 5}.path(dir)
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		through Commit // of another file, which builds on nothing
		bad     bool   // that from 3 to 5, alone
	}{{4, true}, {7, false}} {
		h.snapshot(t, dir, 0, row.through)
		if err := errors.Join(os.RemoveAll(snapshotSpan{0, 3}.path(dir)), os.WriteFile(name, data, 0o600)); err != nil {
			t.Fatal(err)
		}
		chains, bad, err := SnapshotChains(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, chain := range chains {
			closeAll(chain)
		}
		if (len(bad) > 0) != row.bad || len(bad) > 0 && bad[0].Path != name {
			t.Errorf("beside a file up to %d: bad are %v", row.through, bad)
		}
	}
	h.snapshot(t, dir, 7, 8)
	if names := names(t, dir, snapshotDir); slices.Contains(names, filepath.Base(name)) {
		t.Errorf("it is still there: %v", names)
	}
}
