package process

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Look looks at one process. The error is [os.ErrProcessDone] if there is none, or what kept it from looking.
func Look(pid int) (Status, error) {
	st, err := look(pid)
	return st.Status, err
}

// stat is a Status with what only this file needs.
type stat struct {
	Status
	headless bool // its first thread has ended, and others have not: it lives, though the first one is a zombie
	bare     bool // it has no environment: it is the kernel's, or about to end
	buried   bool // it has ended, and its parent knows
	// environ is where its environment ends in memory, and another number for each program that it starts. It is 0
	// while that is being done, for a headless process, and if we may not look into it.
	environ uint64
}

func look(pid int) (stat, error) {
	var buf [1024]byte // a line is at most about 400 bytes long
	// The kernel looks up the number first and makes the line later. If the first thread is buried meanwhile, the line
	// says that it has ended, and that it has no thread at all: either all is over, or another thread starts a program
	// and has got its number. The next look tells. The bound is for kernels that count no threads.
	const most = 100
	for range most {
		line, err := readFile(procDir(pid)+"/stat", buf[:])
		if scarce(err) {
			return stat{}, fmt.Errorf("look at process %d: %w", pid, err)
		}
		if st, ok := parseStat(pid, line); err == nil && ok {
			if st.buried {
				continue
			}
			return st, nil
		}
		return stat{}, os.ErrProcessDone
	}
	return stat{}, os.ErrProcessDone
}

func procDir(pid int) string { return "/proc/" + strconv.Itoa(pid) }

// scarce says that something could not be looked at because this process or the system has too much open: that tells
// nothing of what was to be looked at.
func scarce(err error) bool {
	return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) || errors.Is(err, unix.ENOMEM)
}

// parseStat reads a line of proc_pid_stat(5). Its second field is the program's name in parentheses, which may hold
// blanks and parentheses itself.
func parseStat(pid int, line []byte) (stat, bool) {
	_, rest, found := bytes.Cut(line[bytes.LastIndexByte(line, ')')+1:], []byte(" "))
	field := bytes.Fields(rest)                                             // from the third on
	const state, group, flags, threads, start, envEnd = 0, 2, 6, 17, 19, 48 // 3, 5, 9, 20, 22 and 51 of the manual page
	if !found || len(field) <= start {
		return stat{}, false
	}
	ended := bytes.ContainsAny(field[state], "ZX")
	n, err1 := strconv.Atoi(string(field[threads]))
	st := stat{Status: Status{ID: ID{Pid: pid}, Zombie: ended && n <= 1}, headless: ended && n > 1, buried: ended && n == 0}
	var err2, err3 error
	st.Group, err2 = strconv.Atoi(string(field[group]))
	st.Start, err3 = strconv.ParseUint(string(field[start]), 10, 64)
	bits, err4 := strconv.ParseUint(string(field[flags]), 10, 32)
	const exiting, kernel = 0x4, 0x200000                     // PF_EXITING and PF_KTHREAD of the kernel's sched.h
	st.bare = bits&kernel != 0 || bits&exiting != 0 && n <= 1 // one that starts a program ends its other threads first
	if len(field) > envEnd {
		st.environ, _ = strconv.ParseUint(string(field[envEnd]), 10, 64)
	}
	return st, errors.Join(err1, err2, err3, err4) == nil
}

// visible is where /proc shows the environment and the descriptors of a process: with its first thread or, when that
// has ended and others have not, with one of those.
func (st stat) visible() (string, error) {
	pid := st.Pid
	if !st.headless {
		return procDir(pid), nil
	}
	threads, err := os.ReadDir(procDir(pid) + "/task")
	if err != nil || len(threads) < 2 {
		return procDir(pid), err
	}
	return procDir(pid) + "/task/" + threads[len(threads)-1].Name(), nil
}

// Group lists the living members of a process group. known is false where that cannot be told.
func Group(pgid int) (members []ID, known bool) {
	pids, err := all()
	if err != nil || len(pids) == 0 {
		return nil, false
	}
	for _, pid := range pids {
		switch st, err := Look(pid); {
		case scarce(err):
			return nil, false
		case err == nil && st.Group == pgid && !st.Zombie:
			members = append(members, st.ID)
		}
	}
	return members, true
}

// Marked lists the living processes whose environment, as it was when they started their program, holds all of the
// marks ("NAME=value"). Processes that we may not look into are left out. The error is that others could not be looked
// into for lack of files or memory.
func Marked(marks ...string) ([]ID, error) {
	pids, err := all()
	if err != nil {
		return nil, err
	}
	var ids []ID
	e := newEnviron(marks)
	for _, pid := range pids {
		has, err := e.has(pid)
		if scarce(err) {
			return nil, fmt.Errorf("look into process %d: %w", pid, err)
		}
		if !has {
			continue
		}
		switch st, err := Look(pid); {
		case scarce(err):
			return nil, err
		case err == nil && !st.Zombie:
			ids = append(ids, st.ID)
		}
	}
	return ids, nil
}

// HasMarks says whether the environment of a process holds all of the marks; readable is false if we may not look, or
// cannot.
func HasMarks(pid int, marks ...string) (has, readable bool) {
	has, err := newEnviron(marks).has(pid)
	return has, err == nil
}

// environ looks for marks in the environments of many processes.
type environ struct {
	marks [][]byte // each "\x00NAME=value\x00"
	buf   []byte
}

