package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
)

// waitingJobs is a queue in memory with n jobs that wait, named by their numbers.
func waitingJobs(t testing.TB, n int) *Queue {
	t.Helper()
	q, err := NewMemory().Open(context.Background(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	specs := make([]job.Spec, n)
	for i := range specs {
		specs[i] = job.Spec{ID: fmt.Sprint("job", i), Command: "true"}
	}
	if _, err := q.EnqueueMany(context.Background(), specs, EnqueueOptions{}); err != nil {
		t.Fatal(err)
	}
	return q
}

func choose(t testing.TB, q *Queue, a Action, words ...string) projection.Selection {
	t.Helper()
	sel, err := q.Select(context.Background(), a, words, projection.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	return sel
}

func TestAct_MoreJobsThanACommitHolds(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	q := waitingJobs(t, 25)
	sel := choose(t, q, Cancelling())
	var told []int
	acted, err := q.actIn(ctx, Cancelling(), sel, 10, func(done, total int) { told = append(told, done, total) })
	if err != nil || len(acted.Keys) != 25 || acted.Left != 0 || fmt.Sprint(told) != "[10 25 20 25 25 25]" {
		t.Fatalf("acted %+v, %v, told %v", acted, err, told)
	}
	if n, err := q.Count(ctx, projection.Filter{States: []job.State{job.Cancelled}}); err != nil || n != 25 {
		t.Errorf("%d are cancelled, %v", n, err)
	}
}

// TestAct_LargeEventsAreSeveralCommits edits jobs whose commands fill more than a frame twice over.
func TestAct_LargeEventsAreSeveralCommits(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs a run without -short")
	}
	ctx := context.Background()
	q := waitingJobs(t, 0)
	specs := make([]job.Spec, 300)
	for i := range specs {
		specs[i] = job.Spec{ID: fmt.Sprint("job", i), Command: strings.Repeat("x", 120<<10)}
	}
	if _, err := q.EnqueueMany(ctx, specs, EnqueueOptions{}); err != nil {
		t.Fatal(err)
	}
	edit := Editing(Edit{Command: new("true")})
	commits := 0
	acted, err := q.Act(ctx, edit, choose(t, q, edit), func(int, int) { commits++ })
	if err != nil || len(acted.Keys) != len(specs) || commits < 2 {
		t.Fatalf("%d jobs in %d commits, %v", len(acted.Keys), commits, err)
	}
	if n, err := q.Count(ctx, projection.Filter{Match: "xx"}); err != nil || n != 0 {
		t.Errorf("%d jobs are as they were, %v", n, err)
	}
}

func TestAct_LeavesOutWhatChangedSinceItWasSelected(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	q := waitingJobs(t, 5)
	sel := choose(t, q, Cancelling(), "all")
	if err := q.Cancel(ctx, "job1", "job3"); err != nil {
		t.Fatal(err)
	}
	acted, err := q.Act(ctx, Cancelling(), sel, nil)
	if err != nil || len(acted.Keys) != 3 || acted.Left != 2 {
		t.Fatalf("acted %+v, %v", acted, err)
	}
}

func TestAct_AFilterStillHoldsWhenItIsActedOn(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	q := waitingJobs(t, 3)
	sel, err := q.Select(ctx, Cancelling(), nil, projection.Filter{Queue: job.DefaultQueue})
	if err != nil || len(sel.Keys) != 3 {
		t.Fatalf("selected %+v, %v", sel, err)
	}
	if _, err := q.Edit(ctx, "job1", Edit{Queue: new("other")}); err != nil {
		t.Fatal(err)
	}
	acted, err := q.Act(ctx, Cancelling(), sel, nil)
	if err != nil || len(acted.Keys) != 2 || acted.Left != 1 {
		t.Fatalf("acted %+v, %v", acted, err)
	}
	if j, err := q.Job(ctx, "job1"); err != nil || j.State != job.Pending {
		t.Errorf("the job that went to another queue is %v, %v", j.State, err)
	}
}

func TestAct_NamedJobsAreAllOrNone(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	q := waitingJobs(t, 5)
	sel := choose(t, q, Cancelling(), "job4", "job0", "job4")
	if !sel.Named || len(sel.Keys) != 2 || sel.Keys[0] < sel.Keys[1] {
		t.Fatalf("selected %+v", sel)
	}
	if err := q.Cancel(ctx, "job0"); err != nil {
		t.Fatal(err)
	}
	for _, most := range []int{1, 10} {
		if acted, err := q.actIn(ctx, Cancelling(), sel, most, nil); !errors.Is(err, job.ErrWrongState) || len(acted.Keys) > 0 {
			t.Fatalf("acted %+v, %v", acted, err)
		}
	}
	if j, err := q.Job(ctx, "job4"); err != nil || j.State != job.Pending {
		t.Errorf("job4 is %v, %v", j.State, err)
	}
}

func TestAct_ARetryIsSpreadOverAllCommits(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	q := waitingJobs(t, 0)
	specs := make([]job.Spec, 6)
	for i := range specs {
		specs[i] = job.Spec{Kind: "none", MaxRetries: new(uint32(0))}
	}
	if _, err := q.EnqueueMany(ctx, specs, EnqueueOptions{}); err != nil {
		t.Fatal(err)
	}
	fail := func(context.Context, job.Job) error { return errors.New("no") }
	if err := q.Run(ctx, WorkerOptions{Handlers: map[string]Handler{"none": fail}, UntilEmpty: true}); err != nil {
		t.Fatal(err)
	}
	retry := Retrying(Retries{OnlyDead: true, Every: time.Hour})
	if _, err := q.actIn(ctx, retry, choose(t, q, retry), 2, nil); err != nil {
		t.Fatal(err)
	}
	jobs, err := q.List(ctx, projection.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	if !jobs[0].NextAttemptAt.IsZero() {
		t.Errorf("the first is due %v, want at once", jobs[0].NextAttemptAt)
	}
	for i := 2; i < len(jobs); i++ {
		if gap := jobs[i].NextAttemptAt.Sub(jobs[i-1].NextAttemptAt); gap != time.Hour {
			t.Errorf("job %d comes %v after the one before it", i, gap)
		}
	}
}
