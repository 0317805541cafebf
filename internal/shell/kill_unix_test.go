//go:build unix

package shell

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/queuectl/queuectl/internal/process"
)

// ready starts a command and returns when it has printed a line.
func ready(t *testing.T, c Command) (*Process, Command) {
	t.Helper()
	c = command(t, c)
	p := begin(t, c)
	t.Cleanup(func() { p.Kill(9); <-p.Done() })
	eventually(t, "first line", func() bool { return strings.Contains(Tail(c.Output, 1000), "\n") })
	return p, c
}

func TestTimeout_TermThenKill(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, line   string
		grace        time.Duration
		exit, signal int
	}{
		{"dies of TERM", "exec sleep 3600", time.Hour, -1, 15},
		{"ignores TERM", "trap '' TERM; sleep 3600", 200 * time.Millisecond, -1, 9},
		{"ends itself on TERM", "trap 'exit 7' TERM; sleep 3600 & wait", time.Hour, 7, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			const enough = time.Second // for a shell to set its trap
			r, _ := run(t, Command{Line: row.line, Timeout: enough, Grace: row.grace})
			if !r.TimedOut || !r.Asked || r.Exit != row.exit || r.Signal != row.signal {
				t.Errorf("result %+v, want timed out and asked, exit %d, signal %d", r, row.exit, row.signal)
			}
		})
	}
}

func TestTimeout_KeepsWhatWasPrinted(t *testing.T) {
	t.Parallel()
	r, text := run(t, Command{Line: "echo before; sleep 3600", Timeout: time.Second, Grace: time.Hour})
	if !r.TimedOut || text != "before\n" {
		t.Errorf("result %+v, output %q", r, text)
	}
}

func TestKill_SendsTheSignalToTheGroup(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, line        string
		sig, exit, signal int
		asked             bool // to end
	}{
		{"TERM", "echo; sleep 3600", 15, -1, 15, true},
		{"TERM, politely", "trap 'exit 0' TERM; echo; while :; do sleep 0.02; done", 15, 0, 0, true},
		{"KILL", "trap '' TERM; echo; sleep 3600", 9, -1, 9, true},
		{"another alone", "trap 'kill $!; exit 5' USR1; sleep 3600 & echo; wait", int(syscall.SIGUSR1), 5, 0, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			p, _ := ready(t, Command{Line: row.line, Grace: time.Hour})
			p.Kill(row.sig)
			if r := p.Result(); r.Exit != row.exit || r.Signal != row.signal || r.TimedOut || r.Asked != row.asked {
				t.Errorf("result %+v, want exit %d, signal %d, asked %v", r, row.exit, row.signal, row.asked)
			}
		})
	}
}

func TestKill_RunLastsUntilItsGroupHasEnded(t *testing.T) {
	t.Parallel()
	// The first process dies of TERM, its child does not.
	p, c := ready(t, Command{
		Line:  "(trap '' TERM; echo; sleep 3600; sleep 3600) & exec sleep 3600",
		Grace: 300 * time.Millisecond,
	})
	p.Kill(15)
	if r := p.Result(); r.Signal != 15 {
		t.Errorf("result %+v, want signal 15", r)
	}
	// KILL was sent. Who gets it is gone soon, and without the grace would not be.
	eventually(t, "group is gone: "+c.Line, func() bool {
		members, known := process.Group(p.Pid())
		return known && len(members) == 0 || !known && !process.GroupExists(p.Pid())
	})
}

func TestKill_EndsAsSoonAsItsGroupHas(t *testing.T) {
	t.Parallel()
	// With an hour of grace, waiting for it would not end.
	p, _ := ready(t, Command{Line: "sleep 3600 & sleep 3600 & echo; wait", Grace: time.Hour})
	p.Kill(15)
	if r := p.Result(); r.Signal != 15 {
		t.Errorf("result %+v, want signal 15", r)
	}
}

func TestKill_DuringTheEndIsHarmless(t *testing.T) {
	t.Parallel()
	for range 20 {
		p := begin(t, command(t, Command{Line: "exit 0", Timeout: time.Millisecond}))
		var all sync.WaitGroup
		for _, sig := range []int{15, 9, 15, int(syscall.SIGUSR1)} {
			all.Go(func() { p.Kill(sig) })
		}
		all.Wait()
		p.Result()
	}
}

func TestDone_WhatTheFirstProcessLeftBehindIsLeftAlone(t *testing.T) {
	t.Parallel()
	c := command(t, Command{Line: "(sleep 0.3; echo later; sleep 3600) & echo $!"})
	if r := begin(t, c).Result(); r.Exit != 0 {
		t.Fatalf("%+v", r)
	}
	var left int
	if _, err := fmt.Sscan(Tail(c.Output, 100), &left); err != nil {
		t.Fatal(err)
	}
	defer syscall.Kill(left, syscall.SIGKILL)
	eventually(t, "it goes on printing", func() bool { return strings.Contains(Tail(c.Output, 100), "later") })
}

func TestResult_TellsWhatTheCommandUsed(t *testing.T) {
	t.Parallel()
	r, _ := run(t, Command{Line: "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"})
	if r.CPU <= 0 || r.CPU > r.End.Sub(r.Start)*4 {
		t.Errorf("CPU = %v in %v", r.CPU, r.End.Sub(r.Start))
	}
	if r.MaxRSS < 100<<10 || r.MaxRSS > 10<<30 {
		t.Errorf("MaxRSS = %d bytes", r.MaxRSS)
	}
}

func TestStart_OutputIsPrivateAndAppendedTo(t *testing.T) {
	t.Parallel()
	c := command(t, Command{Line: "echo out; echo err >&2; echo out"})
	for range 2 {
		begin(t, c).Result()
	}
	text, err := os.ReadFile(c.Output)
	if want := strings.Repeat("out\nerr\nout\n", 2); string(text) != want || err != nil {
		t.Errorf("output %q, %v; want %q", text, err, want)
	}
	if info, err := os.Stat(c.Output); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 600", info.Mode(), err)
	}
}
