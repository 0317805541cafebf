package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// tracing returns strace, and skips a test where there is none or it may not trace.
func tracing(t *testing.T) string {
	t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("needs strace")
	}
	if out, err := exec.Command(strace, "-f", "-o", os.DevNull, "true").CombinedOutput(); err != nil {
		t.Skipf("needs the right to trace: %v: %s", err, out)
	}
	return strace
}

// callsOf returns the system calls that a command makes on the files of the queue in dir, and how many of them sync. What the
// runtime does for itself differs from run to run and is left out.
func callsOf(t *testing.T, strace, dir string, args ...string) (calls []string, syncs int) {
	t.Helper()
	trace := filepath.Join(t.TempDir(), "trace")
	words := append([]string{"-f", "-y", "-e", "trace=%file,%desc", "-o", trace, "queuectl", "--dir", dir}, args...)
	if output, err := exec.Command(strace, words...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %v: %s", args, err, output)
	}
	text, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	isSync := regexp.MustCompile(`^\d+ +f(data)?sync\(`)
	for line := range strings.Lines(string(text)) {
		// Calls of several threads may be told of in two parts: the first has the arguments. The command itself has
		// the directory among its own.
		if !strings.Contains(line, dir) || strings.Contains(line, " resumed>") || strings.Contains(line, " execve(") {
			continue
		}
		calls = append(calls, line)
		if isSync.MatchString(line) {
			syncs++
		}
	}
	return calls, syncs
}

// TestCommands_MakeFewSystemCalls: a command reads the few files of the snapshot and the end of the log, however much has
// happened. A changing command syncs the log, and D at its end.
func TestCommands_MakeFewSystemCalls(t *testing.T) {
	t.Parallel()
	strace := tracing(t)
	for _, jobs := range []int{1, 5000} {
		dir := filepath.Join(t.TempDir(), "q")
		enqueueMany(t, dir, jobs, "true")
		if _, stderr, code := queuectl(t, dir, "snapshot"); code != 0 {
			t.Fatal(stderr)
		}
		for _, row := range []struct {
			args        []string
			most, syncs int
		}{
			// Opening is a fixed number of looks: at the files of the log and of the snapshot, and for what may lie beside
			// them. Each file that is opened costs four calls more than it had to, by which Go finds out whether it could be
			// waited for.
			{[]string{"status"}, 88, 0},
			{[]string{"list", "--limit", "10"}, 90, 0},
			{[]string{"enqueue", "--", "true"}, 128, 2},
		} {
			calls, syncs := callsOf(t, strace, dir, row.args...)
			t.Logf("%v with %d jobs: %d calls, %d syncs", row.args, jobs, len(calls), syncs)
			if len(calls) > row.most || syncs != row.syncs {
				t.Errorf("%v with %d jobs: %d calls on the queue's files and %d syncs, want at most %d and %d:\n%s",
					row.args, jobs, len(calls), syncs, row.most, row.syncs, strings.Join(calls, ""))
			}
		}
	}
}

// TestWorker_MakesFewSystemCalls: for each command a worker needs the lock and the output file of its run, and one commit,
// which has its outcome and the claim of the next.
func TestWorker_MakesFewSystemCalls(t *testing.T) {
	t.Parallel()
	strace := tracing(t)
	const more = 20
	var calls, syncs [2]int
	for i := range calls {
		dir := filepath.Join(t.TempDir(), "q")
		enqueueMany(t, dir, more*(i+1), "true")
		made, synced := callsOf(t, strace, dir, "worker", "start", "--until-empty", "--log-level", "error")
		calls[i], syncs[i] = len(made), synced
	}
	const mostCalls, mostSyncs = 64, 1 // D is synced now and then
	each, synced := (calls[1]-calls[0])/more, (syncs[1]-syncs[0])/more
	t.Logf("%d calls and %d syncs for a job", each, synced)
	if each > mostCalls || synced > mostSyncs {
		t.Errorf("%d calls on the queue's files and %d syncs for each job, want at most %d and %d", each, synced, mostCalls, mostSyncs)
	}
}

func enqueueMany(t *testing.T, dir string, n int, command string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "jobs")
	if err := os.WriteFile(file, []byte(strings.Repeat(fmt.Sprintf("{%q:%q}\n", "command", command), n)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, stderr, code := queuectl(t, dir, "-q", "enqueue", "-f", file); code != 0 {
		t.Fatal(stderr)
	}
}
