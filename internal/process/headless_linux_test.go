//go:build !race

package process

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// One process in a hundred does not get as far with the race detector: a thread that ends is nothing that it expects.

// A process whose first thread has ended looks like a zombie, but its other threads run on, with its environment and
// descriptors.
func TestLook_ProcessWithoutItsFirstThreadLives(t *testing.T) {
	if os.Getenv("END_FIRST_THREAD") != "" {
		endFirstThread()
	}
	t.Parallel()
	f := lockedFile(t)
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	st := sleeper(t, func(c *exec.Cmd) {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		c.Path, c.Args = self, []string{self, "-test.run=^" + t.Name() + "$"}
		c.Env = append(os.Environ(), "END_FIRST_THREAD=1", "RUN=headless")
		c.ExtraFiles = []*os.File{f}
	})
	eventually(t, "its first thread has ended", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", st.Pid))
		return err == nil && bytes.Contains(stat, []byte(") Z "))
	})
	if now, err := Look(st.Pid); err != nil || now.Zombie || !st.Lives() {
		t.Errorf("Look = %+v, %v; Lives = %v; want that it lives", now, err, st.Lives())
	}
	if members, _ := Group(st.Group); !slices.Contains(members, st.ID) {
		t.Errorf("Group = %v, without %v", members, st.ID)
	}
	if marked, err := Marked("RUN=headless"); !slices.Contains(marked, st.ID) || err != nil {
		t.Errorf("Marked = %v, %v, without %v", marked, err, st.ID)
	}
	if holders := Holders(info); !slices.Contains(holders, Holder{ID: st.ID}) {
		t.Errorf("Holders = %v, without %v", holders, st.ID)
	}
	if err := st.Signal(syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	eventually(t, "death", func() bool { return !st.Lives() })
}

// endFirstThread ends the first thread alone, and waits for its process to be killed.
func endFirstThread() {
	first <- func() { unix.Syscall(unix.SYS_EXIT, 0, 0, 0) }
	select {}
}
