package shell

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func inode(t *testing.T, path string) uint64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Ino
}

// TestReuse_AnEmptyOutputBecomesTheNext is not parallel: while another test starts a command, that has all
// our files open for a moment.
func TestReuse_AnEmptyOutputBecomesTheNext(t *testing.T) {
	first, second := filepath.Join(t.TempDir(), "1.log"), filepath.Join(t.TempDir(), "2.log")
	run(t, Command{Argv: []string{"true"}, Output: first, KeepEmpty: true})
	before := inode(t, first)
	r, got := run(t, Command{Line: "echo second", Output: second, KeepEmpty: true, Reuse: first})
	if inode(t, second) != before {
		t.Error("a file was made")
	}
	if got != "second\n" || r.OutputSize != 7 {
		t.Errorf("output %q of %d bytes", got, r.OutputSize)
	}
	if _, err := os.Stat(first); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the first is still there: %v", err)
	}
}

// TestReuse_AnOutputThatSomebodyHasOpenIsNotTaken: a process that the first command left behind would print
// into it, and a reader would read what is not its own.
func TestReuse_AnOutputThatSomebodyHasOpenIsNotTaken(t *testing.T) {
	t.Parallel()
	for _, flag := range []int{os.O_RDONLY, os.O_WRONLY} {
		first, second := filepath.Join(t.TempDir(), "1.log"), filepath.Join(t.TempDir(), "2.log")
		run(t, Command{Argv: []string{"true"}, Output: first, KeepEmpty: true})
		f, err := os.OpenFile(first, flag, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		before := inode(t, first)
		run(t, Command{Line: "echo second", Output: second, Reuse: first})
		if inode(t, second) == before {
			t.Errorf("flag %d: the file was taken", flag)
		}
		if _, err := os.Stat(first); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("flag %d: the first is still there: %v", flag, err)
		}
	}
}

func TestReuse_WhatWasPrintedAfterTheEndStays(t *testing.T) {
	t.Parallel()
	first, second := filepath.Join(t.TempDir(), "1.log"), filepath.Join(t.TempDir(), "2.log")
	run(t, Command{Argv: []string{"true"}, Output: first, KeepEmpty: true})
	if err := os.WriteFile(first, []byte("late\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, Command{Line: "echo second", Output: second, Reuse: first})
	for path, want := range map[string]string{first: "late\n", second: "second\n"} {
		if got, err := os.ReadFile(path); string(got) != want || err != nil {
			t.Errorf("%s holds %q, %v; want %q", filepath.Base(path), got, err, want)
		}
	}
}
