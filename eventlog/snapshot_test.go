package eventlog

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
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

// resuming is a ledger that keeps its lines in snapshot files, one block for each.
type resuming struct {
	ledger
	resumed []Commit // where it began, each time
	broken  *Snapshot
	spoil   bool // take the next file that it rests on for broken
	files   []*Snapshot
}

func (s *resuming) Resume(files []*Snapshot) error {
	s.Reset()
	s.files = files
	for _, f := range files {
		for i := range f.Blocks(1) {
			b, err := f.Block(1, i)
			if err != nil {
				s.broken = f
				return err
			}
			s.lines = append(s.lines, string(b))
		}
	}
	s.resumed = append(s.resumed, files[len(files)-1].At.Head.Commit)
	return nil
}

func (s *resuming) Reset() {
	s.ledger.Reset()
	s.broken, s.files = nil, nil
}

// Rebase gives up nothing, but notes the files.
func (s *resuming) Rebase(files []*Snapshot) bool {
	s.files = files
	return true
}

func (s *resuming) Broken() *Snapshot {
	if s.spoil && len(s.files) > 0 {
		s.spoil, s.broken = false, s.files[len(s.files)-1]
		s.lines = []string{"nonsense"}
	}
	return s.broken
}

func openResuming(t *testing.T, dir string) (*Log, *resuming) {
	t.Helper()
	state := &resuming{}
	l, err := Open(t.Context(), dir, state, Options{Create: created})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, state
}

