//go:build unix

package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestLock_IsHeldByWhoeverInheritedIt(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	l := open(t, path)
	if err := l.Exclusive(); err != nil {
		t.Fatal(err)
	}
	child := exec.Command("cat")
	child.ExtraFiles = []*os.File{l.File()}
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if try(t, path, false) {
		t.Error("the lock is free although a child holds it")
	}
	if err := errors.Join(stdin.Close(), child.Wait()); err != nil {
		t.Fatal(err)
	}
	if !try(t, path, false) {
		t.Error("the lock is held although the child is gone")
	}
}

func TestOpenLock_IsPrivateAndClosedOnExec(t *testing.T) {
	t.Parallel()
	l := open(t, filepath.Join(t.TempDir(), "lock"))
	info, err := l.File().Stat()
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("mode = %o, want 600", got)
	}
	flags, err := unix.FcntlInt(l.File().Fd(), unix.F_GETFD, 0)
	if err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("descriptor flags = %#x, %v; want FD_CLOEXEC", flags, err)
	}
}

func TestOpenLock_ReadOnlyFileCanBeLocked(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("needs a user whom file modes bind; root may write everything")
	}
	path := filepath.Join(t.TempDir(), "lock")
	if err := os.WriteFile(path, nil, 0o400); err != nil {
		t.Fatal(err)
	}
	if ok, err := open(t, path).TryExclusive(); !ok || err != nil {
		t.Errorf("TryExclusive() = %v, %v", ok, err)
	}
}

func TestOpenLock_SaysWhyAFileCannotBeMade(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("needs a user whom file modes bind; root may write everything")
	}
	dir := filepath.Join(t.TempDir(), "closed")
	if err := os.Mkdir(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenLock(filepath.Join(dir, "lock")); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v, want %v", err, fs.ErrPermission)
	}
}

func TestLock_HolderNamesTheProcess(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc/locks of Linux")
	}
	path := filepath.Join(t.TempDir(), "lock")
	holding, asking := open(t, path), open(t, path)
	if got := asking.Holder(); got != "" {
		t.Errorf("Holder() of a free lock = %q", got)
	}
	if err := holding.Exclusive(); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("pid %d (%s", os.Getpid(), os.Args[0][:1])
	if got := asking.Holder(); !strings.HasPrefix(got, want) || !strings.HasSuffix(got, ")") {
		t.Errorf("Holder() = %q, want %s…)", got, want)
	}
}