func newEnviron(marks []string) *environ {
	e := &environ{buf: make([]byte, 64<<10)}
	for _, m := range marks {
		e.marks = append(e.marks, []byte("\x00"+m+"\x00"))
	}
	return e
}

func (e *environ) has(pid int) (bool, error) {
	n, err := e.read(procDir(pid))
	if err == nil && n == 0 || errors.Is(err, unix.ESRCH) {
		n, err = e.readAgain(pid)
	}
	if err != nil {
		return false, err
	}
	for _, m := range e.marks {
		if !bytes.Contains(e.buf[:n+1], m) {
			return false, nil
		}
	}
	return true, nil
}

// readAgain reads an environment that seemed to be empty. A process that has started another program has none for a
// moment, and its threads come to an end: an environment is empty only if it is so between two looks at one program.
func (e *environ) readAgain(pid int) (n int, err error) {
	const most = 50 // milliseconds: where /proc tells no environ, all that have an empty environment take as long
	var before stat
	for range most {
		now, err := look(pid)
		if err != nil || now.bare || now.environ != 0 && now.environ == before.environ {
			return 0, err
		}
		dir, err := now.visible()
		if err == nil {
			n, err = e.read(dir)
		}
		if n > 0 || err != nil && !errors.Is(err, unix.ESRCH) && !errors.Is(err, fs.ErrNotExist) {
			return n, err
		}
		if before = now; now.environ == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	return 0, nil
}

// read reads an environment into buf, behind a byte that stands for the end of a variable before the first one.
func (e *environ) read(dir string) (n int, err error) {
	for {
		data, err := readFile(dir+"/environ", e.buf[1:])
		if err != nil || len(data) < len(e.buf)-1 {
			return len(data), err
		}
		e.buf = make([]byte, 2*len(e.buf))
	}
}

// Holders lists the living processes that hold an exclusive flock on the file. A process that merely has the file open
// is none.
func Holders(file fs.FileInfo) []Holder {
	want, ok := file.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	var holders []Holder
	pids, _ := all() // none can be seen then
	for _, pid := range pids {
		held, took := holds(pid, want)
		if !held {
			continue
		}
		if st, err := Look(pid); err == nil && !st.Zombie {
			holders = append(holders, Holder{ID: st.ID, Took: took})
		}
	}
	return holders
}

func holds(pid int, want *syscall.Stat_t) (held, took bool) {
	st, err := look(pid)
	if err != nil {
		return false, false
	}
	proc, err := st.visible()
	if err != nil {
		return false, false
	}
	dir, err := os.Open(proc + "/fd")
	if err != nil {
		return false, false
	}
	defer dir.Close() // opened for reading
	names, _ := dir.Readdirnames(-1)
	var buf [4096]byte
	for _, name := range names {
		var st unix.Stat_t
		if unix.Fstatat(int(dir.Fd()), name, &st, 0) != nil || st.Ino != want.Ino || st.Dev != want.Dev {
			continue
		}
		info, err := readFile(proc+"/fdinfo/"+name, buf[:])
		if err != nil {
			continue
		}
		if taker, locked := flockTaker(info); locked {
			return true, taker == pid
		}
	}
	return false, false
}

// flockTaker finds the process that took an exclusive flock in a file of proc_pid_fdinfo(5), which lists the locks of
// exactly that open file. It is 0 for a process that is gone or in another pid namespace.
//
//	lock:	1: FLOCK  ADVISORY  WRITE 4711 fe:00:131078 0 EOF
func flockTaker(info []byte) (pid int, locked bool) {
	_, rest, locked := bytes.Cut(info, []byte("FLOCK  ADVISORY  WRITE "))
	number, _, _ := bytes.Cut(rest, []byte(" "))
	pid, _ = strconv.Atoi(string(number))
	return pid, locked
}

// all lists the pids that /proc shows.
func all() (pids []int, err error) {
	dir, err := os.Open("/proc")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // it is not mounted
	}
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	defer dir.Close() // opened for reading
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// readFile reads a file of /proc into buf, as much as fits. It is os.ReadFile without what that does for files that
// one may wait for: a scan reads hundreds.
func readFile(path string, buf []byte) ([]byte, error) {
	fd, err := ignoreEINTR(func() (int, error) { return unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return nil, err
	}
	n, err := ignoreEINTR(func() (int, error) { return unix.Read(fd, buf) })
	unix.Close(fd) // opened for reading
	if err != nil {
		return nil, err
	}
	return buf[:n], nil
}

func ignoreEINTR(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

// signal sends through a pidfd, which keeps meaning the process that it was opened for, whatever becomes of the pid.
func (id ID) signal(sig syscall.Signal) error {
	fd, err := unix.PidfdOpen(id.Pid, 0)
	switch {
	case errors.Is(err, unix.ESRCH):
		return os.ErrProcessDone
	case err != nil:
		// A kernel before 5.3, or a sandbox. What is left is to look right before.
		return id.kill(sig)
	}
	defer unix.Close(fd)
	if !id.Lives() {
		return os.ErrProcessDone
	}
	if err := unix.PidfdSendSignal(fd, sig, nil, 0); errors.Is(err, unix.ESRCH) {
		return os.ErrProcessDone
	} else if err != nil {
		return fmt.Errorf("signal process %d: %w", id.Pid, err)
	}
	return nil
}

// Namespace names the pid namespace of this process: pids mean nothing in another one. It is "" if that cannot be told.
func Namespace() string { return namespace() }

var namespace = sync.OnceValue(func() string {
	name, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return ""
	}
	return name
})
