package queue_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/queuectl/queuectl/internal/file"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
	"github.com/queuectl/queuectl/queuetest"
)

func TestRun_RefusesOptionsThatNoWorkerCanHave(t *testing.T) {
	t.Parallel()
	q := open(t, t.TempDir())
	handler := func(context.Context, job.Job) error { return nil }
	for name, opt := range map[string]queue.WorkerOptions{
		"fewer than no slots":         {Slots: -1},
		"a base below 1":              {BackoffBase: 0.5},
		"a queue with a space":        {Queues: []string{"good", "a b"}},
		"a queue without a name":      {Queues: []string{""}},
		"a kind without a name":       {Handlers: map[string]queue.Handler{"": handler}},
		"a kind with a space":         {Handlers: map[string]queue.Handler{"a b": handler}},
		"neither commands nor a kind": {NoShell: true},
	} {
		opt.UntilIdle = true
		if err := q.Run(t.Context(), opt); !errors.Is(err, job.ErrInvalid) {
			t.Errorf("%s: got %v, want ErrInvalid", name, err)
		}
	}
	if left, err := os.ReadDir(filepath.Join(q.Dir(), "workers")); err == nil && len(left) > 0 {
		t.Errorf("files of refused workers: %v", left)
	}
	if workers, err := q.Workers(t.Context()); err != nil || len(workers) > 0 {
		t.Errorf("%d workers are known (%v)", len(workers), err)
	}
}

// TestRun_ToldToStopBeforeItHasBegunIsNoError: as by Ctrl-C while it waits for the log.
func TestRun_ToldToStopBeforeItHasBegunIsNoError(t *testing.T) {
	t.Parallel()
	q := open(t, t.TempDir())
	append, err := file.OpenLock(filepath.Join(q.Dir(), "log", "append.lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer append.Close()
	if err := append.Exclusive(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- q.Run(ctx, queue.WorkerOptions{}) }()
	for { // until it is about to write
		if locks, err := os.ReadDir(filepath.Join(q.Dir(), "workers")); err == nil && len(locks) > 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	stop()
	if err := <-result; err != nil {
		t.Errorf("got %v, want nil", err)
	}
	if workers, err := q.Workers(t.Context()); err != nil || len(workers) > 0 {
		t.Errorf("%d workers are known (%v)", len(workers), err)
	}
	if left, err := os.ReadDir(filepath.Join(q.Dir(), "workers")); err != nil || len(left) > 0 {
		t.Errorf("files of the worker: %v (%v)", left, err)
	}
}

func TestRun_EmptyListOfQueuesMeansAll(t *testing.T) {
	t.Parallel()
	q, _ := queuetest.Open(t)
	enqueue(t, q, job.Spec{ID: "elsewhere", Kind: "k", Queue: "other"})
	err := q.Run(t.Context(), queue.WorkerOptions{
		UntilIdle: true, Queues: []string{},
		Handlers: map[string]queue.Handler{"k": func(context.Context, job.Job) error { return nil }},
	})
	if err != nil {
		t.Fatal(err)
	}
	if j := find(t, q, "elsewhere"); j.State != job.Completed {
		t.Errorf("it is %s, want completed", j.State)
	}
}
