package file

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func open(t *testing.T, path string) *Lock {
	t.Helper()
	l, err := OpenLock(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// try reports whether the lock could be taken, and lets it go again.
func try(t *testing.T, path string, exclusive bool) bool {
	t.Helper()
	l, err := OpenLock(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ok, err := l.lock(exclusive, false)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

func TestLock_ExcludesAndShares(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name                      string
		take                      func(*Lock) error
		wantShared, wantExclusive bool
	}{
		{"nobody", func(*Lock) error { return nil }, true, true},
		{"shared", (*Lock).Shared, true, false},
		{"exclusive", (*Lock).Exclusive, false, false},
		{"let go", func(l *Lock) error { return errors.Join(l.Exclusive(), l.Unlock()) }, true, true},
		{"exclusive made shared", func(l *Lock) error { return errors.Join(l.Exclusive(), l.Shared()) }, true, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "lock")
			if err := row.take(open(t, path)); err != nil {
				t.Fatal(err)
			}
			if got := try(t, path, false); got != row.wantShared {
				t.Errorf("TryShared = %v, want %v", got, row.wantShared)
			}
			if got := try(t, path, true); got != row.wantExclusive {
				t.Errorf("TryExclusive = %v, want %v", got, row.wantExclusive)
			}
		})
	}
}

func TestLock_ExclusiveWaitsForItsTurn(t *testing.T) {
	t.Parallel()
	const holders, rounds = 4, 100
	path := filepath.Join(t.TempDir(), "lock")
	if err := os.WriteFile(path, make([]byte, 8), 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	for range holders {
		l := open(t, path)
		go func() {
			var err error
			for range rounds {
				err = errors.Join(err, l.Exclusive(), increment(l.File()), l.Unlock())
			}
			done <- err
		}()
	}
	for range holders {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	data, err := os.ReadFile(path)
	if got := binary.LittleEndian.Uint64(data); got != holders*rounds || err != nil {
		t.Errorf("counted to %d, %v; want %d", got, err, holders*rounds)
	}
}

// increment is wrong when two do it at a time.
func increment(f *os.File) error {
	var n [8]byte
	_, err := f.ReadAt(n[:], 0)
	binary.LittleEndian.PutUint64(n[:], binary.LittleEndian.Uint64(n[:])+1)
	_, err2 := f.WriteAt(n[:], 0)
	return errors.Join(err, err2)
}

func TestLock_CloseLetsGo(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	l, err := OpenLock(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(l.Exclusive(), l.Close()); err != nil {
		t.Fatal(err)
	}
	if !try(t, path, true) {
		t.Error("the lock of a closed file is still held")
	}
}

func TestLock_CurrentSeesThatTheFileWasReplaced(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		do   func(path string) error
		want bool
	}{
		{"untouched", func(string) error { return nil }, true},
		{"removed", os.Remove, false},
		{"replaced", func(path string) error { return Publish(path, 0o600, writing("")) }, false},
		{"moved away and back", func(path string) error {
			return errors.Join(os.Rename(path, path+".x"), os.Rename(path+".x", path))
		}, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "lock")
			l := open(t, path)
			if err := errors.Join(l.Exclusive(), row.do(path)); err != nil {
				t.Fatal(err)
			}
			if got, err := l.Current(); got != row.want || err != nil {
				t.Errorf("Current() = %v, %v; want %v", got, err, row.want)
			}
		})
	}
}

func TestCreateLock_RefusesAFileThatIsThere(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	l, err := CreateLock(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if ok, err := l.TryExclusive(); !ok || err != nil {
		t.Errorf("TryExclusive() = %v, %v", ok, err)
	}
	if _, err := CreateLock(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("error = %v, want ErrExist", err)
	}
}

func TestOpenExistingLock_MakesNoFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	if _, err := OpenExistingLock(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error = %v, want ErrNotExist", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("stat = %v, want ErrNotExist", err)
	}
}
