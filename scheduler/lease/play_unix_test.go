//go:build unix

package lease

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/queuectl/queuectl/internal/shell"
)

// play is what this test binary does as another process of a test. The roles:
//
//	worker DIR ID RUN [COMMAND…]   hold a worker and a run, start the command, write a line, wait to be killed
//	command FLAGS DIR              be a hostile command: write the pid into DIR, wait to be killed
func play(args []string) {
	var err error
	switch args[0] {
	case "worker":
		err = playWorker(args[1], args[2], args[3], args[4:])
	case "command":
		err = playCommand(strings.Split(args[1], ","), args[2])
	}
	fmt.Fprintln(os.Stderr, args, err)
	os.Exit(1)
}

func playWorker(dir, id, number string, command []string) error {
	run, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return err
	}
	w, err := HoldWorker(dir, id)
	if err != nil {
		return err
	}
	r, err := HoldRun(dir, run)
	if err != nil {
		return err
	}
	if len(command) > 0 {
		p, err := shell.Start(shell.Command{
			Argv: command, Dir: dir, Env: append(os.Environ(), marks(dir, run)...), Lease: r.File(),
			Output: filepath.Join(dir, "output"),
		})
		if err != nil {
			return err
		}
		if os.Getenv("DIE_EARLY") == "" {
			if err := r.Started(p.Pid()); err != nil {
				return err
			}
		}
	}
	fmt.Println("ready")
	err = forever()
	return fmt.Errorf("%v %v: %w", w, r, err)
}

// playCommand first does what the flags say. Those before "child" are for the process that starts it.
func playCommand(flags []string, dir string) error {
	name := filepath.Join(dir, "pid."+strconv.Itoa(os.Getpid()))
	if i := slices.Index(flags, "child"); i >= 0 {
		mine := flags[:i]
		c := exec.Command(executable(), "role", "command", strings.Join(flags[i+1:], ","), dir)
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: slices.Contains(mine, "setsid")}
		if slices.Contains(mine, "clean") {
			c.Env = []string{}
		}
		if err := c.Start(); err != nil {
			return err
		}
		if slices.Contains(mine, "exit") {
			for !exists(filepath.Join(dir, "pid."+strconv.Itoa(c.Process.Pid))) {
				time.Sleep(time.Millisecond) // until the child has come through
			}
			if err := os.WriteFile(name, nil, 0o600); err != nil {
				return err
			}
			os.Exit(0)
		}
	}
	if slices.Contains(flags, "close") {
		syscall.Close(100)
	}
	if slices.Contains(flags, "ignore") {
		signal.Ignore(syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT)
	}
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		return err
	}
	return forever()
}

func forever() error {
	_, err := os.Stdin.Read(make([]byte, 1)) // a test's pipe, or the null device
	for err != nil {
		syscall.Select(0, nil, nil, nil, nil)
	}
	return err
}

// executable is this test binary.
func executable() string {
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return path
}

// worker is another process that holds a worker and a run.
type worker struct {
	dir, id string
	run     uint64
	cmd     *exec.Cmd
}

// startWorker returns when it is ready. Its command is this test binary with the flags, if they are not "".
func startWorker(t *testing.T, flags string, env ...string) *worker {
	t.Helper()
	w := &worker{dir: t.TempDir(), id: "w1", run: 12}
	args := []string{"role", "worker", w.dir, w.id, "12"}
	if flags != "" {
		args = append(args, executable(), "role", "command", flags, w.dir)
	}
	w.cmd = exec.Command(executable(), args...)
	w.cmd.Env = append(os.Environ(), env...)
	w.cmd.Stderr = os.Stderr
	if _, err := w.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.kill()
		for _, pid := range w.pids(t) {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	if _, err := out.Read(make([]byte, 8)); err != nil {
		t.Fatalf("worker did not get ready: %v", err)
	}
	return w
}

// kill kills the worker's process alone, and returns when it is gone.
func (w *worker) kill() {
	w.cmd.Process.Kill()
	w.cmd.Wait()
}

// pids of the command's processes that have come as far as they come.
func (w *worker) pids(t *testing.T) (pids []int) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(w.dir, "pid.*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		pid, err := strconv.Atoi(strings.TrimPrefix(filepath.Ext(name), "."))
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	return pids
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
