package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// limited runs the program under a limit of the shell's ulimit, such as "-n 40".
func limited(t *testing.T, limit, dir string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // it may go on for ever
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", append([]string{"-c", `ulimit ` + limit + ` && exec queuectl "$@"`, "sh", "--dir", dir}, args...)...)
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

// wantAll checks that all jobs are in a state, and that the log is sound.
func wantAll(t *testing.T, dir, state string, count int) {
	t.Helper()
	ids, stderr, code := queuectl(t, dir, "-q", "list", "--state", state)
	if got := strings.Count(ids, "\n"); got != count || code != 0 {
		t.Errorf("%d jobs are %s, want %d; exit code %d: %s", got, state, count, code, stderr)
	}
	if stdout, stderr, code := queuectl(t, dir, "log", "verify"); code != 0 {
		t.Errorf("log verify: exit code %d: %s%s", code, stdout, stderr)
	}
}

// TestLimits_OfTheSizeOfFiles: a queue whose files may not become as large as a segment.
func TestLimits_OfTheSizeOfFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a run without -short")
	}
	t.Parallel()
	const most = "-f 16" // blocks of 512 or 1024 bytes
	dir := filepath.Join(t.TempDir(), "q")
	const jobs = 40
	for i := range jobs {
		if _, stderr, code := limited(t, most, dir, "enqueue", "-c", fmt.Sprintf("echo %d %s", i, strings.Repeat("x", 500))); code != 0 {
			t.Fatalf("enqueue: exit code %d: %s", code, stderr)
		}
	}
	big := filepath.Join(t.TempDir(), "big")
	if err := os.WriteFile(big, []byte(strings.Repeat(`{"command":"true `+strings.Repeat("x", 1000)+`"}`+"\n", 50)), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, code := limited(t, most, dir, "enqueue", "-f", big)
	if code != exitFailed || stdout != "" || !strings.Contains(stderr, "file too large") || !strings.Contains(stderr, "ulimit -f") {
		t.Errorf("enqueue of much: exit code %d, stdout %q, stderr %q; want 1 and a hint at the limit", code, stdout, stderr)
	}
	if _, stderr, code := limited(t, most, dir, "enqueue", "--id", "loud", "--max-retries", "0", "-c", "head -c 100000 /dev/zero"); code != 0 {
		t.Fatal(stderr)
	}
	if _, stderr, code := limited(t, most, dir, "worker", "start", "-n", "4", "--until-empty"); code != 0 {
		t.Errorf("worker start: exit code %d: %s", code, stderr)
	}
	wantAll(t, dir, "completed", jobs)
	if stdout, _, _ := queuectl(t, dir, "show", "loud"); !strings.Contains(stdout, "Signal 25") {
		t.Errorf("what printed too much ended like this:\n%s", stdout)
	}
	if _, stderr, code := queuectl(t, dir, "enqueue", "-f", big); code != 0 {
		t.Errorf("without the limit: exit code %d: %s", code, stderr)
	}
	wantAll(t, dir, "pending", 50)
}

// TestLimits_OfOpenFiles: more slots than there are descriptors for. What was not started goes back, what was
// started ends, and nothing runs twice.
func TestLimits_OfOpenFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a run without -short")
	}
	t.Parallel()
	root := t.TempDir()
	dir := filepath.Join(root, "q")
	const jobs = 30
	for range jobs {
		if _, stderr, code := queuectl(t, dir, "enqueue", "--cwd", root, "-c", "echo $QUEUECTL_JOB_ID >> ran; sleep 0.1"); code != 0 {
			t.Fatal(stderr)
		}
	}
	_, stderr, code := limited(t, "-n 40", dir, "worker", "start", "-n", fmt.Sprint(jobs), "--until-empty")
	if code != 0 {
		t.Errorf("worker start: exit code %d: %s", code, stderr)
	}
	if !strings.Contains(stderr, "too many open files") {
		t.Errorf("the worker had descriptors enough, and the test shows nothing: %s", stderr)
	}
	wantAll(t, dir, "completed", jobs)
	ran, err := os.ReadFile(filepath.Join(root, "ran"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for id := range strings.Lines(string(ran)) {
		if seen[id] {
			t.Errorf("%s ran twice", strings.TrimSpace(id))
		}
		seen[id] = true
	}
	for files := 8; files < 24; files++ {
		id := fmt.Sprint("few", files)
		_, stderr, code := limited(t, fmt.Sprint("-n ", files), dir, "enqueue", "--id", id, "-c", "true")
		_, _, shown := queuectl(t, dir, "show", id)
		if code == 0 && shown != 0 || code == exitFailed && (shown == 0 || !strings.Contains(stderr, "too many open files")) {
			t.Errorf("%d files: enqueue ended with %d, show with %d: %s", files, code, shown, stderr)
		}
	}
}
