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
	dir := t.TempDir()
	h := openDirLog(t, dir, Options{})
	h.append(t, "a")
	h.Close()
	// Readable for everybody, up to the root, and so must be the test binary.
	for path := dir; path != os.TempDir() && path != "/"; path = filepath.Dir(path) {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{formatFile, lockFile, durableFile, segmentName(1)} {
		if err := os.Chmod(filepath.Join(dir, logDir, name), 0o444); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(dir, logDir), 0o555); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(filepath.Join(dir, logDir), 0o755) })
	c := process(t.Context(), t, "read", dir)
	if os.Getuid() == 0 {
		self, err := os.ReadFile(c.Path)
		if err != nil {
			t.Fatal(err)
		}
		c.Path = filepath.Join(dir, "test")
		if err := os.WriteFile(c.Path, self, 0o755); err != nil {
			t.Fatal(err)
		}
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	c.Dir = "/"
	before := listing(t, filepath.Join(dir, logDir))
	output, err := c.Output()
	if err != nil {
		t.Fatalf("process: %v: %s", err, output)
	}
	if got, want := said(string(output)), []string{"2 events, append: " + ErrReadOnly.Error()}; !slices.Equal(got, want) {
		t.Errorf("process said %q, want %q", got, want)
	}
	if after := listing(t, filepath.Join(dir, logDir)); !slices.Equal(before, after) {
		t.Errorf("there is %q, was %q", after, before)
	}
}

func TestSync_AsManyAsThereAreGroups(t *testing.T) {
	t.Parallel()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("needs strace")
	}
	dir := t.TempDir()
	openDirLog(t, dir, Options{}).Close()
	const appends = 50
	c := process(t.Context(), t, "one at a time", dir, fmt.Sprint(appends))
	trace := filepath.Join(t.TempDir(), "trace")
	c.Args = append([]string{strace, "-f", "-y", "-e", "trace=write,fsync,fdatasync", "-o", trace}, c.Args...)
	c.Args[slices.Index(c.Args, trace)+1] = c.Path
	c.Path = strace
	c.Stderr = nil
	if output, err := c.CombinedOutput(); err != nil {
		t.Skipf("needs the right to trace: %v: %s", err, output)
	}
	data, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	// Calls of several threads may be told of in two parts.
	calls := regexp.MustCompile(`(write|fsync|fdatasync)\(\d+<[^>]*/(`+segmentName(1)+`|durable|log)>`).FindAllStringSubmatch(string(data), -1)
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
