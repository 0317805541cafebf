// Package secret keeps secrets of a queue in files, one each: DIR/secrets/NAME.
//
// It promises: a file is there whole or not at all, and for good when [Set] returns; it and its directory are for
// their owner alone, and what others may read is not used. On Windows the permissions are those of the directory
// that the queue is in, and are not looked at.
//
// It does not encrypt: who can read the files of the owner can read the secrets. Names are checked by the caller.
package secret

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/queuectl/queuectl/internal/file"
)

// MaxSize bounds a value, in bytes.
const MaxSize = 64 << 10

// ErrExposed says that others than the owner may read a file or change it.
var ErrExposed = errors.New("others may read or change it")

func path(dir, name string) string { return filepath.Join(dir, "secrets", name) }

// Set keeps a value, in place of one that may be there. Error: [ErrExposed] if the directory is not for its owner alone.
func Set(dir, name string, value []byte) error {
	folder := filepath.Join(dir, "secrets")
	if err := os.Mkdir(folder, 0o700); err == nil {
		if err := file.SyncDir(dir); err != nil {
			return err
		}
	} else if !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make directory of secrets: %w", err)
	} else if err := checkMode(folder); err != nil {
		return err
	}
	return file.Publish(path(dir, name), 0o600, func(f *os.File) error {
		_, err := f.Write(value)
		return err
	})
}

// Get returns a value. The error wraps fs.ErrNotExist if there is none, and [ErrExposed] if it must not be used.
func Get(dir, name string) (string, error) {
	for _, p := range []string{filepath.Join(dir, "secrets"), path(dir, name)} {
		if err := checkMode(p); err != nil {
			return "", err
		}
	}
	info, err := os.Stat(path(dir, name))
	switch {
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("%s is no file", path(dir, name))
	case info.Size() > MaxSize:
		return "", fmt.Errorf("%s has %d bytes: at most %d", path(dir, name), info.Size(), MaxSize)
	}
	value, err := os.ReadFile(path(dir, name))
	if err == nil && bytes.IndexByte(value, 0) >= 0 { // written by hand: no environment can hold it
		return "", fmt.Errorf("%s holds NUL", path(dir, name))
	}
	return string(value), err
}

// checkMode returns ErrExposed for what others may read or change.
func checkMode(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if open := info.Mode().Perm() & 0o077; open != 0 && runtime.GOOS != "windows" {
		return fmt.Errorf("%s has mode %04o: %w; 'chmod go= %s' mends that", path, info.Mode().Perm(), ErrExposed, path)
	}
	return nil
}

// Names lists what is kept, in order.
func Names(dir string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(dir, "secrets"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && !e.IsDir() { // files that a crash has left begin with a dot
			names = append(names, e.Name())
		}
	}
	return names, err
}

// Remove removes a value for good. The error wraps fs.ErrNotExist if there is none.
func Remove(dir, name string) error {
	if err := os.Remove(path(dir, name)); err != nil {
		return err
	}
	return file.SyncDir(filepath.Join(dir, "secrets"))
}
