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
	if err := os.WriteFile(c.Path, self, 0o755); err != nil {
		t.Fatal(err)
	}
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
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
