package eventlog

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// BenchmarkSnapshotFile writes and reads the files of snapshots, with blocks of the usual size. Opening reads the directory of
// the blocks alone, and a block is read and checked when it is asked for.
func BenchmarkSnapshotFile(b *testing.B) {
	block := bytes.Repeat([]byte{'x'}, 8<<10)
	for _, blocks := range []int{10, 1000} {
		write := func(path string) error {
			f, err := os.Create(path)
			if err != nil {
				return err
			}
			defer f.Close()
			return writeSnapshot(f, memoryID, sampleFrom, sampleAt, func(w *SnapshotWriter) error {
				for i := range blocks {
					if err := w.Block(1, uint64(i), block); err != nil {
						return err
					}
				}
				return nil
			})
		}
		path := filepath.Join(b.TempDir(), "snapshot")
		run := func(name string, size int, do func() error) {
			b.Run(fmt.Sprintf("%s/blocks=%d", name, blocks), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(size))
				for b.Loop() {
					if err := do(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		run("write", blocks*len(block), func() error { return write(path) })
		run("open", 0, func() error {
			s, err := openSnapshot(path, memoryID)
			if err != nil {
				return err
			}
			return s.Close()
		})
		s, err := openSnapshot(path, memoryID)
		if err != nil {
			b.Fatal(err)
		}
		defer s.Close()
		run("block", len(block), func() error {
			_, err := s.Block(1, blocks/2)
			return err
		})
	}
}
