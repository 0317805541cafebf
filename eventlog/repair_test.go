package eventlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// repaired repairs the log in dir with a real handle, which tells of it.
func repaired(t testing.TB, dir string) (*Plan, []Repair) {
	t.Helper()
	plan, err := RepairLog(context.Background(), dir, RepairOptions{Accepted: "ada@loom", disk: &quickDisk})
	if err != nil {
		t.Fatal(err)
	}
	return plan, tellsOf(t, dir)
}

// tellsOf returns the repairs that the log tells the next process of.
func tellsOf(t testing.TB, dir string) (repairs []Repair) {
	t.Helper()
	l, err := Open(context.Background(), dir, &ledger{}, Options{disk: &quickDisk, Recorded: func(string) bool { return false }})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	err = l.Append(context.Background(), &Proposal{Decide: func(Turn) ([]Event, error) {
		repairs = l.TakeRepairs()
		return []Event{{Kind: 1, Data: []byte("repaired")}}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return repairs
}

// files returns what is in all files of a directory, by path.
func files(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			name, _ := filepath.Rel(dir, path)
			all[filepath.ToSlash(name)], err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// wantRepaired checks a repaired log against the one before: it is sound, holds the commits up to
// keep and one more, and every byte that is gone is in quarantine, as the pieces say.
func wantRepaired(t *testing.T, h *handmade, dir string, before map[string][]byte, keep Commit, pieces []Repair) {
	t.Helper()
	report := wantSound(t, dir)
	if report.Head.Commit != keep+1 || report.Torn != nil {
		t.Fatalf("the log ends with commit %d, want %d", report.Head.Commit, keep+1)
	}
	want := h.tips[keep].head.Hash
	if err := readLog(dir, keep+1, func(e *Entry) {
		if e.Commit == keep+1 && e.Prev != want {
			t.Errorf("the repair follows %v, want %v", e.Prev, want)
		}
	}); err != nil {
		t.Fatal(err)
	}
	after := files(t, dir)
	for _, p := range pieces {
		kept := after[quarantineDir+"/"+p.Quarantine]
		if int64(len(kept)) != p.Size || crc32.Checksum(kept, castagnoli) != p.CRC || p.Accepted != "ada@loom" || p.Verdict == "" {
			t.Errorf("quarantine has %d bytes of %+v", len(kept), p)
		}
	}
	if err := keepsAll(before, after); err != nil {
		t.Error(err)
	}
}

// keepsAll returns an error unless each byte that was in a segment is there still, in its place or in
// quarantine.
func keepsAll(before, after map[string][]byte) error {
	for name, was := range before {
		base := filepath.Base(name)
		if !segmentLike(base) || strings.HasPrefix(name, quarantineDir) {
			continue
		}
		kept := 0
		for _, dir := range []string{logDir, sealedDir, snapshotDir} {
			now, same := after[dir+"/"+base], 0
			for same < min(len(was), len(now)) && was[same] == now[same] {
				same++
			}
			kept = max(kept, same)
		}
		lost := was[kept:]
		found := len(lost) == 0
		for path, data := range after {
			found = found || strings.HasPrefix(path, quarantineDir) && bytes.HasSuffix(data, lost)
		}
		if !found {
			return fmt.Errorf("%d bytes of %s are nowhere", len(lost), name)
		}
	}
	return nil
}

// damages are what can happen to a log of three segments, each with the commit that the log ends
// with after its repair.
func damages() []damageRow {
	flip := func(i, commits int) func(*handmade, string) error {
		return func(h *handmade, dir string) error {
			data := bytes.Clone(h.segments[i].data)
			data[h.tips[h.segments[i].first-1+Commit(commits)].offset+50] ^= 1
			return os.WriteFile(h.path(dir, i), data, 0o600)
		}
	}
	first := func(i int) func(*handmade) Commit {
		return func(h *handmade) Commit { return h.segments[i].first }
	}
	plus := func(f func(*handmade) Commit, n int) func(*handmade) Commit {
		return func(h *handmade) Commit { return f(h) + Commit(n) }
	}
	all := (*handmade).commits
	return []damageRow{
		{"row 2: the last commit is gone", func(h *handmade, dir string) error {
			return os.Truncate(h.path(dir, 2), h.tips[h.commits()-1].offset)
		}, true, plus(all, -1), 1, false},
		{"row 2: the last segment is gone", func(h *handmade, dir string) error { return os.Remove(h.path(dir, 2)) }, true, plus(first(2), -1), 1, false},
		{"row 3: a flip in the first commit", flip(0, 0), true, func(*handmade) Commit { return 0 }, 4, false},
		{"row 3: a flip in a sealed segment", flip(0, 2), true, plus(first(0), 1), 4, false},
		{"row 3: a flip in a segment that is not the last", flip(1, 3), true, plus(first(1), 2), 3, false},
		{"row 3: a flip, and nothing is promised", flip(1, 3), false, plus(first(1), 2), 2, false},
		{"row 3: a flip in the first commit of a segment", flip(1, 0), true, plus(first(1), -1), 3, false},
		{"row 3: a segment is missing", func(h *handmade, dir string) error { return os.Remove(h.path(dir, 1)) }, true, plus(first(1), -1), 2, false},
		{"row 3: the first segment is missing", func(h *handmade, dir string) error { return os.Remove(h.path(dir, 0)) }, true, func(*handmade) Commit { return 0 }, 3, false},
		{"row 3: a segment that is none", func(h *handmade, dir string) error {
			return os.WriteFile(h.path(dir, 1)+".END", []byte("x"), 0o600)
		}, true, all, 1, false},
		{"row 3: a directory in its place", func(h *handmade, dir string) error {
			return os.Mkdir(filepath.Join(dir, logDir, segmentName(h.commits()+1)), 0o700)
		}, true, all, 1, true},
		{"row 3: a segment is there twice", func(h *handmade, dir string) error {
			return os.WriteFile(filepath.Join(dir, logDir, segmentName(1)), h.segments[0].data, 0o600)
		}, true, all, 1, true},
		{"row 3: a segment begins within another", func(h *handmade, dir string) error {
			return os.WriteFile(filepath.Join(dir, sealedDir, segmentName(h.segments[1].first-2)), h.segments[1].data, 0o600)
		}, true, all, 1, true},
		{"row 3: bytes behind a whole segment", func(h *handmade, dir string) error {
			return os.WriteFile(h.path(dir, 0), append(bytes.Clone(h.segments[0].data), "and more"...), 0o600)
		}, true, all, 1, false},
		{"row 3: a segment a commit too far", func(h *handmade, dir string) error {
			return os.WriteFile(filepath.Join(dir, logDir, segmentName(h.commits()+2)), nil, 0o600)
		}, true, all, 1, false},
		{"row 4: a flip in the last segment", flip(2, 1), true, first(2), 2, false},
		{"row 4: a flip, and snapshots before and behind it", func(h *handmade, dir string) error {
			err := errors.Join(flip(2, 1)(h, dir), os.Mkdir(filepath.Join(dir, snapshotDir), 0o700))
			for _, through := range []Commit{h.segments[1].first, h.commits()} {
				err = errors.Join(err, os.WriteFile(snapshotSpan{0, through}.path(dir), []byte("snapshot"), 0o600))
			}
			return err
		}, true, first(2), 3, false},
		{"row 4: a flip in its first commit", flip(2, 0), true, plus(first(2), -1), 2, false},
		{"row 4: a cut through the last commit", func(h *handmade, dir string) error {
			return os.Truncate(h.path(dir, 2), h.end().offset-1)
		}, true, plus(all, -1), 2, false},
		{"row 6: bytes that are no frame", func(h *handmade, dir string) error {
			return os.WriteFile(h.path(dir, 2), append(bytes.Clone(h.last().data), bytes.Repeat([]byte("damage"), 100)...), 0o600)
		}, false, all, 1, false},
		{"row 8: a flip in the last commit but one", func(h *handmade, dir string) error {
			data := bytes.Clone(h.last().data)
			data[h.tips[h.commits()-2].offset+50] ^= 1
			return os.WriteFile(h.path(dir, 2), data, 0o600)
		}, false, plus(all, -2), 1, false},
	}
}

type damageRow struct {
	name    string
	spoil   func(h *handmade, dir string) error
	promise bool // D says that all is durable
	keep    func(*handmade) Commit
	pieces  int
	// harmless: who appends does not see it, which costs too much to look for, or it is in the way of
	// opening already.
	harmless bool
}

// spoiled returns a log that is damaged so.
func (row damageRow) spoiled(t testing.TB, seed uint64) (*handmade, string) {
	t.Helper()
	h := newHandmade(seed, 2)
	for i := range 3 {
		if i > 0 {
			h.rotate()
		}
		h.fill(t, 3000)
	}
	dir := h.write(t)
	if row.promise {
		promise(t, dir, h)
	}
	if err := row.spoil(h, dir); err != nil {
		t.Fatal(err)
	}
	return h, dir
}

func TestRepairLog_EveryDamage(t *testing.T) {
	t.Parallel()
	for _, row := range damages() {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			h, dir := row.spoiled(t, 90)
			before, listed := files(t, dir), tree(t, dir)
			plan, err := MakePlan(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			if after := tree(t, dir); after != listed {
				t.Errorf("a plan has changed the log from\n%s\nto\n%s", listed, after)
			}
			keep := row.keep(h)
			if plan.Head != h.tips[keep].head || len(plan.Damage) == 0 || len(plan.Pieces) != row.pieces {
				t.Fatalf("the plan keeps %+v, for %v, and takes %+v; want commit %d and %d pieces",
					plan.Head, plan.Damage, plan.Pieces, keep, row.pieces)
			}
			if want := fmt.Sprintf("(row %s)", strings.TrimPrefix(row.name[:5], "row ")); !strings.Contains(fmt.Sprint(verdictsOf(plan)), want) {
				t.Errorf("verdicts are %q, want one of %s", verdictsOf(plan), want)
			}
			if !row.harmless {
				l, err := Open(t.Context(), dir, &ledger{}, Options{disk: &quickDisk})
				if err != nil {
					t.Fatal(err)
				}
				if err := l.Append(t.Context(), &Proposal{Decide: proposesLine("x")}); damaged(err) == nil {
					t.Errorf("the log can be written before it is repaired: %v", err)
				}
				l.Close()
			}
			done, taken := repaired(t, dir)
			for i, p := range done.Pieces {
				if want := plan.Pieces[i]; p.CRC != want.CRC || p.Path != want.Path || p.Offset != want.Offset || p.Frames != want.Frames {
					t.Errorf("piece %d is %+v, planned was %+v", i, p, want)
				}
				if !slices.Contains(taken, p.Repair) || len(taken) != row.pieces {
					t.Errorf("told are %+v, want %+v", taken, p.Repair)
				}
			}
			wantRepaired(t, h, dir, before, keep, taken)
			again, err := RepairLog(t.Context(), dir, RepairOptions{})
			if err != nil || len(again.Damage) > 0 || len(again.Pieces) > 0 {
				t.Errorf("repaired again: %+v, %v", again, err)
			}
		})
	}
}

// verdictsOf are those of the pieces, and of the damage.
func verdictsOf(p *Plan) (all []string) {
	for _, d := range p.Damage {
		all = append(all, verdict{row: d.Row, damage: d}.String())
	}
	return all
}

// proposesLine is a decision to append a line.
func proposesLine(line string) func(Turn) ([]Event, error) {
	return func(Turn) ([]Event, error) { return []Event{{Kind: 1, Data: []byte(line)}}, nil }
}

// TestMakePlan_CountsTheFramesThatGo: those that are whole behind the damage are named.
func TestMakePlan_CountsTheFramesThatGo(t *testing.T) {
	t.Parallel()
	row := damages()[4] // a flip in the fourth commit of the second segment
	h, dir := row.spoiled(t, 91)
	plan, err := MakePlan(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	bad := row.keep(h) + 1
	span := func(first, last Commit) Span {
		return Span{first, last, h.tips[first-1].head.Position + 1, h.tips[last].head.Position, uint64(h.tips[last].head.Position - h.tips[first-1].head.Position)}
	}
	if got, want := plan.Pieces[0].Frames, span(bad+1, h.segments[2].first-1); got != want {
		t.Errorf("of the damaged segment: got %+v, want %+v", got, want)
	}
	if got, want := plan.Pieces[1].Frames, span(h.segments[2].first, h.commits()); got != want {
		t.Errorf("of the next: got %+v, want %+v", got, want)
	}
	if plan.Durable != h.commits() || plan.Pieces[2].Segment != durableFile {
		t.Errorf("durable is %d, and the last piece %+v", plan.Durable, plan.Pieces[2])
	}
}

func TestRepairLog_TornTailIsLeftToTheNextWriter(t *testing.T) {
	t.Parallel()
	h := threeSegments(t, 92)
	dir := h.write(t)
	put(t, h.path(dir, 2), append(bytes.Clone(h.last().data), 200, 1, 0xa7))
	before := tree(t, dir)
	plan, err := RepairLog(t.Context(), dir, RepairOptions{})
	if err != nil || len(plan.Damage) > 0 || len(plan.Pieces) > 0 || plan.Torn == nil || plan.Torn.Size != 3 {
		t.Errorf("got %+v, %v", plan, err)
	}
	if after := tree(t, dir); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	if repairs := tellsOf(t, dir); len(repairs) != 1 || repairs[0].Accepted != "" {
		t.Errorf("told are %+v", repairs)
	}
}

func TestRepairLog_ChangesNothingUnlessConfirmed(t *testing.T) {
	t.Parallel()
	_, dir := damages()[4].spoiled(t, 93)
	before := tree(t, dir)
	no := errors.New("no")
	if _, err := RepairLog(t.Context(), dir, RepairOptions{Confirm: func(p *Plan) error {
		if len(p.Pieces) != 3 {
			t.Errorf("asked for %+v", p)
		}
		return no
	}}); err != no {
		t.Errorf("got %v", err)
	}
	if after := tree(t, dir); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

// TestRepairLog_OtherHandlesReadAnew has a handle that stands behind the damage, on a file that is
// moved away, while another repairs the log. What it appends then must be in the log.
func TestRepairLog_OtherHandlesReadAnew(t *testing.T) {
	t.Parallel()
	for _, segmentSize := range []int{300, 1 << 20} {
		dir := t.TempDir()
		live := openDirLog(t, dir, Options{SegmentSize: segmentSize})
		reading := openDirLog(t, dir, Options{ReadOnly: true})
		watching := openDirLog(t, dir, Options{SegmentSize: segmentSize})
		watching.Watch()
		for i := range 8 {
			live.append(t, fmt.Sprintf("line %d %s", i, strings.Repeat("x", 200)))
		}
		reading.view(t)
		watching.view(t)
		path := firstWith(t, dir, "line 2")
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		data[bytes.Index(data, []byte("line 2"))] ^= 1
		put(t, path, data)
		live.append(t, "unaware") // of damage long before
		plan, _ := repaired(t, dir)
		if plan.Head.Commit != 3 {
			t.Fatalf("segments of %d bytes: kept are %d commits, want 3: %v", segmentSize, plan.Head.Commit, plan.Damage)
		}
		changed := watching.Changed()
		live.append(t, "after")
		<-changed
		for _, h := range []*handle{live, watching, reading} {
			lines, head := h.view(t)
			if len(lines) != 5 || !strings.Contains(lines[2], "line 1") || lines[3] != "4:repaired" || lines[4] != "5:after" || head.Commit != 5 {
				t.Errorf("segments of %d bytes: view is %q at %+v", segmentSize, lines, head)
			}
		}
		watching.append(t, "and more")
		live.wantLines(t, append(first(live.view(t))[:5], "6:and more")...)
		wantSound(t, dir)
	}
}

func first[A, B any](a A, _ B) A { return a }

// firstWith returns the segment that has the text.
func firstWith(t *testing.T, dir, text string) string {
	t.Helper()
	for name, data := range files(t, dir) {
		if segmentLike(filepath.Base(name)) && bytes.Contains(data, []byte(text)) {
			return filepath.Join(dir, filepath.FromSlash(name))
		}
	}
	t.Fatalf("no segment has %q", text)
	return ""
}

// TestRepairLog_ThatDiesLeavesNobodyWritingToWhatHasMoved has a repair end in the middle, while a
// handle stands on a file that it has moved; and another before whose end the handle reads.
func TestRepairLog_ThatDiesLeavesNobodyWritingToWhatHasMoved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	live := openDirLog(t, dir, Options{SegmentSize: 300})
	for i := range 8 {
		live.append(t, fmt.Sprintf("line %d %s", i, strings.Repeat("x", 200)))
	}
	path := firstWith(t, dir, "line 2")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[bytes.Index(data, []byte("line 2"))] ^= 1
	put(t, path, data)
	steps := 0
	dying := quickDisk
	dying.syncDir = func(path string) error {
		if filepath.Base(path) == repairPrefix+"1" {
			if steps++; steps == 3 { // of what was noted, of what was copied, of what was moved
				return errDisk
			}
		}
		return nil
	}
	if _, err := RepairLog(t.Context(), dir, RepairOptions{disk: &dying}); !errors.Is(err, errDisk) || steps != 3 {
		t.Fatalf("repair: %v after %d steps", err, steps)
	}
	if err := live.Append(t.Context(), live.proposes("lost")); damaged(err) == nil {
		t.Errorf("append: %v, want a CorruptError", err)
	}
	looked := false
	curious := quickDisk
	curious.datasync = func(f *os.File) error {
		looked = strings.HasPrefix(filepath.Base(f.Name()), durableFile) // D, the last to be changed
		live.view(t)
		return nil
	}
	if _, err := RepairLog(t.Context(), dir, RepairOptions{disk: &curious}); err != nil || !looked {
		t.Fatalf("repair: %v", err)
	}
	tellsOf(t, dir)
	live.view(t)
	if known, err := live.core.store.durable(4); err != nil || known > 4 {
		t.Errorf("commit %d is taken for durable, %v", known, err)
	}
	live.append(t, "after")
	live.wantLines(t, append(first(live.view(t))[:3], "4:repaired", "5:after")...)
	wantSound(t, dir)
}

// TestRepairLog_WhatIsSyncedAfterItIsUnknown has an append that is written before a repair takes it
// away, and synced after.
func TestRepairLog_WhatIsSyncedAfterItIsUnknown(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h, w := openWatched(t, dir, Options{})
	h.append(t, "line 1")
	h.append(t, "line 2")
	path, data := tailOf(t, dir)
	data[bytes.Index(data, []byte("line 1"))] ^= 1
	put(t, path, data)
	w.setFail(func(call string) error {
		if strings.HasPrefix(call, "datasync "+segmentName(1)) {
			w.setFail(nil)
			repaired(t, dir)
		}
		return nil
	})
	if err := h.Append(t.Context(), h.proposes("line 3")); !errors.Is(err, ErrUnknown) {
		t.Errorf("append: %v, want ErrUnknown", err)
	}
	h.append(t, "line 4")
	h.wantLines(t, "1:created", "2:repaired", "3:line 4")
	if report := wantSound(t, dir); report.Durable != 3 {
		t.Errorf("durable is %d, want 3", report.Durable)
	}
}

func TestRepairLog_WaitsForTheAppendLock(t *testing.T) {
	t.Parallel()
	_, dir := damages()[4].spoiled(t, 94)
	s, err := openDir(dir, &Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.shut()
	if ok, err := s.tryLock(); err != nil || !ok {
		t.Fatal(ok, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	waits := make(chan string, 1)
	go func() {
		time.Sleep(10 * time.Millisecond) // mostly it waits by then; if not, it ends all the same
		cancel()
	}()
	if _, err := RepairLog(ctx, dir, RepairOptions{OnWait: func(holder string) { waits <- holder }}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	s.unlock()
	repaired(t, dir)
}
