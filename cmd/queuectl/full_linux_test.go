package main

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// smallDisk returns a directory on a file system of that many KiB.
func smallDisk(t *testing.T, kib int) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dk", kib)); err != nil {
		t.Skipf("needs the right to mount a tmpfs: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

// queuectl runs the program on the queue in dir and returns what it printed and its exit code.
func queuectl(t *testing.T, dir string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.Command("queuectl", append([]string{"--dir", dir}, args...)...)
	var out, errOut strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			t.Fatal(err)
		}
		code = exit.ExitCode()
	}
	return out.String(), errOut.String(), code
}

// TestFullDisk_IsSaidAndNothingIsLost: what cannot be written is refused with what to do about it, and
// what is there can still be read.
func TestFullDisk_IsSaidAndNothingIsLost(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a run without -short")
	}
	t.Parallel()
	const free = "free some space on the disk of "
	refused := func(t *testing.T, dir string, args ...string) {
		t.Helper()
		if stdout, stderr, code := queuectl(t, dir, args...); code != exitFailed || stdout != "" || !strings.Contains(stderr, free+dir) {
			t.Errorf("%v: exit code %d, stdout %q, stderr %q; want 1, nothing, and a hint to free space", args, code, stdout, stderr)
		}
	}
	t.Run("no space for a log", func(t *testing.T) {
		t.Parallel()
		refused(t, filepath.Join(smallDisk(t, 4), "q"), "enqueue", "--", "true")
	})
	t.Run("no space for a segment", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(smallDisk(t, 128), "q")
		refused(t, dir, "enqueue", "--", "true")
		refused(t, dir, "enqueue", "--", "true") // in the log that there is now
		refused(t, dir, "config", "set", "timeout", "1s")
		refused(t, dir, "worker", "start")
		if _, stderr, code := queuectl(t, dir, "-o", "json", "enqueue", "--", "true"); code != exitFailed || !strings.Contains(stderr, `"code":"disk_full"`) {
			t.Errorf("exit code %d, stderr %q; want 1 and disk_full", code, stderr)
		}
		for _, args := range [][]string{{"list"}, {"status"}, {"log", "verify"}} {
			if _, stderr, code := queuectl(t, dir, args...); code != 0 {
				t.Errorf("%v: exit code %d, stderr %q", args, code, stderr)
			}
		}
	})
	t.Run("filled by a job", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(smallDisk(t, 2048), "q")
		if _, stderr, code := queuectl(t, dir, "enqueue", "--id", "greedy", "--cwd", filepath.Dir(dir), "--max-retries", "0", "-c", "cat /dev/zero > fill; exit 3"); code != 0 {
			t.Fatal(stderr)
		}
		if _, stderr, code := queuectl(t, dir, "worker", "start", "--until-empty", "--log-level", "error"); code != 0 {
			t.Errorf("worker start: exit code %d, stderr %q", code, stderr)
		}
		if stdout, stderr, code := queuectl(t, dir, "wait", "--timeout", "30s", "greedy"); code != 3 {
			t.Errorf("wait: exit code %d, stdout %q, stderr %q; want the job's own, 3", code, stdout, stderr)
		}
	})
}
