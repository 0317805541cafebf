package secret

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestSet_IsForItsOwnerAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, value := range []string{"first", "a much longer second\n", "3"} {
		if err := Set(dir, "TOKEN", []byte(value)); err != nil {
			t.Fatal(err)
		}
		if got, err := Get(dir, "TOKEN"); got != value || err != nil {
			t.Errorf("%q, %v; want %q", got, err, value)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "secrets", ".TOKEN.123"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if names, err := Names(dir); !slices.Equal(names, []string{"TOKEN"}) || err != nil {
		t.Errorf("%q, %v", names, err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	for name, want := range map[string]fs.FileMode{"secrets": 0o700, "secrets/TOKEN": 0o600} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

func TestGet_RefusesWhatOthersMayReadOrChange(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("needs file modes")
	}
	for _, c := range []struct {
		name string
		mode fs.FileMode
		good bool
	}{{"secrets/A", 0o400, true}, {"secrets/A", 0o640, false}, {"secrets/A", 0o602, false}, {"secrets", 0o755, false}, {"secrets", 0o700, true}} {
		dir := t.TempDir()
		if err := Set(dir, "A", []byte("x")); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(dir, c.name), c.mode); err != nil {
			t.Fatal(err)
		}
		if _, err := Get(dir, "A"); errors.Is(err, ErrExposed) == c.good || c.good && err != nil {
			t.Errorf("%s %o: %v", c.name, c.mode, err)
		}
	}
}

func TestSet_NotIntoADirectoryThatOthersMayRead(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("needs file modes")
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "secrets"), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := Set(dir, "A", []byte("x")); !errors.Is(err, ErrExposed) {
		t.Error(err)
	}
	if names, err := Names(dir); len(names) > 0 || err != nil {
		t.Errorf("%q, %v", names, err)
	}
}

// What somebody has written by hand may be what no environment can hold.
func TestGet_RefusesWhatSetWould(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, value := range []string{"a\x00b", strings.Repeat("x", MaxSize+1)} {
		if err := Set(dir, "A", []byte(value)); err != nil {
			t.Fatal(err)
		}
		if got, err := Get(dir, "A"); got != "" || err == nil {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	}
}

func TestGet_NoneIsNone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := Get(dir, "A"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if names, err := Names(dir); len(names) > 0 || err != nil {
		t.Errorf("%q, %v", names, err)
	}
	if err := Set(dir, "A", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := Remove(dir, "A"); err != nil {
		t.Fatal(err)
	}
	if err := Remove(dir, "A"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if _, err := Get(dir, "A"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
