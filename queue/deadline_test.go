package queue_test

import (
	"context"
	"testing"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// awaitState waits until the job is in this state.
func awaitState(t *testing.T, q *queue.Queue, id string, want job.State) job.Job {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if j := find(t, q, id); j.State == want {
			return j
		} else if time.Now().After(end) {
			t.Fatalf("%s is %v, want %v", id, j.State, want)
		}
	}
}

// A run under way at the deadline ends then, and a job that nobody serves dies all the same.
func TestRun_DeadlinesEndWhatRunsAndWhatWaits(t *testing.T) {
	t.Parallel()
	q := open(t, t.TempDir())
	const soon = 300 * time.Millisecond
	enqueue(t, q,
		job.Spec{ID: "command", Command: "sleep 60", DeadlineIn: soon},
		job.Spec{ID: "timeout", Command: "sleep 60", DeadlineIn: time.Hour, Timeout: new(soon), MaxRetries: new(uint32(0))},
		job.Spec{ID: "handler", Kind: "k", DeadlineIn: soon, Timeout: new(time.Hour)},
		job.Spec{ID: "unserved", Kind: "other", DeadlineIn: soon},
		job.Spec{ID: "later", Command: "true", Delay: time.Hour, DeadlineIn: 2 * time.Hour},
	)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		done <- q.Run(ctx, queue.WorkerOptions{Slots: 3, Handlers: map[string]queue.Handler{
			"k": func(ctx context.Context, _ job.Job) error { <-ctx.Done(); return ctx.Err() },
		}})
	}()
	for id, want := range map[string]job.Why{"command": job.WhyDeadline, "handler": job.WhyDeadline, "unserved": job.WhyDeadline, "timeout": job.WhyRetries} {
		j := awaitState(t, q, id, job.Dead)
		if ran := id != "unserved"; j.Why != want || (j.Runs > 0) != ran || (j.Attempts > 0) != ran || (j.LastError != "") != ran {
			t.Errorf("%s: %+v", id, j)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if j := find(t, q, "later"); j.State != job.Pending {
		t.Errorf("%+v", j)
	}
	e, err := q.Explain(t.Context(), "unserved")
	if err != nil || len(e.Reasons) != 1 || e.Reasons[0].Code != queue.CodeDeadline || e.Reasons[0].Event == nil {
		t.Errorf("%+v, %v", e.Reasons, err)
	}
}

// What has expired while no worker was there takes no slot.
func TestRun_TheSlotGoesOnBehindDeadlines(t *testing.T) {
	t.Parallel()
	q := open(t, t.TempDir())
	for range 20 {
		enqueue(t, q, job.Spec{Command: "false", DeadlineIn: time.Millisecond})
	}
	enqueue(t, q, job.Spec{ID: "good", Command: "true"})
	time.Sleep(5 * time.Millisecond)
	drain(t, q)
	if j := find(t, q, "good"); j.State != job.Completed {
		t.Errorf("%+v", j)
	}
	status, err := q.Status(t.Context())
	if err != nil || status.Counts[job.Dead] != 20 {
		t.Errorf("%v, %v", status.Counts, err)
	}
}

// A worker that has nothing to claim lets die what waits behind a pause, when its time comes.
func TestRun_AnIdleWorkerSeesToDeadlines(t *testing.T) {
	t.Parallel()
	q := open(t, t.TempDir())
	if _, err := q.PauseQueues(t.Context(), "mail"); err != nil {
		t.Fatal(err)
	}
	enqueue(t, q,
		job.Spec{ID: "paused", Queue: "mail", Command: "true", DeadlineIn: 100 * time.Millisecond},
		job.Spec{ID: "unserved", Kind: "other", DeadlineIn: 200 * time.Millisecond},
	)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- q.Run(ctx, queue.WorkerOptions{}) }()
	for _, id := range []string{"paused", "unserved"} {
		if j := awaitState(t, q, id, job.Dead); j.Why != job.WhyDeadline || j.FinishedAt.Before(j.Spec.Deadline) {
			t.Errorf("%+v", j)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
