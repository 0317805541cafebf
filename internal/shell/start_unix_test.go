//go:build unix

package shell

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/queuectl/queuectl/internal/file"
)

func shellArgv(line string) []string { return []string{"sh", "-c", line} }

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 20 s", what)
		}
	}
}

func write(t *testing.T, path, text string, mode os.FileMode) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestStart_CommandsOwnFaultsAreResults(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := write(t, filepath.Join(dir, "text"), "hello", 0o600)
	write(t, filepath.Join(dir, "garbage"), "\x01\x02", 0o700)
	write(t, filepath.Join(dir, "script"), "#!/no/such/interpreter\n", 0o700)
	env := []string{"PATH=" + dir + ":/usr/bin:/bin"}
	for _, row := range []struct {
		name string
		c    Command
		exit int
		want string // in the output
	}{
		{"no such program", Command{Argv: []string{"no-such-program"}}, 127, "queuectl: no-such-program: no such program\n"},
		{"no such path", Command{Argv: []string{"./none"}}, 127, "./none: no such file or directory"},
		{"path through a file", Command{Argv: []string{text + "/x"}}, 127, "not a directory"},
		{"no interpreter", Command{Argv: []string{"script"}}, 127, "script: no such file or directory"},
		{"empty name", Command{Argv: []string{""}}, 127, "no program"},
		{"no name", Command{Argv: []string{}}, 127, "no program"},
		{"name too long", Command{Argv: []string{"/" + strings.Repeat("x", 300)}}, 127, "file name too long"},
		{"not executable", Command{Argv: []string{text}}, 126, "permission denied"},
		{"not executable, by PATH", Command{Argv: []string{"text"}}, 126, "permission denied"},
		{"a directory", Command{Argv: []string{dir}}, 126, "permission denied"},
		{"not a program", Command{Argv: []string{"garbage"}}, 126, "exec format error"},
		{"zero byte in an argument", Command{Argv: []string{"echo", "a\x00b"}}, 126, "invalid argument"},
		{"zero byte in a line", Command{Line: "echo a\x00b"}, 126, "invalid argument"},
		{"line too long", Command{Line: ": " + strings.Repeat("x", 8<<20)}, 126, "argument list too long"},
		{"no directory", Command{Line: "true", Dir: dir + "/none"}, 126, "directory " + dir + "/none: no such file"},
		{"directory is a file", Command{Argv: []string{"true"}, Dir: text}, 126, "not a directory"},
		{"no input file", Command{Line: "true", Stdin: "@none"}, 126, "none: no such file or directory"},
		{"shell: no such program", Command{Line: "no-such-program"}, 127, "not found"},
		{"shell: not executable", Command{Line: text}, 126, "ermission denied"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			row.c.Env = env
			if row.c.Dir == "" {
				row.c.Dir = dir
			}
			r, text := run(t, row.c)
			if r.Exit != row.exit || r.Signal != 0 || r.TimedOut {
				t.Errorf("result %+v, want exit %d", r, row.exit)
			}
			if !strings.Contains(text, row.want) {
				t.Errorf("output %q, want it to say %q", text, row.want)
			}
		})
	}
}

func TestExitOf_TellsTheMachinesFaultsApart(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		err         syscall.Errno
		argv, shell int // 0 = the machine's
	}{
		{syscall.EAGAIN, 0, 0},
		{syscall.ENOMEM, 0, 0},
		{syscall.EMFILE, 0, 0},
		{syscall.ENFILE, 0, 0},
		{syscall.EIO, 0, 0},
		{syscall.ENOENT, 127, 0}, // there is no /bin/sh
		{syscall.EACCES, 126, 0},
		{syscall.ETXTBSY, 126, 0},
		{syscall.E2BIG, 126, 126},
		{syscall.EINVAL, 126, 126},
	} {
		err := fmt.Errorf("start: %w", row.err)
		if argv, shell := exitOf(err, false), exitOf(err, true); argv != row.argv || shell != row.shell {
			t.Errorf("%v: argv %d, shell %d; want %d, %d", row.err, argv, shell, row.argv, row.shell)
		}
	}
}

// elsewhere has a test run in a process of its own, whose limits it may change. It says if that is done; in that
// process it is not.
func elsewhere(t *testing.T) bool {
	t.Helper()
	const there = "TEST_IN_A_PROCESS_OF_ITS_OWN"
	if os.Getenv(there) != "" {
		return false
	}
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := command(t, Command{Argv: []string{self, "-test.run=^" + t.Name() + "$"}, Env: append(os.Environ(), there+"=1")})
	if r := begin(t, c).Result(); r.Exit != 0 {
		t.Errorf("result %+v: %s", r, Tail(c.Output, 1000))
	}
	return true
}

func TestStart_FullTableOfDescriptorsIsTheMachinesFault(t *testing.T) {
	if elsewhere(t) {
		return
	}
	c := command(t, Command{Line: "exit 3"})
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: limit.Max}); err != nil {
		t.Fatal(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_NOFILE, &limit) // what follows the test opens files
	if p, err := Start(c); err == nil {
		t.Errorf("Start = %+v, want an error", p.Result())
	}
}

