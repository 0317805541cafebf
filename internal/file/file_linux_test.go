package file

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func blocks(info fs.FileInfo) int64 { return info.Sys().(*syscall.Stat_t).Blocks * 512 }

func TestReserve_FullDiskIsAnError(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("needs the right to mount a tmpfs: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	f, err := os.Create(filepath.Join(dir, "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if supported, err := Reserve(f, 1<<20); !supported || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Reserve() = %v, %v; want ENOSPC", supported, err)
	}
}

func TestNetwork_ProcIsNone(t *testing.T) {
	t.Parallel()
	if got, err := Network("/proc/self"); got != "" || err != nil {
		t.Errorf("Network() = %q, %v", got, err)
	}
}

func TestWriteOut_TellsOfErrors(t *testing.T) {
	t.Parallel()
	f, err := os.CreateTemp(t.TempDir(), "f")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("written"); err != nil {
		t.Fatal(err)
	}
	if err := WriteOut(f, 0, 7); err != nil {
		t.Error(err)
	}
	_, pipe, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	if err := WriteOut(pipe, 0, 7); !errors.Is(err, unix.ESPIPE) {
		t.Errorf("got %v, want ESPIPE", err)
	}
}
