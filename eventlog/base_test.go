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
	put(t, basePaths(dir, h.commitsBefore(6))[0], nil)
	if _, err := Backup(t.Context(), dir, io.Discard, BackupOptions{}); damaged(err) == nil {
		t.Errorf("of a damaged base: %v", err)
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
