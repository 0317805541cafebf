package lease

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestEndOrphan_WithoutDescriptorsIsNoEnd: who cannot look has not seen that nothing lives. The orphan is a daemon
// that let go of everything but its environment.
func TestEndOrphan_WithoutDescriptorsIsNoEnd(t *testing.T) {
	const starving = "LEASE_TEST_STARVING"
	if dir, files, ok := strings.Cut(os.Getenv(starving), "|"); ok {
		n, err := strconv.Atoi(files)
		if err != nil {
			t.Fatal(err)
		}
		starve(t, n)
		fmt.Println("end:", EndOrphan(t.Context(), dir, 12, 0))
		return
	}
	t.Parallel()
	w := startWorker(t, "setsid,exit,child,close")
	var living []int
	eventually(t, "command comes through", func() bool {
		living = slices.DeleteFunc(w.pids(t), func(pid int) bool { return !lives(pid) })
		return len(living) == 1
	})
	w.kill()
	for files := range 8 {
		c := exec.Command(executable(), "-test.run=^"+t.Name()+"$")
		c.Env = append(os.Environ(), fmt.Sprintf("%s=%s|%d", starving, w.dir, files))
		output, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, output)
		}
		switch over := strings.Contains(string(output), "end: <nil>"); {
		case over && lives(living[0]):
			t.Errorf("with %d files to open it was said to be over, and lives", files)
		case over:
			return
		}
	}
	t.Error("it was never said to be over")
}

// starve lets this process open only so many files more.
func starve(t *testing.T, files int) {
	t.Helper()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	for range files + 1 { // each gets the lowest number that is free
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		limit.Cur = uint64(f.Fd())
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
}
