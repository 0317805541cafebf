package eventlog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func TestRotation_SealsAllButTheLastTwo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := openDirLog(t, dir, Options{SegmentSize: 1024})
	var want []string
	for i := range 200 {
		h.append(t, fmt.Sprint(i))
		want = append(want, fmt.Sprintf("%d:%d", i+2, i))
		if n := len(segmentsIn(t, filepath.Join(dir, logDir))); n > sealBatch+3 {
			t.Fatalf("%d segments in log", n)
		}
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	open, sealed := segmentsIn(t, filepath.Join(dir, logDir)), segmentsIn(t, filepath.Join(dir, sealedDir))
	if len(open) != 2 || len(sealed) < 10 {
		t.Errorf("%d segments in log and %d in sealed, want 2 and at least 10", len(open), len(sealed))
	}
	openDirLog(t, dir, Options{}).wantLines(t, append([]string{"1:created"}, want...)...)
	if report := wantSound(t, dir); report.Head.Commit != 201 || report.Durable != 201 {
		t.Errorf("report is %+v", report)
	}
}

// TestRotation_SealsWhatManyProcessesHaveBegun: none of them has begun many segments, nor is the log ever idle.
func TestRotation_SealsWhatManyProcessesHaveBegun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var handles []*handle
	for range 5 {
		handles = append(handles, openDirLog(t, dir, Options{SegmentSize: 1024}))
	}
	for i := range 300 {
		handles[i%len(handles)].append(t, fmt.Sprint(i))
		if n := len(segmentsIn(t, filepath.Join(dir, logDir))); n > sealBatch+3 {
			t.Fatalf("%d segments in log", n)
		}
	}
	wantSound(t, dir)
}

// TestRotation_NameOfASegmentThatOneCommitFills has segments that get their first commit and their
// successor in one write.
func TestRotation_NameOfASegmentThatOneCommitFills(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h, w := openWatched(t, dir, Options{SegmentSize: 150})
	large := strings.Repeat("x", 200)
	h.append(t, "a") // made segment 3
	w.take()
	for c := Commit(3); c < 6; c++ {
		h.append(t, large)
		// Before it was written, because from then on the next segment says that this one is durable.
		wantCalls(t, w, "datasync "+segmentName(c), "syncdir log", "datasync durable")
	}
	w.setFail(func(call string) error {
		if call == "syncdir log" {
			return errDisk
		}
		return nil
	})
	err := h.Append(t.Context(), h.proposes(large))
	if !errors.Is(err, ErrNotCommitted) || errors.Is(err, ErrUnknown) {
		t.Errorf("append: %v, want ErrNotCommitted", err)
	}
	if path, data := tailOf(t, dir); filepath.Base(path) != segmentName(6) || len(data) != 0 {
		t.Errorf("the tail is %s with %d bytes, want an empty segment 6", path, len(data))
	}
}

// TestRotation_IsSeenByWhoLooksInTheMiddle: the commit that fills a segment is there before the next one is. Who looks
// in between finds none that follows, and must look again.
func TestRotation_IsSeenByWhoLooksInTheMiddle(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, b := openDirLog(t, dir, Options{SegmentSize: 1024}), openDirLog(t, dir, Options{SegmentSize: 1024})
	b.append(t, "b") // so that it knows that no segment followed then
	large := strings.Repeat("x", 1024)
	a.append(t, large)
	next, aside := filepath.Join(dir, logDir, segmentName(4)), filepath.Join(dir, "aside")
	if err := os.Rename(next, aside); err != nil {
		t.Fatal(err)
	}
	b.wantLines(t, "1:created", "2:b", "3:"+large[:20])
	if err := os.Rename(aside, next); err != nil {
		t.Fatal(err)
	}
	a.append(t, "a")
	b.wantLines(t, "1:created", "2:b", "3:"+large[:20], "4:a")
	b.append(t, "c")
	a.wantLines(t, "1:created", "2:b", "3:"+large[:20], "4:a", "5:c")
}

// TestRotation_SealsIntoADirectoryWhoseNameIsDurable: another process has made it, and may not have
// come to sync its name.
func TestRotation_SealsIntoADirectoryWhoseNameIsDurable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h, w := openWatched(t, dir, Options{SegmentSize: 150})
	sealed := filepath.Join(dir, sealedDir)
	if err := os.Mkdir(sealed, 0o700); err != nil {
		t.Fatal(err)
	}
	syncName := "syncdir " + filepath.Base(dir)
	w.setFail(func(call string) error {
		if call == syncName {
			return errDisk
		}
		return nil
	})
	for range sealBatch + 1 {
		h.append(t, strings.Repeat("x", 200))
	}
	h.view(t) // after what follows the answer to the last append
	if names := segmentsIn(t, sealed); len(names) != 0 || !slices.Contains(w.take(), syncName) {
		t.Errorf("%q were sealed before the name of the directory was durable", names)
	}
	w.setFail(nil)
	for range 2 * (sealBatch + 1) {
		h.append(t, strings.Repeat("x", 200))
	}
	h.view(t)
	synced := 0
	for _, call := range w.take() {
		if call == syncName {
			synced++
		}
	}
	if names := segmentsIn(t, sealed); len(names) == 0 || synced != 1 {
		t.Errorf("%q are sealed, and the name was synced %d times, want once", names, synced)
	}
}

