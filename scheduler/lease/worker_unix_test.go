//go:build unix

package lease

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/queuectl/queuectl/internal/file"
)

func alive(t *testing.T, dir, id string) bool {
	t.Helper()
	ok, err := WorkerAlive(dir, id)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

func TestWorkerAlive_UntilItsProcessIsKilled(t *testing.T) {
	t.Parallel()
	w := startWorker(t, "")
	if !alive(t, w.dir, w.id) {
		t.Fatal("a living worker is taken for dead")
	}
	gone := WatchWorker(t.Context(), w.dir, w.id)
	select {
	case <-gone:
		t.Fatal("the hint came while the worker lived")
	default:
	}
	w.kill()
	if alive(t, w.dir, w.id) {
		t.Error("a killed worker is taken for alive")
	}
	if runtime.GOOS == "linux" {
		<-gone
	}
	if err := errors.Join(ForgetWorker(w.dir, w.id), ForgetWorker(w.dir, w.id)); err != nil {
		t.Error(err)
	}
	if entries, err := os.ReadDir(workersDir(w.dir)); len(entries) != 0 || err != nil {
		t.Errorf("left over: %v, %v", entries, err)
	}
	if alive(t, w.dir, w.id) {
		t.Error("a worker without files is taken for alive")
	}
}

// A lock says alive, not progressing.
func TestWorkerAlive_StoppedIsNotDead(t *testing.T) {
	t.Parallel()
	w := startWorker(t, "")
	gone := WatchWorker(t.Context(), w.dir, w.id)
	if err := w.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(w.cmd.Process.Pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
		t.Fatalf("it is not stopped: %v, %v", status, err)
	}
	if !alive(t, w.dir, w.id) {
		t.Error("a stopped worker is taken for dead")
	}
	select {
	case <-gone:
		t.Error("a stopped worker is said to be gone")
	default:
	}
	if err := w.cmd.Process.Kill(); err != nil { // which needs no SIGCONT
		t.Fatal(err)
	}
	if _, err := w.cmd.Process.Wait(); err != nil {
		t.Fatal(err)
	}
	if alive(t, w.dir, w.id) {
		t.Error("a stopped worker that was killed is taken for alive")
	}
}

func TestWorkerAlive_ReplacedLockFileSaysDead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w, err := HoldWorker(dir, "w1")
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Publish(filepath.Join(workersDir(dir), "w1.lock"), 0o600, func(*os.File) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if alive(t, dir, "w1") {
		t.Error("the lock of another file was looked at")
	}
	if err := w.Release(); err != nil {
		t.Error(err)
	}
}

func TestHoldWorker_NobodySeesItsLockFree(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i := range 500 { // one look in thirty comes at the right moment
		id := fmt.Sprintf("w%d", i)
		result := make(chan error, 1)
		go func() { result <- firstSight(filepath.Join(workersDir(dir), id+".lock")) }()
		w, err := HoldWorker(dir, id)
		if err != nil {
			t.Fatal(err)
		}
		if err := <-result; err != nil {
			t.Error(err)
		}
		if err := w.Release(); err != nil {
			t.Error(err)
		}
	}
}

// firstSight waits for a lock file and tells if it is free when it is first seen.
func firstSight(path string) error {
	for {
		l, err := file.OpenExistingLock(path)
		if err != nil {
			runtime.Gosched()
			continue
		}
		defer l.Close()
		if free, err := l.TryShared(); free || err != nil {
			return fmt.Errorf("%s: free %v, %v", path, free, err)
		}
		return nil
	}
}

func TestHoldWorker_SurvivesSweeps(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stop := sweeping(t, dir)
	for i := range 200 {
		w, err := HoldWorker(dir, fmt.Sprintf("w%d", i))
		if err != nil {
			t.Fatal(err)
		}
		r, err := HoldRun(dir, uint64(i))
		if err != nil {
			t.Fatal(err)
		}
		if !alive(t, dir, fmt.Sprintf("w%d", i)) {
			t.Errorf("worker %d was swept away", i)
		}
		if busy, err := held(runFile(dir, uint64(i))); !busy || err != nil {
			t.Errorf("run %d was swept away: %v", i, err)
		}
		if _, err := r.Release(); err != nil {
			t.Error(err)
		}
		if err := w.Release(); err != nil {
			t.Error(err)
		}
	}
	stop()
}

func TestWorkerRelease_LeavesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w, err := HoldWorker(dir, "w1")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(workersDir(dir), "w1.lock"))
	if want := fmt.Sprintf(`{"pid":%d,`, os.Getpid()); !strings.HasPrefix(string(text), want) || err != nil {
		t.Errorf("the file says %q, %v; want %s…", text, err, want)
	}
	if err := w.Release(); err != nil {
		t.Error(err)
	}
	if entries, err := os.ReadDir(workersDir(dir)); len(entries) != 0 || err != nil {
		t.Errorf("left over: %v, %v", entries, err)
	}
}

func TestWorkerFunctions_RefuseIdsThatAreNoFileNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, id := range []string{"", ".", "..", ".hidden", "a/b", "../../etc/x", `a\b`, "C:x", "a\x00b"} {
		_, holdErr := HoldWorker(dir, id)
		_, aliveErr := WorkerAlive(dir, id)
		if forgetErr := ForgetWorker(dir, id); holdErr == nil || aliveErr == nil || forgetErr == nil {
			t.Errorf("id %q: %v, %v, %v; want three errors", id, holdErr, aliveErr, forgetErr)
		}
	}
}

func TestWatchWorker_DeadOrUnknownIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	w := startWorker(t, "")
	w.kill()
	if runtime.GOOS == "linux" {
		<-WatchWorker(t.Context(), w.dir, w.id)
	}
	<-WatchWorker(t.Context(), w.dir, "unknown")
}

func TestWatchWorker_WithoutFIFOTheHintDoesNotComeTooEarly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w, err := HoldWorker(dir, "w1")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Release()
	if err := os.Remove(filepath.Join(workersDir(dir), "w1.fifo")); err != nil {
		t.Fatal(err)
	}
	select {
	case <-WatchWorker(t.Context(), dir, "w1"):
		t.Error("the hint came while the worker lived")
	default:
	}
}
