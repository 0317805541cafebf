package eventlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/queuectl/queuectl/internal/file"
)

func verify(tb testing.TB, dir string) *Report {
	tb.Helper()
	report, err := Verify(context.Background(), dir, VerifyOptions{})
	if err != nil {
		tb.Fatal(err)
	}
	return report
}

// promise records in the D file that the log is durable up to the end of h.
func promise(tb testing.TB, dir string, h *handmade) {
	tb.Helper()
	m := markOf(h.end())
	var slot [slotSize]byte
	m.encode(&slot, h.id)
	put(tb, filepath.Join(dir, logDir, durableFile), slot[:])
}

func TestVerify_SoundLog(t *testing.T) {
	t.Parallel()
	h := threeSegments(t, 50)
	dir := h.write(t)
	promise(t, dir, h)
	put(t, filepath.Join(dir, quarantineDir, "1"), nil)
	var last, total int64
	report, err := Verify(context.Background(), dir, VerifyOptions{Progress: func(done, all int64) {
		if done < last || done > all {
			t.Errorf("progress went from %d to %d of %d", last, done, all)
		}
		last, total = done, all
	}})
	if err != nil {
		t.Fatal(err)
	}
	var size int64
	for _, s := range h.segments {
		size += int64(len(s.data))
	}
	want := Report{
		ID: h.id, Head: h.end().head, Durable: h.commits(),
		Segments: 3, Events: uint64(h.end().head.Position), Bytes: size, Repairs: 1,
	}
	if fmt.Sprint(*report) != fmt.Sprint(want) {
		t.Errorf("got  %+v\nwant %+v", *report, want)
	}
	if last != size || total != size {
		t.Errorf("progress ended at %d of %d, want %d", last, total, size)
	}
}

func TestVerify_KnowsDurableFromTheSegmentsAlone(t *testing.T) {
	t.Parallel()
	h := threeSegments(t, 51)
	if got := verify(t, h.write(t)).Durable; got != h.commits()-3 {
		t.Errorf("got %d, want the last promise of %d", got, h.commits()-3)
	}
	h.rotate()
	if got := verify(t, h.write(t)).Durable; got != h.commits() {
		t.Errorf("after a rotation: got %d, want %d", got, h.commits())
	}
}

func TestVerify_EmptyLog(t *testing.T) {
	t.Parallel()
	h := newHandmade(52, 0)
	report := verify(t, h.write(t))
	if report.Head != (Head{Hash: h.id.hash()}) || len(report.Damage) > 0 || report.Torn != nil {
		t.Errorf("got %+v", report)
	}
}

