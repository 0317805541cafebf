//go:build !linux

package file

import "io/fs"

// blocks: how much is allocated is only looked at on Linux.
func blocks(fs.FileInfo) int64 { return 1 << 62 }
