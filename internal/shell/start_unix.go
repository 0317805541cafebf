//go:build unix

package shell

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"

	"github.com/queuectl/queuectl/internal/process"
)

// leaseDescriptor is beyond those that scripts use: "exec 3>file" closes the one that was 3.
const leaseDescriptor = 100

// leaseAt is leaseDescriptor or, where a process may not have as many, as high as there is room for those that are
// moved out of the way meanwhile.
func leaseAt() int {
	const moved, scripts = 8, 10 // scripts: in a portable one a descriptor has one digit
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil || uint64(limit.Cur) >= leaseDescriptor+moved {
		return leaseDescriptor
	}
	return max(scripts, int(limit.Cur)-moved)
}

// defaultPath is where programs are looked for without PATH, as by execvp(3).
const defaultPath = "/bin:/usr/bin"

// child is the first process of a command. Until it is reaped its pid, which is also the number of its group and session,
// is nobody else's.
type child struct {
	pid    int
	reaped bool
	status syscall.WaitStatus
	usage  syscall.Rusage
	err    error // of the wait
}

// start makes the process with the descriptors 0, 1, 2 and the lease's. All others of this process are close-on-exec.
func (s *spawn) start() (*child, error) {
	files := []uintptr{s.stdin.Fd(), s.out.Fd(), s.out.Fd()}
	if s.lease != nil {
		const none = ^uintptr(0)
		for at := leaseAt(); len(files) < at; {
			files = append(files, none)
		}
		files = append(files, s.lease.Fd())
	}
	path, argv := s.path, s.argv
	if path == "" {
		path, argv = "/bin/sh", []string{"/bin/sh", "-c", s.line}
	}
	pid, err := syscall.ForkExec(path, argv, &syscall.ProcAttr{
		Dir: s.dir, Env: s.env, Files: files, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	runtime.KeepAlive(s)
	if err != nil {
		return nil, err
	}
	return &child{pid: pid}, nil
}

// exitOf classifies the error of a start in a directory that can be used: 0 if it is the machine's fault.
func exitOf(err error, isShell bool) int {
	for _, e := range []error{syscall.E2BIG, syscall.EINVAL} { // too long, or with a zero byte
		if errors.Is(err, e) {
			return notExecutable
		}
	}
	if isShell {
		return 0 // all others are about the shell's own file
	}
	for _, e := range []error{syscall.ENOENT, syscall.ENOTDIR, syscall.ELOOP, syscall.ENAMETOOLONG} {
		if errors.Is(err, e) {
			return notFound
		}
	}
	for _, e := range []error{syscall.EACCES, syscall.EPERM, syscall.ENOEXEC, syscall.EISDIR, syscall.ETXTBSY} {
		if errors.Is(err, e) {
			return notExecutable
		}
	}
	return 0
}

func notADirectory(err error) bool { return errors.Is(err, syscall.ENOTDIR) }

func (c *child) signalGroup(sig syscall.Signal) {
	_ = syscall.Kill(-c.pid, sig) // it fails only if all members belong to others now, which Kill cannot change
}

// groupLives says whether anybody but the first process is alive in the group. It is false where that cannot be told.
func (c *child) groupLives() bool {
	members, _ := process.Group(c.pid)
	for _, m := range members {
		if m.Pid != c.pid {
			return true
		}
	}
	return false
}

// reap waits for the process and takes its exit status, the first time that it is called.
func (c *child) reap() {
	if c.reaped {
		return
	}
	c.reaped = true
	_, c.err = syscall.Wait4(c.pid, &c.status, 0, &c.usage)
	for errors.Is(c.err, syscall.EINTR) {
		_, c.err = syscall.Wait4(c.pid, &c.status, 0, &c.usage)
	}
}

// report fills in what became of a reaped process.
func (c *child) report(r *Result) {
	switch {
	case c.err != nil:
		// Somebody else in this process waits for any child. What became of ours cannot be told any more.
		r.Exit = -1
	case c.status.Signaled():
		r.Exit, r.Signal = -1, int(c.status.Signal())
	default:
		r.Exit = c.status.ExitStatus()
	}
	r.CPU = time.Duration(c.usage.Utime.Nano() + c.usage.Stime.Nano())
	r.MaxRSS = maxRSS(&c.usage)
	r.LeftBehind = process.GroupExists(c.pid) && c.groupLives() // the first costs next to nothing, and mostly says no
}

// maxRSS: getrusage(2) counts in KiB, but in bytes on darwin.
func maxRSS(usage *syscall.Rusage) int64 {
	if runtime.GOOS == "darwin" || runtime.GOOS == "ios" {
		return int64(usage.Maxrss)
	}
	return int64(usage.Maxrss) << 10
}

// openInput opens a file without waiting, which a FIFO would make us do, and so that its reader waits as usual.
func openInput(name string) (*os.File, error) {
	fd, err := syscall.Open(name, syscall.O_RDONLY|syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	for errors.Is(err, syscall.EINTR) {
		fd, err = syscall.Open(name, syscall.O_RDONLY|syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	}
	switch {
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.ENOMEM):
		return nil, fmt.Errorf("open standard input: %w", err)
	case err != nil:
		return nil, &fault{notExecutable, fmt.Errorf("standard input %s: %w", name, err)}
	}
	if err := syscall.SetNonblock(fd, false); err != nil {
		syscall.Close(fd) // opened for reading
		return nil, fmt.Errorf("open standard input: %w", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}
