package queue_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
	"github.com/queuectl/queuectl/queuetest"
)

func TestRun_CommandsAndHandlersShareAWorker(t *testing.T) {
	t.Parallel()
	q := open(t, t.TempDir())
	enqueue(t, q, job.Spec{ID: "command", Command: "echo out; echo err >&2"}, job.Spec{ID: "handler", Kind: "k"}, job.Spec{ID: "other", Kind: "unserved"})
	err := q.Run(t.Context(), queue.WorkerOptions{
		UntilIdle: true, Slots: 2,
		Handlers: map[string]queue.Handler{"k": func(context.Context, job.Job) error { return nil }},
	})
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]job.State{"command": job.Completed, "handler": job.Completed, "other": job.Pending} {
		if got := find(t, q, id).State; got != want {
			t.Errorf("%s is %s, want %s", id, got, want)
		}
	}
}

func TestRun_CommandSeesWhatItIs(t *testing.T) {
	t.Parallel()
	q := open(t, t.TempDir())
	enqueue(t, q, job.Spec{
		ID: "who", Command: `[ "$QUEUECTL_JOB_ID" = who ] && [ "$QUEUECTL_DIR" = "` + q.Dir() + `" ] && [ -n "$QUEUECTL_RUN" ] && [ "$QUEUECTL_ATTEMPT" = 1 ] && [ "$QUEUECTL_QUEUE" = default ] && [ "$MINE" = yes ] && [ "$(pwd -P)" = "$(cd / && pwd -P)" ] && [ "$(cat)" = in ]`,
		Env: map[string]string{"MINE": "yes"}, Cwd: "/", Stdin: "in",
	})
	drain(t, q)
	if j := find(t, q, "who"); j.State != job.Completed {
		t.Errorf("it is %s: %s", j.State, j.LastError)
	}
}

func TestRun_FailuresRetryAndDie(t *testing.T) {
	t.Parallel()
	q, clock := queuetest.Open(t)
	retries := uint32(2)
	enqueue(t, q, job.Spec{ID: "bad", Kind: "k", MaxRetries: &retries})
	handlers := map[string]queue.Handler{"k": func(context.Context, job.Job) error { return errors.New("no luck") }}
	for i, wait := range []time.Duration{2 * time.Second, 4 * time.Second} {
		if err := queuetest.Drain(t.Context(), q, handlers); err != nil {
			t.Fatal(err)
		}
		j := find(t, q, "bad")
		if j.State != job.Failed || j.Attempts != uint32(i+1) || !j.NextAttemptAt.Equal(clock.Now().Add(wait)) {
			t.Fatalf("after failure %d: %s, %d attempts, next at %s", i+1, j.State, j.Attempts, j.NextAttemptAt)
		}
		clock.Advance(wait)
	}
	if err := queuetest.Drain(t.Context(), q, handlers); err != nil {
		t.Fatal(err)
	}
	j := find(t, q, "bad")
	if j.State != job.Dead || j.Attempts != 3 || j.Runs != 3 || !strings.Contains(j.LastError, "no luck") {
		t.Errorf("at last: %s, %d attempts, %d runs, %q", j.State, j.Attempts, j.Runs, j.LastError)
	}
	if err := q.Retry(t.Context(), true, "bad"); err != nil {
		t.Fatal(err)
	}
	if j := find(t, q, "bad"); j.State != job.Pending || j.Attempts != 0 || j.LastError != "" || j.Runs != 3 {
		t.Errorf("after the retry: %s, %d attempts, %q, %d runs", j.State, j.Attempts, j.LastError, j.Runs)
	}
}

func TestRun_HandlerThatPanicsHasFailed(t *testing.T) {
	t.Parallel()
	q, _ := queuetest.Open(t)
	enqueue(t, q, job.Spec{ID: "boom", Kind: "k"})
	err := queuetest.Drain(t.Context(), q, map[string]queue.Handler{"k": func(context.Context, job.Job) error { panic("ouch") }})
	if err != nil {
		t.Fatal(err)
	}
	if j := find(t, q, "boom"); j.State != job.Failed || !strings.Contains(j.LastError, "panic: ouch") {
		t.Errorf("%s: %q", j.State, j.LastError)
	}
}

