package eventlog

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// The sections of a base in these tests: the lines of a ledger, and the hashes of all commits.
const (
	linesSection  = 1
	hashesSection = 2
)

// Resume takes up a base, and no other snapshot files.
func (s *ledger) Resume(files []*Snapshot) error {
	s.Reset()
	return eachOfBase(files, linesSection, func(b []byte) { s.lines = append(s.lines, string(b)) })
}

func (s *ledger) Rebase([]*Snapshot) bool { return false }
func (s *ledger) Broken() *Snapshot       { return nil }

func (s *hashes) Resume(files []*Snapshot) error {
	s.Reset()
	return eachOfBase(files, hashesSection, func(b []byte) { s.list = append(s.list, Hash(b)) })
}

func (s *hashes) Rebase([]*Snapshot) bool { return false }
func (s *hashes) Broken() *Snapshot       { return nil }

func eachOfBase(files []*Snapshot, section uint16, fn func([]byte)) error {
	if !files[0].Base {
		return errors.New("only a base will do")
	}
	for i := range files[0].Blocks(section) {
		b, err := files[0].Block(section, i)
		if err != nil {
			return err
		}
		fn(b)
	}
	return nil
}

// saveBase folds the log up to a place, from its base on.
func saveBase(dir string) func(context.Context, Checkpoint, *SnapshotWriter) error {
	return func(ctx context.Context, at Checkpoint, w *SnapshotWriter) error {
		lines, all := &ledger{}, &hashes{}
		base, err := ReadBase(dir)
		if err != nil {
			return err
		}
		if base != nil {
			defer base.Close()
			if err := errors.Join(lines.Resume([]*Snapshot{base}), all.Resume([]*Snapshot{base})); err != nil {
				return err
			}
		}
		err = readLog(dir, 0, func(e *Entry) {
			if e.Commit <= at.Head.Commit {
				lines.Fold(e)
				all.Fold(e)
			}
		})
		if err != nil {
			return err
		}
		for i, line := range lines.lines {
			if err := w.Block(linesSection, uint64(i), []byte(line)); err != nil {
				return err
			}
		}
		for i, h := range all.list {
			if err := w.Block(hashesSection, uint64(i), h[:]); err != nil {
				return err
			}
		}
		return nil
	}
}

func unrecorded(Pruned) error { return nil }

func pruneAt(tb testing.TB, dir string, through Commit) Pruned {
	tb.Helper()
	did, err := Prune(tb.Context(), dir, through, PruneOptions{Save: saveBase(dir), Record: unrecorded, disk: &quickDisk})
	if err != nil {
		tb.Fatal(err)
	}
	return did
}

// inThreeArchives is a log of ten segments of which eight are archived, in files of 3, 3 and 2.
func inThreeArchives(tb testing.TB, seed uint64) (*handmade, string) {
	h := manySegments(tb, seed, 10)
	dir := h.write(tb)
	promise(tb, dir, h)
	for _, next := range []int{3, 6, 8} {
		archiveOf(tb, dir, h.segments[next].first-1)
	}
	return h, dir
}

// commitsBefore is the last commit before segment i.
func (h *handmade) commitsBefore(i int) Commit { return h.segments[i].first - 1 }

