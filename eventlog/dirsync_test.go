package eventlog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// watchedDisk is a disk that keeps a record and can fail.
type watchedDisk struct {
	mu    sync.Mutex
	calls []string
	fail  func(call string) error // nil = never
}

func (w *watchedDisk) call(format string, args ...any) error {
	call := fmt.Sprintf(format, args...)
	w.mu.Lock()
	w.calls = append(w.calls, call)
	fail := w.fail
	w.mu.Unlock()
	if fail != nil {
		return fail(call)
	}
	return nil
}

// take returns the calls since the last take.
func (w *watchedDisk) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	calls := w.calls
	w.calls = nil
	return calls
}

func (w *watchedDisk) setFail(fail func(string) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fail = fail
}

func (w *watchedDisk) disk() *disk {
	d := realDisk
	d.datasync = func(f *os.File) error {
		if err := w.call("datasync %s", filepath.Base(f.Name())); err != nil {
			return err
		}
		return realDisk.datasync(f)
	}
	d.syncDir = func(path string) error {
		if err := w.call("syncdir %s", filepath.Base(path)); err != nil {
			return err
		}
		return realDisk.syncDir(path)
	}
	d.rewrite = func(f *os.File, from, to int64) error {
		if from < to {
			if err := w.call("rewrite %s %d-%d", filepath.Base(f.Name()), from, to); err != nil {
				return err
			}
		}
		return realDisk.rewrite(f, from, to)
	}
	return &d
}

func openWatched(t *testing.T, dir string, opt Options) (*handle, *watchedDisk) {
	t.Helper()
	w := &watchedDisk{}
	opt.disk = w.disk()
	h := openDirLog(t, dir, opt)
	w.take()
	return h, w
}

func wantCalls(t *testing.T, w *watchedDisk, want ...string) {
	t.Helper()
	if got := w.take(); !slices.Equal(got, want) {
		t.Errorf("calls are %q, want %q", got, want)
	}
}

var errDisk = errors.New("input/output error")

func TestSync_OncePerAppendAndNoMore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h, w := openWatched(t, dir, Options{})
	for range 3 {
		h.append(t, "a")
		wantCalls(t, w, "datasync 00000000000000000001")
	}
	h.view(t)
	h.Append(t.Context(), &Proposal{Decide: func(Turn) ([]Event, error) { return nil, nil }})
	wantCalls(t, w)
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	wantCalls(t, w, "datasync durable")

	// The next process has nothing to rewrite, and the directory is known to be synced.
	h, w = openWatched(t, dir, Options{})
	h.append(t, "b")
	wantCalls(t, w, "datasync 00000000000000000001")
	h.Close()
	h, w = openWatched(t, dir, Options{})
	h.view(t)
	h.Close()
	wantCalls(t, w)
}

func TestSync_DirectoryBeforeTheFirstAcknowledgementInASegment(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h, w := openWatched(t, dir, Options{SegmentSize: 150})
	h.append(t, "a")
	h.view(t) // D is synced after the acknowledgement, but before anything else is done
	// That made segment 3; what is written is in segment 1, which tidwall/wal has synced.
	wantCalls(t, w, "datasync durable")
	if got, _ := readDurable(dir, h.ID()); got != 2 {
		t.Errorf("D is %d, want 2", got)
	}
	h.append(t, "b")
	wantCalls(t, w, "datasync 00000000000000000003", "syncdir log")
	// Another process does not need to do that again.
	late, lw := openWatched(t, dir, Options{SegmentSize: 5000})
	late.append(t, "c")
	wantCalls(t, lw, "datasync 00000000000000000003")
}

func TestSync_DirectoryBySomeoneElseThanTheRotator(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h, _ := openWatched(t, dir, Options{SegmentSize: 150})
	h.append(t, "a") // made segment 3
	late, w := openWatched(t, dir, Options{SegmentSize: 5000})
	late.append(t, "c")
	wantCalls(t, w, "datasync 00000000000000000003", "syncdir log")
}

func TestSync_FailureIsUnknownAndTheNextAppendProvesAnew(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h, w := openWatched(t, dir, Options{})
	h.append(t, "a")
	w.setFail(func(string) error { return errDisk })
	p, refused := h.proposes("b"), &Proposal{Decide: func(Turn) ([]Event, error) { return nil, errors.New("no") }}
	err := h.AppendAll(t.Context(), p, refused)
	if !errors.Is(err, ErrUnknown) || !errors.Is(err, errDisk) || errors.Is(err, ErrNotCommitted) {
		t.Errorf("append: %v, want ErrUnknown and its cause", err)
	}
	if !errors.Is(refused.Err, ErrNotCommitted) || errors.Is(refused.Err, ErrUnknown) {
		t.Errorf("refused: %v, want ErrNotCommitted: its reason may not last", refused.Err)
	}
	if h.state.resets != 2 {
		t.Errorf("%d resets, want 2: one to begin, and one", h.state.resets)
	}
	w.setFail(nil)
	w.take()
	_, data := tailOf(t, dir)
	_, d, _ := markIn(t, dir)
	h.append(t, "c") // it turned out to be in the log, and now it is acknowledged with this one
	wantCalls(t, w, fmt.Sprintf("rewrite 00000000000000000001 %d-%d", d, len(data)), "datasync 00000000000000000001")
	h.wantLines(t, "1:created", "2:a", "3:b", "4:c")
}

