package shell

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// defaultPath: without PATH no program is found.
const defaultPath = ""

// child is the first process of a command, in a job object of its own that ends with its last handle, which is ours.
type child struct {
	pid     int
	process *os.Process
	job     windows.Handle
	killed  bool // under the Process's mutex
	state   *os.ProcessState
}

func (s *spawn) start() (*child, error) {
	path, argv := s.path, s.argv
	sys := &syscall.SysProcAttr{CreationFlags: windows.CREATE_SUSPENDED | windows.CREATE_NEW_PROCESS_GROUP}
	if path == "" {
		// With /S, cmd takes off the outer quotes and leaves the rest of the line as it is: cmd /?.
		path, argv = filepath.Join(os.Getenv("SystemRoot"), "System32", "cmd.exe"), []string{"cmd.exe"}
		sys.CmdLine = `cmd.exe /D /S /C "` + s.line + `"`
	}
	job, err := newJob()
	if err != nil {
		return nil, err
	}
	p, err := os.StartProcess(path, argv, &os.ProcAttr{
		Dir: s.dir, Env: s.env, Files: []*os.File{s.stdin, s.out, s.out}, Sys: sys,
	})
	if err != nil {
		return nil, errors.Join(err, windows.CloseHandle(job))
	}
	c := &child{pid: p.Pid, process: p, job: job}
	// It runs only when it is in the job, so that nothing that it starts can be outside.
	if err := c.join(); err != nil {
		_ = p.Kill() // it has not run
		_, _ = p.Wait()
		return nil, errors.Join(fmt.Errorf("put process into job object: %w", err), windows.CloseHandle(job))
	}
	return c, nil
}

func newJob() (windows.Handle, error) {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return 0, fmt.Errorf("make job object: %w", err)
	}
	var limits windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION
	limits.BasicLimitInformation.LimitFlags = windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
	_, err = windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&limits)), uint32(unsafe.Sizeof(limits)))
	if err != nil {
		return 0, errors.Join(fmt.Errorf("limit job object: %w", err), windows.CloseHandle(job))
	}
	return job, nil
}

func (c *child) join() error {
	h, err := windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, uint32(c.pid))
	if err != nil {
		return err
	}
	defer windows.CloseHandle(h) // only used
	if err := windows.AssignProcessToJobObject(c.job, h); err != nil {
		return err
	}
	return resume(uint32(c.pid))
}

// resume lets a process run that was started suspended. The standard library keeps no handle of its only thread.
func resume(pid uint32) error {
	snapshot, err := windows.CreateToolhelp32Snapshot(windows.TH32CS_SNAPTHREAD, 0)
	if err != nil {
		return err
	}
	defer windows.CloseHandle(snapshot) // only read
	entry := windows.ThreadEntry32{}
	entry.Size = uint32(unsafe.Sizeof(entry))
	for err = windows.Thread32First(snapshot, &entry); err == nil; err = windows.Thread32Next(snapshot, &entry) {
		if entry.OwnerProcessID != pid {
			continue
		}
		thread, err := windows.OpenThread(windows.THREAD_SUSPEND_RESUME, false, entry.ThreadID)
		if err != nil {
			return err
		}
		_, err = windows.ResumeThread(thread)
		return errors.Join(err, windows.CloseHandle(thread))
	}
	return fmt.Errorf("find thread of process %d: %w", pid, err)
}

// exitOf classifies the error of a start in a directory that can be used: 0 if it is the machine's fault.
func exitOf(err error, isShell bool) int {
	for _, e := range []error{syscall.EINVAL, windows.ERROR_FILENAME_EXCED_RANGE} { // with a zero character, or too long
		if errors.Is(err, e) {
			return notExecutable
		}
	}
	switch {
	case isShell:
		return 0 // all others are about the shell's own file
	case errors.Is(err, os.ErrNotExist):
		return notFound
	case errors.Is(err, os.ErrPermission), errors.Is(err, windows.ERROR_BAD_EXE_FORMAT):
		return notExecutable
	}
	return 0
}

func notADirectory(err error) bool { return errors.Is(err, windows.ERROR_DIRECTORY) }

// signalGroup ends all processes of the job object.
func (c *child) signalGroup(syscall.Signal) {
	c.killed = true
	_ = windows.TerminateJobObject(c.job, 1) // an ended one has nothing left to end
}

// groupLives: a job object is ended as a whole.
func (c *child) groupLives() bool { return false }

// await returns when the first process has ended. Signals go to the job object, whose handle stays open until reap.
func (c *child) await() { c.state, _ = c.process.Wait() }

// reap ends what the first process left behind.
func (c *child) reap() {
	_ = windows.CloseHandle(c.job) // that is all that it can do
}

// report fills in what became of a process that has ended.
func (c *child) report(r *Result) {
	switch {
	case c.state == nil:
		r.Exit = -1
		return
	case c.killed:
		r.Exit, r.Signal = -1, int(syscall.SIGKILL)
	default:
		r.Exit = c.state.ExitCode()
	}
	r.CPU = c.state.UserTime() + c.state.SystemTime()
}

func openInput(name string) (*os.File, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, &fault{notExecutable, fmt.Errorf("standard input %s: %w", name, errors.Unwrap(err))}
	}
	return f, nil
}

// unnamedFile makes a file that is gone when the last who has it open closes it.
func unnamedFile() (*os.File, error) {
	path := filepath.Join(os.TempDir(), "queuectl-stdin-"+rand.Text())
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	const share = windows.FILE_SHARE_READ | windows.FILE_SHARE_WRITE | windows.FILE_SHARE_DELETE
	const flags = windows.FILE_ATTRIBUTE_TEMPORARY | windows.FILE_FLAG_DELETE_ON_CLOSE
	h, err := windows.CreateFile(name, windows.GENERIC_READ|windows.GENERIC_WRITE, share, nil, windows.CREATE_NEW, flags, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(h), path), nil
}
