package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestSeekToTail_FindsTheLastLines(t *testing.T) {
	t.Parallel()
	wide := strings.Repeat("x", 70<<10) // wider than what is read at once
	for _, test := range []struct {
		name, text string
		n          int
		want       string
	}{
		{"of three", "a\nb\nc\n", 2, "b\nc\n"},
		{"the last may be unfinished", "a\nb\nc", 2, "b\nc"},
		{"all", "a\nb\n", 2, "a\nb\n"},
		{"more than there are", "a\nb\n", 9, "a\nb\n"},
		{"none", "a\nb\n", 0, ""},
		{"blank lines count", "a\n\n\n", 2, "\n\n"},
		{"empty file", "", 3, ""},
		{"one line break", "\n", 1, "\n"},
		{"over several blocks", "a\n" + wide + "\n" + wide + "\n", 2, wide + "\n" + wide + "\n"},
		{"a line break at the edge of a block", "a\n" + strings.Repeat("y", 64<<10) + "\n", 1, strings.Repeat("y", 64<<10) + "\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "output")
			if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			f, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if err := seekToTail(f, test.n); err != nil {
				t.Fatal(err)
			}
			if got, _ := io.ReadAll(f); string(got) != test.want {
				t.Errorf("got %d bytes, want %d", len(got), len(test.want))
			}
		})
	}
}

// TestFollower_GoesOnBehindACut: output that exceeds output_max loses its middle while somebody follows.
func TestFollower_GoesOnBehindACut(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "output")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	stdout, stderr := tempFile(t), tempFile(t)
	write("")
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	f := &follower{id: "long", file: file, s: newSession(nil, stdout, stderr)}
	defer f.close()
	for _, text := range []string{
		"one\ntwo\n",
		"one\ntwo\nthree\n", // grown
		"one\n[queuectl: 9 bytes of output cut out]\nfour\n",       // cut, and grown
		"one\n[queuectl: 9 bytes of output cut out]\nfour\nfive\n", // grown
	} {
		write(text)
		if err := f.print(); err != nil {
			t.Fatal(err)
		}
	}
	const want = "one\ntwo\nthree\n\n[queuectl: 9 bytes of output cut out]\nfour\nfive\n"
	if got := contents(t, stdout); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := contents(t, stderr); strings.Count(got, "exceeded output_max") != 1 {
		t.Errorf("stderr has %q, want one warning", got)
	}
}

func tempFile(t *testing.T) *os.File {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func contents(t *testing.T, f *os.File) string {
	t.Helper()
	b, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestInterrupt_EndsQuietlyWith130: Ctrl-C while a command waits.
func TestInterrupt_EndsQuietlyWith130(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("needs signals")
	}
	dir := filepath.Join(t.TempDir(), "q")
	if out, err := exec.Command("queuectl", "--dir", dir, "enqueue", "--id", "forever", "--", "true").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	cmd := exec.Command("queuectl", "--dir", dir, "logs", "-f", "forever")
	var stdout bytes.Buffer
	cmd.Stdout = &stdout
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(stderr)
	if line, err := lines.ReadString('\n'); err != nil || !strings.Contains(line, "waiting for it to start") {
		t.Fatalf("got %q, %v", line, err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	rest, _ := io.ReadAll(lines)
	exit, ok := errors.AsType[*exec.ExitError](cmd.Wait())
	if !ok || exit.ExitCode() != exitInterrupted || len(rest) > 0 || stdout.Len() > 0 {
		t.Errorf("got %v, stdout %q, stderr %q; want exit code 130 and nothing said", exit, stdout.String(), rest)
	}
}

// TestInterrupt_LeavesAPromptAndWritesNothing: Ctrl-C while specs are typed.
func TestInterrupt_LeavesAPromptAndWritesNothing(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("needs signals")
	}
	dir := filepath.Join(t.TempDir(), "q")
	cmd := exec.Command("queuectl", "--dir", dir, "enqueue", "-f", "-")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// More than a pipe holds: when it is written, the command has begun to read.
	spec := `{"command":"` + strings.Repeat("x", 100<<10) + "\"}\n"
	if _, err := io.WriteString(stdin, spec); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if exit, ok := errors.AsType[*exec.ExitError](cmd.Wait()); !ok || exit.ExitCode() != exitInterrupted {
		t.Errorf("got %v, want exit code 130", exit)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory was made: %v", err)
	}
}
