package queue

import (
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
)

// TestRetain_DoesWhatTheSettingsSay: completed and cancelled jobs leave after a week, with what they printed; dead
// ones when somebody has set a time.
func TestRetain_DoesWhatTheSettingsSay(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	late := time.Duration(0)
	q, err := Open(ctx, t.TempDir(), Options{Now: func() time.Time { return time.Now().Add(late) }})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	none, once := uint32(0), uint32(1)
	base := 1.0
	specs := []job.Spec{
		{ID: "done", Command: "echo done"},
		{ID: "dead", Command: "echo dead; false", MaxRetries: &none},
		{ID: "later", Command: "echo $QUEUECTL_ATTEMPT; test $QUEUECTL_ATTEMPT = 2", MaxRetries: &once, BackoffBase: &base},
		{ID: "gone", Command: "true"},
	}
	if _, err := q.EnqueueMany(ctx, specs, EnqueueOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(q.Cancel(ctx, "gone"), q.Run(ctx, WorkerOptions{UntilEmpty: true})); err != nil {
		t.Fatal(err)
	}
	var runs []job.Position
	if err := q.Read(ctx, func(r Record) error {
		if _, claimed := r.Event.(job.JobClaimed); claimed {
			runs = append(runs, r.At.Position)
		}
		return nil
	}); err != nil || len(runs) != 4 {
		t.Fatalf("runs %v, %v", runs, err)
	}
	left := func(want ...string) {
		t.Helper()
		if err := q.retain(ctx); err != nil {
			t.Fatal(err)
		}
		jobs, err := q.List(ctx, projection.Filter{})
		var ids []string
		for _, j := range jobs {
			ids = append(ids, j.Spec.ID)
		}
		if err != nil || !slices.Equal(ids, want) {
			t.Errorf("jobs %v, %v; want %v", ids, err, want)
		}
	}
	late = 6 * 24 * time.Hour
	left("done", "dead", "later", "gone")
	late = 8 * 24 * time.Hour
	left("dead")
	outputs := 0
	for _, run := range runs {
		if _, err := os.Stat(q.OutputPath(run)); err == nil {
			outputs++
		}
	}
	if outputs != 1 {
		t.Errorf("%d runs have output still, want that of the dead job alone", outputs)
	}
	if _, err := q.SetConfig(ctx, "retention_dead", "1d"); err != nil {
		t.Fatal(err)
	}
	left()
}

// TestKeepUp_RetainsForWorkersFromTimeToTime: a minute after a worker has begun, then once an hour; and not for who
// only enqueues.
func TestKeepUp_RetainsForWorkersFromTimeToTime(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	late, elapsed := time.Duration(0), time.Second
	q, err := Open(ctx, t.TempDir(), Options{
		Now: func() time.Time { return time.Now().Add(late) }, Elapsed: func() time.Duration { return elapsed },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	for _, step := range []struct {
		elapsed time.Duration
		worker  bool
		left    int
	}{
		{2 * time.Second, true, 1},
		{30 * time.Second, true, 1},
		{2 * time.Minute, false, 1},
		{3 * time.Minute, true, 0},
		{30 * time.Minute, true, 1},
		{64 * time.Minute, true, 0},
	} {
		if n, err := q.Count(ctx, projection.Filter{}); err == nil && n == 0 {
			_, err := q.Enqueue(ctx, job.Spec{ID: "a", Command: "true"})
			if err = errors.Join(err, q.Cancel(ctx, "a")); err != nil {
				t.Fatal(err)
			}
		}
		late += 8 * 24 * time.Hour
		elapsed = step.elapsed
		q.keepUp(0, step.worker)
		q.keeper.goroutine.Wait()
		if n, err := q.Count(ctx, projection.Filter{}); n != step.left || err != nil {
			t.Errorf("after %v, worker %v: %d jobs, %v; want %d", step.elapsed, step.worker, n, err, step.left)
		}
	}
}

// TestKeepUp_LooksWhatMayGoWhenTheEndedHaveDoubled: after a snapshot, and no more often, since a look is at all jobs
// that have ended.
func TestKeepUp_LooksWhatMayGoWhenTheEndedHaveDoubled(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	late, elapsed := time.Duration(0), time.Second
	q, err := Open(ctx, t.TempDir(), Options{
		Now: func() time.Time { return time.Now().Add(late) }, Elapsed: func() time.Duration { return elapsed },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	for _, step := range []struct {
		end  int // jobs
		days time.Duration
		left int
		soon bool // after the step before
	}{
		{4, 0, 4, false}, // looks, and finds nothing
		{3, 8, 7, false}, // the 4 could go, but 7 are fewer than 8
		{1, 0, 4, false}, // they go
		{3, 8, 7, false},
		{1, 0, 4, false},
		{4, 8, 8, true}, // nothing is done so soon
	} {
		late += step.days * 24 * time.Hour
		if !step.soon {
			elapsed += upkeepRest
		}
		for range step.end {
			made, err := q.Enqueue(ctx, job.Spec{Command: "true"})
			if err = errors.Join(err, q.Cancel(ctx, made.Spec.ID)); err != nil {
				t.Fatal(err)
			}
		}
		q.keepUp(worthASnapshot, true)
		q.keeper.goroutine.Wait()
		if n, err := q.Count(ctx, projection.Filter{}); n != step.left || err != nil {
			t.Errorf("%d jobs, %v; want %d", n, err, step.left)
		}
	}
}
