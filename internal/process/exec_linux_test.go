package process

import (
	"os"
	"os/exec"
	"slices"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestMarked_FindsWhoStartsAnotherProgram: for a moment a process that does so has no environment, though it lives.
func TestMarked_FindsWhoStartsAnotherProgram(t *testing.T) {
	const again = "PROCESS_TEST_AGAIN"
	if os.Getenv(again) != "" {
		exe, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		t.Fatal(unix.Exec(exe, os.Args, os.Environ()))
	}
	t.Parallel()
	mark := again + "=" + strconv.Itoa(os.Getpid())
	id := sleeper(t, func(c *exec.Cmd) {
		*c = *exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		c.Env = append(os.Environ(), mark)
		c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	}).ID
	eventually(t, "marked", func() bool { found, _ := Marked(mark); return slices.Contains(found, id) })
	for range 300 {
		if found, err := Marked(mark); err != nil || !slices.Contains(found, id) {
			t.Fatalf("Marked = %v, %v; want %v", found, err, id)
		}
	}
}
