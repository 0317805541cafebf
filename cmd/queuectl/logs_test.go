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