func TestStart_ProgramIsLookedUpAsTheCommandWould(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "bin", "hello"), "#!/bin/sh\necho by $0\n", 0o700)
	write(t, filepath.Join(dir, "hello"), "not executable", 0o600)
	for _, row := range []struct {
		name, program, want string
		env                 []string
	}{
		{"absolute entry", "hello", "by " + dir + "/bin/hello\n", []string{"PATH=/none:" + dir + "/bin"}},
		{"entry from the command's directory", "hello", "by " + dir + "/bin/hello\n", []string{"PATH=bin"}},
		{"what cannot be executed is passed over", "hello", "by " + dir + "/bin/hello\n", []string{"PATH=" + dir + ":bin"}},
		{"of two PATHs the last holds", "hello", "by " + dir + "/bin/hello\n", []string{"PATH=/none", "PATH=bin"}},
		{"path from the command's directory", "bin/hello", "by " + dir + "/bin/hello\n", []string{"PATH="}},
		{"without PATH the system's place", "echo", "\n", []string{"X=1"}},
	} {
		r, text := run(t, Command{Argv: []string{row.program}, Dir: dir, Env: row.env})
		if r.Exit != 0 || text != row.want {
			t.Errorf("%s: %+v, output %q; want %q", row.name, r, text, row.want)
		}
	}
}

func TestStart_EnvironmentHasOneValueForEachName(t *testing.T) {
	t.Parallel()
	_, text := run(t, Command{
		Argv: []string{"/usr/bin/env"},
		Env:  []string{"A=1", "B=2", "A=3", "=odd", "QUEUECTL_RUN=1", "QUEUECTL_RUN=2"},
	})
	if want := "B=2\nA=3\n=odd\nQUEUECTL_RUN=2\n"; text != want {
		t.Errorf("environment %q, want %q", text, want)
	}
}

func TestStart_StandardInput(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	big := strings.Repeat("0123456789abcdef", 16<<10) // 256 KiB: more than a pipe holds
	write(t, filepath.Join(dir, "in"), "from a file", 0o600)
	if err := unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ name, stdin, want string }{
		{"none", "", ""},
		{"text", "some text", "some text"},
		{"much text", big, big},
		{"file", "@" + dir + "/in", "from a file"},
		{"file, from the directory", "@in", "from a file"},
		{"FIFO that nobody writes", "@fifo", ""},
	} {
		if r, text := run(t, Command{Line: "cat", Dir: dir, Stdin: row.stdin}); r.Exit != 0 || text != row.want {
			t.Errorf("%s: %+v, output of %d bytes; want %d", row.name, r, len(text), len(row.want))
		}
	}
}

func TestStart_CommandLeadsItsOwnSession(t *testing.T) {
	t.Parallel()
	p := begin(t, command(t, Command{Argv: []string{"sleep", "3600"}}))
	defer p.Kill(9)
	group, err1 := unix.Getpgid(p.Pid())
	session, err2 := unix.Getsid(p.Pid())
	if group != p.Pid() || session != p.Pid() || err1 != nil || err2 != nil {
		t.Errorf("pid %d has group %d, session %d: %v, %v", p.Pid(), group, session, err1, err2)
	}
}

// lease makes a lock, held.
func lease(t testing.TB) *file.Lock {
	t.Helper()
	l, err := file.OpenLock(filepath.Join(t.TempDir(), "lease"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	if err := l.Exclusive(); err != nil {
		t.Fatal(err)
	}
	return l
}

func free(t *testing.T, path string) bool {
	t.Helper()
	l, err := file.OpenExistingLock(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ok, err := l.TryShared()
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

func TestStart_LeaseIsHeldAsLongAsAnyOfTheCommandLives(t *testing.T) {
	t.Parallel()
	l := lease(t)
	c := command(t, Command{
		Line:  "exec 3>&- 4>&- 5</dev/null 9>&-; sleep 3600 & echo $!",
		Lease: l.File(),
	})
	if r := begin(t, c).Result(); r.Exit != 0 {
		t.Fatalf("%+v: %s", r, Tail(c.Output, 1000))
	}
	var left int
	if _, err := fmt.Sscan(Tail(c.Output, 100), &left); err != nil {
		t.Fatal(err)
	}
	path := l.File().Name()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if syscall.Kill(left, 0) != nil || free(t, path) {
		t.Error("what the command left behind does not live or does not hold the lease")
	}
	if err := syscall.Kill(left, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "lease is free", func() bool { return free(t, path) })
}

func TestStart_DirectoryOfPathThatCannotBeLookedIntoHasNoProgram(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("needs a user whom file modes bind")
	}
	closed := t.TempDir()
	if err := os.Chmod(closed, 0); err != nil {
		t.Fatal(err)
	}
	p, err := Start(Command{Argv: []string{"no-such-program"}, Env: []string{"PATH=" + closed}, Output: filepath.Join(t.TempDir(), "out")})
	if err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	if r := p.Result(); r.Exit != 127 {
		t.Errorf("exit code %d, want 127", r.Exit)
	}
}