func TestRun_TimeoutEndsCommandAndHandler(t *testing.T) {
	t.Parallel()
	q := open(t, t.TempDir())
	limit := 50 * time.Millisecond
	enqueue(t, q, job.Spec{ID: "command", Command: "echo begun; sleep 100", Timeout: &limit}, job.Spec{ID: "handler", Kind: "k", Timeout: &limit})
	err := q.Run(t.Context(), queue.WorkerOptions{
		UntilIdle: true, Slots: 2,
		Handlers: map[string]queue.Handler{"k": func(ctx context.Context, _ job.Job) error {
			<-ctx.Done()
			return ctx.Err()
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"command", "handler"} {
		if j := find(t, q, id); j.State != job.Failed || !strings.HasPrefix(j.LastError, "Timeout after 50ms") {
			t.Errorf("%s is %s: %q", id, j.State, j.LastError)
		}
	}
}

// works starts a worker and returns what stops it gracefully, at once, and what waits for its end.
func works(t *testing.T, q *queue.Queue, opt queue.WorkerOptions) (stop func(), stopNow func(), wait func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	now := make(chan struct{})
	opt.StopNow = now
	known := make(chan struct{})
	opt.Started = func(job.Worker) { close(known) }
	result := make(chan error, 1)
	go func() { result <- q.Run(ctx, opt) }()
	select {
	case <-known:
	case err := <-result:
		t.Fatalf("the worker did not start: %v", err)
	}
	t.Cleanup(cancel)
	return cancel, sync.OnceFunc(func() { close(now) }), sync.OnceValue(func() error { return <-result })
}

func waitFor(t *testing.T, q *queue.Queue, id string, ok func(job.Job) bool) job.Job {
	t.Helper()
	for {
		if j := find(t, q, id); ok(j) {
			return j
		}
		select {
		case <-t.Context().Done():
			t.Fatalf("%s never got there", id)
		case <-time.After(time.Millisecond):
		}
	}
}

func running(j job.Job) bool   { return j.State == job.Processing }
func completed(j job.Job) bool { return j.State == job.Completed }

// printed says that the current or last run of a job has printed something.
func printed(q *queue.Queue, what string) func(job.Job) bool {
	return func(j job.Job) bool {
		output, err := os.ReadFile(q.OutputPath(j.Run))
		return err == nil && strings.Contains(string(output), what)
	}
}

func TestRun_StopFinishesWhatRuns(t *testing.T) {
	t.Parallel()
	q := open(t, t.TempDir())
	stop, _, wait := works(t, q, queue.WorkerOptions{})
	enqueue(t, q, job.Spec{ID: "first", Command: "sleep 0.2"}, job.Spec{ID: "second", Command: "true"})
	waitFor(t, q, "first", running)
	stop()
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	if first, second := find(t, q, "first").State, find(t, q, "second").State; first != job.Completed || second != job.Pending {
		t.Errorf("first is %s, second is %s; want completed, pending", first, second)
	}
	if workers, err := q.Workers(t.Context()); err != nil || len(workers) != 0 {
		t.Errorf("%d workers left (%v)", len(workers), err)
	}
}

// TestRun_StopHoldsForTheNextClaim: what ends after the stop is recorded without the next claim, though the loop may not have
// heard of it.
func TestRun_StopHoldsForTheNextClaim(t *testing.T) {
	t.Parallel()
	q, _ := queuetest.Open(t)
	for range 20 {
		ctx, stop := context.WithCancel(t.Context())
		enqueue(t, q, job.Spec{Kind: "k"}, job.Spec{Kind: "k"})
		begun := 0
		err := q.Run(ctx, queue.WorkerOptions{Handlers: map[string]queue.Handler{"k": func(context.Context, job.Job) error {
			begun++
			stop()
			return nil
		}}})
		if err != nil || begun != 1 {
			t.Fatalf("%d jobs began, %v; want 1", begun, err)
		}
	}
}

func TestRun_StopNowGivesJobsBack(t *testing.T) {
	t.Parallel()
	q := open(t, t.TempDir())
	_, stopNow, wait := works(t, q, queue.WorkerOptions{})
	enqueue(t, q, job.Spec{ID: "long", Command: "sleep 100"})
	waitFor(t, q, "long", running)
	stopNow()
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	if j := find(t, q, "long"); j.State != job.Pending || j.Attempts != 0 || j.Crashes != 0 || j.Runs != 1 {
		t.Errorf("%s, %d attempts, %d crashes, %d runs", j.State, j.Attempts, j.Crashes, j.Runs)
	}
}

// TestRun_StopNowGivesBackWhatEndsWellOnTERM: such a command has not done what it was to do.
func TestRun_StopNowGivesBackWhatEndsWellOnTERM(t *testing.T) {
	t.Parallel()
	q := open(t, t.TempDir())
	_, stopNow, wait := works(t, q, queue.WorkerOptions{})
	enqueue(t, q, job.Spec{ID: "polite", Command: "trap 'exit 0' TERM; echo ready; while :; do sleep 0.02; done"})
	waitFor(t, q, "polite", printed(q, "ready"))
	stopNow()
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	if j := find(t, q, "polite"); j.State != job.Pending || j.Runs != 1 {
		t.Errorf("%s after %d runs, want pending after 1", j.State, j.Runs)
	}
}

func TestRequestStop_ReachesOnlyWorkersThatRun(t *testing.T) {
	t.Parallel()
	q := open(t, t.TempDir())
	if reached, err := q.RequestStop(t.Context(), false); err != nil || reached != 0 {
		t.Fatalf("reached %d (%v) with none running", reached, err)
	}
	_, _, wait := works(t, q, queue.WorkerOptions{})
	if reached, err := q.RequestStop(t.Context(), false); err != nil || reached != 1 {
		t.Fatalf("reached %d (%v), want 1", reached, err)
	}
	if err := errors.Join(wait(), q.WaitStopped(t.Context())); err != nil {
		t.Fatal(err)
	}
	stop, _, wait := works(t, q, queue.WorkerOptions{})
	enqueue(t, q, job.Spec{ID: "after", Command: "true"})
	waitFor(t, q, "after", completed)
	stop()
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	if _, err := q.RequestStop(t.Context(), false, "nobody"); !errors.Is(err, job.ErrNoWorker) {
		t.Errorf("got %v, want ErrNoWorker", err)
	}
}

func TestRequestStop_AnIDThatIsGivenTwiceCountsOnce(t *testing.T) {
	t.Parallel()
	q := open(t, t.TempDir())
	_, _, wait := works(t, q, queue.WorkerOptions{})
	workers, err := q.Workers(t.Context())
	if err != nil || len(workers) != 1 {
		t.Fatalf("%d workers (%v), want 1", len(workers), err)
	}
	if reached, err := q.RequestStop(t.Context(), false, workers[0].ID, workers[0].ID); err != nil || reached != 1 {
		t.Errorf("reached %d (%v), want 1", reached, err)
	}
	if err := wait(); err != nil {
		t.Fatal(err)
	}
}

func TestKill_EndsARunInAnotherProcess(t *testing.T) {
	t.Parallel()
	q := open(t, t.TempDir())
	other := open(t, q.Dir())
	stop, _, wait := works(t, q, queue.WorkerOptions{})
	none := uint32(0)
	enqueue(t, other, job.Spec{ID: "long", Command: "sleep 100", MaxRetries: &none})
	waitFor(t, other, "long", running)
	if err := other.Kill(t.Context(), 15, "long"); err != nil {
		t.Fatal(err)
	}
	jobs, err := other.Wait(t.Context(), "long")
	if err != nil || jobs[0].State != job.Dead || jobs[0].Signal != 15 {
		t.Errorf("%v (%v)", jobs, err)
	}
	stop()
	if err := wait(); err != nil {
		t.Fatal(err)
	}
}

// TestKill_EveryRequestReachesTheRun: one signal may not be enough, and a cancellation may come after one.
func TestKill_EveryRequestReachesTheRun(t *testing.T) {
	t.Parallel()
	q := open(t, t.TempDir())
	stop, _, wait := works(t, q, queue.WorkerOptions{})
	enqueue(t, q, job.Spec{ID: "long", Command: `n=0; trap 'n=$((n+1)); echo wake up $n' ALRM; echo ready; while :; do sleep 0.02; done`})
	waitFor(t, q, "long", printed(q, "ready"))
	for _, answer := range []string{"wake up 1", "wake up 2"} {
		if err := q.Kill(t.Context(), 14, "long"); err != nil {
			t.Fatal(err)
		}
		waitFor(t, q, "long", printed(q, answer))
	}
	if err := q.Cancel(t.Context(), "long"); err != nil {
		t.Fatal(err)
	}
	if jobs, err := q.Wait(t.Context(), "long"); err != nil || jobs[0].State != job.Cancelled || jobs[0].Signal != 15 {
		t.Errorf("%v (%v)", jobs, err)
	}
	stop()
	if err := wait(); err != nil {
		t.Fatal(err)
	}
}

func TestCancel_OfARunningJobEndsIt(t *testing.T) {
	t.Parallel()
	q := open(t, t.TempDir())
	stop, _, wait := works(t, q, queue.WorkerOptions{})
	enqueue(t, q, job.Spec{ID: "long", Command: "sleep 100"})
	waitFor(t, q, "long", running)
	if err := q.Cancel(t.Context(), "long"); err != nil {
		t.Fatal(err)
	}
	if jobs, err := q.Wait(t.Context(), "long"); err != nil || jobs[0].State != job.Cancelled {
		t.Errorf("%v (%v)", jobs, err)
	}
	stop()
	if err := wait(); err != nil {
		t.Fatal(err)
	}
}

func TestRun_DiedWorkersJobsRunElsewhere(t *testing.T) {
	t.Parallel()
	memory := queue.NewMemory()
	victim, err := memory.Open(t.Context(), queue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	heir, err := memory.Open(t.Context(), queue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer heir.Close()
	enqueue(t, victim, job.Spec{ID: "j", Kind: "k"})
	begun, end := make(chan struct{}), make(chan struct{})
	stuck := map[string]queue.Handler{"k": func(context.Context, job.Job) error {
		close(begun)
		<-end
		return nil
	}}
	_, _, wait := works(t, victim, queue.WorkerOptions{Handlers: stuck})
	<-begun
	good := map[string]queue.Handler{"k": func(context.Context, job.Job) error { return nil }}
	stop, _, waitHeir := works(t, heir, queue.WorkerOptions{Handlers: good})
	memory.Kill(victim)
	j := waitFor(t, heir, "j", completed)
	if j.Runs != 2 || j.Crashes != 1 || j.Attempts != 0 {
		t.Errorf("%d runs, %d crashes, %d attempts; want 2, 1, 0", j.Runs, j.Crashes, j.Attempts)
	}
	close(end)
	if err := wait(); !errors.Is(err, eventlog.ErrClosed) {
		t.Errorf("the killed worker returned %v, want ErrClosed", err)
	}
	stop()
	if err := waitHeir(); err != nil {
		t.Error(err)
	}
}

func TestRun_EndsWhenTheDirectoryIsDeleted(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "queue")
	q := open(t, dir)
	_, _, wait := works(t, q, queue.WorkerOptions{})
	enqueue(t, q, job.Spec{ID: "long", Command: "sleep 100"})
	waitFor(t, q, "long", running)
	if err := os.Rename(dir, dir+".gone"); err != nil { // at once, while files are being made in it
		t.Fatal(err)
	}
	if err := wait(); !errors.Is(err, eventlog.ErrNoLog) {
		t.Errorf("the worker returned %v, want ErrNoLog", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory is there again (%v)", err)
	}
}

func TestRun_SaysThatACommandLeftProcessesBehind(t *testing.T) {
	t.Parallel()
	q := open(t, t.TempDir())
	enqueue(t, q, job.Spec{ID: "tidy", Command: "true"}, job.Spec{ID: "leaves one", Command: "sleep 100 & echo $!"})
	drain(t, q)
	left := map[string]bool{}
	for _, id := range []string{"tidy", "leaves one"} {
		history, err := q.History(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		left[id] = history[len(history)-1].Event.(*job.JobCompleted).Result.LeftBehind
	}
	if runtime.GOOS == "linux" && (left["tidy"] || !left["leaves one"]) {
		t.Errorf("left behind: %v", left)
	}
	if p, err := os.FindProcess(printedPID(t, q, find(t, q, "leaves one").Run)); err == nil {
		_ = p.Kill() // it may have ended
	}
}

func TestRun_HandlerThatEndsItsGoroutineHasFailed(t *testing.T) {
	t.Parallel()
	q, _ := queuetest.Open(t)
	enqueue(t, q, job.Spec{ID: "gone", Kind: "k"})
	err := queuetest.Drain(t.Context(), q, map[string]queue.Handler{"k": func(context.Context, job.Job) error {
		runtime.Goexit() // as t.FailNow does
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if j := find(t, q, "gone"); j.State != job.Failed || !strings.Contains(j.LastError, "ended its goroutine") {
		t.Errorf("%s: %q", j.State, j.LastError)
	}
}

func TestRun_KilledRunHasFailedAlthoughTheWorkerStops(t *testing.T) {
	t.Parallel()
	q := open(t, t.TempDir())
	_, stopNow, wait := works(t, q, queue.WorkerOptions{})
	enqueue(t, q, job.Spec{ID: "long", Command: "trap 'echo trapped; sleep 0.2; exit 9' TERM; echo ready; while :; do sleep 0.05; done"})
	waitFor(t, q, "long", printed(q, "ready"))
	if err := q.Kill(t.Context(), 15, "long"); err != nil {
		t.Fatal(err)
	}
	waitFor(t, q, "long", printed(q, "trapped"))
	stopNow()
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	if j := find(t, q, "long"); j.State != job.Failed {
		t.Errorf("%s: %q", j.State, j.LastError)
	}
}
