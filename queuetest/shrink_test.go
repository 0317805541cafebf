package queuetest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
	"github.com/queuectl/queuectl/queue"
	"github.com/queuectl/queuectl/queuetest"
)

// busy returns the log of a queue with n jobs. Every third fails at first, every fifth for ever; these are
// brought back once.
func busy(t testing.TB, n int) queuetest.Log {
	t.Helper()
	q, clock := queuetest.Open(t)
	ctx := context.Background()
	var specs []job.Spec
	for i := range n {
		specs = append(specs, job.Spec{ID: fmt.Sprintf("job%d", i), Kind: "script", MaxRetries: new(uint32(1)), Tags: map[string]string{"n": fmt.Sprint(i)}})
	}
	if _, err := q.EnqueueMany(ctx, specs, queue.EnqueueOptions{}); err != nil {
		t.Fatal(err)
	}
	handlers := map[string]queue.Handler{"script": func(_ context.Context, j job.Job) error {
		var i int
		_, err := fmt.Sscan(j.Spec.Tags["n"], &i)
		if err == nil && (i%5 == 4 || i%3 == 2 && j.Runs == 1) {
			err = errors.New("as it must")
		}
		return err
	}}
	drain := func() {
		for range 2 {
			if err := queuetest.Drain(ctx, q, handlers); err != nil {
				t.Fatal(err)
			}
			clock.Advance(time.Hour)
		}
	}
	drain()
	for i := 4; i < n; i += 5 {
		if err := q.Retry(ctx, true, fmt.Sprintf("job%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	drain()
	return queuetest.Record(t, q)
}

func kinds(log queuetest.Log) (names []string) {
	for _, r := range log.Records() {
		names = append(names, job.KindOf(r.Event).String())
	}
	return names
}

func TestShrink_FindsTheFewEventsThatMatter(t *testing.T) {
	t.Parallel()
	log := busy(t, 50)
	for _, tt := range []struct {
		name string
		bad  func(queue.View) bool
		want []string
	}{
		{"a job dies twice", func(v queue.View) bool {
			j, err := v.Job("job34")
			return err == nil && j.State == job.Dead && j.Runs > 2
		}, []string{
			"JobEnqueued", "WorkerStarted", "JobClaimed", "JobDied", // the first failure does not matter
			"JobRetried", "WorkerStarted", "JobClaimed", "JobFailed", "WorkerStarted", "JobClaimed", "JobDied",
		}},
		{"three completed", func(v queue.View) bool { return v.Count(projection.Filter{States: []job.State{job.Completed}}) >= 3 }, []string{
			"JobEnqueued", "JobEnqueued", "JobEnqueued", "WorkerStarted",
			"JobClaimed", "JobCompleted", "JobClaimed", "JobCompleted", "JobClaimed", "JobCompleted",
		}},
		{"a log", func(v queue.View) bool { return v.Position() > 0 }, []string{"LogCreated"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := kinds(queuetest.Shrink(log, tt.bad)); !slices.Equal(got, tt.want) {
				t.Errorf("got  %v\nwant %v", got, tt.want)
			}
		})
	}
	if got := queuetest.Shrink(log, func(queue.View) bool { return false }); got != nil {
		t.Errorf("no state is bad, and %d commits are left", len(got))
	}
	if got := queuetest.Shrink(log, func(queue.View) bool { return true }); got == nil || len(got) != 0 {
		t.Errorf("every state is bad, and %d commits are left", len(got))
	}
}

// Whatever is looked for: the result is a log, it shows it, and without any one of its events it does not.
func TestShrink_LeavesNothingOut(t *testing.T) {
	t.Parallel()
	log := busy(t, 12)
	rapid.Check(t, func(t *rapid.T) {
		state := rapid.SampledFrom(job.States[:]).Draw(t, "state")
		least, runs := rapid.IntRange(1, 4).Draw(t, "jobs"), rapid.Uint32Range(0, 3).Draw(t, "runs")
		bad := func(v queue.View) bool {
			n := 0
			for j := range v.List(projection.Filter{States: []job.State{state}}) {
				if j.Runs >= runs {
					n++
				}
			}
			return n >= least
		}
		short := queuetest.Shrink(log, bad)
		if short == nil {
			return
		}
		if end := replayed(t, short.Records(), 0); !bad(end) {
			t.Fatalf("not bad any more: %v", kinds(short))
		}
		for _, out := range short.Records() {
			if bad(replayed(t, short.Records(), out.At.Position)) {
				t.Fatalf("%v at %d is not needed: %v", job.KindOf(out.Event), out.At.Position, kinds(short))
			}
		}
	})
}

// replayed folds all events but the one at out, and those that do not fit then. With nothing out, all must fit.
func replayed(t *rapid.T, records []queue.Record, out job.Position) queue.View {
	fold := queue.NewFold()
	for _, r := range records {
		if r.At.Position == out {
			continue
		}
		if err := fold.Take(r); err != nil && out == 0 {
			t.Fatal(err)
		}
	}
	return fold.View
}
