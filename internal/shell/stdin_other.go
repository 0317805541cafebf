//go:build unix && !linux

package shell

import (
	"errors"
	"os"
)

// unnamedFile makes a file that is gone when the last who has it open closes it.
func unnamedFile() (*os.File, error) {
	f, err := os.CreateTemp("", "queuectl-stdin-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
