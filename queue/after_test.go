package queue_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
	"github.com/queuectl/queuectl/queue"
)

func TestRun_EndsWhatTheCommitOfTheParentHadNoRoomFor(t *testing.T) {
	t.Parallel()
	q, err := queue.NewMemory().Open(t.Context(), queue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	const n = 5000 // a commit ends 4096
	specs := []job.Spec{{ID: "p", Kind: "k", MaxRetries: new(uint32)}}
	for i := range n {
		specs = append(specs, job.Spec{ID: fmt.Sprint("c", i), Kind: "k", After: []job.Parent{{ID: "p"}}})
	}
	if _, err := q.EnqueueMany(t.Context(), specs, queue.EnqueueOptions{}); err != nil {
		t.Fatal(err)
	}
	fails := func(_ context.Context, j job.Job) error { return fmt.Errorf("%s failed", j.Spec.ID) }
	if err := q.Run(t.Context(), queue.WorkerOptions{UntilEmpty: true, Handlers: map[string]queue.Handler{"k": fails}}); err != nil {
		t.Fatal(err)
	}
	if dead, err := q.Count(t.Context(), projection.Filter{States: []job.State{job.Dead}}); err != nil || dead != n+1 {
		t.Errorf("%d jobs are dead, %v, want %d", dead, err, n+1)
	}
	if list, all, err := q.Children(t.Context(), "p", 3); err != nil || len(list) != 3 || all != n || list[2].ID != "c2" || list[2].State != job.Dead {
		t.Errorf("%v of %d, %v", list, all, err)
	}
	if err := q.Close(); err != nil {
		t.Error(err)
	}
}

func TestEnqueueEach_PutsParentsFirstAndAnswersInTheOrderOfTheSpecs(t *testing.T) {
	t.Parallel()
	q, err := queue.NewMemory().Open(t.Context(), queue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	spec := func(id string, parents ...string) job.Spec {
		s := job.Spec{ID: id, Kind: "k"}
		for _, p := range parents {
			s.After = append(s.After, job.Parent{ID: p})
		}
		return s
	}
	each, err := q.EnqueueEach(t.Context(), []job.Spec{spec("c", "a", "b"), spec("b", "a"), spec("a")}, queue.EnqueueOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range each {
		got = append(got, fmt.Sprint(e.Job.Spec.ID, e.Job.ParentsLeft))
	}
	if want := []string{"c2", "b1", "a0"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got, want := ids(t, q), []string{"a", "b", "c"}; !slices.Equal(got, want) {
		t.Errorf("enqueued in the order %v, want %v", got, want)
	}
	_, err = q.EnqueueEach(t.Context(), []job.Spec{spec("z", "y"), spec("y"), spec("x", "unknown")}, queue.EnqueueOptions{})
	if refused, ok := errors.AsType[*queue.SpecError](err); !ok || refused.Index != 2 || !errors.Is(err, job.ErrNotFound) {
		t.Errorf("%v, want the third spec refused", err)
	}
	if err := q.Close(); err != nil {
		t.Error(err)
	}
}
