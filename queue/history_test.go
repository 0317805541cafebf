package queue_test

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
	"github.com/queuectl/queuectl/queuetest"
	"pgregory.net/rapid"
)

// TestHistory_IsEveryEventOfTheJob compares it with a look at the whole log, now and at any moment of the past.
func TestHistory_IsEveryEventOfTheJob(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		clock := queuetest.NewClock(queuetest.Start)
		ctx := t.Context()
		q, err := queue.NewMemory().Open(ctx, queue.Options{Now: clock.Now, Elapsed: clock.Elapsed})
		if err != nil {
			t.Fatal(err)
		}
		defer q.Close()
		for range rapid.IntRange(1, 20).Draw(t, "acts") {
			act(t, q, clock)
		}
		r, err := q.Replay(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		for range rapid.IntRange(0, 40).Draw(t, "steps") {
			_, _ = r.Next(ctx) // at the end it stays there
		}
		for _, id := range []string{"a", "b", "c", "d"} {
			var all, then []queue.Record
			if err := q.Read(ctx, func(record queue.Record) error {
				if record.ID == id {
					all = append(all, record)
					if record.At.Position <= r.Position() {
						then = append(then, record)
					}
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			got, err := q.History(ctx, id)
			check(t, got, all, err)
			got, err = r.History(ctx, id)
			check(t, got, then, err)
		}
	})
}

func check(t *rapid.T, got, want []queue.Record, err error) {
	t.Helper()
	if len(want) == 0 {
		if !errors.Is(err, job.ErrNotFound) {
			t.Errorf("got %+v, %v; want ErrNotFound", got, err)
		}
		return
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
}

func TestHistory_OfAForgottenJob(t *testing.T) {
	t.Parallel()
	q := written(
		t, worker("w"), pending("a"), job.JobClaimed{Job: 3, Worker: 2}, &job.JobCompleted{Job: 3, Run: 4},
		pending("b"), &job.JobCancelled{Job: 6},
		job.JobsForgotten{Queue: job.DefaultQueue, State: job.Cancelled, Through: 7, Jobs: 1},
		job.JobsForgotten{Queue: job.DefaultQueue, State: job.Completed, Through: 5, Jobs: 1},
		pending("b"),
	)
	for id, want := range map[string][]job.Position{"a": {3, 4, 5, 9}, "b": {10}} {
		records, err := q.History(t.Context(), id)
		var got []job.Position
		for _, r := range records {
			got = append(got, r.At.Position)
			if r.ID != id || r.Queue != job.DefaultQueue {
				t.Errorf("%s: event %d is about %q in %q", id, r.At.Position, r.ID, r.Queue)
			}
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got events %v, %v; want %v", id, got, err, want)
		}
	}
	if _, err := q.History(t.Context(), "c"); !errors.Is(err, job.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	q = written(
		t, pending("z"), &job.JobCancelled{Job: 2}, pending("a"), &job.JobCancelled{Job: 4},
		job.JobsForgotten{Queue: job.DefaultQueue, State: job.Cancelled, Through: 3, Jobs: 1}, pending("b"),
		job.JobsForgotten{Queue: job.DefaultQueue, State: job.Cancelled, Through: 5, Jobs: 1},
	)
	if records, err := q.History(t.Context(), "a"); err != nil || len(records) != 3 || records[2].At.Position != 8 {
		t.Errorf("forgotten with the second cut: got %+v, %v", records, err)
	}
}

func TestHistory_BeforeAnotherJobGotTheID(t *testing.T) {
	t.Parallel()
	q := written(
		t, pending("b"), &job.JobCancelled{Job: 2},
		job.JobsForgotten{Queue: job.DefaultQueue, State: job.Cancelled, Through: 3, Jobs: 1}, pending("b"),
	)
	r := replay(t, q)
	if err := r.To(t.Context(), queue.Moment{Position: 4}); err != nil {
		t.Fatal(err)
	}
	if records, err := r.History(t.Context(), "b"); err != nil || len(records) != 3 {
		t.Errorf("of the first: got %+v, %v; want 3 events", records, err)
	}
}

func TestAttempts_TellHowEachRunWent(t *testing.T) {
	t.Parallel()
	result := job.Result{Exit: 7, Start: unixNano(100), End: unixNano(102), OutputSize: 5, Tail: "boom\n"}
	// Events are at positions 2, 3, … and seconds 1, 2, …
	q := written(
		t, worker("w"), delayed("a", 3), // 3: due at second 3
		job.JobClaimed{Job: 3, Worker: 2}, // 4: at once
		&job.JobFailed{Job: 3, Run: 4, Why: job.WhyExit, Result: result, NextAttemptAt: unixNano(4) + 5e8}, // 5
		job.JobClaimed{Job: 3, Worker: 2},            // 6: half a second late
		job.RunLost{Job: 3, Run: 6, Worker: 2},       // 7
		job.JobClaimed{Job: 3, Worker: 2},            // 8
		job.KillRequested{Job: 3, Run: 8, Signal: 9}, // 9
		&job.JobDied{Job: 3, Run: 8, Why: job.WhyRetries, Failure: job.WhySignal, Result: job.Result{Signal: 9}}, // 10
		job.JobRetried{Job: 3, From: job.Dead, Reset: true},                                                      // 11
		job.JobClaimed{Job: 3, Worker: 2},                                                                        // 12
		job.RunReturned{Job: 3, Run: 12, Why: job.WhyStop},                                                       // 13
		job.JobClaimed{Job: 3, Worker: 2},                                                                        // 14
		&job.JobCancelled{Job: 3, Run: 14},                                                                       // 15
		delayed("b", 99), job.JobClaimed{Job: 16, Worker: 2},                                                     // 16, 17
		pending("c"), &job.JobCancelled{Job: 18}, // 18, 19
		pending("d"),                                                            // 20
		job.JobClaimed{Job: 20, Worker: 2}, &job.JobCompleted{Job: 20, Run: 21}, // 21, 22
		pending("e"), job.JobClaimed{Job: 23, Worker: 2}, // 23, 24
		&job.JobDied{Job: 23, Run: 24, Why: job.WhyRetries, Failure: job.WhyExit},   // 25
		job.JobRetried{Job: 23, From: job.Dead}, job.JobClaimed{Job: 23, Worker: 2}, // 26, 27
	)
	attempts := func(id string) []queue.Attempt {
		records, err := q.History(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		list := queue.Attempts(records)
		for i := range list {
			if list[i].By == nil {
				t.Errorf("%s: attempt %d is nobody's", id, i)
			}
			list[i].By = nil
		}
		return list
	}
	want := []queue.Attempt{
		{
			Run: 4, Number: 1, Worker: 2, Due: second(3), Started: second(3), Ended: second(4), Took: 2 * time.Second,
			Outcome: queue.OutcomeFailed, Why: job.WhyExit, Result: result, Next: second(4).Add(5e8),
		},
		{
			Run: 6, Number: 2, Worker: 2, Due: second(4).Add(5e8), Started: second(5), Ended: second(6), Waited: 5e8, Took: time.Second,
			Outcome: queue.OutcomeLost,
		},
		{
			Run: 8, Number: 2, Worker: 2, Due: second(6), Started: second(7), Ended: second(9), Waited: time.Second, Took: 2 * time.Second,
			Outcome: queue.OutcomeDied, Why: job.WhySignal, Died: job.WhyRetries, Result: job.Result{Signal: 9},
		},
		{
			Run: 12, Number: 1, Worker: 2, Due: second(10), Started: second(11), Ended: second(12), Waited: time.Second, Took: time.Second,
			Outcome: queue.OutcomeReturned, Why: job.WhyStop,
		},
		{
			Run: 14, Number: 1, Worker: 2, Due: second(12), Started: second(13), Ended: second(14), Waited: time.Second, Took: time.Second,
			Outcome: queue.OutcomeCancelled,
		},
	}
	got := attempts("a")
	for i := range want {
		if i >= len(got) || !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("attempt %d of a:\n got %+v\nwant %+v", i, got, want[i])
		}
	}
	if b := attempts("b"); len(b) != 1 || b[0].Outcome != queue.OutcomeRunning || !b[0].Ended.IsZero() || b[0].Took != 0 || b[0].Waited != 0 {
		t.Errorf("b runs, and was claimed before its time by a clock that was wrong: got %+v", b)
	}
	if c := attempts("c"); len(c) != 0 {
		t.Errorf("c never ran: got %+v", c)
	}
	if e := attempts("e"); len(e) != 2 || e[1].Number != 2 {
		t.Errorf("e was retried, and nothing was reset: got %+v", e)
	}
	if d := attempts("d"); len(d) != 1 || d[0].Outcome != queue.OutcomeCompleted || d[0].Number != 1 {
		t.Errorf("d completed: got %+v", d)
	}
}
