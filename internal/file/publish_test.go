package file

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// writing writes a text to a file.
func writing(text string) func(*os.File) error {
	return func(f *os.File) error {
		_, err := f.WriteString(text)
		return err
	}
}

func TestPublish_WhatCannotBeWrittenIsNotPublished(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	broken := errors.New("broken")
	if err := Publish(filepath.Join(dir, "f"), 0o600, func(*os.File) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("error = %v, want the writer's", err)
	}
	wantNames(t, dir)
}

func TestPublish_ReplacesTheWholeFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	for _, text := range []string{"a long first version", "second"} {
		if err := Publish(path, 0o640, writing(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); string(got) != text || err != nil {
			t.Errorf("content = %q, %v; want %q", got, err, text)
		}
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o640 {
		t.Errorf("mode = %v, %v; want 640", info.Mode(), err)
	}
	wantNames(t, dir, "f")
}

func TestPublish_FailureLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "f", "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Publish(filepath.Join(dir, "f"), 0o600, writing("x")); err == nil {
		t.Error("a file was published over a directory")
	}
	wantNames(t, dir, "f")
	if err := Publish(filepath.Join(dir, "no", "f"), 0o600, writing("")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error = %v, want ErrNotExist", err)
	}
}

func wantNames(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(want) {
		t.Errorf("directory holds %v, want %v", entries, want)
		return
	}
	for i, e := range entries {
		if e.Name() != want[i] {
			t.Errorf("directory holds %v, want %v", entries, want)
		}
	}
}

func TestSyncs_SayWhatFailed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "f"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(Datasync(f), SyncDir(dir), f.Close()); err != nil {
		t.Error(err)
	}
	if err := Datasync(f); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Datasync of a closed file = %v, want ErrClosed", err)
	}
	if err := SyncDir(filepath.Join(dir, "none")); runtime.GOOS != "windows" && !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("SyncDir of no directory = %v, want ErrNotExist", err)
	}
}

func TestReserve_KeepsTheSize(t *testing.T) {
	t.Parallel()
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("hello"); err != nil {
		t.Fatal(err)
	}
	supported, err := Reserve(f, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil || info.Size() != 5 {
		t.Errorf("size = %d, %v; want 5", info.Size(), err)
	}
	if supported && blocks(info) < 1<<20 {
		t.Errorf("%d bytes are allocated, want %d", blocks(info), 1<<20)
	}
}

func TestNetwork_LooksAtTheNearestDirectoryThatExists(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	want, err := Network(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Network(filepath.Join(dir, "not", "yet")); got != want || err != nil {
		t.Errorf("Network() = %q, %v; want %q", got, err, want)
	}
}

func TestBootID_StaysTheSame(t *testing.T) {
	t.Parallel()
	got := BootID()
	if got != BootID() {
		t.Error("it changed")
	}
	if (runtime.GOOS == "linux" || runtime.GOOS == "darwin") && len(got) != 36 {
		t.Errorf("BootID() = %q, want a UUID", got)
	}
}