// markIn returns what D says.
func markIn(t *testing.T, dir string) (Commit, int64, Commit) {
	t.Helper()
	id, err := readFormat(dir)
	if err != nil {
		t.Fatal(err)
	}
	d := durableMarks{id: id}
	if err := d.open(dir, os.O_RDONLY); err != nil {
		t.Fatal(err)
	}
	defer d.close()
	m, _, err := d.read()
	if err != nil {
		t.Fatal(err)
	}
	return m.commit, m.end, m.segment
}

func TestSync_WhatAnotherProcessCouldNotSyncIsRewritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h, w := openWatched(t, dir, Options{})
	h.append(t, "a")
	w.setFail(func(string) error { return errDisk })
	if err := h.Append(t.Context(), h.proposes("b")); !errors.Is(err, ErrUnknown) {
		t.Fatalf("append: %v, want ErrUnknown", err)
	}
	_, data := tailOf(t, dir)
	_, end, _ := markIn(t, dir)
	late, lw := openWatched(t, dir, Options{})
	if got := lw.take(); len(got) != 0 {
		t.Errorf("open made calls: %q", got)
	}
	// Nobody else makes b durable, so a view does it, before it shows b to anybody.
	late.wantLines(t, "1:created", "2:a", "3:b")
	wantCalls(t, lw, fmt.Sprintf("rewrite 00000000000000000001 %d-%d", end, len(data)), "datasync 00000000000000000001")
	if d, _, _ := markIn(t, dir); d != 3 {
		t.Errorf("D is %d, want 3", d)
	}
	late.append(t, "c")
	wantCalls(t, lw, "datasync 00000000000000000001")
}

func TestSync_WithoutDEverythingInLogIsRewritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h, _ := openWatched(t, dir, Options{SegmentSize: 300})
	for i := range 4 {
		h.append(t, fmt.Sprint(i))
	}
	h.Close()
	if err := os.Remove(filepath.Join(dir, logDir, durableFile)); err != nil {
		t.Fatal(err)
	}
	names := segmentsIn(t, filepath.Join(dir, logDir))
	path, tail := tailOf(t, dir)
	older, err := os.ReadFile(filepath.Join(filepath.Dir(path), names[0]))
	if err != nil || len(names) != 2 || len(tail) == 0 {
		t.Fatalf("segments %q, the last with %d bytes: %v", names, len(tail), err)
	}
	late, w := openWatched(t, dir, Options{})
	late.append(t, "x")
	wantCalls(t, w,
		fmt.Sprintf("rewrite %s 0-%d", names[0], len(older)), "datasync "+names[0],
		fmt.Sprintf("rewrite %s 0-%d", names[1], len(tail)), "datasync "+names[1],
		"syncdir log", "syncdir "+filepath.Base(dir), "syncdir "+filepath.Base(filepath.Dir(dir)))
	wantSound(t, dir)
}

func TestView_WaitsForTheOneWhoWroteIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h, w := openWatched(t, dir, Options{})
	late, lw := openWatched(t, dir, Options{})
	syncing, synced := make(chan struct{}), make(chan struct{})
	w.setFail(func(string) error {
		close(syncing)
		<-synced
		w.setFail(nil)
		return nil
	})
	done := make(chan error)
	go func() { done <- h.Append(t.Context(), h.proposes("a")) }()
	<-syncing
	seen := make(chan []string)
	peeked := 0
	if err := late.Peek(t.Context(), func(Head) { peeked = len(late.state.lines) }); err != nil || peeked != 2 {
		t.Errorf("peek saw %d events, %v; want 2", peeked, err)
	}
	go func() {
		lines, _ := late.view(t)
		seen <- lines
	}()
	close(synced)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if lines := <-seen; len(lines) != 2 {
		t.Errorf("view saw %q", lines)
	}
	t.Logf("the viewer's own calls: %q", lw.take()) // none, unless this machine is very slow
}

