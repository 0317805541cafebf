package storm

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestTrial_IsOnTheFileSystemOfTheQueue: beside a mount point is another file system.
func TestTrial_IsOnTheFileSystemOfTheQueue(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	q := filepath.Join(dir, "q")
	if err := os.Mkdir(q, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", q, "tmpfs", 0, "size=16m"); err != nil {
		t.Skipf("needs the right to mount a tmpfs: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(q, unix.MNT_DETACH) })
	o, err := acted(t, t.Context(), Trial{Queue: q}, idle)
	if !errors.Is(err, ErrElsewhere) || o.Kept {
		t.Errorf("got %+v (%v), want ErrElsewhere", o, err)
	}
	wantNames(t, dir, 1)
	if o, err = acted(t, t.Context(), Trial{Queue: q, In: q}, idle); err != nil || o.Mount.Kind != "tmpfs" || o.Kept {
		t.Errorf("in the mount: got %+v (%v)", o, err)
	}
	wantNames(t, q, 0)
}
