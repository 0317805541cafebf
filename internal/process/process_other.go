//go:build !linux && !darwin

package process

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

// Look needs Linux or darwin; elsewhere the error is [errors.ErrUnsupported].
func Look(int) (Status, error) { return Status{}, errors.ErrUnsupported }

// Group needs Linux or darwin; elsewhere known is false.
func Group(int) (members []ID, known bool) { return nil, false }

func (id ID) signal(syscall.Signal) error {
	return fmt.Errorf("signal process %d: start times cannot be compared: %w", id.Pid, errors.ErrUnsupported)
}

// Marked needs Linux; elsewhere it lists nobody.
func Marked(...string) ([]ID, error) { return nil, nil }

// HasMarks needs Linux; elsewhere nothing is readable.
func HasMarks(int, ...string) (has, readable bool) { return false, false }

// Holders needs Linux; elsewhere it lists nobody.
func Holders(fs.FileInfo) []Holder { return nil }

// Namespace needs Linux; elsewhere it is "".
func Namespace() string { return "" }
