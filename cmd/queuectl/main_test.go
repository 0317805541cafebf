package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	// Of the race detector, which otherwise lets every process sleep for a second at its end.
	os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	testscript.Main(m, map[string]func(){"queuectl": main})
}

// scripts are all of them or, short, those in which processes work side by side.
func scripts(t *testing.T) []string {
	t.Helper()
	names := []string{"*"}
	if testing.Short() {
		names = []string{"worker_*", "cancel_kill", "log_follow", "queue"}
	}
	var files []string
	for _, name := range names {
		found, err := filepath.Glob("testdata/script/" + name + ".txtar")
		if err != nil || len(found) == 0 {
			t.Fatal(name, found, err)
		}
		files = append(files, found...)
	}
	return files
}

// TestScripts runs the files in testdata/script: one for each promise of the command line. Each has a
// directory of its own and QUEUECTL_DIR in it.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Files:               scripts(t),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Deadline:            time.Now().Add(8 * time.Minute), // a command that hangs; the race detector is slow
		Setup: func(env *testscript.Env) error {
			env.Setenv("QUEUECTL_DIR", filepath.Join(env.WorkDir, "q"))
			env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
			env.Setenv("TERM", "xterm")
			env.Setenv("EVIL", "x\x1b]0;owned\a\x1b[31mred\b\r\u202e") // for a terminal
			env.Setenv("GORACE", os.Getenv("GORACE"))
			env.Setenv("TZ", "UTC")
			env.Setenv("LC_ALL", "C.UTF-8")
			return nil
		},
		Condition: func(name string) (bool, error) {
			switch name {
			case "root":
				return os.Geteuid() == 0, nil
			case "tty":
				return runtime.GOOS == "linux" || runtime.GOOS == "darwin", nil
			}
			return false, fmt.Errorf("unknown condition %q", name)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":      scriptExits,
			"eventually": scriptEventually,
			"flip":       scriptFlip,
			"repeat":     scriptRepeat,
		},
	})
}

// scriptExits runs a program that must end with the given code: exits 2 queuectl list --bad.
func scriptExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("run %s: %v", args[1], err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// scriptEventually runs a program again and again until its standard output matches: eventually PATTERN
// PROGRAM ARG...
func scriptEventually(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: eventually PATTERN PROGRAM ARG...")
	}
	pattern, err := regexp.Compile(`(?m)` + args[0])
	ts.Check(err)
	const patience = 20 * time.Second
	for deadline := time.Now().Add(patience); ; {
		err := ts.Exec(args[1], args[2:]...)
		if err == nil && pattern.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%q did not match in %v; last error: %v", args[0], patience, err)
		}
		time.Sleep(10 * time.Millisecond) // between looks at the condition, not instead of them
	}
}

// scriptFlip changes one bit of a file: flip FILE OFFSET. A negative offset counts from the end.
func scriptFlip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: flip FILE OFFSET")
	}
	offset, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_RDWR, 0)
	ts.Check(err)
	defer f.Close()
	if offset < 0 {
		end, err := f.Seek(0, io.SeekEnd)
		ts.Check(err)
		offset += end
	}
	b := make([]byte, 1)
	_, err = f.ReadAt(b, offset)
	ts.Check(err)
	b[0] ^= 1
	_, err = f.WriteAt(b, offset)
	ts.Check(err)
}

// scriptRepeat writes a file of n lines, in which %d is the number of the line: repeat N FILE FORMAT.
func scriptRepeat(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: repeat N FILE FORMAT")
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	f, err := os.Create(ts.MkAbs(args[1]))
	ts.Check(err)
	for i := range n {
		_, err := fmt.Fprintf(f, args[2]+"\n", i+1)
		ts.Check(err)
	}
	ts.Check(f.Close())
}