// TestRotation_SealsInBothDirectories: sealed is synced first, so that a power cut may leave a
// segment in both, but never in neither.
func TestRotation_SealsInBothDirectories(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h, w := openWatched(t, dir, Options{SegmentSize: 150})
	synced := map[string]int{} // how many segments the directory had
	w.setFail(func(call string) error {
		switch call {
		case "syncdir sealed":
			synced = map[string]int{sealedDir: len(segmentsIn(t, filepath.Join(dir, sealedDir)))}
		case "syncdir log":
			synced[logDir] = len(segmentsIn(t, filepath.Join(dir, logDir)))
		}
		return nil
	})
	for range 5 {
		h.append(t, "a")
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{logDir, sealedDir} {
		if n := len(segmentsIn(t, filepath.Join(dir, name))); n < 2 || synced[name] != n {
			t.Errorf("%s has %d segments, want at least 2; when it was synced it had %d", name, n, synced[name])
		}
	}
}

// TestRotation_OneSegmentAtATime finds a tail that is too large already for a commit that is, too.
func TestRotation_OneSegmentAtATime(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := openDirLog(t, dir, Options{SegmentSize: 5000})
	h.append(t, strings.Repeat("a", 500))
	late, w := openWatched(t, dir, Options{SegmentSize: 300})
	late.append(t, strings.Repeat("b", 500))
	wantCalls(t, w, "datasync durable")
	if got, want := segmentsIn(t, filepath.Join(dir, logDir)), []string{segmentName(1), segmentName(4)}; !slices.Equal(got, want) {
		t.Errorf("segments are %q, want %q", got, want)
	}
	wantSound(t, dir)
}

// TestRotation_NoticesThatAnotherProcessCouldNotSync: the system tells of a failed sync once on
// each descriptor that was open then. That of tidwall/wal may be younger.
func TestRotation_NoticesThatAnotherProcessCouldNotSync(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h, w := openWatched(t, dir, Options{SegmentSize: 1000})
	h.append(t, "a")
	late, lw := openWatched(t, dir, Options{SegmentSize: 1000})
	failed := func(call string) error {
		if call == "datasync "+segmentName(1) {
			return errDisk
		}
		return nil
	}
	lw.setFail(failed)
	if err := late.Append(t.Context(), late.proposes("b")); !errors.Is(err, ErrUnknown) {
		t.Fatalf("append: %v, want ErrUnknown", err)
	}
	w.setFail(failed)
	large := h.proposes(strings.Repeat("c", 1000))
	if err := h.Append(t.Context(), large); !errors.Is(err, ErrNotCommitted) || !errors.Is(err, errDisk) {
		t.Errorf("append: %v, want ErrNotCommitted and its cause", err)
	}
	if d, _, _ := markIn(t, dir); d != 2 {
		t.Errorf("D is %d, want 2", d)
	}
	if names := segmentsIn(t, filepath.Join(dir, logDir)); len(names) != 1 {
		t.Errorf("segments are %q: a second one says that all of the first is durable", names)
	}
	w.setFail(nil)
	w.take()
	_, data := tailOf(t, dir)
	_, end, _ := markIn(t, dir)
	h.append(t, "d")
	wantCalls(t, w, fmt.Sprintf("rewrite %s %d-%d", segmentName(1), end, len(data)), "datasync "+segmentName(1))
	if err := h.Append(t.Context(), large); err != nil {
		t.Fatal(err)
	}
	wantCalls(t, w, "datasync durable") // ours has been synced since tidwall/wal's was opened
	wantSound(t, dir)
}

// TestRotation_ReservesWhatIsLeftOfAFullDisk: when the next segment is there, somebody may have taken most of what the last
// one gave back. Outcomes must have the rest, and nothing else is written.
func TestRotation_ReservesWhatIsLeftOfAFullDisk(t *testing.T) {
	t.Parallel()
	const left = 40 << 10
	kept := int64(0)
	d := realDisk
	d.reserve = func(f *os.File, size int64) (bool, error) {
		if filepath.Base(f.Name()) == segmentName(1) {
			return true, nil
		}
		if size > left {
			return true, syscall.ENOSPC
		}
		kept = size
		return true, nil
	}
	h := openDirLog(t, t.TempDir(), Options{SegmentSize: 4096, disk: &d})
	var err error
	for err == nil {
		err = h.Append(t.Context(), h.proposes(strings.Repeat("x", 500)))
	}
	if !errors.Is(err, ErrDiskFull) {
		t.Errorf("append: %v, want ErrDiskFull", err)
	}
	if kept <= left/2 || kept > left {
		t.Errorf("%d bytes are reserved where %d were left", kept, left)
	}
}