func appendTo(t *testing.T, l *Log, state *resuming, lines ...string) {
	t.Helper()
	for _, line := range lines {
		err := l.Append(t.Context(), &Proposal{Decide: func(turn Turn) ([]Event, error) {
			h := handle{state: &state.ledger}
			return h.decide(turn, line), nil
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// snapshotNow writes a file of everything after from.
func snapshotNow(t *testing.T, dir string, from int) {
	t.Helper()
	room, ok, err := LockSnapshots(dir)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	defer room.Close()
	files, err := room.Chain()
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(files)
	start, begin := Head{}, Commit(0)
	if from > 0 {
		start = files[from-1].At.Head
		begin = start.Commit
	}
	r, err := NewReader(dir, begin+1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var at Checkpoint
	s := &ledger{}
	for {
		e, err := r.Next(t.Context())
		if err != nil {
			break
		}
		if err := s.Fold(e); err != nil {
			t.Fatal(err)
		}
		at = e.End()
	}
	err = room.Write(start, at, func(w *SnapshotWriter) error {
		for i, line := range s.lines {
			if err := w.Block(1, uint64(i), []byte(line)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func wantState(t *testing.T, l *Log, state *resuming, want ...string) {
	t.Helper()
	var got []string
	if err := l.View(t.Context(), func(Head) { got = slices.Clone(state.lines) }); err != nil || !slices.Equal(got, want) {
		t.Errorf("state %q, %v; want %q", got, err, want)
	}
}

func TestOpen_GoesOnFromTheSnapshot(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, state := openResuming(t, dir)
	appendTo(t, l, state, "a", "b")
	snapshotNow(t, dir, 0)
	appendTo(t, l, state, "c")
	snapshotNow(t, dir, 1)
	appendTo(t, l, state, "d")
	want := []string{"1:created", "2:a", "3:b", "4:c", "5:d"}
	wantState(t, l, state, want...)

	later, resumed := openResuming(t, dir)
	wantState(t, later, resumed, want...)
	if !slices.Equal(resumed.resumed, []Commit{4}) || !slices.Equal(resumed.commits, []Commit{5}) {
		t.Errorf("it began after %v and folded %v, want 4 and 5", resumed.resumed, resumed.commits)
	}
	if later.From() != 4 || l.From() != 0 {
		t.Errorf("they say that they began after %d and %d, want 4 and 0", later.From(), l.From())
	}
	appendTo(t, later, resumed, "e")
	wantState(t, l, state, append(want, "6:e")...)
	if report, err := Verify(t.Context(), dir, nil); err != nil || len(report.Damage) > 0 {
		t.Errorf("verify: %+v, %v", report, err)
	}
}

// TestResumer_ABrokenFileIsLeftOut at whatever moment that shows: the next thing that is asked, or appended, is so on
// the state without it.
func TestResumer_ABrokenFileIsLeftOut(t *testing.T) {
	t.Parallel()
	want := []string{"1:created", "2:a", "3:b", "4:c"}
	make := func(t *testing.T) (*Log, *resuming) {
		dir := t.TempDir()
		l, state := openResuming(t, dir)
		appendTo(t, l, state, "a")
		snapshotNow(t, dir, 0)
		appendTo(t, l, state, "b")
		snapshotNow(t, dir, 1)
		appendTo(t, l, state, "c")
		return openResuming(t, dir)
	}
	t.Run("view", func(t *testing.T) {
		t.Parallel()
		l, state := make(t)
		state.spoil = true
		wantState(t, l, state, want...)
		state.spoil = true
		wantState(t, l, state, want...)
		if !slices.Equal(state.resumed, []Commit{3, 2}) || l.From() != 0 {
			t.Errorf("it began after %v and %d, want 3, 2 and 0", state.resumed, l.From())
		}
	})
	t.Run("append", func(t *testing.T) {
		t.Parallel()
		l, state := make(t)
		state.spoil = true
		h := handle{state: &state.ledger}
		var ps []*Proposal
		for _, line := range []string{"d", "e"} {
			ps = append(ps, &Proposal{Decide: func(turn Turn) ([]Event, error) { return h.decide(turn, line), nil }})
		}
		if err := l.AppendAll(t.Context(), ps...); err != nil {
			t.Fatal(err)
		}
		wantState(t, l, state, append(slices.Clone(want), "5:d", "6:e")...)
	})
	t.Run("fold", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		l, state := openResuming(t, dir)
		appendTo(t, l, state, "a")
		snapshotNow(t, dir, 0)
		other, resumed := openResuming(t, dir)
		appendTo(t, l, state, "b")
		resumed.spoil = true
		wantState(t, other, resumed, "1:created", "2:a", "3:b")
	})
}

// TestRebase_GivesTheNewestFilesOnce, and closes those that they take the place of.
func TestRebase_GivesTheNewestFilesOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, state := openResuming(t, dir)
	rebase := func() []*Snapshot {
		t.Helper()
		if err := l.Rebase(t.Context()); err != nil {
			t.Fatal(err)
		}
		return state.files
	}
	if files := rebase(); files != nil {
		t.Errorf("there is no snapshot, but %v", files)
	}
	appendTo(t, l, state, "a")
	snapshotNow(t, dir, 0)
	first := rebase()
	if len(first) != 1 || first[0].At.Head.Commit != 2 {
		t.Fatalf("files %v, want one through commit 2", first)
	}
	if again := rebase(); &again[0] != &first[0] {
		t.Error("the same files were given twice")
	}
	appendTo(t, l, state, "b")
	snapshotNow(t, dir, 1)
	if files := rebase(); len(files) != 2 || files[1].Check() != nil {
		t.Errorf("files %v, want two that can be read", files)
	}
	if err := first[0].Check(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("the file before is open still: %v", err)
	}
	wantState(t, l, state, "1:created", "2:a", "3:b")
}

// TestOpen_ASnapshotBeyondTheLogIsDamage: it promises commits that are not there.
func TestOpen_ASnapshotBeyondTheLogIsDamage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, state := openResuming(t, dir)
	appendTo(t, l, state, "a", "b", "c")
	snapshotNow(t, dir, 0)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	segment := filepath.Join(dir, logDir, segmentName(1))
	info, err := os.Stat(segment)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Truncate(segment, info.Size()-10), os.Remove(filepath.Join(dir, logDir, durableFile))); err != nil {
		t.Fatal(err)
	}
	later, resumed := openResuming(t, dir)
	wantState(t, later, resumed, "1:created", "2:a", "3:b")
	err = later.Append(t.Context(), &Proposal{Decide: func(Turn) ([]Event, error) { t.Error("it was decided"); return nil, nil }})
	if damage := damaged(err); damage == nil || damage.Row != 4 && damage.Row != 2 {
		t.Errorf("append: %v, want damage that says what is missing", err)
	}
}

func TestSnapshotRoom_KeepsTwoChainsAndNothingElse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, state := openResuming(t, dir)
	appendTo(t, l, state, "a")
	left := filepath.Join(dir, snapshotDir, "."+snapshotName(0, 1)+".123")
	snapshotNow(t, dir, 0)
	if err := os.WriteFile(left, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for i, from := range []int{1, 2, 0, 1} {
		appendTo(t, l, state, fmt.Sprint(i))
		snapshotNow(t, dir, from)
	}
	spans, err := listSnapshots(dir)
	want := []snapshotSpan{{0, 5}, {5, 6}}
	if err != nil || !slices.Equal(spans, want) {
		t.Errorf("files %v, %v; want %v", spans, err, want)
	}
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what a crash left is there still: %v", err)
	}
	room, _, err := LockSnapshots(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer room.Close()
	if _, ok, err := LockSnapshots(dir); ok || err != nil {
		t.Errorf("a second writer got in: %v, %v", ok, err)
	}
}