func TestView_DoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h, w := openWatched(t, dir, Options{})
	late, lw := openWatched(t, dir, Options{})
	syncing, synced := make(chan struct{}), make(chan struct{})
	w.setFail(func(string) error {
		close(syncing)
		<-synced
		w.setFail(nil)
		return nil
	})
	done := make(chan error)
	go func() { done <- h.Append(t.Context(), h.proposes("a")) }()
	<-syncing
	late.wantLines(t, "1:created", "2:a") // while the other one's sync hangs
	if got := lw.take(); len(got) != 2 {
		t.Errorf("calls are %q, want a rewrite and a sync", got)
	}
	close(synced)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestView_FailsIfWhatItSawCannotBeSynced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h, w := openWatched(t, dir, Options{})
	late, lw := openWatched(t, dir, Options{})
	fail := func(string) error { return errDisk }
	w.setFail(fail)
	lw.setFail(fail)
	if err := h.Append(t.Context(), h.proposes("a")); !errors.Is(err, ErrUnknown) {
		t.Fatalf("append: %v, want ErrUnknown", err)
	}
	for _, l := range []*handle{h, late} {
		if err := l.View(t.Context(), func(Head) {}); !errors.Is(err, errDisk) {
			t.Errorf("view: %v, want the disk's error", err)
		}
	}
	// A refusal that rests on it is none of the log's business, but it cannot be given either.
	no := errors.New("no")
	err := late.Append(t.Context(), &Proposal{Decide: func(Turn) ([]Event, error) { return nil, no }})
	if !errors.Is(err, ErrNotCommitted) || errors.Is(err, no) || errors.Is(err, ErrUnknown) {
		t.Errorf("refused: %v, want ErrNotCommitted", err)
	}
	w.setFail(nil)
	lw.setFail(nil)
	late.wantLines(t, "1:created", "2:a")
	h.wantLines(t, "1:created", "2:a")
}

func TestReadOnly_SeesOnlyWhatIsDurable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h, w := openWatched(t, dir, Options{})
	h.append(t, "a")
	reading := openDirLog(t, dir, Options{ReadOnly: true})
	reading.Watch()
	w.setFail(func(string) error { return errDisk })
	if err := h.Append(t.Context(), h.proposes("b")); !errors.Is(err, ErrUnknown) {
		t.Fatalf("append: %v, want ErrUnknown", err)
	}
	reading.wantLines(t, "1:created", "2:a")
	openDirLog(t, dir, Options{ReadOnly: true}).wantLines(t, "1:created", "2:a")
	w.setFail(nil)
	changed := reading.Changed()
	h.append(t, "c")
	<-changed
	reading.wantLines(t, "1:created", "2:a", "3:b", "4:c")
}

func TestDurable_IsNeverAReasonToStop(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(path string) error{
		"absent":      os.Remove,
		"empty":       func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"not a D":     func(path string) error { return os.WriteFile(path, make([]byte, 2*slotSize), 0o600) },
		"of this log": func(string) error { return nil }, // but see below
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			h := openDirLog(t, dir, Options{SegmentSize: 300})
			for _, data := range []string{"a", "b", "c", "d", "e"} {
				h.append(t, data)
			}
			h.Close()
			if err := spoil(filepath.Join(dir, logDir, durableFile)); err != nil {
				t.Fatal(err)
			}
			all := []string{"1:created", "2:a", "3:b", "4:c", "5:d", "6:e"}
			sure := all
			if name != "of this log" {
				sure = all[:5] // of the newest commit the segments say nothing
			}
			openDirLog(t, dir, Options{ReadOnly: true}).wantLines(t, sure...)
			if got := readLedger(t, dirWorld(dir)).lines; !slices.Equal(got, sure) {
				t.Errorf("reader sees %q, want %q", got, sure)
			}
			late, other := openDirLog(t, dir, Options{}), openDirLog(t, dir, Options{})
			late.wantLines(t, all...)
			if err := late.Peek(t.Context(), func(Head) {
				if f := late.core.store.(*dirStore).marks.f; f != nil {
					f.Close() // cannot be read any more
				}
			}); err != nil {
				t.Fatal(err)
			}
			other.append(t, "f")
			late.wantLines(t, append(all, "7:f")...)
			late.append(t, "g")
			wantSound(t, dir)
		})
	}
}

func TestClose_ReportsThatDCouldNotBeSynced(t *testing.T) {
	t.Parallel()
	h, w := openWatched(t, t.TempDir(), Options{})
	h.append(t, "a")
	w.setFail(func(string) error { return errDisk })
	if err := h.Close(); !errors.Is(err, errDisk) {
		t.Errorf("close: %v, want the disk's error", err)
	}
}

func TestDurable_IsSyncedWhenTheLogIsIdle(t *testing.T) {
	t.Parallel()
	h, w := openWatched(t, t.TempDir(), Options{})
	synced := make(chan struct{})
	h.append(t, "a")
	w.setFail(func(call string) error {
		if call == "datasync durable" {
			close(synced)
		}
		return nil
	})
	<-synced
}

// TestSync_NothingUnsyncedIsAcknowledged has the log read again in the middle of a round, which
// does not come to its end because the log is being closed.
func TestSync_NothingUnsyncedIsAcknowledged(t *testing.T) {
	t.Parallel()
	h, w := openWatched(t, t.TempDir(), Options{})
	h.append(t, "a")
	w.setFail(func(string) error { return errDisk })
	written, large := h.proposes("b"), h.proposes(strings.Repeat("x", MaxFrame))
	decide := large.Decide
	large.Decide = func(turn Turn) ([]Event, error) {
		h.shut()
		return decide(turn)
	}
	if err := h.AppendAll(t.Context(), written, large); !errors.Is(written.Err, ErrUnknown) {
		t.Errorf("append: %v; what was written and could not be synced: %v, want ErrUnknown", err, written.Err)
	}
}
