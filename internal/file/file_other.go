//go:build !linux && !darwin

package file

import "os"

func datasync(f *os.File) error { return f.Sync() }

func writeOut(*os.File, int64, int64) error { return nil }

func reserve(*os.File, int64) (bool, error) { return false, nil }

func bootID() string { return "" }
