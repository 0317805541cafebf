package lease

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/queuectl/queuectl/internal/file"
	"github.com/queuectl/queuectl/internal/process"
)

func lives(pid int) bool {
	st, err := process.Look(pid)
	return err == nil && !st.Zombie
}

// Each command is left alone by a worker that was killed. All of it has to be gone when EndOrphan returns nil.
func TestEndOrphan_EndsWhateverTheCommandBecame(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, flags string
		processes   int
		env         string
	}{
		{"plain", "plain", 1, ""},
		{"worker died before it could record", "plain", 1, "DIE_EARLY=1"},
		{"ignores TERM", "ignore", 1, ""},
		{"closed the lock", "close", 1, ""},
		{"closed the lock, ignores TERM, not recorded", "close,ignore", 1, "DIE_EARLY=1"},
		{"has a child", "child", 2, ""},
		{"daemon", "setsid,exit,child", 1, ""},
		{"daemon that closed the lock", "setsid,exit,child,close,ignore", 1, ""},
		{"daemon with an empty environment", "clean,setsid,exit,child,ignore", 1, ""},
		{"leader is gone, a member closed the lock", "exit,child,close,ignore", 1, ""},
		{"leader lives, a member closed the lock and has no environment", "clean,child,close", 2, ""},
		{"daemon of a daemon", "setsid,exit,child,clean,setsid,exit,child", 1, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := startWorker(t, row.flags, row.env)
			var living []int
			eventually(t, "command comes through", func() bool {
				living = slices.DeleteFunc(w.pids(t), func(pid int) bool { return !lives(pid) })
				return len(living) == row.processes && !startsMore(w, row.flags)
			})
			w.kill()
			for _, pid := range living {
				if !lives(pid) {
					t.Errorf("process %d died with its worker", pid)
				}
			}
			if err := EndOrphan(t.Context(), w.dir, w.run, 50*time.Millisecond); err != nil {
				t.Error(err)
			}
			for _, pid := range living {
				if lives(pid) {
					t.Errorf("process %d survives", pid)
				}
			}
			wantHeld(t, w.dir, w.run, false)
		})
	}
}

// startsMore says whether a process of the command that is to exit has not yet.
func startsMore(w *worker, flags string) bool {
	text, err := os.ReadFile(runFile(w.dir, w.run))
	var rec record
	if err != nil || json.Unmarshal(text, &rec) != nil {
		return false // not recorded
	}
	return strings.Contains(flags, "exit") && lives(rec.Group)
}

func TestEndOrphan_TermComesFirst(t *testing.T) {
	t.Parallel()
	w := startWorker(t, "plain")
	eventually(t, "command comes through", func() bool { return len(w.pids(t)) == 1 })
	w.kill()
	// With an hour until KILL, only TERM can have ended it.
	if err := EndOrphan(t.Context(), w.dir, w.run, time.Hour); err != nil {
		t.Error(err)
	}
}

// What was of the run stays of it, though nothing shows that any more once it has been told to end.
func TestEndOrphan_KeepsItsEyesOnWhatItHasSeen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := exec.Command("sh", "-c", `trap 'exec env -i sleep 3600' TERM; echo; while :; do sleep 0.01; done`)
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	c.Env = append(os.Environ(), marks(dir, 12)...)
	ready, err := c.StdoutPipe()
	if err := errors.Join(err, c.Start()); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	if _, err := ready.Read(make([]byte, 1)); err != nil {
		t.Error(err)
	}
	go func() { c.Wait(); close(done) }()
	t.Cleanup(func() {
		c.Process.Kill()
		<-done
	})
	if err := EndOrphan(t.Context(), dir, 12, 500*time.Millisecond); err != nil {
		t.Error(err)
	}
	if lives(c.Process.Pid) {
		t.Error("it lives")
	}
}

