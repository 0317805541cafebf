// Package process tells what the system knows about processes that are not ours to wait for, and signals them.
//
// It promises: a signal reaches the process that was meant or nobody, never one that got its pid later; and a zombie,
// which holds nothing and runs nothing, is not counted as living.
//
// How much can be told differs. Linux: everything here. darwin: [Look] and [Group]. Elsewhere only whether a process
// group exists. What cannot be told is reported as unknown, never as absent. The package starts no processes and
// cannot see into other pid namespaces or past the permissions of its user.
package process

import "syscall"

// ID names one process for as long as the machine runs: a pid is given to others later, a pid with its start time is
// not. The zero ID names none.
type ID struct {
	Pid   int
	Start uint64 // Linux: clock ticks since boot; darwin: microseconds since 1970
}

// Status is what a process is at the moment.
type Status struct {
	ID
	Group  int // its process group
	Zombie bool
}

// Holder is a process that holds a lock.
type Holder struct {
	ID
	Took bool // it took the lock itself; else it inherited it
}

// Lives says whether the process exists and is not a zombie. It is false where processes cannot be looked at.
func (id ID) Lives() bool {
	st, err := Look(id.Pid)
	return err == nil && st.ID == id && !st.Zombie
}

// Signal sends the process a signal. The error is [os.ErrProcessDone] if the process is not there any more, and wraps
// [errors.ErrUnsupported] where that cannot be made sure of.
func (id ID) Signal(sig syscall.Signal) error { return id.signal(sig) }
