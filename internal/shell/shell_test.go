package shell

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// command completes a command of a test: the environment of this process, and an output file in a directory that is not
// there yet.
func command(t testing.TB, c Command) Command {
	t.Helper()
	if c.Env == nil {
		c.Env = os.Environ()
	}
	if c.Dir == "" {
		c.Dir = t.TempDir()
	}
	if c.Output == "" {
		c.Output = filepath.Join(t.TempDir(), "000001", "1.log")
	}
	return c
}

func begin(t *testing.T, c Command) *Process {
	t.Helper()
	p, err := Start(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// run runs a command to its end and returns what it printed.
func run(t *testing.T, c Command) (Result, string) {
	t.Helper()
	c = command(t, c)
	r := begin(t, c).Result()
	text, err := os.ReadFile(c.Output)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	if int64(len(text)) != r.OutputSize {
		t.Errorf("OutputSize = %d, but the file has %d bytes", r.OutputSize, len(text))
	}
	return r, string(text)
}

func TestStart_BothFormsRunTheirCommand(t *testing.T) {
	t.Parallel()
	for _, c := range []Command{{Line: "exit 3"}, {Argv: shellArgv("exit 3")}} {
		before := time.Now()
		r, text := run(t, c)
		if r.Exit != 3 || r.Signal != 0 || r.TimedOut || text != "" {
			t.Errorf("%+v: result %+v, output %q; want exit 3", c, r, text)
		}
		if r.Start.Before(before) || r.End.Before(r.Start) || time.Now().Before(r.End) {
			t.Errorf("%+v: started %v, ended %v; began after %v", c, r.Start, r.End, before)
		}
	}
}

func TestStart_ClockIsTheCallers(t *testing.T) {
	t.Parallel()
	moment := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	r, _ := run(t, Command{Line: "exit 0", Now: func() time.Time { return moment }})
	if r.Start != moment || r.End != moment {
		t.Errorf("result %+v, want it at %v", r, moment)
	}
}

func TestStart_OutputOfNobodyLeavesNoFile(t *testing.T) {
	t.Parallel()
	c := command(t, Command{Line: "exit 0"})
	begin(t, c).Result()
	if _, err := os.Stat(c.Output); !os.IsNotExist(err) {
		t.Errorf("stat of an empty output: %v, want that it is not there", err)
	}
}

func TestStart_OutputWithoutAPlaceIsTheMachinesFault(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if p, err := Start(command(t, Command{Line: "exit 0", Output: filepath.Join(file, "x", "1.log")})); err == nil {
		t.Errorf("Start = %+v, want an error", p.Result())
	}
}

func TestStart_DeletedDirectoryIsNotMadeAgain(t *testing.T) {
	t.Parallel()
	deleted := filepath.Join(t.TempDir(), "deleted")
	if p, err := Start(command(t, Command{Line: "exit 0", Output: filepath.Join(deleted, "output", "000001", "1.log")})); err == nil {
		t.Errorf("Start = %+v, want an error", p.Result())
	}
	if _, err := os.Stat(deleted); !os.IsNotExist(err) {
		t.Errorf("stat of the deleted directory: %v, want that it is not there", err)
	}
}

func TestKill_AfterTheEndDoesNothing(t *testing.T) {
	t.Parallel()
	for _, c := range []Command{{Line: "exit 0"}, {Argv: []string{"no-such-program"}}} {
		p := begin(t, command(t, c))
		want := p.Result()
		p.Kill(9)
		p.Kill(15)
		if got := p.Result(); got != want {
			t.Errorf("result %+v, want %+v", got, want)
		}
	}
}
