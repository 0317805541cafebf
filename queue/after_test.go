package queue_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
	"github.com/queuectl/queuectl/queue"
	"github.com/queuectl/queuectl/queuetest"
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

// fan enqueues a job and so many that come after it: more than one commit ends.
func fan(t *testing.T, q *queue.Queue, n int) {
	t.Helper()
	specs := []job.Spec{{ID: "p", Kind: "k"}}
	for i := range n {
		specs = append(specs, job.Spec{ID: fmt.Sprint("c", i), Kind: "k", After: []job.Parent{{ID: "p"}}})
	}
	if _, err := q.EnqueueMany(t.Context(), specs, queue.EnqueueOptions{}); err != nil {
		t.Fatal(err)
	}
}

// Whoever ends a job ends all that come after it, however many commits that takes, and needs no worker for it.
func TestCancel_EndsAllThatComeAfter(t *testing.T) {
	t.Parallel()
	const n = 9000
	q, _ := queuetest.Open(t)
	fan(t, q, n)
	if err := q.Cancel(queue.Because(t.Context(), "not needed"), "p"); err != nil {
		t.Fatal(err)
	}
	if dead, err := q.Count(t.Context(), projection.Filter{States: []job.State{job.Dead}}); err != nil || dead != n {
		t.Errorf("%d jobs are dead, %v, want %d", dead, err, n)
	}
	reasons := map[string]int{}
	if err := q.Read(t.Context(), func(r queue.Record) error {
		if job.KindOf(r.Event) == job.KindJobDied {
			reasons[r.At.Actor.Reason]++
		}
		return nil
	}); err != nil || reasons["not needed"] != n {
		t.Errorf("the deaths have the reasons %v, %v", reasons, err)
	}
}

// If whoever ended the job dies before that, the next one who changes the queue goes on, and so does one who only waits.
func TestWaitFor_GoesOnWithWhatSomebodyLeft(t *testing.T) {
	t.Parallel()
	for name, next := range map[string]func(q *queue.Queue) error{
		"an enqueue": func(q *queue.Queue) error {
			_, err := q.Enqueue(t.Context(), job.Spec{Kind: "k"})
			return err
		},
		"wait": func(q *queue.Queue) error {
			_, err := q.WaitFor(t.Context(), []string{"c4999"}, queue.WaitOptions{})
			return err
		},
	} {
		memory := queue.NewMemory()
		q, err := memory.Open(t.Context(), queue.Options{})
		if err != nil {
			t.Fatal(err)
		}
		fan(t, q, 5000)
		writes := 0
		memory.Log.Inject(func(op eventlog.Op) error {
			if op == eventlog.OpWrite {
				writes++
			}
			if writes > 1 {
				return errors.New("the machine is gone")
			}
			return nil
		})
		if err := q.Cancel(t.Context(), "p"); err != nil {
			t.Fatalf("%s: what was asked for is done, but the answer is %v", name, err)
		}
		memory.Log.Inject(nil)
		waits := func() int {
			n, err := q.Count(t.Context(), projection.Filter{States: []job.State{job.Pending}, Match: "c"})
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		if n := waits(); n == 0 {
			t.Fatalf("%s: nothing is left for it", name)
		}
		if err := next(q); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if j, err := q.Job(t.Context(), "c4999"); err != nil || j.State != job.Dead {
			t.Errorf("%s: the last one is %v, %v", name, j.State, err)
		}
		if err := q.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A hook and its job lead to each other, through a snapshot as well.
func TestHooks_AreThoseThatTheEndsHaveBecome(t *testing.T) {
	t.Parallel()
	q, err := queue.Open(t.Context(), t.TempDir(), queue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	works := map[string]queue.Handler{"k": func(_ context.Context, j job.Job) error { return errors.New("no") }}
	drain := func() {
		t.Helper()
		if err := q.Run(t.Context(), queue.WorkerOptions{UntilEmpty: true, NoShell: true, Queues: []string{"default"}, Handlers: works}); err != nil {
			t.Fatal(err)
		}
	}
	enqueue(t, q, job.Spec{ID: "j", Kind: "k", MaxRetries: new(uint32), OnDead: []byte(`{"kind":"other"}`)})
	drain()
	if _, err := q.Snapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := q.Retry(t.Context(), true, "j"); err != nil {
		t.Fatal(err)
	}
	enqueue(t, q, job.Spec{ID: "child", Kind: "other", After: []job.Parent{{ID: "j", On: job.OnAny}}})
	drain()
	hooks, err := q.Hooks(t.Context(), "j")
	if err != nil || len(hooks) != 2 || hooks[0].Spec.After[0].ID != "j" || hooks[1].ParentsLeft != 0 {
		t.Fatalf("%+v, %v", hooks, err)
	}
	list, n, err := q.Children(t.Context(), "j", 0)
	if err != nil || n != 1 || list[0].ID != "child" {
		t.Errorf("the children are %v, %v", list, err)
	}
	if e, err := q.Explain(t.Context(), "j"); err != nil || len(e.Hooks) != 2 {
		t.Errorf("%+v, %v", e.Hooks, err)
	}
}
