package eventlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestBase_EitherFileWillDo(t *testing.T) {
	t.Parallel()
	for which := range 2 {
		for _, how := range []string{"flipped", "empty", "removed"} {
			h, dir := inThreeArchives(t, 804)
			cut := h.commitsBefore(6)
			state, _ := folded(t, dir)
			pruneAt(t, dir, cut)
			path := basePaths(dir, cut)[which]
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			switch how {
			case "flipped":
				b[len(b)/2] ^= 1
				put(t, path, b)
			case "empty":
				put(t, path, nil)
			default:
				err = os.Remove(path)
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, damage := folded(t, dir); !slices.Equal(got, state) || damage != nil {
				t.Errorf("%s: a Log folds %d commits, %v", path, len(got), damage)
			}
			r := verify(t, dir)
			if told := len(r.Damage) == 1 && r.Damage[0].Path == path; r.Base == nil || r.Base.Files != 1 || told != (how != "removed") || r.Head != h.end().head {
				t.Errorf("%s %s: verify says %+v, base %+v", path, how, r, r.Base)
			}
			archiveOf(t, dir, math.MaxUint64)
			if r := verify(t, dir); len(r.Damage) > 0 || r.Base.Files != 2 {
				t.Errorf("%s %s: after an archive by hand verify says %+v", path, how, r)
			}
		}
	}
}

// Two files that are sound and not the same: nobody chooses between them.
func TestBase_FilesThatDiffer(t *testing.T) {
	t.Parallel()
	h, dir := inThreeArchives(t, 813)
	cut := h.commitsBefore(6)
	pruneAt(t, dir, cut)
	paths := basePaths(dir, cut)
	id, err := readFormat(dir)
	if err != nil {
		t.Fatal(err)
	}
	check, _, err := checkBase(dir, id)
	if err != nil {
		t.Fatal(err)
	}
	at := Checkpoint{Head: check.Head, Time: check.Time, Segment: h.segments[5].first, Offset: 1}
	empty := func(*SnapshotWriter) error { return nil }
	if err := quickDisk.write(paths[1], func(f *os.File) error { return writeSnapshot(f, id, Head{}, at, empty) }); err != nil {
		t.Fatal(err)
	}
	want := sha(t, paths[1])
	archiveOf(t, dir, math.MaxUint64)
	r := verify(t, dir)
	if len(r.Damage) != 1 || r.Damage[0].Path != paths[1] || !strings.Contains(r.Damage[0].Reason, "not the same") || r.Base.Files != 2 {
		t.Errorf("verify says %+v, base %+v", r, r.Base)
	}
	if sha(t, paths[1]) != want || sha(t, paths[0]) == want {
		t.Error("one of them was made of the other")
	}
}

func TestBase_WithoutItTheLogIsDamaged(t *testing.T) {
	t.Parallel()
	h, dir := inThreeArchives(t, 805)
	cut := h.commitsBefore(6)
	pruneAt(t, dir, cut)
	want, err := lines(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range basePaths(dir, cut) {
		put(t, path, []byte("nothing of the kind"))
	}
	list, damage := folded(t, dir)
	if damage == nil || !strings.Contains(damage.Reason, "base") || len(list) > 0 {
		t.Errorf("a Log folds %d commits, damage %v", len(list), damage)
	}
	if _, err := NewReader(dir, 0); damaged(err) == nil {
		t.Errorf("a Reader of all: got %v", err)
	}
	if got, err := lines(dir, cut+1); err != nil || !slices.Equal(got, want) {
		t.Errorf("a Reader of what is left: got %d commits, %v", len(got), err)
	}
	r := verify(t, dir)
	if len(r.Damage) != 2 || r.Base != nil || r.Events == 0 {
		t.Errorf("verify says %+v", r)
	}
	if _, err := MakePlan(t.Context(), dir); damaged(err) == nil {
		t.Errorf("a repair: got %v", err)
	}
	if err := os.RemoveAll(filepath.Join(dir, baseDir)); err != nil {
		t.Fatal(err)
	}
	if _, damage := folded(t, dir); damage == nil || damage.Commit != 1 {
		t.Errorf("without any base: damage %v", damage)
	}
}

func TestVerify_HeadsOfAPrunedLog(t *testing.T) {
	t.Parallel()
	h, dir := inThreeArchives(t, 806)
	cut := h.commitsBefore(6)
	pruneAt(t, dir, cut)
	other := h.tips[cut].head
	other.Hash[0]++
	heads := []Pin{h.tips[cut-1].head.Pin(), h.tips[cut].head.Pin(), other.Pin(), h.tips[cut+1].head.Pin()}
	r, err := Verify(t.Context(), dir, VerifyOptions{Heads: heads})
	if err != nil {
		t.Fatal(err)
	}
	var got []PinVerdict
	for _, c := range r.Heads {
		got = append(got, c.Verdict)
	}
	if want := []PinVerdict{PinPruned, PinFound, PinRewritten, PinFound}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// A base of the right form and of another history is not taken for this one's.
func TestVerify_ABaseOfAnotherHistory(t *testing.T) {
	t.Parallel()
	h, dir := inThreeArchives(t, 807)
	cut := h.commitsBefore(6)
	pruneAt(t, dir, cut)
	for _, path := range basePaths(dir, cut) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b[snapHash]++
		binary.LittleEndian.PutUint32(b[snapCRC:], checksum(b[:snapCRC]))
		put(t, path, b)
	}
	r := verify(t, dir)
	if len(r.Damage) == 0 || !strings.Contains(r.Damage[0].Reason, "hash chain") || r.Damage[0].Commit != cut+1 {
		t.Errorf("verify says %+v", r)
	}
}

func TestBackup_OfAPrunedLog(t *testing.T) {
	t.Parallel()
	h, dir := inThreeArchives(t, 808)
	pruneAt(t, dir, h.commitsBefore(6))
	state, _ := folded(t, dir)
	for range 2 { // with both files of the base, and with one
		b, info := backedUp(t, dir)
		there := filepath.Join(t.TempDir(), "there")
		got, err := Restore(t.Context(), bytes.NewReader(b), there, RestoreOptions{})
		if err != nil || got.Head != info.Head || got.Head != h.end().head {
			t.Fatalf("got %+v, %v", got, err)
		}
		if list, damage := folded(t, there); damage != nil || !slices.Equal(list, state) {
			t.Errorf("restored are %d commits, %v", len(list), damage)
		}
		if err := os.Remove(basePaths(dir, h.commitsBefore(6))[0]); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	whole, err := os.ReadFile(basePaths(dir, h.commitsBefore(6))[1])
	if err != nil {
		t.Fatal(err)
	}
	whole[snapHeaderSize] ^= 1 // of a block
	for _, wrong := range [][]byte{whole, nil} {
		for _, path := range basePaths(dir, h.commitsBefore(6)) {
			put(t, path, wrong)
		}
		if _, err := Backup(t.Context(), dir, io.Discard, BackupOptions{}); damaged(err) == nil {
			t.Errorf("of a damaged base: %v", err)
		}
	}
}

// A backup has the base that it begins with, whose event is in it.
func TestBackup_WhilePruning(t *testing.T) {
	t.Parallel()
	h, dir := inThreeArchives(t, 810)
	id, err := readFormat(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, through := range []Commit{h.commitsBefore(3), h.commitsBefore(6)} {
		b := backup{dir: dir, src: newDirSource(dir, id)}
		if b.tip, err = origin(dir, id); err != nil {
			t.Fatal(err)
		}
		pruneAt(t, dir, through)
		if err := b.base(); !errors.Is(err, ErrPruned) {
			t.Errorf("pruned through %d meanwhile: got %v", through, err)
		}
	}
}

// That a base is gone because there is a newer one is no damage, nor is one that cannot be opened.
func TestBase_IsTheNewest(t *testing.T) {
	t.Parallel()
	h := manySegments(t, 811, 1)
	dir := h.write(t)
	id, err := readFormat(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, baseDir), 0o700); err != nil {
		t.Fatal(err)
	}
	const bases = 500
	next := func(c Commit) error {
		at := Checkpoint{Head: Head{Commit: c, Position: Position(c)}, Segment: 1, Offset: 1}
		temp := filepath.Join(dir, baseDir, unfinished)
		err := quickDisk.write(temp, func(f *os.File) error {
			return writeSnapshot(f, id, Head{}, at, func(*SnapshotWriter) error { return nil })
		})
		if err == nil {
			err = os.Rename(temp, basePaths(dir, c)[0])
		}
		if err == nil && c > 1 {
			err = os.Remove(basePaths(dir, c-1)[0])
		}
		return err
	}
	if err := next(1); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		defer close(done)
		for c := Commit(2); c <= bases; c++ {
			if err := next(c); err != nil {
				done <- err
				return
			}
		}
	}()
	for pruning, last := true, Commit(0); pruning; {
		select {
		case err := <-done:
			if pruning = false; err != nil {
				t.Fatal(err)
			}
		default:
		}
		at, err := origin(dir, id)
		if err != nil || at.head.Commit < last {
			t.Fatalf("got %+v after commit %d, %v", at.head, last, err)
		}
		last = at.head.Commit
		if _, bad, err := checkBase(dir, id); len(bad) > 0 || err != nil && !errors.Is(err, ErrPruned) {
			t.Fatalf("checked: %v, %v", bad, err)
		}
	}
	path := basePaths(dir, bases)[0]
	if err := errors.Join(os.Remove(path), os.Symlink(path, path)); err != nil {
		t.Skipf("needs the right to make symbolic links: %v", err)
	}
	if _, err := origin(dir, id); err == nil || damaged(err) != nil {
		t.Errorf("one that cannot be opened: got %v", err)
	}
	if _, bad, err := checkBase(dir, id); err == nil || len(bad) > 0 {
		t.Errorf("checked, one that cannot be opened: got %v, %v", bad, err)
	}
}

// A damaged end is repaired as ever; what is behind the base can go to its last byte.
func TestRepair_OfAPrunedLog(t *testing.T) {
	t.Parallel()
	h, dir := inThreeArchives(t, 809)
	cut := h.commitsBefore(8)
	pruneAt(t, dir, cut)
	path := h.path(dir, 8)
	b := bytes.Clone(h.segments[8].data)
	b[10] ^= 1
	put(t, path, b)
	plan, err := RepairLog(t.Context(), dir, RepairOptions{Accepted: "test"})
	if err != nil || plan.Head.Commit != cut {
		t.Fatalf("got %+v, %v", plan, err)
	}
	if r := verify(t, dir); len(r.Damage) > 0 || r.Head != h.tips[cut].head {
		t.Errorf("verify says %+v", r)
	}
	appended(t, dir, 3)
	if r := verify(t, dir); len(r.Damage) > 0 || r.Head.Commit != cut+3 {
		t.Errorf("verify says, in the end, %+v", r)
	}
}
