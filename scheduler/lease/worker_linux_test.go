package lease

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Not parallel: it counts the threads of the process.
func TestWatchWorker_WaitsWithoutThreadsAndEndsWithItsContext(t *testing.T) {
	const workers = 100
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	before := threads(t)
	var gone []<-chan struct{}
	for i := range workers {
		id := fmt.Sprintf("w%d", i)
		w, err := HoldWorker(dir, id)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Release()
		gone = append(gone, WatchWorker(ctx, dir, id))
	}
	if got := threads(t); got > before+workers/4 {
		t.Errorf("%d threads before, %d with %d workers watched", before, got, workers)
	}
	if got := fifos(t, dir); got != 2*workers {
		t.Errorf("%d descriptors of FIFOs, want %d", got, 2*workers)
	}
	cancel()
	eventually(t, "watchers end", func() bool { return fifos(t, dir) == workers })
	for i, c := range gone {
		select {
		case <-c:
			t.Errorf("worker %d is said to be gone because the context ended", i)
		default:
		}
	}
}

func threads(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// fifos counts the descriptors of this process that are FIFOs under dir.
func fifos(t *testing.T, dir string) (n int) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name, err := os.Readlink(filepath.Join("/proc/self/fd", e.Name()))
		if err == nil && strings.HasPrefix(name, dir) && strings.HasSuffix(name, fifoSuffix) {
			n++
		}
	}
	return n
}

func TestHoldWorker_IsNeverInherited(t *testing.T) {
	t.Parallel()
	w, err := HoldWorker(t.TempDir(), "w1")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Release()
	for _, f := range []*os.File{w.lock.File(), w.fifo} {
		if flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("%s: descriptor flags %#x, %v; want FD_CLOEXEC", f.Name(), flags, err)
		}
	}
}

// eventually waits for something that happens in another process.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 20 s", what)
		}
	}
}
