//go:build unix

package queue_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
	"github.com/queuectl/queuectl/queuetest"
)

func TestRun_TenThousandJobsDueInTheSameInstantRunOnceEachInOrder(t *testing.T) {
	t.Parallel()
	q, clock := queuetest.Open(t)
	specs := make([]job.Spec, 10_000)
	for i := range specs {
		specs[i] = job.Spec{ID: fmt.Sprintf("job%05d", i), Kind: "k", RunAt: clock.Now().Add(time.Hour)}
	}
	enqueue(t, q, specs...)
	var ran []string
	handlers := map[string]queue.Handler{"k": func(_ context.Context, j job.Job) error { // one at a time
		ran = append(ran, j.Spec.ID)
		return nil
	}}
	for range 2 { // before that instant and in it
		if err := queuetest.Drain(t.Context(), q, handlers); err != nil {
			t.Fatal(err)
		}
		if len(ran) == 0 {
			clock.Advance(time.Hour)
		}
	}
	if len(ran) != len(specs) || !slices.IsSorted(ran) || len(slices.Compact(ran)) != len(specs) {
		t.Errorf("%d runs, in order of enqueue: %v; want each of %d once", len(ran), slices.IsSorted(ran), len(specs))
	}
}

// TestRun_StoppedWorkerKeepsItsJob: one that is asked to stop by nobody but the kernel lives, and goes on when it is let.
func TestRun_StoppedWorkerKeepsItsJob(t *testing.T) {
	t.Parallel()
	q := open(t, t.TempDir())
	goOn := filepath.Join(t.TempDir(), "go on")
	enqueue(t, q, job.Spec{ID: "held", Command: `echo up; until test -e "$GO_ON"; do sleep 0.02; done`, Env: map[string]string{"GO_ON": goOn}})
	other := role(t, "worker", q.Dir(), os.Stdout)
	defer func() {
		_ = other.Process.Kill() // unless it has ended
		_ = other.Wait()
	}()
	waitFor(t, q, "held", printed(q, "up"))
	if err := other.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(other.Process.Pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
		t.Fatalf("it is not stopped: %v, %v", status, err)
	}
	enqueue(t, q, job.Spec{ID: "free", Command: "true"})
	stop, _, wait := works(t, q, queue.WorkerOptions{}) // it looks at its peers before it claims
	waitFor(t, q, "free", completed)
	if err := os.WriteFile(goOn, nil, 0o600); err != nil { // the command ends, and nobody takes note
		t.Fatal(err)
	}
	enqueue(t, q, job.Spec{ID: "later", Command: "true"})
	waitFor(t, q, "later", completed)
	if j := find(t, q, "held"); j.State != job.Processing || j.Crashes != 0 {
		t.Errorf("it is %s after %d crashes, though its worker lives", j.State, j.Crashes)
	}
	if err := other.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if j := waitFor(t, q, "held", completed); j.Runs != 1 || j.Crashes != 0 {
		t.Errorf("%d runs, %d crashes; want 1, 0", j.Runs, j.Crashes)
	}
	stop()
	if err := wait(); err != nil {
		t.Error(err)
	}
}

// TestWaitStopped_DoesNotWaitForTheDead: a worker that is killed while it finishes what runs writes nothing any more.
func TestWaitStopped_DoesNotWaitForTheDead(t *testing.T) {
	t.Parallel()
	q := open(t, t.TempDir())
	enqueue(t, q, job.Spec{ID: "long", Command: "echo up; sleep 100"})
	other := role(t, "worker", q.Dir(), os.Stdout)
	waitFor(t, q, "long", printed(q, "up"))
	if reached, err := q.RequestStop(t.Context(), false); err != nil || reached != 1 {
		t.Errorf("reached %d (%v), want 1", reached, err)
	}
	result := make(chan error, 1)
	go func() { result <- q.WaitStopped(t.Context()) }()
	if err := other.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = other.Wait() // it was killed
	if err := <-result; err != nil {
		t.Error(err)
	}
	if reached, err := q.RequestStop(t.Context(), false); err != nil || reached != 0 {
		t.Errorf("reached %d (%v) when it was dead, want 0", reached, err)
	}
	for _, pid := range q.LeftBehind(find(t, q, "long").Run) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// TestRun_LeavesNoDescriptorAndNoGoroutine: of a worker that had jobs of every sort and watched another one, which lives.
// Not parallel: it counts what the process has.
func TestRun_LeavesNoDescriptorAndNoGoroutine(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc/self/fd")
	}
	q := open(t, t.TempDir())
	stop, _, wait := works(t, q, queue.WorkerOptions{NoShell: true, Handlers: map[string]queue.Handler{
		"other": func(context.Context, job.Job) error { return nil },
	}})
	enqueue(t, q, job.Spec{ID: "first", Kind: "other"})
	waitFor(t, q, "first", completed) // so that it has opened what it needs
	goroutines, before := runtime.NumGoroutine(), descriptors(t)
	none, soon := uint32(0), 50*time.Millisecond
	var specs []job.Spec
	for range 10 {
		specs = append(specs,
			job.Spec{Command: "true"}, job.Spec{Command: "echo printed"}, job.Spec{Command: "cat", Stdin: "text"},
			job.Spec{Command: "exit 1", MaxRetries: &none}, job.Spec{Argv: []string{"no such program"}, MaxRetries: &none},
			job.Spec{Command: "sleep 100", Timeout: &soon, MaxRetries: &none},
			job.Spec{Kind: "k"}, job.Spec{Kind: "k", Timeout: &soon, MaxRetries: &none},
		)
	}
	enqueue(t, q, specs...)
	err := q.Run(t.Context(), queue.WorkerOptions{Slots: 4, UntilEmpty: true, Handlers: map[string]queue.Handler{
		"k": func(ctx context.Context, j job.Job) error {
			if j.Spec.Timeout != nil {
				<-ctx.Done()
			}
			return ctx.Err()
		},
	}})
	if err != nil {
		t.Error(err)
	}
	// Watchers close what they have open a moment after they were told to.
	after, open := runtime.NumGoroutine(), descriptors(t)
	for end := time.Now().Add(20 * time.Second); (after > goroutines || len(open) > len(before)) && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
		after, open = runtime.NumGoroutine(), descriptors(t)
	}
	if after > goroutines || len(open) > len(before) {
		stacks := make([]byte, 1<<20)
		t.Errorf("%d goroutines, %d before; descriptors %v, before %v\n%s",
			after, goroutines, open, before, stacks[:runtime.Stack(stacks, true)])
	}
	stop()
	if err := wait(); err != nil {
		t.Error(err)
	}
}

// descriptors lists what this process has open.
func descriptors(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if name, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil { // not that of the listing itself
			names = append(names, name)
		}
	}
	return names
}
