package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// sleeper starts a process in a group of its own that waits until the test ends.
func sleeper(t *testing.T, change func(*exec.Cmd)) Status {
	t.Helper()
	c := exec.Command("cat")
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if _, err := c.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(c)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
	})
	st, err := Look(c.Process.Pid)
	if err != nil {
		t.Fatalf("process %d cannot be looked at: %v", c.Process.Pid, err)
	}
	return st
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 20 s", what)
		}
	}
}

func TestParseStat_NamesMayHoldAnything(t *testing.T) {
	t.Parallel()
	const rest = " 1 77 77 0 -1 4194304 98 0 0 0 0 0 0 0 20 0 1 0 123456 3133440 190"
	const threads = " 1 77 77 0 -1 4194304 98 0 0 0 0 0 0 0 20 0 3 0 123456 3133440 190"
	id := ID{5, 123456}
	for _, row := range []struct {
		line string
		want stat
		ok   bool
	}{
		{"5 (cat) S" + rest, stat{Status: Status{id, 77, false}}, true},
		{"5 (cat) S" + threads, stat{Status: Status{id, 77, false}}, true},
		{"5 (a b) S 9) Z" + rest, stat{Status: Status{id, 77, true}}, true},
		{"5 () X" + rest, stat{Status: Status{id, 77, true}}, true},
		{"5 (cat) Z" + strings.Replace(rest, " 20 0 1 0 ", " 20 0 0 0 ", 1), stat{Status: Status{id, 77, true}, buried: true}, true},
		{"5 (cat) Z" + threads, stat{Status: Status{id, 77, false}, headless: true}, true},
		{"5 (cat) S" + strings.Replace(rest, "4194304", "4194308", 1), stat{Status: Status{id, 77, false}, bare: true}, true},
		{"5 (kthreadd) S" + strings.Replace(rest, "4194304", "2129984", 1), stat{Status: Status{id, 77, false}, bare: true}, true},
		{"5 (cat) S" + rest + strings.Repeat(" 1", 26) + " 4095 0", stat{Status: Status{id, 77, false}, environ: 4095}, true},
		{"5 (cat) S 1 77", stat{}, false},
		{"", stat{}, false},
	} {
		got, ok := parseStat(5, []byte(row.line))
		if ok != row.ok || ok && got != row.want {
			t.Errorf("parseStat(%q) = %+v, %v; want %+v, %v", row.line, got, ok, row.want, row.ok)
		}
	}
}

func TestLook_ZombieDoesNotLive(t *testing.T) {
	t.Parallel()
	c := exec.Command("true")
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer c.Wait()
	pid := c.Process.Pid
	eventually(t, "zombie", func() bool { st, _ := Look(pid); return st.Zombie })
	st, err := Look(pid)
	if err != nil || st.Lives() {
		t.Errorf("Look = %+v, %v; Lives = %v; want a zombie that does not live", st, err, st.Lives())
	}
	if members, known := Group(pid); len(members) != 0 || !known {
		t.Errorf("Group = %v, %v; want nobody", members, known)
	}
	if !GroupExists(pid) {
		t.Error("GroupExists = false, although the zombie keeps the number")
	}
}

func TestGroup_ListsItsMembers(t *testing.T) {
	t.Parallel()
	leader := sleeper(t, nil)
	member := sleeper(t, func(c *exec.Cmd) { c.SysProcAttr.Pgid = leader.Pid })
	got, known := Group(leader.Pid)
	slices.SortFunc(got, func(a, b ID) int { return a.Pid - b.Pid })
	want := []ID{leader.ID, member.ID}
	slices.SortFunc(want, func(a, b ID) int { return a.Pid - b.Pid })
	if !known || !slices.Equal(got, want) {
		t.Errorf("Group = %v, %v; want %v", got, known, want)
	}
	if GroupExists(1 << 22) {
		t.Error("a group exists that cannot")
	}
}

