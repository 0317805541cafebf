package eventlog

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// outageDisk is an ext4 file system in a file, whose power can be cut. Its blocks are small, so that much that is
// written lies in more than one.
type outageDisk struct {
	t       *testing.T
	image   string
	dir     string // where it is mounted
	mounted bool
}

// newOutageDisk makes one that is not mounted yet. The error says what that needs.
func newOutageDisk(t *testing.T) (*outageDisk, error) {
	t.Helper()
	const right = "needs the right to mount an ext4 file system on a loop device, and to shut it down: %v"
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf(right, err)
	}
	control.Close()
	mkfs, err := exec.LookPath("mkfs.ext4")
	if err != nil {
		return nil, errors.New("needs mkfs.ext4 (e2fsprogs)")
	}
	d := &outageDisk{t: t, image: filepath.Join(t.TempDir(), "image"), dir: t.TempDir()}
	if err := errors.Join(os.WriteFile(d.image, nil, 0o600), os.Truncate(d.image, 64<<20)); err != nil {
		t.Fatal(err)
	}
	if output, err := exec.Command(mkfs, "-q", "-F", "-b", "1024", d.image).CombinedOutput(); err != nil {
		t.Fatalf("mkfs: %v: %s", err, output)
	}
	t.Cleanup(d.unmount)
	err = d.tryMount()
	if err == nil {
		err = d.tryCut(downAtOnce)
	}
	if err != nil {
		return nil, fmt.Errorf(right, err)
	}
	d.unmount()
	return d, nil
}

func (d *outageDisk) mount() {
	d.t.Helper()
	if err := d.tryMount(); err != nil {
		d.t.Fatalf("mount: %v", err)
	}
}

func (d *outageDisk) tryMount() error {
	loop, err := d.attach()
	if err != nil {
		return err
	}
	defer loop.Close() // it lives as long as it is mounted
	if err := unix.Mount(loop.Name(), d.dir, "ext4", 0, ""); err != nil {
		return os.NewSyscallError("mount", err)
	}
	d.mounted = true
	return nil
}

// attach makes the image a block device: loop(4).
func (d *outageDisk) attach() (*os.File, error) {
	image, err := os.OpenFile(d.image, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer image.Close()
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer control.Close()
	for {
		n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return nil, os.NewSyscallError("LOOP_CTL_GET_FREE", err)
		}
		loop, err := os.OpenFile(fmt.Sprintf("/dev/loop%d", n), os.O_RDWR, 0)
		if err != nil {
			return nil, err
		}
		config := unix.LoopConfig{Fd: uint32(image.Fd()), Info: unix.LoopInfo64{Flags: unix.LO_FLAGS_AUTOCLEAR}}
		if err = unix.IoctlLoopConfigure(int(loop.Fd()), &config); err == nil {
			return loop, nil
		}
		loop.Close()
		if !errors.Is(err, unix.EBUSY) { // somebody was faster
			return nil, os.NewSyscallError("LOOP_CONFIGURE", err)
		}
	}
}

// The ways to go down: fs/ext4/ext4.h in Linux has them, x/sys does not.
const (
	extShutdown = 0x8004587d // EXT4_IOC_SHUTDOWN: _IOR('X', 125, __u32)

	downFlushed   = 0 // everything is written first: only what runs is cut off
	downJournaled = 1 // the journal is written, data are not
	downAtOnce    = 2
)

// cut makes all later reads from and writes to the device fail.
func (d *outageDisk) cut(how int) {
	d.t.Helper()
	if err := d.tryCut(how); err != nil {
		d.t.Fatalf("cut the power: %v", err)
	}
}

func (d *outageDisk) tryCut(how int) error {
	dir, err := os.Open(d.dir)
	if err != nil {
		return err
	}
	defer dir.Close()
	return os.NewSyscallError("FS_IOC_SHUTDOWN", unix.IoctlSetPointerInt(int(dir.Fd()), extShutdown, how))
}

func (d *outageDisk) unmount() {
	d.t.Helper()
	if !d.mounted {
		return
	}
	d.mounted = false
	if err := unix.Unmount(d.dir, 0); err != nil {
		d.t.Errorf("unmount: %v", err)
		unix.Unmount(d.dir, unix.MNT_DETACH)
	}
}

// keep copies the image to where it outlives the test.
func (d *outageDisk) keep() string {
	d.unmount()
	kept, err := os.MkdirTemp("", "powercut-")
	if err == nil {
		err = os.Rename(d.image, filepath.Join(kept, "image"))
	}
	if err != nil {
		return err.Error()
	}
	return kept
}