func TestVerify_TornTailIsNoDamage(t *testing.T) {
	t.Parallel()
	h := threeSegments(t, 53)
	dir := h.write(t)
	before := h.end()
	s := h.last()
	h.noise(t, 500)
	tail := s.data[before.offset : len(s.data)-1]
	put(t, h.path(dir, 2), s.data[:len(s.data)-1])
	report := verify(t, dir)
	if len(report.Damage) > 0 || report.Torn == nil || report.Head != before.head {
		t.Fatalf("got %+v, %v", report, report.Damage)
	}
	got := *report.Torn
	want := Repair{
		Segment: segmentName(s.first), Offset: before.offset, Size: int64(len(tail)),
		CRC: crc32.Checksum(tail, castagnoli), Verdict: got.Verdict,
	}
	if got != want || !strings.Contains(got.Verdict, "row 5") {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestVerify_FindsEveryDamage(t *testing.T) {
	t.Parallel()
	h := newHandmade(54, 0)
	for i := range 6 {
		if i > 0 {
			h.rotate()
		}
		h.fill(t, 3000)
	}
	dir := h.write(t)
	events := uint64(h.end().head.Position) // in the sound frames
	eventsOf := func(c Commit) uint64 { return uint64(h.tips[c].head.Position - h.tips[c-1].head.Position) }
	for _, i := range []int{1, 5} { // a flip in the second commit
		second := h.segments[i].first + 1
		h.segments[i].data[h.tips[second-1].offset+20] ^= 1
		put(t, h.path(dir, i), h.segments[i].data)
		events -= eventsOf(second)
	}
	for c := h.segments[3].first; c < h.segments[4].first; c++ {
		events -= eventsOf(c)
	}
	if err := os.Remove(h.path(dir, 3)); err != nil {
		t.Fatal(err)
	}
	report := verify(t, dir)
	want := []CorruptError{
		{Path: h.path(dir, 1), Offset: h.tips[h.segments[1].first].offset, Commit: h.segments[1].first + 1, Row: 3},
		{Path: h.path(dir, 2), Offset: int64(len(h.segments[2].data)), Commit: h.segments[3].first, Row: 3},
		{Path: h.path(dir, 5), Offset: h.tips[h.segments[5].first].offset, Commit: h.segments[5].first + 1, Row: 4},
	}
	if len(report.Damage) != len(want) {
		t.Fatalf("got %v", report.Damage)
	}
	for i, d := range report.Damage {
		want[i].Reason, want[i].Position = d.Reason, h.tips[want[i].Commit-1].head.Position+1
		if *d != want[i] {
			t.Errorf("got  %+v\nwant %+v", *d, want[i])
		}
	}
	if report.Head != h.tips[h.segments[1].first].head || report.Events != events || report.Segments != 5 {
		t.Errorf("got head %+v, %d events, %d segments; want %d events", report.Head, report.Events, report.Segments, events)
	}
	for i, missing := range [][2]Commit{
		{h.segments[1].first + 1, h.segments[1].first + 1},
		{h.segments[3].first, h.segments[4].first - 1},
		{h.segments[5].first + 1, h.segments[5].first + 1},
	} {
		want := Gap{
			After: h.tips[missing[0]-1].head, Commit: missing[1] + 1, First: h.tips[missing[1]].head.Position + 1,
			Damage: report.Damage[i : i+1],
		}
		if got := report.Gaps[i]; fmt.Sprint(got) != fmt.Sprint(want) || len(report.Gaps) != 3 {
			t.Errorf("gap %d is\n%+v, want\n%+v", i, got, want)
		}
	}
}

func TestVerify_RowThree(t *testing.T) {
	t.Parallel()
	remove := func(i int) func(*handmade, string) error {
		return func(h *handmade, dir string) error { return os.Remove(h.path(dir, i)) }
	}
	tests := []struct {
		name   string
		spoil  func(h *handmade, dir string) error
		commit func(h *handmade) Commit
		reason string
	}{
		{"first missing", remove(0), func(*handmade) Commit { return 1 }, "missing"},
		{"middle missing", remove(1), func(h *handmade) Commit { return h.segments[1].first }, "missing"},
		{"bad bytes before the last", func(h *handmade, dir string) error {
			return os.WriteFile(h.path(dir, 1), []byte("garbage"), 0o600)
		}, func(h *handmade) Commit { return h.segments[1].first }, "later segments follow"},
		{"cut before the last", func(h *handmade, dir string) error {
			return os.Truncate(h.path(dir, 0), h.tips[1].offset+1)
		}, func(*handmade) Commit { return 2 }, "later segments follow"},
		{"renamed", func(h *handmade, dir string) error {
			return os.Rename(h.path(dir, 1), filepath.Join(dir, logDir, segmentName(h.segments[1].first+1)))
		}, func(h *handmade) Commit { return h.segments[1].first }, "missing"},
	}
	for _, tt := range tests {
		h := threeSegments(t, 55)
		dir := h.write(t)
		if err := tt.spoil(h, dir); err != nil {
			t.Fatal(err)
		}
		report := verify(t, dir)
		if len(report.Damage) == 0 {
			t.Errorf("%s: not noticed", tt.name)
			continue
		}
		d := report.Damage[0]
		if d.Row != 3 || d.Commit != tt.commit(h) || !strings.Contains(d.Reason, tt.reason) || report.Head.Commit != d.Commit-1 {
			t.Errorf("%s: got %+v, head %d", tt.name, *d, report.Head.Commit)
		}
		if err := readLog(dir, 1, nil); !errors.As(err, new(*CorruptError)) {
			t.Errorf("%s: a Reader ends with %v", tt.name, err)
		}
	}
}

func TestVerify_AllSegmentsMissing(t *testing.T) {
	t.Parallel()
	h := newHandmade(56, 0)
	dir := h.write(t)
	if err := os.Remove(h.path(dir, 0)); err != nil {
		t.Fatal(err)
	}
	if report := verify(t, dir); len(report.Damage) != 1 || report.Damage[0].Row != 3 {
		t.Errorf("got %+v", report)
	}
}

func TestVerify_NamesAcknowledgedCommitsThatAreGone(t *testing.T) {
	t.Parallel()
	h := newHandmade(57, 0)
	h.fill(t, 3000)
	dir := h.write(t)
	promise(t, dir, h)
	end := h.tips[h.commits()-1]
	if err := os.Truncate(h.path(dir, 0), end.offset); err != nil {
		t.Fatal(err)
	}
	report := verify(t, dir)
	if len(report.Damage) != 1 || report.Damage[0].Row != 2 || report.Damage[0].Commit != h.commits() || report.Durable != h.commits() {
		t.Errorf("got %+v, %v", report, report.Damage)
	}
}

func TestVerify_RefusesWhatIsNotOurs(t *testing.T) {
	t.Parallel()
	if _, err := Verify(context.Background(), t.TempDir(), VerifyOptions{}); !errors.Is(err, ErrNoLog) {
		t.Errorf("no log: got %v", err)
	}
	dir := newHandmade(58, 0).write(t)
	put(t, filepath.Join(dir, logDir, formatFile), bytes.Repeat([]byte("x"), 50))
	if _, err := Verify(context.Background(), dir, VerifyOptions{}); !errors.Is(err, ErrNotOurs) {
		t.Errorf("other FORMAT: got %v", err)
	}
}

func TestVerify_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	h := threeSegments(t, 59)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Verify(ctx, h.write(t), VerifyOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// waitedFor is a context that is cancelled when somebody begins to wait for it.
type waitedFor struct {
	context.Context
	cancel func()
}

func (c waitedFor) Done() <-chan struct{} {
	c.cancel()
	return c.Context.Done()
}

func TestVerify_ItsContextEndsTheWaitForTheLock(t *testing.T) {
	t.Parallel()
	h := threeSegments(t, 61)
	dir := h.write(t)
	put(t, h.path(dir, 2), append(h.last().data, "torn"...))
	lock, err := file.OpenLock(filepath.Join(dir, logDir, lockFile))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := lock.Exclusive(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := Verify(waitedFor{ctx, cancel}, dir, VerifyOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	if report := verify(t, dir); report.Torn == nil && len(report.Damage) == 0 {
		t.Error("what is torn was not seen")
	}
}

func TestVerify_ChangesNothing(t *testing.T) {
	t.Parallel()
	h := threeSegments(t, 60)
	dir := h.write(t)
	put(t, h.path(dir, 2), append(h.last().data, "torn"...))
	before := tree(t, dir)
	verify(t, dir)
	if err := readLog(dir, 1, nil); err != nil && !errors.As(err, new(*CorruptError)) {
		t.Fatal(err)
	}
	if after := tree(t, dir); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

// tree lists all files with their contents and times.
func tree(tb testing.TB, dir string) string {
	tb.Helper()
	var b strings.Builder
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			fmt.Fprintln(&b, path)
			return err
		}
		data, err := os.ReadFile(path)
		fmt.Fprintf(&b, "%s %v %s %x\n", path, info.Mode(), info.ModTime(), data)
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return b.String()
}
