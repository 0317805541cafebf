// Package effort is how a layer of tests is told how much to do and tells how much it has done, in the same way
// for all: the flag -LAYER.UNIT says how many, -LAYER.seed says which, and a line of the test's log has the
// figures, which internal/programme adds up. What a test left behind when it failed is kept.
//
// It knows nothing of what is tested, and is for tests only.
package effort

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Layer is a layer of tests that does more when it is asked to.
type Layer struct {
	count *int
	seed  *uint64
}

// New defines the flags -NAME.UNIT and -NAME.seed of a test binary. It is for variables of a package: flags are parsed
// before the first test runs.
func New(name, unit, about string) Layer {
	return Layer{
		count: flag.Int(name+"."+unit, 0, about+"; 0 = as many as in every run"),
		seed:  flag.Uint64(name+".seed", 0, "seed of the first of -"+name+"."+unit+"; 0 = that of every run, or a new one"),
	}
}

// Count returns how many were asked for, else usual.
func (l Layer) Count(usual int) int {
	if *l.count > 0 {
		return *l.count
	}
	return usual
}

// Seed returns the seed that was asked for, else usual, else a new one.
func (l Layer) Seed(usual uint64) uint64 {
	switch {
	case *l.seed > 0:
		return *l.seed
	case usual > 0:
		return usual
	}
	return rand.Uint64()
}

const mark = "effort: "

// Report writes the figures of a test, such as {"kills": 100}, into its log.
func Report(t testing.TB, figures map[string]int) {
	t.Helper()
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(figures)) {
		parts = append(parts, fmt.Sprintf("%s=%d", name, figures[name]))
	}
	t.Log(mark + strings.Join(parts, ", "))
}

const note = "note: "

// Note writes something into the log of a test that people who read the figures want to know as well.
func Note(t testing.TB, format string, args ...any) {
	t.Helper()
	t.Logf(note+format, args...)
}

// Notes returns what tests have noted in the output of go test -v.
func Notes(output string) (notes []string) {
	for _, line := range noted.FindAllStringSubmatch(output, -1) {
		notes = append(notes, strings.TrimSpace(line[1]))
	}
	return notes
}

var (
	noted    = regexp.MustCompile(`(?m)^ *\S+\.go:\d+: ` + note + `(.*)$`)
	reported = regexp.MustCompile(`(?m)^ *\S+\.go:\d+: ` + mark + `(.*)$`)
	checked  = regexp.MustCompile(`(?m)^ *\S+\.go:\d+: \[rapid\] OK, passed (\d+) tests`)
)

// Figures adds up what tests have reported in the output of go test -v. The sequences of rapid are among it, under that
// name.
func Figures(output string) map[string]int {
	sum := map[string]int{}
	for _, line := range reported.FindAllStringSubmatch(output, -1) {
		for part := range strings.SplitSeq(strings.TrimSpace(line[1]), ", ") {
			name, value, _ := strings.Cut(part, "=")
			if n, err := strconv.Atoi(value); err == nil {
				sum[name] += n
			}
		}
	}
	for _, line := range checked.FindAllStringSubmatch(output, -1) {
		n, _ := strconv.Atoi(line[1]) // digits
		sum["sequences"] += n
	}
	return sum
}

// Dir returns a directory for a test, which is removed when the test has passed. When it has failed, the directory stays
// and the log says where.
func Dir(t testing.TB) string {
	t.Helper()
	name := strings.NewReplacer("/", "-", "*", "-", `\`, "-", ":", "-").Replace(t.Name())
	dir, err := os.MkdirTemp("", name+"-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("kept: %s", dir)
			return
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove the directory of the test: %v", err)
		}
	})
	return dir
}