func TestEndOrphan_ManyAtOnce(t *testing.T) {
	t.Parallel()
	w := startWorker(t, "ignore")
	eventually(t, "command comes through", func() bool { return len(w.pids(t)) == 1 })
	w.kill()
	results := make(chan error)
	for range 4 {
		go func() { results <- EndOrphan(t.Context(), w.dir, w.run, 20*time.Millisecond) }()
	}
	for range 4 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
}

func TestEndOrphan_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	w := startWorker(t, "ignore")
	eventually(t, "command comes through", func() bool { return len(w.pids(t)) == 1 })
	w.kill()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := EndOrphan(ctx, w.dir, w.run, time.Hour); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error = %v, want DeadlineExceeded", err)
	}
	if !lives(w.pids(t)[0]) {
		t.Error("KILL came before the grace was over")
	}
}

// Not parallel: what parallel tests start inherits the lock for a moment.
func TestEndOrphan_OfAWorkerThatLivesSparesIt(t *testing.T) {
	dir := t.TempDir()
	r := hold(t, dir, 12) // this process is its worker
	defer r.Release()
	if err := r.Started(noSuchPid); err != nil {
		t.Fatal(err)
	}
	o, err := openOrphan(dir, 12)
	if err != nil {
		t.Fatal(err)
	}
	defer o.close()
	s, err := o.look()
	if err != nil || len(s.proven) != 0 || !slices.Equal(s.others, []int{os.Getpid()}) {
		t.Fatalf("look() = %+v, %v; want this process among the others", s, err)
	}
	var survivors *SurvivorError
	if err := o.end(t.Context(), 0, time.Millisecond); !errors.As(err, &survivors) || !slices.Contains(survivors.Pids, os.Getpid()) {
		t.Errorf("error = %v, want a SurvivorError with pid %d", err, os.Getpid())
	}
	if got := LeftBehind(dir, 12); slices.Contains(got, os.Getpid()) {
		t.Errorf("LeftBehind = %v, with the worker", got)
	}
}

// The open file is on its way through a socket, where no look at processes finds it: as if its
// owner was in another container. Not parallel, as above.
func TestEndOrphan_HolderThatCannotBeSeenLives(t *testing.T) {
	dir := t.TempDir()
	r := hold(t, dir, 12)
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	err = unix.Sendmsg(pair[0], []byte{0}, unix.UnixRights(int(r.File().Fd())), nil, 0)
	if err := errors.Join(err, r.Abandon()); err != nil {
		t.Fatal(err)
	}
	o, err := openOrphan(dir, 12)
	if err != nil {
		t.Fatal(err)
	}
	defer o.close()
	var survivors *SurvivorError
	if err := o.end(t.Context(), 0, time.Millisecond); !errors.As(err, &survivors) || len(survivors.Pids) != 0 {
		t.Errorf("error = %v, want a SurvivorError without a pid", err)
	}
	if err := errors.Join(unix.Close(pair[0]), unix.Close(pair[1])); err != nil {
		t.Fatal(err)
	}
	if err := o.end(t.Context(), time.Hour, 0); err != nil {
		t.Errorf("error = %v after the lock was let go", err)
	}
}

// A worker may be started by a job of its own queue.
func TestEndOrphan_OfARunThatStartedThisProcessSparesIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o, err := openOrphan(dir, 12)
	if err != nil {
		t.Fatal(err)
	}
	o.marks = os.Environ()[:1]
	s, err := o.look()
	if err != nil || slices.Contains(s.proven, self()) || !slices.Contains(s.others, os.Getpid()) {
		t.Errorf("look() = %+v, %v; want this process among the others", s, err)
	}
}

// noSuchPid is higher than a pid can be.
const noSuchPid = 1<<22 + 1

