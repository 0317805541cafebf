// Package shell runs one command.
//
// It promises: the command gets a session and process group of its own, and of our descriptors only standard input, the
// output file as standard output and error, and the lease; what it prints goes to the output file without passing
// through this process, and so outlives it; a signal is only ever sent while the command's pid cannot be anybody
// else's; and what is the command's fault, which is a result, is told from what is the machine's, which is an error.
//
// Windows has neither sessions nor TERM nor inherited locks. There the command and all that it starts are in a job
// object that ends with this process, and with the command's first process; every kill is final.
//
// The package does not decide what to run, retries nothing, and does not limit what a command does to the machine:
// memory, processor time, and output beyond [Command.OutputMax] for a tenth of a second.
package shell

import (
	"os"
	"sync"
	"syscall"
	"time"
)

// Command is what to run. Either Line or Argv is set.
type Command struct {
	Line string   // run by the shell: /bin/sh -c, on Windows cmd /C
	Argv []string // run without a shell. Its program is looked up in PATH of Env, from Dir
	Dir  string   // absolute; "" = that of this process
	Env  []string // the whole environment, "NAME=value"; of several for one name the last holds

	Stdin string // text; "@path" = from that file, from Dir; "" = the null device

	// Output is the file that stdout and stderr are appended to. It is made (0600) with its directory and the one that
	// this is in, but no more: whoever deleted what is above those does not want it back. The file is removed
	// at the end if it is empty, unless KeepEmpty. "" = the null device.
	Output    string
	KeepEmpty bool // leave an empty Output to the caller, for Reuse or to be removed
	// Reuse is the empty Output of a command that has ended. It becomes this one's, by another name, if nobody has it
	// open and the system can tell; else it is removed. To make a file costs many times as much as to rename one, the
	// more so the more were removed lately. "" = none.
	Reuse string
	// OutputMax bounds the size of Output while the first process runs: what exceeds it is cut from the middle, so
	// that the first quarter of it and the most recent half stay, with a line between them that says how much is
	// missing. Of a command that prints faster than a disk's cache is copied, the most recent 64 KiB stay. The size
	// is looked at ten times a second and at the end: until then, and once the first process has ended, the file may
	// grow as fast as the system lets it. What is printed in the microseconds of a cut may be lost. 0 = no limit.
	OutputMax int64

	// Unready is why the command cannot be started, through a fault of its own that the caller has found: it is
	// told as if the program could not be executed. nil = nothing.
	Unready error

	Lease *os.File // inherited as descriptor 100, on Unix; nil = none. It stays the caller's

	Timeout time.Duration // TERM to the group after this time; 0 = none
	Grace   time.Duration // KILL to the group, this long after TERM

	Now func() time.Time // for Result.Start and End; nil = time.Now
}

// Result is how a command ended.
type Result struct {
	Exit     int // exit code; -1 if a signal ended it
	Signal   int // that ended it; 0 = none
	TimedOut bool
	Asked    bool // it was sent TERM or KILL before its end was noticed, by Kill or because its time was up

	Start, End time.Time

	CPU time.Duration // user and system, of the first process and those that it waited for
	// MaxRSS is the peak memory, in bytes, of the largest of these processes. On Linux it is never less than this
	// process's own peak, which a new process inherits (exec_mmap in the kernel's fs/exec.c). 0 on Windows.
	MaxRSS     int64
	OutputSize int64 // bytes in Output
	// LeftBehind says that members of the command's process group were still alive. One that began a session of its own is not
	// seen here, and on Windows nothing outlives the first process.
	LeftBehind bool
}

// Process is a command that was started. Its methods may be called at any time, from any goroutine.
type Process struct {
	child  *child // nil if the command could not be started
	grace  time.Duration
	now    func() time.Time
	output *output
	done   chan struct{}
	result Result // the waiting goroutine's; anybody's after done

	mu      sync.Mutex
	reaped  bool          // nothing may be signalled any more: the pid may be somebody else's, or what lives was left behind
	ending  bool          // it was asked to end
	timeout *time.Timer   // nil = none
	kill    *time.Timer   // that sends KILL; nil = not asked to end
	killed  chan struct{} // closed when KILL was sent
	timedUp bool
}

