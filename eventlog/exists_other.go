//go:build !unix

package eventlog

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// exists says if there is a file of that name in or below dir.
func exists(dir *os.File, name string) (bool, error) {
	_, err := os.Lstat(filepath.Join(dir.Name(), name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
