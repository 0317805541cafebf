package queuetest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
	"github.com/queuectl/queuectl/queue"
	"github.com/queuectl/queuectl/queuetest"
)

// eventful returns the log of a queue to which nearly everything has happened that can.
func eventful(t *testing.T) (queuetest.Log, *queue.Queue) {
	t.Helper()
	ctx, clock, memory := t.Context(), queuetest.NewClock(queuetest.Start), queue.NewMemory()
	open := func() *queue.Queue {
		q, err := memory.Open(ctx, queue.Options{
			Now: clock.Now, Elapsed: clock.Elapsed,
			Actor: job.Actor{User: "ada", Host: "here", PID: 7, Program: "test \"1\"", Dir: "/home/ada", Path: "/bin:\x00\xff"},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = q.Close() }) // of a killed process it says so
		return q
	}
	q := open()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := q.SetConfig(ctx, "backoff_base", "1.5")
	check(err)
	_, err = q.SetConfig(ctx, "timeout", "1h")
	check(err)
	check(q.UnsetConfig(ctx, "timeout"))
	once := uint32(1)
	_, err = q.EnqueueMany(ctx, []job.Spec{
		{
			ID: "full", Kind: "good", Payload: json.RawMessage(`{"a":"\u2028 \"quoted\" 日本"}`), Queue: "mail", Priority: -3,
			Timeout: new(time.Minute), MaxRetries: &once, BackoffBase: new(1.25), BackoffMax: new(time.Hour), BackoffJitter: new(0.5),
			OnCrash: job.CrashDead, Env: map[string]string{"B": "2", "A": "`1`\n"}, Cwd: "/tmp", Stdin: "in", Tags: map[string]string{"t": "x"},
			CreatedAt: time.Date(1970, 1, 1, 0, 0, 0, 7, time.UTC), Extra: json.RawMessage(`{"more":1}`),
		},
		{ID: "argv", Argv: []string{"echo", "a b"}, Delay: time.Hour},
		{ID: "line", Command: "make\ttest"},
		{ID: "bad", Kind: "bad", MaxRetries: &once},
		{ID: "killed", Kind: "kill"},
	}, queue.EnqueueOptions{})
	check(err)
	victim := open()
	handlers := map[string]queue.Handler{
		"good": func(context.Context, job.Job) error { return nil },
		"bad":  func(context.Context, job.Job) error { return errors.New("as it must") },
		"kill": func(_ context.Context, j job.Job) error {
			if j.Runs == 1 {
				memory.Kill(victim)
			}
			return q.Kill(ctx, 15, "killed")
		},
	}
	_ = queuetest.Drain(ctx, victim, handlers) // it is killed
	for range 3 {
		check(queuetest.Drain(ctx, q, handlers))
		clock.Advance(time.Minute)
	}
	check(q.Retry(queue.Because(ctx, "the cause is gone"), true, "bad"))
	check(q.Cancel(ctx, "line"))
	clock.Step(-time.Hour)
	check(queuetest.Drain(ctx, q, handlers))
	return queuetest.Record(t, q), q
}

func TestReplay_ComesToTheStateOfTheQueue(t *testing.T) {
	t.Parallel()
	log, q := eventful(t)
	steps := job.Position(0)
	end := queuetest.Replay(t, log, func(v queue.View, r queue.Record) {
		steps++
		if v.Position() != r.At.Position || v.Position() != steps {
			t.Errorf("event %d, position %d: the state is at %d", steps, r.At.Position, v.Position())
		}
		if _, ok := r.Event.(*job.JobEnqueued); (ok || job.Of(r.Event) != 0) != (r.ID != "") {
			t.Errorf("%v at %d is about job %q", job.KindOf(r.Event), r.At.Position, r.ID)
		}
		all := 0
		for _, n := range v.Status().Counts {
			all += n
		}
		if n := v.Count(projection.Filter{}); n != all {
			t.Errorf("at %d there are %d jobs, and %d in all states together", steps, n, all)
		}
	})
	want, err := q.Digest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if end.Digest() != want {
		t.Error("the replay comes to another state than the queue")
	}
	kinds := map[job.Kind]bool{}
	for _, r := range log.Records() {
		kinds[job.KindOf(r.Event)] = true
	}
	if len(kinds) < 15 {
		t.Errorf("the log has %d kinds of events only: %v", len(kinds), kinds)
	}
}

// The test that is written is built and run by the go command, as a package that the tree does not have.
func TestLog_WriteTestWritesATestThatPasses(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs a run without -short")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("needs the go command")
	}
	log, _ := eventful(t)
	var source bytes.Buffer
	if err := log.WriteTest(&source); err != nil {
		t.Fatal(err)
	}
	if output, err := runTest(t, source.Bytes()); err != nil {
		t.Fatalf("%v\n%s\n%s", err, output, source.Bytes())
	}
	other := bytes.Replace(source.Bytes(), []byte("Command: \"make\\ttest\""), []byte("Command: \"make\""), 1)
	if bytes.Equal(other, source.Bytes()) {
		t.Fatal("the test does not hold the job's command")
	}
	if output, err := runTest(t, other); err == nil || !bytes.Contains(output, []byte("the digest of the state is")) {
		t.Errorf("a test of another log passes, or fails otherwise: %v\n%s", err, output)
	}
}

// runTest runs the source of a test.
func runTest(t *testing.T, source []byte) (output []byte, err error) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "recorded_test.go")
	if err := os.WriteFile(file, source, 0o600); err != nil {
		t.Fatal(err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]map[string]string{
		"Replace": {filepath.Join(here, "recorded", "recorded_test.go"): file},
	})
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	if output, err = exec.Command("gofmt", "-l", file).CombinedOutput(); err != nil || len(output) > 0 {
		t.Errorf("gofmt: %v %s", err, output)
	}
	binary := filepath.Join(dir, "recorded.test.exe")
	if output, err = exec.Command("go", "test", "-vet=off", "-c", "-o", binary, "-overlay", list, "./recorded").CombinedOutput(); err != nil {
		t.Errorf("build: %v\n%s", err, output) // the directory is not there to run it in
	}
	return exec.Command(binary).CombinedOutput()
}