// Start starts a command. A command that cannot be started through a fault of its own is a Process that has ended
// already, with Pid 0, the reason in its output, and exit code 127 if there is no such program, 126 if the program
// cannot be executed or the directory or the input file cannot be used. An error is the machine's fault, and says
// nothing about the command: no memory or process or descriptor left, no shell, no place for the output.
func Start(c Command) (*Process, error) {
	p := &Process{grace: c.Grace, now: c.Now, done: make(chan struct{}), killed: make(chan struct{})}
	if p.now == nil {
		p.now = time.Now
	}
	var err error
	if p.output, err = openOutput(&c); err != nil {
		return nil, err
	}
	p.result.Start = p.now()
	if c.Unready != nil {
		err = &fault{notExecutable, c.Unready}
	} else {
		p.child, err = start(&c, p.output.file)
	}
	if f := faultOf(err); f != nil {
		p.output.complain(f)
		p.reaped = true
		p.result.Exit = f.exit
		p.finish()
		return p, nil
	}
	if err != nil {
		p.output.keep = false
		p.output.close()
		return nil, err
	}
	if c.Timeout > 0 {
		p.timeout = time.AfterFunc(c.Timeout, p.timeUp)
	}
	p.output.watch()
	go p.wait()
	return p, nil
}

// Pid is that of its first process, which leads its process group and session. 0 if it could not be started.
func (p *Process) Pid() int {
	if p.child == nil {
		return 0
	}
	return p.child.pid
}

// Done is closed when the run has ended: the first process has ended and, if it was asked to end by a timeout or Kill,
// its group too, for which it has the grace and no longer. What else the first process left behind is left alone.
func (p *Process) Done() <-chan struct{} { return p.done }

// Result tells how the command ended. It is valid after Done.
func (p *Process) Result() Result {
	<-p.done
	return p.result
}

// Kill sends the signal to the command's group. 15 (TERM) is followed by KILL after the grace; others are sent alone.
// After Done it does nothing. On Windows every signal ends the command at once.
func (p *Process) Kill(sig int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.signalLocked(syscall.Signal(sig))
}

func (p *Process) timeUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped || p.ending {
		return
	}
	p.timedUp = true
	p.signalLocked(syscall.SIGTERM)
}

func (p *Process) signalLocked(sig syscall.Signal) {
	if p.reaped {
		return
	}
	p.child.signalGroup(sig)
	switch {
	case sig == syscall.SIGKILL:
		p.ending = true
		select {
		case <-p.killed:
		default:
			close(p.killed)
		}
	case sig == syscall.SIGTERM && p.kill == nil:
		p.ending = true
		p.kill = time.AfterFunc(p.grace, func() { p.Kill(int(syscall.SIGKILL)) })
	}
}

// wait waits for the first process, and sees the run off.
func (p *Process) wait() {
	p.child.await()
	p.mu.Lock()
	ending := p.ending
	p.reaped = !ending // what it left behind is left alone, unless all of it was to end
	p.mu.Unlock()
	if ending {
		p.linger()
	}
	p.mu.Lock()
	p.reaped = true
	for _, t := range []*time.Timer{p.timeout, p.kill} {
		if t != nil {
			t.Stop()
		}
	}
	p.result.TimedOut, p.result.Asked = p.timedUp, ending
	p.mu.Unlock()
	p.child.reap()
	p.child.report(&p.result)
	p.finish()
}

// linger waits for the rest of a group that was asked to end, until it is sent KILL. The first process is not reaped
// yet, so that the group keeps its number.
func (p *Process) linger() {
	const most = 50 * time.Millisecond
	for pause := time.Millisecond; p.child.groupLives(); pause = min(2*pause, most) {
		select {
		case <-time.After(pause):
		case <-p.killed:
			return
		}
	}
}

func (p *Process) finish() {
	p.result.OutputSize = p.output.close()
	p.result.End = p.now()
	close(p.done)
}
