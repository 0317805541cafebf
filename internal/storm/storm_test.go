package storm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// The test binary plays the processes of a storm: with this variable set it does as it says instead of testing.
const actVar = "STORM_TEST_ACT"

func TestMain(m *testing.M) {
	switch os.Getenv(actVar) {
	case "":
		os.Exit(m.Run())
	case "live":
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	case "die":
		self, err := os.FindProcess(os.Getpid())
		if err == nil {
			err = self.Kill()
		}
		if err == nil {
			select {} // until the signal comes
		}
	case "fail":
		fmt.Fprintln(os.Stderr, "no space left on the moon")
		os.Exit(7)
	}
	os.Exit(0) // "leave"
}

// acting returns what makes processes that act so, and notes their names.
func acting(t *testing.T, act func(Role) string, names *[]string) func(Role, string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return func(role Role, name string) *exec.Cmd {
		*names = append(*names, name)
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), actVar+"="+act(role))
		return cmd
	}
}

func always(act string) func(Role) string { return func(Role) string { return act } }

func TestRage_TheSameSeedStrikesTheSame(t *testing.T) {
	t.Parallel()
	var names [2][]string
	var roles [2][]Role
	for i := range 2 {
		struck := 0
		s := &Storm{
			Random: rand.New(rand.NewPCG(7, 7)), Writers: 2, Workers: 2, Pause: time.Millisecond, Kills: 10,
			Command: acting(t, always("live"), &names[i]), Struck: func(n int) { struck = n },
		}
		kills, err := s.Rage(t.Context())
		if err != nil || len(kills) != 10 || struck != 10 {
			t.Fatalf("got %d kills, %d told (%v)", len(kills), struck, err)
		}
		for _, k := range kills {
			roles[i] = append(roles[i], k.Role)
		}
	}
	if !slices.Equal(roles[0], roles[1]) || !slices.Equal(names[0], names[1]) {
		t.Errorf("got %v and %v, %v and %v", roles[0], roles[1], names[0], names[1])
	}
	slices.Sort(names[0])
	if n := len(slices.Compact(names[0])); n != 14 {
		t.Errorf("14 processes had %d names", n)
	}
}

func TestRage_EndsWithItsContextAndLeavesNobody(t *testing.T) {
	t.Parallel()
	var names []string
	ctx, cancel := context.WithCancel(t.Context())
	var started []*exec.Cmd
	make := acting(t, always("live"), &names)
	s := &Storm{
		Random: rand.New(rand.NewPCG(1, 1)), Writers: 1, Workers: 2, Pause: time.Millisecond,
		Command: func(role Role, name string) *exec.Cmd {
			started = append(started, make(role, name))
			return started[len(started)-1]
		},
		Struck: func(kills int) {
			if kills == 3 {
				cancel()
			}
		},
	}
	kills, err := s.Rage(ctx)
	if err != nil || len(kills) < 3 {
		t.Errorf("got %d kills (%v)", len(kills), err)
	}
	for _, cmd := range started {
		if cmd.ProcessState == nil {
			t.Errorf("process %d was left", cmd.Process.Pid)
		}
	}
}

// TestRage_WhoIsDoomedDiesByItself: that is a kill, and another comes in its place. Of one that is not doomed it is an error.
func TestRage_WhoIsDoomedDiesByItself(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("needs signals")
	}
	for _, doomed := range []bool{true, false} {
		var names []string
		s := &Storm{
			Random: rand.New(rand.NewPCG(1, 1)), Writers: 1, Others: []Role{Follower, Follower}, Pause: 20 * time.Millisecond, Kills: 12,
			Command: acting(t, func(role Role) string {
				if role == Follower {
					return "die"
				}
				return "live"
			}, &names),
			Doomed: func(cmd *exec.Cmd) bool { return doomed && slices.Contains(cmd.Env, actVar+"=die") },
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if doomed { // on a busy machine many are killed before they can die
			s.Kills = 0
			s.Struck = func(kills int) {
				if kills >= 12 && slices.ContainsFunc(s.kills, func(k Kill) bool { return k.Own }) {
					cancel()
				}
			}
		}
		kills, err := s.Rage(ctx)
		if ended, ok := errors.AsType[*EndedError](err); !doomed {
			// It may have been killed before it could.
			if err != nil && (!ok || ended.Role != Follower) {
				t.Errorf("not doomed: got %v", err)
			}
			continue
		}
		own := 0
		for _, k := range kills {
			if k.Own {
				own++
				if k.Role != Follower {
					t.Errorf("a %s died by itself", k.Role)
				}
			}
		}
		if err != nil || len(kills) < 12 || own == 0 {
			t.Errorf("got %d kills, %d of their own (%v)", len(kills), own, err)
		}
	}
}

func TestRage_TellsOfAProcessThatEndsByItself(t *testing.T) {
	t.Parallel()
	for act, want := range map[string]string{
		"fail": "a worker of the storm ended with exit status 7: no space left on the moon", "leave": "a worker of the storm ended by itself",
	} {
		var names []string
		s := &Storm{
			Random: rand.New(rand.NewPCG(1, 1)), Writers: 1, Workers: 1, Pause: 300 * time.Millisecond,
			Command: acting(t, func(role Role) string {
				if role == Worker {
					return act
				}
				return "live"
			}, &names),
		}
		_, err := s.Rage(t.Context())
		if ended, ok := errors.AsType[*EndedError](err); !ok || !strings.HasPrefix(ended.Error(), want) {
			// It may have been killed in the moment in which it ended; then another is started, which ends as well.
			t.Errorf("%s: got %v, want %q", act, err, want)
		}
	}
}

func TestRage_TellsOfAProcessThatCannotBeStarted(t *testing.T) {
	t.Parallel()
	s := &Storm{
		Random: rand.New(rand.NewPCG(1, 1)), Writers: 1, Workers: 1, Pause: time.Millisecond,
		Command: func(Role, string) *exec.Cmd { return exec.Command(t.TempDir() + "/none") },
	}
	if _, err := s.Rage(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "start a writer: ") {
		t.Errorf("got %v", err)
	}
	if err := s.Drain(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "start a drainer: ") {
		t.Errorf("got %v", err)
	}
}

func TestDrain_IsOverWhenItsProcessIs(t *testing.T) {
	t.Parallel()
	for act, wrong := range map[string]bool{"leave": false, "fail": true} {
		var names []string
		s := &Storm{Command: acting(t, always(act), &names)}
		if err := s.Drain(t.Context()); (err != nil) != wrong {
			t.Errorf("%s: got %v", act, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var names []string
	s := &Storm{Command: acting(t, always("live"), &names)}
	cancel()
	if err := s.Drain(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
}
