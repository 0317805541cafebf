package eventlog

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func TestOpen_WithoutWritePermissionIsForReading(t *testing.T) {
	t.Parallel()
	everything := []string{formatFile, lockFile, durableFile, segmentName(1)}
	for _, row := range []struct {
		name     string
		readable []string // and not writable; the other files and the directory are
		dir      os.FileMode
		d        Commit // what D says; the log has 2
	}{
		{"anywhere", everything, 0o555, 2},
		{"to the segment", everything[3:], 0o777, 2},
		{"to the segment, and not all is durable", everything[3:], 0o777, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			h := openDirLog(t, dir, Options{})
			durable := filepath.Join(dir, logDir, durableFile)
			d, err := os.ReadFile(durable)
			if err != nil {
				t.Fatal(err)
			}
			h.append(t, "a")
			h.Close()
			if row.d == 1 {
				put(t, durable, d)
			}
			for _, name := range everything {
				mode := os.FileMode(0o666)
				if slices.Contains(row.readable, name) {
					mode = 0o444
				}
				if err := os.Chmod(filepath.Join(dir, logDir, name), mode); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Chmod(filepath.Join(dir, logDir), row.dir); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.Chmod(filepath.Join(dir, logDir), 0o755) })
			c := process(t.Context(), t, "read", dir)
			asNobody(t, c, dir)
			before := listing(t, filepath.Join(dir, logDir))
			output, err := c.Output()
			if err != nil {
				t.Fatalf("process: %v: %s", err, output)
			}
			want := []string{fmt.Sprintf("%d events, read-only: true", row.d)}
			if got := said(string(output)); !slices.Equal(got, want) {
				t.Errorf("process said %q, want %q", got, want)
			}
			if after := listing(t, filepath.Join(dir, logDir)); !slices.Equal(before, after) {
				t.Errorf("there is %q, was %q", after, before)
			}
		})
	}
}

// asNobody makes c run as a user whom file modes bind, and who can reach dir.
func asNobody(t *testing.T, c *exec.Cmd, dir string) {
	t.Helper()
	c.Dir = "/"
	// Readable for everybody, up to the root, and so must be the test binary.
	for path := dir; path != os.TempDir() && path != "/"; path = filepath.Dir(path) {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if os.Getuid() != 0 {
		return
	}
	self, err := os.ReadFile(c.Path)
	if err != nil {
		t.Fatal(err)
	}
	c.Path = filepath.Join(dir, "test")
	syscall.ForkLock.RLock() // a process that is started meanwhile would hold it open for writing: "text file busy"
	err = os.WriteFile(c.Path, self, 0o755)
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
}

// traced runs a process for a role, and returns what strace, which is given the expressions, has to
// say. Calls of several threads may be told of in two parts.
func traced(t *testing.T, expressions []string, role string, args ...string) string {
	t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("needs strace")
	}
	c := process(t.Context(), t, role, args...)
	trace := filepath.Join(t.TempDir(), "trace")
	words := []string{strace, "-f", "-y", "-o", trace}
	for _, e := range expressions {
		words = append(words, "-e", e)
	}
	c.Args = slices.Concat(words, []string{c.Path}, c.Args[1:])
	c.Path = strace
	c.Stderr = nil
	if output, err := c.CombinedOutput(); strings.Contains(string(output), "--- FAIL") {
		t.Fatalf("process: %v: %s", err, output)
	} else if err != nil {
		t.Skipf("needs the right to trace: %v: %s", err, output)
	}
	data, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestSync_AsManyAsThereAreGroups(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	openDirLog(t, dir, Options{}).Close()
	const appends = 50
	trace := traced(t, []string{"trace=write,fsync,fdatasync"}, "one at a time", dir, fmt.Sprint(appends))
	calls := regexp.MustCompile(`(write|fsync|fdatasync)\(\d+<[^>]*/(`+segmentName(1)+`|durable|log)>`).FindAllStringSubmatch(trace, -1)
	var got []string
	for _, call := range calls {
		got = append(got, call[1]+" "+call[2])
	}
	want := slices.Repeat([]string{"write " + segmentName(1), "fdatasync " + segmentName(1)}, appends)
	want = append(want, "fdatasync durable")
	if !slices.Equal(got, want) {
		t.Errorf("calls are\n%s\nwant %d writes and a sync after each, and one of D at the end", strings.Join(got, "\n"), appends)
	}
}

// That a directory is synced shows in no file, so only the system can tell.
func TestOpen_DirectoriesOfANewLogReachTheDisk(t *testing.T) {
	t.Parallel()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	trace := traced(t, []string{"trace=fsync"}, "create", filepath.Join(root, "a", "b"))
	var got []string
	for _, call := range regexp.MustCompile(`fsync\(\d+<([^>]*)>`).FindAllStringSubmatch(trace, -1) {
		got = append(got, regexp.MustCompile(`-\d+$`).ReplaceAllString(call[1], "-"))
	}
	want := []string{filepath.Dir(root), root, root + "/a", root + "/a/b/" + tempPrefix, root + "/a/b"}
	if !slices.Equal(got, want) {
		t.Errorf("synced %q, want %q", got, want)
	}
}

// Go has most calls made again that a signal interrupts, by asking the system to. Not all systems do.
func TestAppend_InterruptedLocksAndSyncsAreMadeAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	openDirLog(t, dir, Options{}).Close()
	interrupt := "inject=flock,fdatasync:error=EINTR:when=1..5"
	trace := traced(t, []string{"trace=flock,fdatasync", interrupt}, "one at a time", dir, "10")
	for _, call := range []string{"flock", "fdatasync"} {
		interrupted := regexp.MustCompile(call + `.* EINTR .*\(INJECTED\)`)
		if n := len(interrupted.FindAllString(trace, -1)); n < 5 {
			t.Errorf("%s was interrupted %d times, want at least 5", call, n)
		}
	}
	if lines, _ := openDirLog(t, dir, Options{}).view(t); len(lines) != 11 {
		t.Errorf("the log has %d events, want 11", len(lines))
	}
}

// What finish and turn say of a segment that has a successor rests on it, and so do the stories of
// TestCrashStates.
func TestRotation_SyncsASegmentBeforeItMakesTheNext(t *testing.T) {
	t.Parallel()
	calls := []string{"trace=write,openat,fsync,fdatasync"}
	trace := traced(t, calls, "append", t.TempDir(), "x", "50") // in segments of 4 KiB
	pattern := regexp.MustCompile(`(write|fsync|fdatasync)\(\d+<[^>]*/log/(\d{20})>|(openat)\([^"\n]*"[^"\n]*/log/(\d{20})", [^\n]*O_TRUNC`)
	made, before := 0, ""
	for _, call := range pattern.FindAllStringSubmatch(trace, -1) {
		if call[3] == "openat" {
			made++
			if !strings.HasPrefix(before, "fsync ") || strings.HasSuffix(before, call[4]) {
				t.Errorf("before %s was made: %q, want the sync of the segment before it", call[4], before)
			}
		}
		before = strings.Join(call[1:3], " ")
	}
	if made < 2 {
		t.Errorf("%d segments were made", made)
	}
}
