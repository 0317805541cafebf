package queue_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// A handler says that its time has not come, wrapped or not, and the run counts for nothing.
func TestRun_AHandlerSnoozes(t *testing.T) {
	t.Parallel()
	q := open(t, t.TempDir())
	enqueue(t, q, job.Spec{ID: "a", Kind: "k", MaxRetries: new(uint32(0))})
	runs := 0
	err := q.Run(t.Context(), queue.WorkerOptions{UntilEmpty: true, Handlers: map[string]queue.Handler{
		"k": func(context.Context, job.Job) error {
			if runs++; runs < 3 {
				return fmt.Errorf("not yet: %w", queue.Snooze(time.Duration(runs)*time.Millisecond))
			}
			return nil
		},
	}})
	if j := find(t, q, "a"); err != nil || j.State != job.Completed || j.Runs != 3 || j.Attempts != 0 {
		t.Errorf("after %d runs %+v, %v", runs, j, err)
	}
	records, err := q.History(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	attempts := queue.Attempts(records)
	if len(attempts) != 3 || attempts[1].Outcome != queue.OutcomeReturned || attempts[1].Why != job.WhySnooze || attempts[1].Next.IsZero() || attempts[2].Due != attempts[1].Next {
		t.Errorf("attempts %+v", attempts)
	}
}

func TestSnooze_StaysWithinBounds(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{-1: "snoozed for 0", time.Hour: "snoozed for 1h", 1 << 62: "snoozed for 876000h"} {
		if got := queue.Snooze(d).Error(); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}
