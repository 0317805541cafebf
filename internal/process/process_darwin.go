package process

import (
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Look looks at one process. The error is [os.ErrProcessDone] if there is none.
func Look(pid int) (Status, error) {
	p, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil || int(p.Proc.P_pid) != pid {
		return Status{}, os.ErrProcessDone
	}
	return status(p), nil
}

// Group lists the living members of a process group. known is false where that cannot be told.
func Group(pgid int) (members []ID, known bool) {
	list, err := unix.SysctlKinfoProcSlice("kern.proc.pgrp", pgid)
	if err != nil {
		return nil, false
	}
	for i := range list {
		if st := status(&list[i]); !st.Zombie {
			members = append(members, st.ID)
		}
	}
	return members, true
}

func status(p *unix.KinfoProc) Status {
	const zombie = 5 // SZOMB of sys/proc.h
	start := p.Proc.P_starttime
	return Status{
		ID:     ID{Pid: int(p.Proc.P_pid), Start: uint64(start.Sec)*1e6 + uint64(start.Usec)},
		Group:  int(p.Eproc.Pgid),
		Zombie: p.Proc.P_stat == zombie,
	}
}

func (id ID) signal(sig syscall.Signal) error { return id.kill(sig) }

// Marked needs Linux; elsewhere it lists nobody.
func Marked(...string) ([]ID, error) { return nil, nil }

// HasMarks needs Linux; elsewhere nothing is readable.
func HasMarks(int, ...string) (has, readable bool) { return false, false }

// Holders needs Linux; elsewhere it lists nobody.
func Holders(fs.FileInfo) []Holder { return nil }

// Namespace needs Linux; elsewhere it is "".
func Namespace() string { return "" }
