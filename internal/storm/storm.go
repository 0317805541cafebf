// Package storm kills processes that use a queue, at random, and then proves from the log and from what the processes
// saw that nothing was lost and nothing ran twice at once.
//
// It promises: a [Report] that is [Report.Sound] says that every enqueue that was answered is in a log that is whole,
// that every job has completed, that a command was seen to end for each completion, that no two runs of a job
// overlapped, and that nothing of any run lives any more.
//
// Everything is in one directory, a [Place]. The processes are those of whoever starts the storm: [Storm.Command] makes
// them, and in them [Place.Write] and [Place.Witness] do what a writer and the command of a job do.
//
// It cannot cut the power, so that it proves nothing about a disk; and it does not touch any other queue.
package storm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Role is what a process of a storm does.
type Role string

// The roles.
const (
	Writer      Role = "writer"      // enqueues jobs, see [Place.Write]
	Worker      Role = "worker"      // runs them
	Reclaimer   Role = "reclaimer"   // is a worker that runs none: it finds those that are dead, and what they ran
	Follower    Role = "follower"    // reads the log while it grows, see [Place.Follow]
	Snapshotter Role = "snapshotter" // writes snapshots, see [Place.Save]
	Drainer     Role = "drainer"     // is a worker that ends when no job is left
)

// Storm is what kills. Its fields do not change while [Storm.Rage] runs.
type Storm struct {
	Random           *rand.Rand
	Writers, Workers int           // processes at a time
	Others           []Role        // of more processes; nil = there are none
	Pause            time.Duration // the longest time between two kills
	Kills            int           // it ends after so many; 0 = with its context

	// Command makes a process that plays a role, without starting it. The name is different for each. Its standard input
	// is the storm's: it ends when the storm's own process does, and so must the other.
	Command func(role Role, name string) *exec.Cmd
	// Doomed says that a process will be killed at a moment that Command has chosen for it, such as a system call. That
	// counts as a kill, and until then it is mostly spared. nil = none is.
	Doomed func(*exec.Cmd) bool
	// Struck is told the kills so far, after each; nil = nobody is.
	Struck func(kills int)

	lives []*life
	names int
	kills []Kill
}

// Kill is a process that was killed in the middle of its work.
type Kill struct {
	Role Role
	PID  int
	At   time.Time // right before; of one that was doomed, right after
	Own  bool      // in a moment of its own, see [Storm.Doomed]
}

// life is a process of the storm.
type life struct {
	role  Role
	cmd   *exec.Cmd
	stdin io.Closer
	said  bytes.Buffer  // its standard error; to be read when it is gone
	gone  chan struct{} // closed when the process has ended
	err   error         // how; to be read when it is gone
	at    time.Time     // when; to be read when it is gone
}

// EndedError says that a process of the storm ended before it was killed.
type EndedError struct {
	Role Role
	Err  error  // nil = with the exit code 0
	Said string // the end of its standard error
}

func (e *EndedError) Error() string {
	how := "by itself"
	if e.Err != nil {
		how = "with " + e.Err.Error()
	}
	if e.Said != "" {
		how += ": " + e.Said
	}
	return fmt.Sprintf("a %s of the storm ended %s", e.Role, how)
}

func (e *EndedError) Unwrap() error { return e.Err }

// Rage starts the processes and kills them, one after the other, each of which is replaced by a new one, until ctx ends or
// there were enough kills. Then it kills all of them. It returns the kills, without those of the end, when none of the
// processes is left. The error is an *[EndedError] of a process that ended by itself, or that one could not be
// started; the end of ctx is none.
func (s *Storm) Rage(ctx context.Context) ([]Kill, error) {
	defer s.end()
	for range s.Writers {
		s.lives = append(s.lives, &life{role: Writer})
	}
	for range s.Workers {
		s.lives = append(s.lives, &life{role: Worker})
	}
	for _, role := range s.Others {
		s.lives = append(s.lives, &life{role: role})
	}
	for i, l := range s.lives {
		begun, err := s.begin(l.role)
		if err != nil {
			s.lives = s.lives[:i]
			return s.kills, err
		}
		s.lives[i] = begun
	}
	for s.Kills == 0 || len(s.kills) < s.Kills {
		pause := time.NewTimer(time.Duration(s.Random.Int64N(int64(s.Pause))))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return s.kills, s.anyEnded()
		}
		err := s.raise()
		if err == nil {
			err = s.anyEnded()
		}
		if err == nil && (s.Kills == 0 || len(s.kills) < s.Kills) {
			err = s.strike()
		}
		if err != nil {
			return s.kills, err
		}
	}
	return s.kills, s.anyEnded()
}

