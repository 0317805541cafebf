package storm

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// acted runs a trial beside a queue of that name in dir, whose processes act so.
func acted(t *testing.T, ctx context.Context, trial Trial, act func(Place, Role) string) (Outcome, error) {
	t.Helper()
	var names []string
	trial.For = 50 * time.Millisecond
	s := &Storm{Random: rand.New(rand.NewPCG(1, 1)), Writers: 1, Workers: 1, Pause: 10 * time.Millisecond}
	return trial.Run(ctx, s, func(p Place, role Role, name string) *exec.Cmd {
		return acting(t, func(role Role) string { return act(p, role) }, &names)(role, name)
	})
}

func idle(_ Place, role Role) string {
	if role == Drainer {
		return "leave"
	}
	return "live"
}

func wantNames(t *testing.T, dir string, want int) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != want {
		t.Errorf("%v are in the directory (%v), want %d", entries, err, want)
	}
}

func TestTrial_LeavesNothingButWhatIsWrong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var doing []Doing
	trial := Trial{Queue: filepath.Join(dir, "none", "yet", "q"), Progress: func(s Stage) { doing = append(doing, s.Doing) }}

	o, err := acted(t, t.Context(), trial, idle)
	if err != nil || !o.Sound() || o.Kept || o.Sync.N == 0 || filepath.Dir(string(o.Place)) != dir {
		t.Errorf("all is well: got %+v (%v)", o, err)
	}
	if doing[0] != Storming || doing[len(doing)-1] != Removing {
		t.Errorf("it went through %v", doing)
	}
	wantNames(t, dir, 0)

	ctx, cancel := context.WithCancel(t.Context())
	if o, err = acted(t, ctx, trial, func(Place, Role) string { cancel(); return "live" }); !errors.Is(err, context.Canceled) || o.Kept {
		t.Errorf("interrupted: got %+v (%v)", o, err)
	}
	wantNames(t, dir, 0)

	o, err = acted(t, t.Context(), trial, func(p Place, role Role) string {
		if role == Drainer {
			note(t, p.acknowledged(), "ghost 5\n")
		}
		return idle(p, role)
	})
	if err != nil || o.Sound() || !o.Kept || len(o.Lost) != 1 {
		t.Errorf("something is lost: got %+v (%v)", o, err)
	}
	wantNames(t, dir, 1)

	o, err = acted(t, t.Context(), trial, func(_ Place, role Role) string {
		if role == Drainer {
			return "fail"
		}
		return "live"
	})
	if _, ended := errors.AsType[*EndedError](err); !ended || !o.Kept {
		t.Errorf("the last worker failed: got %+v (%v)", o, err)
	}
	wantNames(t, dir, 2)
}

func TestTrial_SaysWhereItCannotBe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o, err := acted(t, t.Context(), Trial{Queue: filepath.Join(dir, "q"), In: filepath.Join(dir, "none")}, idle)
	if !errors.Is(err, os.ErrNotExist) || o.Place != "" || o.Kept {
		t.Errorf("got %+v (%v)", o, err)
	}
	wantNames(t, dir, 0)
}
