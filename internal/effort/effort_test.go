package effort

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// told is a test that only takes down what it is told.
type told struct {
	testing.TB
	failed   bool
	lines    []string
	cleanups []func()
}

func (t *told) Name() string     { return "Test/of:it" }
func (t *told) Failed() bool     { return t.failed }
func (t *told) Cleanup(f func()) { t.cleanups = append(t.cleanups, f) }
func (t *told) Log(args ...any)  { t.lines = append(t.lines, "    x_test.go:1: "+fmt.Sprint(args...)) }

func (t *told) Logf(format string, args ...any) {
	t.Log(fmt.Sprintf(format, args...))
}

func TestFigures_AddsUpWhatWasReported(t *testing.T) {
	t.Parallel()
	log := &told{TB: t}
	Report(log, map[string]int{"kills": 100, "jobs of writers": 7})
	Report(log, map[string]int{"kills": 3})
	Note(log, "%d of them were late", 4)
	log.Log("[rapid] OK, passed 250 tests (1.5s)")
	log.Log("a job printed effort: kills=9")
	got := Figures("=== RUN   TestX\n" + strings.Join(log.lines, "\r\n") + "\neffort: kills=1000\n")
	if want := map[string]int{"kills": 103, "jobs of writers": 7, "sequences": 250}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if notes := Notes(strings.Join(log.lines, "\r\n")); len(notes) != 1 || notes[0] != "4 of them were late" {
		t.Errorf("noted: %q", notes)
	}
}

func TestDir_StaysOfAFailedTest(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	t.Setenv("TMP", os.Getenv("TMPDIR"))
	for _, failed := range []bool{false, true} {
		test := &told{TB: t, failed: failed}
		dir := Dir(test)
		if err := os.WriteFile(filepath.Join(dir, "left"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, cleanup := range test.cleanups {
			cleanup()
		}
		_, err := os.Stat(filepath.Join(dir, "left"))
		if gone := errors.Is(err, fs.ErrNotExist); gone == failed {
			t.Errorf("a test that failed: %v; its directory is gone: %v", failed, gone)
		}
		if said := strings.Contains(strings.Join(test.lines, "\n"), dir); said != failed {
			t.Errorf("a test that failed: %v; it says where its directory is: %v", failed, said)
		}
	}
}

func TestLayer_IsAskedOrDoesTheUsual(t *testing.T) {
	t.Parallel()
	l := New("sample", "things", "how many things to try")
	first, second := l.Seed(0), l.Seed(0)
	if l.Count(5) != 5 || l.Seed(7) != 7 || first == second {
		t.Errorf("unasked: %d things, seed %d, and none of its own", l.Count(5), l.Seed(7))
	}
	*l.count, *l.seed = 20, 30
	if l.Count(5) != 20 || l.Seed(7) != 30 || l.Seed(0) != 30 {
		t.Errorf("asked for 20 from 30: %d things, seed %d", l.Count(5), l.Seed(7))
	}
}