// sleeper starts a process with a group of its own and the marks of run 12 unless env says otherwise.
func sleeper(t *testing.T, dir string, env []string) (pid int) {
	t.Helper()
	c := exec.Command("sleep", "3600")
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if c.Env = env; env == nil {
		c.Env = append(os.Environ(), marks(dir, 12)...)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { c.Wait(); close(done) }()
	t.Cleanup(func() {
		c.Process.Kill()
		<-done
	})
	return c.Process.Pid
}

// Whoever has the pid now that a record names must not be touched.
func TestEndOrphan_LeavesStrangersAlone(t *testing.T) {
	t.Parallel()
	self := process.Namespace()
	for _, row := range []struct {
		name   string
		change func(*record)
	}{
		{"the pid was given away", func(r *record) { r.Start-- }},
		{"the leader had ended before it was looked at", func(r *record) { r.Start = 0 }},
		{"the machine was started again", func(r *record) { r.Boot = "another" }},
		{"the file was an earlier run's", func(r *record) { r.Run-- }},
		{"the pid is of another namespace", func(r *record) { r.Namespace = "pid:[1]" }},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			pid := sleeper(t, dir, []string{"A=B"})
			st, err := process.Look(pid)
			if err != nil {
				t.Fatal("no such process")
			}
			rec := record{Run: 12, Dir: dir, Group: pid, Start: st.Start, Boot: file.BootID(), Namespace: self}
			row.change(&rec)
			writeRecord(t, dir, rec)
			if err := EndOrphan(t.Context(), dir, 12, 0); err != nil {
				t.Error(err)
			}
			if !lives(pid) {
				t.Error("a stranger was killed")
			}
		})
	}
}

func writeRecord(t *testing.T, dir string, rec record) {
	t.Helper()
	text, err := json.Marshal(rec)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(runsDir(dir), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(runFile(dir, 12), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestEndOrphan_ZombieIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := exec.Command("true")
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	c.Env = marks(dir, 12)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer c.Wait() // only now: some containers reap late
	pid := c.Process.Pid
	eventually(t, "zombie", func() bool { return !lives(pid) })
	st, _ := process.Look(pid)
	writeRecord(t, dir, record{Run: 12, Dir: dir, Group: pid, Start: st.Start, Boot: file.BootID(), Namespace: process.Namespace()})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := EndOrphan(ctx, dir, 12, time.Hour); err != nil {
		t.Error(err)
	}
}

func TestEndOrphan_NothingLeftIsOver(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := EndOrphan(t.Context(), dir, 12, time.Hour); err != nil {
		t.Errorf("without a file: %v", err)
	}
	r := hold(t, dir, 12)
	if err := r.lock.Close(); err != nil { // as the death of its process does
		t.Fatal(err)
	}
	if err := EndOrphan(t.Context(), dir, 12, time.Hour); err != nil {
		t.Errorf("with a file: %v", err)
	}
}

func TestSurvivorError_NamesThePids(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		err  *SurvivorError
		want string
	}{
		{&SurvivorError{Run: 12, Pids: []int{4, 7}}, "end run 12: processes [4 7] survive"},
		{&SurvivorError{Run: 12}, "end run 12: a process that cannot be seen from here holds its lock"},
	} {
		if got := row.err.Error(); got != row.want {
			t.Errorf("Error() = %q, want %q", got, row.want)
		}
	}
}

func TestLeftBehind_ListsWhatLivesOfARun(t *testing.T) {
	t.Parallel()
	w := startWorker(t, "child")
	eventually(t, "command comes through", func() bool { return len(w.pids(t)) == 2 })
	want := w.pids(t)
	slices.Sort(want)
	if got := LeftBehind(w.dir, w.run); !slices.Equal(got, want) {
		t.Errorf("LeftBehind = %v, want %v", got, want)
	}
	if got := LeftBehind(w.dir, w.run+1); len(got) != 0 {
		t.Errorf("LeftBehind of another run = %v", got)
	}
	// Where the lock file is gone already, the marks still tell.
	if err := os.Remove(runFile(w.dir, w.run)); err != nil {
		t.Fatal(err)
	}
	if got := LeftBehind(w.dir, w.run); !slices.Equal(got, want) {
		t.Errorf("without the file, LeftBehind = %v, want %v", got, want)
	}
}