func TestSignal_NeverReachesWhoGotThePid(t *testing.T) {
	t.Parallel()
	st := sleeper(t, nil)
	for name, signal := range map[string]func(ID) error{
		"pidfd": func(id ID) error { return id.Signal(syscall.SIGKILL) },
		"kill":  func(id ID) error { return id.kill(syscall.SIGKILL) },
	} {
		before := ID{st.Pid, st.Start - 1}
		if err := signal(before); !errors.Is(err, os.ErrProcessDone) {
			t.Errorf("%s: signal to the pid's former owner = %v, want ErrProcessDone", name, err)
		}
		if !st.Lives() {
			t.Fatalf("%s: the pid's present owner was killed", name)
		}
	}
	if err := st.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "death", func() bool { return !st.Lives() })
	if err := st.Signal(syscall.SIGKILL); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("signal to the dead = %v, want ErrProcessDone", err)
	}
}

func TestMarked_NeedsEveryMarkInWhole(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, row := range []struct {
		name string
		env  []string
		want bool
	}{
		{"both", []string{"RUN=12", "X=1", "DIR=" + dir}, true},
		{"other order", []string{"DIR=" + dir, "RUN=12"}, true},
		{"behind much else", []string{"DIR=" + dir, "X=" + strings.Repeat("x", 100<<10), "RUN=12"}, true},
		{"other run", []string{"DIR=" + dir, "RUN=123"}, false},
		{"other directory", []string{"DIR=" + dir + "/x", "RUN=12"}, false},
		{"other name", []string{"DIR=" + dir, "MYRUN=12"}, false},
		{"one", []string{"RUN=12"}, false},
		{"none", []string{}, false},
	} {
		st := sleeper(t, func(c *exec.Cmd) { c.Env = row.env })
		eventually(t, "exec", func() bool {
			cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", st.Pid))
			return bytes.HasPrefix(cmdline, []byte("cat"))
		})
		marked, err := Marked("RUN=12", "DIR="+dir)
		if err != nil {
			t.Fatal(err)
		}
		got := slices.Contains(marked, st.ID)
		has, readable := HasMarks(st.Pid, "RUN=12", "DIR="+dir)
		if got != row.want || has != row.want || !readable {
			t.Errorf("%s: Marked %v, HasMarks %v, %v; want %v", row.name, got, has, readable, row.want)
		}
	}
	if _, readable := HasMarks(1<<22, "RUN=12"); readable {
		t.Error("the environment of no process is readable")
	}
}

// lockedFile makes a file, and locks it, until the test ends.
func lockedFile(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "lock"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestHolders_TookOrInheritedTheLock(t *testing.T) {
	t.Parallel()
	f := lockedFile(t)
	reader, err := os.Open(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	heir := sleeper(t, func(c *exec.Cmd) { c.ExtraFiles = []*os.File{f} })
	other := sleeper(t, func(c *exec.Cmd) { c.ExtraFiles = []*os.File{reader} })
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	// There may be others: what parallel tests start holds all our files until it executes its program.
	took := map[int]bool{}
	for _, h := range Holders(info) {
		took[h.Pid] = h.Took
	}
	if self, ok := took[os.Getpid()]; !ok || !self {
		t.Errorf("holders %v, want this process %d, which took the lock", took, os.Getpid())
	}
	if inherited, ok := took[heir.Pid]; !ok || inherited {
		t.Errorf("holders %v, want %d, which inherited the lock", took, heir.Pid)
	}
	if _, ok := took[other.Pid]; ok {
		t.Errorf("holders %v, among them %d, which merely has the file open", took, other.Pid)
	}
}

func TestMostFiles_OfThisProcessAndOfNone(t *testing.T) {
	t.Parallel()
	own, known := MostFiles(0)
	byPid, knownByPid := MostFiles(os.Getpid())
	if !known || !knownByPid || own == 0 || own != byPid {
		t.Errorf("got %d (%v) and by pid %d (%v)", own, known, byPid, knownByPid)
	}
	const tooLarge = 1 << 23 // more than PID_MAX_LIMIT
	if _, known := MostFiles(tooLarge); known {
		t.Error("a process that is not there may open files")
	}
}
