package queuetest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
	"github.com/queuectl/queuectl/queuetest"
)

// A handler is tested without a disk and without waiting: the clock moves when the test says so.
func TestOpen_ClockMovesWhenItIsTold(t *testing.T) {
	q, clock := queuetest.Open(t)
	if _, err := q.Enqueue(t.Context(), job.Spec{ID: "mail", Kind: "mail", Delay: time.Hour}); err != nil {
		t.Fatal(err)
	}
	runs := 0
	handlers := map[string]queue.Handler{"mail": func(context.Context, job.Job) error {
		if runs++; runs == 1 {
			return errors.New("the server is down")
		}
		return nil
	}}
	for _, step := range []struct {
		wait time.Duration
		runs int
		want job.State
	}{
		{0, 0, job.Pending},
		{time.Hour, 1, job.Failed},
		{time.Second, 1, job.Failed}, // the first back-off is 2 s
		{time.Second, 2, job.Completed},
	} {
		clock.Advance(step.wait)
		if err := queuetest.Drain(t.Context(), q, handlers); err != nil {
			t.Fatal(err)
		}
		if j, err := q.Job(t.Context(), "mail"); err != nil || j.State != step.want || runs != step.runs {
			t.Errorf("%s later it is %s after %d runs (%v), want %s after %d", step.wait, j.State, runs, err, step.want, step.runs)
		}
	}
}
