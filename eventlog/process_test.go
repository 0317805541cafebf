package eventlog

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// roleVariable tells a copy of the test binary what it is to do, with its arguments, separated by
// '|'.
const roleVariable = "EVENTLOG_TEST_ROLE"

// roles are what other processes do in tests. What they print goes to the test.
var roles = map[string]func(t *testing.T, args []string){
	"create": func(t *testing.T, args []string) {
		h := openDirLog(t, args[0], Options{})
		h.append(t, "hello")
		say("%s", h.ID())
	},
	"append": func(t *testing.T, args []string) {
		h := openDirLog(t, args[0], Options{SegmentSize: 4096})
		count, _ := strconv.Atoi(args[2])
		var wg sync.WaitGroup
		for g := range 4 {
			wg.Go(func() {
				for k := range count {
					data := fmt.Sprintf("%s.%d.%d", args[1], g, k)
					h.append(t, data)
					say("%s", data)
				}
			})
		}
		wg.Wait()
	},
	"read": func(t *testing.T, args []string) {
		h := openDirLog(t, args[0], Options{})
		lines, _ := h.view(t)
		err := h.Append(t.Context(), h.proposes("x"))
		say("%d events, read-only: %v", len(lines), errors.Is(err, ErrReadOnly))
	},
	"one at a time": func(t *testing.T, args []string) {
		h := openDirLog(t, args[0], Options{})
		count, _ := strconv.Atoi(args[1])
		for range count {
			h.append(t, "x")
		}
	},
}

var saying sync.Mutex

// say prints a line in one write, so that a kill leaves it whole or not there.
func say(format string, args ...any) {
	saying.Lock()
	defer saying.Unlock()
	fmt.Fprintf(os.Stdout, "say "+format+"\n", args...)
}

// TestProcess is not a test, but what the copies of the test binary run.
func TestProcess(t *testing.T) {
	role, args, ok := strings.Cut(os.Getenv(roleVariable), "|")
	if !ok {
		t.Skip("needs the role of another process")
	}
	roles[role](t, strings.Split(args, "|"))
}

// process prepares a copy of the test binary for a role.
func process(ctx context.Context, t *testing.T, role string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(ctx, path, "-test.run=^TestProcess$")
	c.Env = append(os.Environ(), roleVariable+"="+role+"|"+strings.Join(args, "|"))
	c.Stderr = os.Stderr
	return c
}

// said returns what lines of output a process said.
func said(output string) (lines []string) {
	for line := range strings.Lines(output) {
		if text, ok := strings.CutPrefix(line, "say "); ok && strings.HasSuffix(text, "\n") {
			lines = append(lines, strings.TrimSuffix(text, "\n"))
		}
	}
	return lines
}

func TestOpen_ManyProcessesAtOnceMakeOneLog(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() + "/a/b"
	results := make([][]string, 4)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() {
			output, err := process(t.Context(), t, "create", dir).Output()
			if err != nil {
				t.Errorf("process: %v: %s", err, output)
			}
			results[i] = said(string(output))
		})
	}
	wg.Wait()
	for _, result := range results {
		if len(result) != 1 || !slices.Equal(result, results[0]) {
			t.Errorf("processes saw logs %q", results)
		}
	}
	if report := wantSound(t, dir); report.Events != 5 {
		t.Errorf("%d events, want 5", report.Events)
	}
}

func TestKill9_LosesNothingThatWasAcknowledged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := openDirLog(t, dir, Options{SegmentSize: 4096})
	var mu sync.Mutex
	var acknowledged []string
	acknowledge := func(data ...string) {
		mu.Lock()
		defer mu.Unlock()
		acknowledged = append(acknowledged, data...)
	}
	const rounds = 6
	for round := range rounds {
		var wg sync.WaitGroup
		for p := range 2 {
			wg.Go(func() {
				c := process(t.Context(), t, "append", dir, fmt.Sprintf("%d.%d", round, p), "1000000")
				output, err := c.StdoutPipe()
				if err == nil {
					err = c.Start()
				}
				if err != nil {
					t.Errorf("process: %v", err)
					return
				}
				var lines strings.Builder
				enough := 40 * (p + 1)
				for s := bufio.NewScanner(output); s.Scan(); {
					lines.WriteString(s.Text() + "\n")
					if enough--; enough == 0 {
						c.Process.Kill() // in the middle of anything
					}
				}
				c.Wait() // killed
				acknowledge(said(lines.String())...)
			})
		}
		for i := range 50 {
			data := fmt.Sprintf("%d.own.0.%d", round, i)
			h.append(t, data)
			acknowledge(data)
		}
		wg.Wait()
	}
	h.Close()
	report := wantSound(t, dir)
	t.Logf("%d acknowledged, %d events in %d commits and %d segments, %d repairs",
		len(acknowledged), report.Events, report.Head.Commit, report.Segments, report.Repairs)
	wantAcknowledged(t, readLedger(t, dirWorld(dir)).lines, acknowledged)
}

// wantAcknowledged checks that all of it is in the log, once, and that each writer's events are
// there in order and without a gap.
func wantAcknowledged(t *testing.T, lines, acknowledged []string) {
	t.Helper()
	there, next := map[string]bool{}, map[string]int{}
	for _, line := range lines[1:] {
		_, data, _ := strings.Cut(line, ":")
		if there[data] {
			t.Errorf("%s is there twice", data)
		}
		there[data] = true
		i := strings.LastIndex(data, ".")
		if k, err := strconv.Atoi(data[i+1:]); err != nil || k != next[data[:i]] {
			t.Errorf("%s is not number %d of its writer", data, next[data[:i]])
		}
		next[data[:i]]++
	}
	for _, data := range acknowledged {
		if !there[data] {
			t.Errorf("%s was acknowledged and is not there", data)
		}
	}
}
