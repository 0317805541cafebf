// Package growth counts what is done often, and requires that it does not grow with how much there is: jobs, queues, keys,
// schedules. It holds no code.
//
// What is counted are executed statements, by the counters of the go command's coverage: unlike a time, such a count is the
// same on a slow machine and a busy one, so that a test can have an opinion on it. It does not see what the
// standard library does, nor the memory: allocations are counted beside the code.
package growth

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// sizeVariable tells a copy of the test binary how much there is.
const sizeVariable = "GROWTH_TEST_SIZE"

// timesVariable tells it how often to repeat the operation.
const timesVariable = "GROWTH_TEST_TIMES"

// few, many and times: how much there is, and how often an operation is repeated.
const few, many, times = 100, 10_000, 50

// counted are the packages whose statements count.
var counted = []string{"decide", "eventlog", "job", "projection", "queue", "scheduler", "scheduler/cron"}

// TestOperation is not a test, but what the copy of the test binary runs.
func TestOperation(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv(sizeVariable))
	if err != nil {
		t.Skip("needs the role of another process")
	}
	times, err := strconv.Atoi(os.Getenv(timesVariable))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range operations {
		t.Run(o.name, func(t *testing.T) {
			do := o.with(t, n)
			for range times {
				do()
			}
		})
	}
}

func TestOperations_CostWhatTheyDid(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs a run without -short")
	}
	goCommand, err := exec.LookPath("go")
	if err != nil {
		t.Skip("needs the go command")
	}
	program := filepath.Join(t.TempDir(), "growth.test.exe") // Windows asks for the suffix, nobody else minds
	const module = "github.com/queuectl/queuectl/"
	args := []string{"test", "-c", "-o", program, "-covermode=atomic", "-coverpkg=" + module + strings.Join(counted, ","+module), "."}
	if output, err := exec.CommandContext(t.Context(), goCommand, args...).CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, output)
	}
	for _, o := range operations {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			small, large := o.statements(t, program, few), o.statements(t, program, many)
			t.Logf("%s: %d statements with %d, %d with %d", o.name, small, few, large, many)
			if large > o.most {
				t.Errorf("%d statements with %d, want at most %d: if it must cost more, say so in operations", large, many, o.most)
			}
			if float64(large) > o.growth*float64(small) {
				t.Errorf("%d statements with %d and %d with %d: it grew %.2f times, want at most %.2f",
					small, few, large, many, float64(large)/float64(small), o.growth)
			}
		})
	}
}

// statements returns how many the operation executes each time, with n of what it names. What prepares it is executed as
// well, and taken off; so is the first time, which may make what is made once.
func (o *operation) statements(t *testing.T, program string, n int) int {
	t.Helper()
	again, parts := times, 1
	if o.whole {
		again, parts = 1, n
	}
	return (executed(t, program, o.name, n, 1+again) - executed(t, program, o.name, n, 1)) / again / parts
}

// executed returns how many statements the copy of the test binary executes.
func executed(t *testing.T, program, name string, n, times int) (sum int) {
	t.Helper()
	profile, quoted := filepath.Join(t.TempDir(), "profile"), strings.ReplaceAll(name, " ", "_")
	cmd := exec.CommandContext(t.Context(), program, "-test.run=^TestOperation$/^"+quoted+"$", "-test.v", "-test.coverprofile="+profile)
	cmd.Env = append(os.Environ(), fmt.Sprint(sizeVariable, "=", n), fmt.Sprint(timesVariable, "=", times))
	if output, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(output), "--- PASS: TestOperation/"+quoted) {
		t.Fatalf("%s: %v\n%s", name, err, output)
	}
	text, err := os.ReadFile(profile)
	if err != nil {
		t.Fatal(err)
	}
	_, blocks, _ := strings.Cut(string(text), "\n") // after the mode
	for line := range strings.Lines(blocks) {
		var place string // file:from,to
		var size, count int
		if _, err := fmt.Sscan(line, &place, &size, &count); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		sum += size * count
	}
	return sum
}
