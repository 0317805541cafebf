//go:build !linux && !darwin

package file

import "os"

func datasync(f *os.File) error { return f.Sync() }

func reserve(*os.File, int64) (bool, error) { return false, nil }

// BootID names this boot of the machine: what was there before it, process or lock, is gone. It is "" if that cannot
// be told (outside Linux and darwin).
func BootID() string { return "" }
