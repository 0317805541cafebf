package lease

import (
	"os"
	"testing"
	"time"
)

// BenchmarkRun is what the lock adds to each run of a command.
func BenchmarkRun(b *testing.B) {
	dir := b.TempDir()
	for run := uint64(1); b.Loop(); run++ {
		r, err := HoldRun(dir, run)
		if err != nil {
			b.Fatal(err)
		}
		if err := r.Started(os.Getpid()); err != nil {
			b.Fatal(err)
		}
		if leftBehind, err := r.Release(); leftBehind || err != nil {
			b.Fatal(leftBehind, err)
		}
	}
}

// BenchmarkEndOrphan_NothingLeft is what reclaiming adds when the command died with its worker.
func BenchmarkEndOrphan_NothingLeft(b *testing.B) {
	dir := b.TempDir()
	for b.Loop() {
		if err := EndOrphan(b.Context(), dir, 1, time.Second); err != nil {
			b.Fatal(err)
		}
	}
}
