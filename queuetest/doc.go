// Package queuetest tests programs that embed a queue, and the queue itself, without a disk and without
// waiting.
//
//   - [Open] gives a queue in memory under a [Clock] that moves when it is told to.
//   - [Drain] runs everything that is due, with your handlers, and returns when nothing is.
//   - [NextTick] moves the clock on to the next tick of a schedule.
//   - [Check] drives a queue and your handlers through random histories: enqueues, schedules, jobs that come
//     after others, hooks, runs, failures, processes that are killed in the middle of a job, power cuts,
//     failing writes, clocks that step, and compares it after each step with a plain model of what the
//     documentation promises: no job runs before its parents have ended as they should, and every end has the
//     hook that is wanted of it. A failing history is shrunk to a short one.
//   - [Log] is a recorded log that a test holds, [Replay] folds it, with a place for what must hold after
//     every event, and [Shrink] finds the few events that lead to a wrong state.
//
// Everything runs on the same engine as a queue in a directory; what is replaced is the disk, the
// clock and the death of processes. The package does not test what depends on a real disk or on real
// commands.
package queuetest

import (
	"context"
	"testing"
	"time"

	"github.com/queuectl/queuectl/queue"
)

// Start is where the clock of [Open] begins.
var Start = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

// Open returns a queue in memory and its clock. The queue is closed when the test ends.
func Open(t testing.TB) (*queue.Queue, *Clock) {
	t.Helper()
	clock := NewClock(Start)
	q, err := queue.NewMemory().Open(t.Context(), queue.Options{Now: clock.Now, Elapsed: clock.Elapsed})
	if err != nil {
		t.Fatalf("open a queue in memory: %v", err)
	}
	t.Cleanup(func() {
		if err := q.Close(); err != nil {
			t.Errorf("close the queue: %v", err)
		}
	})
	return q, clock
}

// Drain runs every job that is due now, one at a time, and returns when nothing is due any more. Jobs
// that wait for a later time are left: move the clock and drain again.
func Drain(ctx context.Context, q *queue.Queue, handlers map[string]queue.Handler) error {
	return q.Run(ctx, queue.WorkerOptions{Handlers: handlers, NoShell: true, UntilIdle: true})
}
