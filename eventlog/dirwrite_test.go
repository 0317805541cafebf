package eventlog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// openFiles counts the descriptors of this process that lead to files below dir.
func openFiles(t *testing.T, dir string) (n int) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skipf("needs /proc: %v", err)
	}
	for _, entry := range entries {
		// One of them may be gone by now.
		if path, err := os.Readlink(filepath.Join("/proc/self/fd", entry.Name())); err == nil && strings.HasPrefix(path, dir) {
			n++
		}
	}
	return n
}

func TestWriter_ReleasesItsDescriptor(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, b := openDirLog(t, dir, Options{SegmentSize: 4096}), openDirLog(t, dir, Options{SegmentSize: 4096})
	most := 0
	for i := range 100 { // in turns, so that each needs a new handle each time
		a.append(t, fmt.Sprint(i))
		b.append(t, fmt.Sprint(i))
		most = max(most, openFiles(t, dir))
	}
	// Each has the directory, the lock, D, the tail for reading and the tail for writing.
	if most > 10 {
		t.Errorf("%d open files, want at most 10", most)
	}
	a.Close()
	b.Close()
	if n := openFiles(t, dir); n != 0 {
		t.Errorf("%d open files after Close", n)
	}
	runtime.KeepAlive(a)
}

// breakWriter makes the next write through h's handle fail: the descriptor beneath it is closed.
func breakWriter(t *testing.T, h *handle) {
	t.Helper()
	if err := h.Peek(t.Context(), func(Head) { closeWriter(h) }); err != nil {
		t.Fatal(err)
	}
}

// closeWriter closes the descriptor beneath h's handle, which does not know. It is called as State
// is.
func closeWriter(h *handle) {
	writer := h.core.store.(*dirStore).writer // a copy
	writer.release()
}

func TestWrite_FailureLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := openDirLog(t, dir, Options{})
	h.append(t, "a")
	breakWriter(t, h)
	first, second := h.proposes("b"), h.proposes("c")
	second.Meta.Reason = "in another commit"
	err := h.AppendAll(t.Context(), first, second)
	if !errors.Is(err, ErrNotCommitted) || !errors.Is(err, os.ErrClosed) || errors.Is(err, ErrUnknown) {
		t.Errorf("append: %v, want ErrNotCommitted and its cause", err)
	}
	if !errors.Is(second.Err, ErrNotCommitted) {
		t.Errorf("append after it: %v, want ErrNotCommitted", second.Err)
	}
	if h.state.resets != 2 {
		t.Errorf("%d resets, want 2: one to begin, and one", h.state.resets)
	}
	h.append(t, "d")
	h.wantLines(t, "1:created", "2:a", "3:d")
	wantSound(t, dir)
}

func TestWrite_FailureSparesWhatWasWrittenBefore(t *testing.T) {
	t.Parallel()
	h, w := openWatched(t, t.TempDir(), Options{})
	before, failing := h.proposes("a"), h.proposes("b")
	failing.Meta.Reason = "in another commit"
	decide := failing.Decide
	failing.Decide = func(turn Turn) ([]Event, error) {
		closeWriter(h)
		return decide(turn)
	}
	h.AppendAll(t.Context(), before, failing)
	if before.Err != nil || !errors.Is(failing.Err, ErrNotCommitted) {
		t.Errorf("errors are %v and %v, want nil and ErrNotCommitted", before.Err, failing.Err)
	}
	wantCalls(t, w, "datasync "+segmentName(1))
	h.wantLines(t, "1:created", "2:a")
}

// mended has a store look at what a write has left, of which the given part reached the file.
func mended(t *testing.T, part func(frame []byte) []byte, cause error) (dir string, err error) {
	t.Helper()
	dir = t.TempDir()
	openDirLog(t, dir, Options{}).append(t, "a")
	frame := takenBack(t, dir, "b")
	opt := Options{}
	if err := opt.complete(); err != nil {
		t.Fatal(err)
	}
	s, err := openDir(dir, &opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.close() })
	if ok, err := s.tryLock(); !ok || err != nil {
		t.Fatal(ok, err)
	}
	defer s.unlock()
	if _, err := s.refresh(func(*Entry) error { return nil }, true); err != nil {
		t.Fatal(err)
	}
	if err := s.prove(); err != nil {
		t.Fatal(err)
	}
	at := s.tip
	path, _ := tailOf(t, dir)
	appendBytes(t, path, frame)
	end := at
	s.scanner.reset(s.tail.f, at.offset+int64(len(frame)))
	if e, why, err := s.scanner.next(&end); e == nil {
		t.Fatal(why, err)
	}
	if err := os.Truncate(path, at.offset); err != nil {
		t.Fatal(err)
	}
	appendBytes(t, path, part(frame))
	return dir, s.mend(end, cause)
}

func TestWrite_FailureIsAnsweredByWhatIsThere(t *testing.T) {
	t.Parallel()
	all := func(frame []byte) []byte { return frame }
	none := func([]byte) []byte { return nil }
	half := func(frame []byte) []byte { return frame[:len(frame)/2] }
	write := &os.PathError{Op: "write", Err: errDisk}
	for _, row := range []struct {
		name   string
		part   func([]byte) []byte
		cause  error
		answer error
		lines  []string // that a later process finds
	}{
		{"nothing", none, write, ErrNotCommitted, []string{"1:created", "2:a"}},
		{"half", half, write, ErrNotCommitted, []string{"1:created", "2:a"}},
		{"all", all, write, nil, []string{"1:created", "2:a", "3:b"}},
		{"all, and no new segment could be made", all, &os.PathError{Op: "open", Err: errDisk}, nil, []string{"1:created", "2:a", "3:b"}},
		{"all, but its sync failed", all, &os.PathError{Op: "sync", Err: errDisk}, ErrUnknown, []string{"1:created", "2:a", "3:b"}},
		{"all, but its close failed", all, &os.PathError{Op: "close", Err: errDisk}, ErrUnknown, []string{"1:created", "2:a", "3:b"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			dir, err := mended(t, row.part, row.cause)
			if !errors.Is(err, row.answer) || row.answer != nil && !errors.Is(err, errDisk) {
				t.Errorf("answer is %v, want %v", err, row.answer)
			}
			h := openDirLog(t, dir, Options{})
			if repairs := h.TakeRepairs(); len(repairs) != 0 {
				t.Errorf("left to be repaired: %+v", repairs)
			}
			h.wantLines(t, row.lines...)
		})
	}
}
