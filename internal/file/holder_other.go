//go:build !linux

package file

import "os"

func holder(*os.File) string { return "" }
