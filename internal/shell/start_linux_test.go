package shell

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestStart_CommandInheritsNothingButInputOutputAndLease(t *testing.T) {
	t.Parallel()
	l := lease(t)
	for range 5 { // what this process has open besides
		defer lease(t).Close()
	}
	fifo := t.TempDir() + "/fifo"
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(fifo, os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	// Once it has printed, the shell has loaded all that it needs; read is its own.
	c := command(t, Command{Line: "echo; read x", Stdin: "@" + fifo, Lease: l.File()})
	p := begin(t, c)
	defer p.Kill(9)
	eventually(t, "command runs", func() bool {
		printed, _ := os.ReadFile(c.Output)
		return len(printed) > 0
	})
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.Pid()))
	if err != nil {
		t.Fatal(err)
	}
	ours := inherited(t)
	var got []string
	for _, e := range entries {
		name, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", p.Pid(), e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if fd, _ := strconv.Atoi(e.Name()); fd <= leaseDescriptor || !ours[fd] {
			got = append(got, e.Name()+" "+name)
		}
	}
	slices.Sort(got)
	want := []string{"0 " + fifo, "1 " + c.Output, "100 " + l.File().Name(), "2 " + c.Output}
	if !slices.Equal(got, want) {
		t.Errorf("descriptors:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestStart_FewDescriptorsAreEnoughForTheLease(t *testing.T) {
	if elsewhere(t) {
		return
	}
	l := lease(t)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	for most := uint64(30); most <= leaseDescriptor+20; most++ {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: most, Max: limit.Max}); err != nil {
			t.Fatal(err)
		}
		if r, text := run(t, Command{Line: "ls -l /proc/self/fd", Lease: l.File()}); r.Exit != 0 || !strings.Contains(text, l.File().Name()) {
			t.Errorf("of %d descriptors none is the lease: %+v\n%s", most, r, text)
		}
	}
}

// inherited lists the descriptors that whoever started this test left open for its children.
func inherited(t *testing.T) map[int]bool {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	fds := map[int]bool{}
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			fds[fd] = true
		}
	}
	return fds
}
