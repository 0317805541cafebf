package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// faultyCalls are the system calls of commands that matter to the queue's directory, with as many positions
// as the longer of the commands below has.
var faultyCalls = []struct {
	call      string
	positions int
}{
	{"openat", 9},
	{"read", 3},
	{"pread64", 7},
	{"write", 3},
	{"pwrite64", 2},
	{"fdatasync", 3},
	{"fsync", 2},
	{"fallocate", 2},
	{"flock", 3},
	{"fstat", 6},
	{"newfstatat", 9},
	{"faccessat", 7},
	{"getdents64", 5},
	{"close", 7},
}

// commandFault is what goes wrong in a command.
type commandFault struct {
	call, error, when string
	args              []string
}

func (f commandFault) String() string { return strings.Join(f.args, " ") + ": " + f.inject() }

func (f commandFault) inject() string {
	how := "error=" + f.error
	if f.error == "SIGKILL" {
		how = "signal=SIGKILL"
	}
	return fmt.Sprintf("inject=%s:%s:when=%s", f.call, how, f.when)
}

// commandFaults returns one fault for each position of each call, the same each time, and for syncs those of every
// command.
func commandFaults() (faults []commandFault) {
	random := rand.New(rand.NewPCG(1, 1))
	commands := [][]string{
		{"enqueue", "--id", "new", "-c", "true"},
		{"-o", "json", "enqueue", "--id", "new", "-c", "true"},
		{"cancel", "old0"},
		{"-q", "cancel", "old0"},
	}
	for _, c := range faultyCalls {
		for first := range c.positions {
			f := commandFault{call: c.call, when: fmt.Sprint(first + 1), error: "EIO"}
			if strings.HasSuffix(c.call, "sync") {
				for _, f.args = range commands {
					faults = append(faults, f)
				}
				continue
			}
			f.args = commands[random.IntN(len(commands))]
			f.error = []string{"EIO", "EIO", "ENOSPC", "EMFILE", "ENOMEM", "SIGKILL"}[random.IntN(6)]
			if random.IntN(3) == 0 && f.error != "SIGKILL" {
				f.when += "+"
			}
			faults = append(faults, f)
		}
	}
	return faults
}

// TestFaults_ExitCodesAreTrue makes the system calls of commands fail. Exit code 0 must mean that it is done,
// 1 that nothing of it is in the log; and a queue without damage is never called damaged. The matrix of the
// log itself is in package eventlog.
func TestFaults_ExitCodesAreTrue(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a run without -short")
	}
	t.Parallel()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("needs strace")
	}
	if output, err := exec.Command(strace, "-f", "-e", "inject=fsync:error=EIO:when=1", "-o", os.DevNull, "true").CombinedOutput(); err != nil {
		t.Skipf("needs the right to trace, and a strace that injects faults: %v: %s", err, output)
	}
	faults := commandFaults()
	template := filepath.Join(t.TempDir(), "q")
	for i := range 3 {
		if _, stderr, code := queuectl(t, template, "enqueue", "--id", fmt.Sprintf("old%d", i), "-c", "true"); code != 0 {
			t.Fatal(stderr)
		}
	}
	next := make(chan commandFault, len(faults))
	for _, f := range faults {
		next <- f
	}
	close(next)
	var workers sync.WaitGroup
	var mu sync.Mutex
	codes, fired := map[int]int{}, 0
	for range 4 {
		workers.Go(func() {
			for f := range next {
				code, happened := tryCommand(t, strace, template, f)
				mu.Lock()
				codes[code]++
				if happened {
					fired++
				}
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	t.Logf("%d runs, %d with a fault; exit codes: %v", len(faults), fired, codes)
	if fired < len(faults)/2 {
		t.Error("most faults did not happen: the table is not what the commands do")
	}
}

// tryCommand runs a command with a fault in a copy of the template, and checks its exit code.
func tryCommand(t *testing.T, strace, template string, f commandFault) (code int, happened bool) {
	root, err := os.MkdirTemp(t.TempDir(), "")
	dir := filepath.Join(root, "q")
	if err = errors.Join(err, os.CopyFS(dir, os.DirFS(template))); err != nil {
		t.Error(err)
		return 0, false
	}
	code, output, happened := runFaulty(t, strace, dir, f)
	fail := func(format string, args ...any) {
		t.Errorf("%v: "+format+"\nit ended with %d:\n%s", append(append([]any{f}, args...), code, output)...)
	}
	stdout, stderr, listed := queuectl(t, dir, "-o", "jsonl", "list")
	if listed != 0 {
		fail("list afterwards: exit code %d: %s", listed, stderr)
		return code, happened
	}
	state := map[string]string{}
	for line := range strings.Lines(stdout) {
		var j struct{ ID, State string }
		if err := json.Unmarshal([]byte(line), &j); err != nil {
			fail("list afterwards: %v in %q", err, line)
		}
		state[j.ID] = j.State
	}
	done := state["new"] == "pending" || state["old0"] == "cancelled"
	switch {
	case code == 0 && !done:
		fail("it is not done")
	case (code == exitFailed || code == exitUsage) && done:
		fail("it is done")
	case done && strings.Contains(output, "sync D file") && code != 0:
		fail("it is done, and D only ever saves work")
	case !slices.Contains([]int{0, exitFailed, exitUnknown, killedCode}, code):
		fail("this is none of its exit codes")
	}
	if state["old1"] != "pending" || state["old2"] != "pending" {
		fail("jobs are lost: %v", state)
	}
	if _, stderr, code := queuectl(t, dir, "enqueue", "--id", "after", "-c", "true"); code != 0 {
		fail("enqueue afterwards: exit code %d: %s", code, stderr)
	}
	if stdout, stderr, code := queuectl(t, dir, "log", "verify"); code != 0 {
		fail("log verify afterwards: exit code %d: %s%s", code, stdout, stderr)
	}
	return code, happened
}

// killedCode is what runFaulty returns for a command that was killed.
const killedCode = -1

func runFaulty(t *testing.T, strace, dir string, f commandFault) (code int, output string, happened bool) {
	trace := filepath.Join(filepath.Dir(dir), "trace")
	args := []string{"-f", "-q", "-o", trace, "-e", "trace=" + f.call, "-e", f.inject()}
	// Only what is about the queue: the runtime makes the same calls.
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		args = append(args, "-P", path)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // it may hang
	defer cancel()
	args = append(args, "queuectl", "--dir", dir)
	out, err := exec.CommandContext(ctx, strace, append(args, f.args...)...).CombinedOutput()
	if err != nil {
		code = killedCode
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			code = exit.ExitCode()
		}
	}
	traced, _ := os.ReadFile(trace) // none if strace did not start, which the exit code says
	killed := bytes.Contains(traced, []byte("killed by SIGKILL"))
	if killed {
		code = killedCode
	}
	return code, string(out), killed || bytes.Contains(traced, []byte("INJECTED"))
}
