package eventlog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

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
	appendTo(t, later, resumed, "e")
	wantState(t, l, state, append(want, "6:e")...)
	if report, err := Verify(t.Context(), dir, VerifyOptions{}); err != nil || len(report.Damage) > 0 {
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
		if !slices.Equal(state.resumed, []Commit{3, 2}) || !slices.Equal(state.commits, []Commit{1, 2, 3, 4}) {
			t.Errorf("it began after %v and then folded %v, want 3, 2 and all", state.resumed, state.commits)
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
	closeFile := first[0].close
	first[0].close = func() error { // which takes a while: others can use the log meanwhile
		return errors.Join(l.Peek(t.Context(), func(Head) {}), closeFile())
	}
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
	left := filepath.Join(dir, snapshotDir, unfinished) // by a crash
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
