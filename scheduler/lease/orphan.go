package lease

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/queuectl/queuectl/internal/file"
	"github.com/queuectl/queuectl/internal/process"
)

// SurvivorError says that something of a lost run could not be ended.
type SurvivorError struct {
	Run uint64
	// Pids of what survives, ascending. Empty if all that is known is that its lock is held: by a process that
	// cannot be seen from here, as in another container.
	Pids []int
}

func (e *SurvivorError) Error() string {
	if len(e.Pids) == 0 {
		return fmt.Sprintf("end run %d: a process that cannot be seen from here holds its lock", e.Run)
	}
	return fmt.Sprintf("end run %d: processes %v survive", e.Run, e.Pids)
}

// EndOrphan makes sure that nothing of a lost run lives any more. The run is over only when its lock is free, and its
// process group is empty, and (Linux) no environment that may be read carries its marks. What still lives gets TERM,
// and KILL after grace. Only processes that are proven to be of the run are signalled, each as the one that it was when
// it was proven: those that carry the marks, that inherited the lock, or whose group has such a member or its own leader
// still. Zombies do not live.
//
// It returns nil when the run is over, a *[SurvivorError] when something survives KILL or must not be signalled, ctx's
// error when that ends first, or the error that kept it from looking. Any number of callers may end the same run. The
// run's worker has to be dead. The lock file stays until a [Sweep].
//
// Where processes cannot be looked at (neither Linux nor darwin), it waits as long as it would after the signals. On
// Windows a run ends with its worker, so that the lock alone tells.
func EndOrphan(ctx context.Context, dir string, run uint64, grace time.Duration) error {
	const killed = 2 * time.Second // for what was killed to go: the kernel may have to finish a read or to free memory
	o, err := openOrphan(dir, run)
	if err != nil {
		return err
	}
	defer o.close()
	return o.end(ctx, grace, killed)
}

// LeftBehind lists the processes of a run that live now, ascending, without its worker: after the end of a run what its
// command left behind. It is a look at a moving thing, for people. nil on systems that cannot tell.
func LeftBehind(dir string, run uint64) []int {
	o, err := openOrphan(dir, run)
	if err != nil {
		return nil
	}
	defer o.close()
	s, err := o.look()
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(s.pids(), func(pid int) bool { return pid == o.rec.Worker })
}

// orphan is a run seen from another process than its worker's.
type orphan struct {
	run   uint64
	lock  *file.Lock // nil if there is no lock file
	info  fs.FileInfo
	rec   record // zero if the worker recorded nothing
	marks []string
	seen  []process.ID // all that an earlier look has proven
}

func openOrphan(dir string, run uint64) (*orphan, error) {
	o := &orphan{run: run, marks: marks(dir, run)}
	l, err := file.OpenExistingLock(runFile(dir, run))
	if errors.Is(err, fs.ErrNotExist) {
		return o, nil
	}
	if err != nil {
		return nil, err
	}
	o.lock = l
	if o.info, err = l.File().Stat(); err != nil {
		o.close()
		return nil, fmt.Errorf("stat run lock file: %w", err)
	}
	// What cannot be read was not written: the worker died before it got there.
	buf := make([]byte, 16<<10) // a path is at most 4 KiB
	n, _ := l.File().ReadAt(buf, 0)
	if json.Unmarshal(buf[:n], &o.rec) != nil || o.rec.Run != run {
		o.rec = record{}
	}
	if o.rec.Dir != "" {
		o.marks = marks(o.rec.Dir, run) // the worker may have come to the directory by another path
	}
	return o, nil
}

func (o *orphan) close() {
	if o.lock != nil {
		o.lock.Close() // only read
	}
}

func (o *orphan) end(ctx context.Context, grace, killed time.Duration) error {
	for _, step := range []struct {
		sig  syscall.Signal
		wait time.Duration
	}{{syscall.SIGTERM, grace}, {syscall.SIGKILL, killed}} {
		if over, err := o.press(ctx, step.sig, step.wait); over || err != nil {
			return err
		}
	}
	s, err := o.look()
	if err != nil || s.over() {
		return err
	}
	return &SurvivorError{Run: o.run, Pids: s.pids()}
}

