package main

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestFailedSync_IsUnknownAndSaysHowToFindOut: the answer when the disk fails at the last moment is neither
// done nor refused, and what was unknown can be looked up when the disk is well again.
func TestFailedSync_IsUnknownAndSaysHowToFindOut(t *testing.T) {
	t.Parallel()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("needs strace")
	}
	if out, err := exec.Command(strace, "-f", "-o", filepath.Join(t.TempDir(), "trace"), "true").CombinedOutput(); err != nil {
		t.Skipf("needs the right to trace: %v: %s", err, out)
	}
	dir := filepath.Join(t.TempDir(), "q")
	if _, stderr, code := queuectl(t, dir, "enqueue", "--id", "known", "--", "true"); code != 0 {
		t.Fatal(stderr)
	}
	failing := func(args ...string) (stdout, stderr string, code int) {
		t.Helper()
		trace := filepath.Join(t.TempDir(), "trace")
		cmd := exec.Command(strace, append([]string{"-f", "-o", trace, "-e", "inject=fdatasync,fsync:error=EIO", "queuectl", "--dir", dir}, args...)...)
		var out, errOut strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &errOut
		exit, ok := errors.AsType[*exec.ExitError](cmd.Run())
		if !ok {
			t.Fatalf("%v ended with 0 although no sync succeeded", args)
		}
		return out.String(), errOut.String(), exit.ExitCode()
	}
	const hint = "look with 'queuectl log list' whether it is there, before you try again"
	for _, test := range []struct {
		args []string
		exit int
		want string
	}{
		{[]string{"enqueue", "--id", "new", "--", "true"}, exitUnknown, "queuectl: error: Failed to enqueue: outcome unknown: "},
		{[]string{"cancel", "known"}, exitUnknown, "queuectl: error: outcome unknown: "},
		{[]string{"config", "set", "timeout", "1h", "-o", "json"}, exitUnknown, `{"error":{"code":"unknown_outcome",`},
		{[]string{"enqueue", "--wait", "--", "true"}, exitCannotWait, "queuectl: error: Failed to enqueue: outcome unknown: "},
	} {
		stdout, stderr, code := failing(test.args...)
		if code != test.exit || stdout != "" || !strings.HasPrefix(stderr, test.want) || !strings.Contains(stderr, hint) {
			t.Errorf("%v: exit code %d, stdout %q, stderr %q; want %d, nothing, %q… and a hint", test.args, code, stdout, stderr, test.exit, test.want)
		}
	}
	if stdout, stderr, code := queuectl(t, dir, "log", "list"); code != 0 || !strings.Contains(stdout, `"job":"new"`) {
		t.Errorf("log list: exit code %d, stdout %q, stderr %q; want the job that was written and not synced", code, stdout, stderr)
	}
}