// Drain lets one process do what is left, until no job is.
func (s *Storm) Drain(ctx context.Context) error {
	l, err := s.begin(Drainer)
	if err != nil {
		return err
	}
	select {
	case <-l.gone:
	case <-ctx.Done():
		l.kill()
		return ctx.Err()
	}
	if l.err != nil {
		return l.ended()
	}
	return nil
}

// strike kills one process and begins another in its place.
func (s *Storm) strike() error {
	i := s.Random.IntN(len(s.lives))
	for s.doomed(s.lives[i]) && s.Random.IntN(4) > 0 { // one in four may wait for its moment in vain
		i = s.Random.IntN(len(s.lives))
	}
	l := s.lives[i]
	kill := Kill{Role: l.role, PID: l.cmd.Process.Pid, At: time.Now()}
	l.kill()
	return s.replace(i, kill)
}

func (s *Storm) doomed(l *life) bool { return s.Doomed != nil && s.Doomed(l.cmd) }

// raise begins others in place of those that were doomed and are dead, until there were enough kills.
func (s *Storm) raise() error {
	for i, l := range s.lives {
		if s.Kills > 0 && len(s.kills) >= s.Kills {
			return nil
		}
		if !s.doomed(l) || !l.died() {
			continue
		}
		if err := s.replace(i, Kill{Role: l.role, PID: l.cmd.Process.Pid, At: l.at, Own: true}); err != nil {
			return err
		}
	}
	return nil
}

// died says that the process is gone, and of SIGKILL.
func (l *life) died() bool {
	select {
	case <-l.gone:
		exit, ended := errors.AsType[*exec.ExitError](l.err)
		if !ended {
			return false
		}
		status, ok := exit.Sys().(syscall.WaitStatus)
		return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
	default:
		return false
	}
}

// replace begins another process in place of one that is dead.
func (s *Storm) replace(i int, kill Kill) error {
	s.kills = append(s.kills, kill)
	begun, err := s.begin(kill.Role)
	if err != nil {
		s.lives = append(s.lives[:i:i], s.lives[i+1:]...)
		return err
	}
	s.lives[i] = begun
	if s.Struck != nil {
		s.Struck(len(s.kills))
	}
	return nil
}

func (s *Storm) anyEnded() error {
	for _, l := range s.lives {
		select {
		case <-l.gone:
			if s.doomed(l) && l.died() {
				continue
			}
			return l.ended()
		default:
		}
	}
	return nil
}

func (s *Storm) end() {
	for _, l := range s.lives {
		l.kill()
	}
	s.lives = nil
}

func (s *Storm) begin(role Role) (*life, error) {
	s.names++
	l := &life{role: role, gone: make(chan struct{})}
	l.cmd = s.Command(role, fmt.Sprintf("%s%d", role, s.names))
	l.cmd.Stderr = &l.said
	l.cmd.WaitDelay = time.Second // for what its orphans may hold open
	var err error
	if l.stdin, err = l.cmd.StdinPipe(); err == nil {
		err = l.cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("start a %s: %w", role, err)
	}
	go func() {
		defer close(l.gone)
		l.err = l.cmd.Wait()
		l.at = time.Now()
	}()
	return l, nil
}

// kill kills the process and waits until it is gone.
func (l *life) kill() {
	_ = l.cmd.Process.Kill() // it may have ended just now
	<-l.gone
	_ = l.stdin.Close() // nothing was written
}

// ended tells of the end of a process that is gone.
func (l *life) ended() error {
	const most = 300 // bytes: for one message
	said := strings.TrimSpace(l.said.String())
	if len(said) > most {
		said = "…" + strings.ToValidUTF8(said[len(said)-most:], "")
	}
	return &EndedError{l.role, l.err, said}
}