// press signals what lives of the run, once each, until the run is over or the time to wait has passed. It looks again
// and again, since what lives may fork before the signal reaches it.
func (o *orphan) press(ctx context.Context, sig syscall.Signal, wait time.Duration) (over bool, err error) {
	const most = 50 * time.Millisecond
	enough := time.NewTimer(wait)
	defer enough.Stop()
	signalled := map[process.ID]bool{}
	if id, lives := o.leader(); lives { // it may have ended before all others are looked for
		signalled[id] = true
		_ = id.Signal(sig)
		o.seen = append(o.seen, id)
	}
	for pause := time.Millisecond; ; pause = min(2*pause, most) {
		s, err := o.look()
		if err != nil || s.over() {
			return err == nil, err
		}
		for _, id := range s.proven {
			if !signalled[id] {
				signalled[id] = true
				_ = id.Signal(sig) // the next look tells what came of it
			}
		}
		select {
		case <-time.After(pause):
		case <-enough.C:
			return false, nil
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// sight is what one look found of a run.
type sight struct {
	proven []process.ID // may be signalled
	others []int        // count as living, must not be signalled
	locked bool
}

func (s sight) over() bool { return len(s.proven) == 0 && len(s.others) == 0 && !s.locked }

func (s sight) pids() []int {
	pids := slices.Clone(s.others)
	for _, id := range s.proven {
		pids = append(pids, id.Pid)
	}
	slices.Sort(pids)
	return slices.Compact(pids)
}

// look looks once, for the cheap and the certain first. The lock comes last: what was missed by its environment or
// group, because it forked meanwhile, holds it.
func (o *orphan) look() (sight, error) {
	var s sight
	if o.bootedSince() {
		locked, err := o.locked()
		return sight{locked: locked}, err
	}
	var err error
	if s.proven, err = process.Marked(o.marks...); err != nil {
		return s, err
	}
	if err = o.lookAtGroup(&s); err != nil {
		return s, err
	}
	if s.locked, err = o.locked(); err != nil {
		return s, err
	}
	if s.locked && len(s.proven) == 0 {
		o.lookAtHolders(&s)
	}
	if err = o.lookAgain(&s); err != nil {
		return s, err
	}
	// This process, if the run started it, is not to be ended by itself.
	if slices.Contains(s.proven, self()) {
		s.proven = slices.DeleteFunc(s.proven, func(id process.ID) bool { return id == self() })
		s.others = append(s.others, self().Pid)
	}
	return s, nil
}

// bootedSince says that the machine was started again since the run was, so that nothing of it lives.
func (o *orphan) bootedSince() bool {
	return o.rec.Boot != "" && file.BootID() != "" && o.rec.Boot != file.BootID()
}

func (o *orphan) locked() (bool, error) {
	if o.lock == nil {
		return false, nil
	}
	free, err := o.lock.TryShared()
	if err == nil && free {
		err = o.lock.Unlock()
	}
	return !free, err
}

// leader returns the command's own process, if it lives.
func (o *orphan) leader() (id process.ID, lives bool) {
	if o.rec.Group == 0 || o.bootedSince() || o.rec.Namespace != process.Namespace() {
		return process.ID{}, false
	}
	st, err := process.Look(o.rec.Group)
	return st.ID, err == nil && st.Start == o.rec.Start && !st.Zombie && st.ID != self()
}

// lookAtGroup adds the members of the command's process group, if that is still the command's.
func (o *orphan) lookAtGroup(s *sight) error {
	pgid := o.rec.Group
	if o.rec.Namespace != process.Namespace() || !process.GroupExists(pgid) {
		return nil
	}
	members, known := process.Group(pgid)
	if !known {
		s.others = append(s.others, pgid)
		return nil
	}
	leader, err := process.Look(pgid)
	exists := err == nil
	switch {
	case !exists && !errors.Is(err, os.ErrProcessDone):
		return err
	case exists && leader.Start != o.rec.Start:
		return nil // the pid was given to somebody else, which is not done while the group has members
	}
	if exists || slices.ContainsFunc(members, func(m process.ID) bool { return slices.Contains(s.proven, m) }) {
		s.proven = append(s.proven, members...)
		return nil
	}
	for _, m := range members {
		// One that may be looked into and has no marks is not ours: the pid came and went again.
		if _, readable := process.HasMarks(m.Pid, o.marks...); readable {
			continue
		}
		switch st, err := process.Look(m.Pid); {
		case err != nil && !errors.Is(err, os.ErrProcessDone):
			return err
		case err == nil && st.ID == m && !st.Zombie:
			s.others = append(s.others, m.Pid)
		}
	}
	return nil
}

// lookAgain adds what an earlier look has proven and still lives, though nothing may show by now whose it is: a process
// that is about to end gives up its environment and its files first.
func (o *orphan) lookAgain(s *sight) error {
	for _, id := range o.seen {
		if slices.Contains(s.proven, id) {
			continue
		}
		switch st, err := process.Look(id.Pid); {
		case err != nil && !errors.Is(err, os.ErrProcessDone):
			return err
		case err == nil && st.ID == id && !st.Zombie:
			s.proven = append(s.proven, id)
		}
	}
	o.seen = slices.Clone(s.proven)
	return nil
}

// lookAtHolders adds who holds the lock. To inherit it takes being of the run; who took it is the worker, which lives
// although somebody thought it dead, or a Sweep that has not heard of the run.
func (o *orphan) lookAtHolders(s *sight) {
	for _, h := range process.Holders(o.info) {
		if h.Took {
			s.others = append(s.others, h.Pid)
		} else {
			s.proven = append(s.proven, h.ID)
		}
	}
}