func TestPrune_TheLogBeginsWithABase(t *testing.T) {
	t.Parallel()
	h, dir := inThreeArchives(t, 800)
	want, err := lines(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	state, _ := folded(t, dir)
	archives, err := Archives(t.Context(), dir)
	if err != nil || len(archives) != 3 || archives[1].First != h.segments[3].first || archives[1].Last != h.commitsBefore(6) || archives[1].Time != int64(1e18)+int64(archives[1].Last)-1 {
		t.Fatalf("Archives = %+v, %v", archives, err)
	}
	cut := h.commitsBefore(6)
	var recorded Pruned
	did, err := Prune(t.Context(), dir, cut, PruneOptions{Save: saveBase(dir), Record: func(p Pruned) error {
		if names := names(t, dir, archiveDir); len(names) != 4 { // with the lock
			t.Errorf("when it was recorded there were %v", names)
		}
		recorded = p
		return nil
	}})
	if err != nil || did != recorded || did.Archives != 2 || did.First != 1 || did.Last != cut || did.From != 1 || did.To != h.tips[cut].head.Position || did.Hash != h.tips[cut].head.Hash || did.Bytes != archives[0].Bytes+archives[1].Bytes {
		t.Fatalf("got %+v, %v, recorded %+v", did, err, recorded)
	}
	checkPruned := func(cut Commit) {
		t.Helper()
		for _, from := range []Commit{0, cut + 1, cut + 2, h.commits()} {
			got, err := lines(dir, from)
			if err != nil || !slices.Equal(got, want[max(from, cut+1)-1:]) {
				t.Errorf("from %d: got %d commits, %v", from, len(got), err)
			}
		}
		at := h.tips[cut].head
		for _, from := range []Commit{1, cut} {
			if _, err := NewReader(dir, from); !errors.Is(err, ErrPruned) || !strings.Contains(err.Error(), fmt.Sprint(cut+1)) {
				t.Errorf("from %d: got %v, want ErrPruned", from, err)
			}
		}
		for _, from := range []Position{1, at.Position} {
			if _, err := NewReaderAt(dir, from); !errors.Is(err, ErrPruned) || !strings.Contains(err.Error(), fmt.Sprint(at.Position+1)) {
				t.Errorf("at position %d: got %v, want ErrPruned", from, err)
			}
		}
		if r, err := NewReaderAt(dir, at.Position+1); err != nil {
			t.Error(err)
		} else if e, err := r.Next(t.Context()); err != nil || e.Commit != cut+1 {
			t.Errorf("the first that is left: got %v, %v", e, err)
		}
		if got, damage := folded(t, dir); !slices.Equal(got, state) || damage != nil {
			t.Errorf("a Log folds %d commits, %v, want %d", len(got), damage, len(state))
		}
		report := verify(t, dir)
		sum := sha(t, basePaths(dir, cut)[0])
		if len(report.Damage) > 0 || report.Head != h.end().head || report.Base == nil || *report.Base != (BaseCheck{basePaths(dir, cut)[0], at, int64(1e18) + int64(cut) - 1, sum, 2}) {
			t.Errorf("verify: got %+v, base %+v", report, report.Base)
		}
		if plan, err := MakePlan(t.Context(), dir); err != nil || len(plan.Damage) > 0 || plan.Head != report.Head {
			t.Errorf("plan: got %+v, %v", plan, err)
		}
		if got := names(t, dir, baseDir); !slices.Equal(got, []string{segmentName(cut), segmentName(cut) + copySuffix}) {
			t.Errorf("in base: %v", got)
		}
	}
	checkPruned(cut)
	if sum := sha(t, basePaths(dir, cut)[1]); sum != did.Base {
		t.Errorf("the SHA-256 of the copy is %x, and %x was said", sum, did.Base)
	}
	if got := names(t, dir, archiveDir); !slices.Equal(got, []string{archiveName(cut+1, h.commitsBefore(8)), archiveLock}) {
		t.Errorf("in archive: %v", got)
	}
	if did, err := Archive(t.Context(), dir, math.MaxUint64, ArchiveOptions{Full: true}); err != nil || did.Archives > 0 {
		t.Errorf("who comes by and finds nothing: %+v, %v", did, err)
	}
	cut = h.commitsBefore(8) // on the base before; now no archive is left
	if did := pruneAt(t, dir, cut); did.First != h.segments[6].first || did.Archives != 1 {
		t.Errorf("the second time: got %+v", did)
	}
	checkPruned(cut)

	appended(t, dir, 20)
	if did := archiveOf(t, dir, math.MaxUint64); did.Segments == 0 {
		t.Errorf("nothing was archived behind the base: %+v", did)
	}
	if r := verify(t, dir); len(r.Damage) > 0 || r.Head.Commit != h.commits()+20 {
		t.Errorf("verify, in the end: %+v", r)
	}
}

// appended appends n commits with a Log that begins with what is there.
func appended(tb testing.TB, dir string, n int) {
	tb.Helper()
	a := &handle{state: &ledger{}}
	l, err := Open(tb.Context(), dir, a.state, Options{disk: &quickDisk, SegmentSize: 1000})
	if err != nil {
		tb.Fatal(err)
	}
	a.Log = l
	for range n {
		if err := a.Append(tb.Context(), a.proposes(strings.Repeat("x", 300))); err != nil {
			tb.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		tb.Fatal(err)
	}
}

func sha(tb testing.TB, path string) [32]byte {
	tb.Helper()
	c, ok := baseFile(filepath.Base(path))
	if !ok {
		tb.Fatal(path)
	}
	id, err := readFormat(filepath.Dir(filepath.Dir(path)))
	if err != nil {
		tb.Fatal(err)
	}
	check, err := checkBaseFile(path, id, c)
	if err != nil {
		tb.Fatal(err)
	}
	return check.SHA256
}

func TestPrune_WhoReadsIsTold(t *testing.T) {
	t.Parallel()
	h, dir := inThreeArchives(t, 801)
	slow, err := NewReader(dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	ahead, err := NewReader(dir, h.commitsBefore(6))
	if err != nil {
		t.Fatal(err)
	}
	defer ahead.Close()
	for _, r := range []*Reader{slow, ahead} {
		if _, err := r.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	pruneAt(t, dir, h.commitsBefore(6))
	last := Commit(1)
	for {
		e, err := slow.Next(t.Context())
		if err == nil {
			last = e.Commit
			continue
		}
		if !errors.Is(err, ErrPruned) || last != h.commitsBefore(1) {
			t.Errorf("got %v after commit %d, want ErrPruned at the end of what is in memory", err, last)
		}
		break
	}
	if e, err := ahead.Next(t.Context()); err != nil || e.Commit != h.segments[6].first {
		t.Errorf("who stands at the end of it: got %v", err)
	}
}

func TestPrune_WhoVerifiesIsTold(t *testing.T) {
	t.Parallel()
	h, dir := inThreeArchives(t, 813)
	var once sync.Once
	report, err := Verify(t.Context(), dir, VerifyOptions{Visit: func(*Entry) error {
		once.Do(func() { pruneAt(t, dir, h.commitsBefore(6)) })
		return nil
	}})
	if !errors.Is(err, ErrPruned) {
		t.Errorf("got %+v, %v", report, err)
	}
	id, err := readFormat(dir)
	if err != nil {
		t.Fatal(err)
	}
	v := newVerifier(prunedBeforeList{newDirSource(dir, id), func() { pruneAt(t, dir, h.commitsBefore(8)) }}, id)
	if err := v.prepare(); !errors.Is(err, ErrPruned) {
		t.Errorf("pruned before it is listed: got %v, %+v", err, v.report)
	}
}

// prunedBeforeList is a log that somebody prunes before its segments are listed.
type prunedBeforeList struct {
	dirSource
	prune func()
}

func (s prunedBeforeList) list() ([]segmentInfo, []*CorruptError, error) {
	s.prune()
	return s.dirSource.list()
}

// What goes wrong before the event is written changes nothing.
func TestPrune_NothingGoesUnrecorded(t *testing.T) {
	t.Parallel()
	h, dir := inThreeArchives(t, 802)
	cut := h.commitsBefore(6)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wrong := errors.New("no")
	for _, tt := range []struct {
		name    string
		ctx     context.Context
		through Commit
		opt     PruneOptions
		want    error
	}{
		{"no archive ends there", t.Context(), cut - 1, PruneOptions{Save: saveBase(dir), Record: unrecorded}, ErrNotArchived},
		{"cancelled", ctx, cut, PruneOptions{Save: saveBase(dir), Record: unrecorded}, context.Canceled},
		{"not recorded", t.Context(), cut, PruneOptions{Save: saveBase(dir), Record: func(Pruned) error { return wrong }}, wrong},
		{"no state", t.Context(), cut, PruneOptions{Save: func(context.Context, Checkpoint, *SnapshotWriter) error { return wrong }, Record: unrecorded}, wrong},
	} {
		before := names(t, dir, archiveDir)
		if did, err := Prune(tt.ctx, dir, tt.through, tt.opt); !errors.Is(err, tt.want) || did != (Pruned{}) {
			t.Errorf("%s: got %+v, %v", tt.name, did, err)
		}
		if got := names(t, dir, archiveDir); !slices.Equal(got, before) {
			t.Errorf("%s: archives are %v", tt.name, got)
		}
		if got := names(t, dir, baseDir); len(got) > 0 {
			t.Errorf("%s: in base there are %v", tt.name, got)
		}
	}
}

// Of two who prune the same, the second one is told that it was done.
func TestPrune_TwoAtOnce(t *testing.T) {
	t.Parallel()
	h, dir := inThreeArchives(t, 812)
	cut := h.commitsBefore(6)
	errs, recorded := make([]error, 2), atomic.Int32{}
	var both sync.WaitGroup
	for i := range errs {
		both.Go(func() {
			_, errs[i] = Prune(t.Context(), dir, cut, PruneOptions{
				Save: saveBase(dir), Record: func(Pruned) error { recorded.Add(1); return nil }, disk: &quickDisk,
			})
		})
	}
	both.Wait()
	if (errs[0] == nil) == (errs[1] == nil) || !errors.Is(errors.Join(errs...), ErrPruned) || recorded.Load() != 1 {
		t.Errorf("got %v and %v, recorded %d times", errs[0], errs[1], recorded.Load())
	}
	if r := verify(t, dir); len(r.Damage) > 0 || r.Base.Files != 2 {
		t.Errorf("verify says %+v", r)
	}
}

// Who archives or prunes next removes what was to go when somebody died.
func TestPrune_TheNextOneFinishesIt(t *testing.T) {
	t.Parallel()
	for _, next := range []string{"archive", "prune"} {
		h, dir := inThreeArchives(t, 803)
		old := map[string][]byte{}
		for _, name := range names(t, dir, archiveDir)[:2] {
			path := filepath.Join(dir, archiveDir, name)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			old[path] = b
		}
		pruneAt(t, dir, h.commitsBefore(3))
		first := basePaths(dir, h.commitsBefore(3))
		older, err := os.ReadFile(first[0])
		if err != nil {
			t.Fatal(err)
		}
		pruneAt(t, dir, h.commitsBefore(6))
		put(t, first[0], older)
		for path, b := range old {
			put(t, path, b)
		}
		if r := verify(t, dir); len(r.Damage) > 0 || r.Base.Head.Commit != h.commitsBefore(6) {
			t.Errorf("with what was to go: %+v", r)
		}
		if next == "archive" {
			archiveOf(t, dir, math.MaxUint64)
		} else {
			pruneAt(t, dir, h.commitsBefore(8))
		}
		if got := names(t, dir, baseDir); len(got) != 2 {
			t.Errorf("%s: in base there are %v", next, got)
		}
		for path := range old {
			if _, err := os.Stat(path); err == nil {
				t.Errorf("%s: %s is still there", next, path)
			}
		}
	}
}

// Who slept while the segments behind its own were pruned begins again, and does not take its own for the last.
func TestPrune_WhoSleptBeginsAgain(t *testing.T) {
	t.Parallel()
	for _, readOnly := range []bool{false, true} {
		dir := t.TempDir()
		busy := openIn(t, dirWorld(dir), Options{SegmentSize: 1000, disk: &quickDisk})
		slow := openIn(t, dirWorld(dir), Options{ReadOnly: readOnly, disk: &quickDisk})
		slow.view(t)
		for range 30 {
			busy.append(t, strings.Repeat("x", 300))
		}
		if err := busy.Close(); err != nil { // which seals segments
			t.Fatal(err)
		}
		pruneAt(t, dir, archiveOf(t, dir, math.MaxUint64).Through)
		want, damage := folded(t, dir)
		lines, head := slow.view(t)
		if len(lines) != 31 || head.Commit != 31 || len(want) != 31 || damage != nil || slow.state.resets == 0 {
			t.Errorf("read only %v: it has %d lines, at commit %d, after %d resets; %d, %v", readOnly, len(lines), head.Commit, slow.state.resets, len(want), damage)
		}
		if !readOnly {
			slow.append(t, "after it")
		}
		if r := verify(t, dir); len(r.Damage) > 0 {
			t.Errorf("verify says %+v", r.Damage)
		}
	}
}
