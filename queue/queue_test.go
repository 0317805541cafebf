package queue_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
	"github.com/queuectl/queuectl/queue"
	"github.com/queuectl/queuectl/queuetest"
)

func open(t *testing.T, dir string) *queue.Queue {
	t.Helper()
	q, err := queue.Open(t.Context(), dir, queue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	return q
}

func enqueue(t *testing.T, q *queue.Queue, specs ...job.Spec) []job.Job {
	t.Helper()
	jobs, err := q.EnqueueMany(t.Context(), specs, queue.EnqueueOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return jobs
}

func find(t *testing.T, q *queue.Queue, id string) job.Job {
	t.Helper()
	j, err := q.Job(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func drain(t *testing.T, q *queue.Queue) {
	t.Helper()
	if err := q.Run(t.Context(), queue.WorkerOptions{UntilIdle: true}); err != nil {
		t.Fatal(err)
	}
}

// TestRepair_IsRecordedOnceByWhoeverAppendsNext: who cuts off a torn tail may only be reading.
func TestRepair_IsRecordedOnceByWhoeverAppendsNext(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	q := open(t, dir)
	enqueue(t, q, job.Spec{ID: "a", Kind: "k"})
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	tail, err := os.OpenFile(filepath.Join(dir, "log", "00000000000000000001"), os.O_WRONLY|os.O_APPEND, 0)
	if err == nil {
		_, err = tail.Write([]byte{0x80, 0x01}) // how a frame of 128 bytes begins
	}
	if err := errors.Join(err, tail.Close()); err != nil {
		t.Fatal(err)
	}
	reading := open(t, dir)
	if jobs, err := reading.List(t.Context(), projection.Filter{}); err != nil || len(jobs) != 1 {
		t.Fatalf("got %d jobs, %v", len(jobs), err)
	}
	refused := open(t, dir)
	if _, err := refused.Enqueue(t.Context(), job.Spec{ID: "a", Kind: "k"}); err == nil {
		t.Error("a job was enqueued twice")
	}
	refused.Close()
	// The next one records it, though it was another that cut it off; and then nobody else does.
	next := open(t, dir)
	for _, q := range []*queue.Queue{next, next, reading, open(t, dir)} {
		enqueue(t, q, job.Spec{Kind: "k"})
		var repairs []job.LogRepaired
		if err := q.Read(t.Context(), func(r queue.Record) error {
			if e, ok := r.Event.(job.LogRepaired); ok {
				repairs = append(repairs, e)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if len(repairs) != 1 || repairs[0].Size != 2 {
			t.Errorf("recorded are %+v, want one repair of 2 bytes", repairs)
		}
	}
}

func TestEnqueue_AnswersWhatAQueryAnswers(t *testing.T) {
	t.Parallel()
	q, clock := queuetest.Open(t)
	retries := uint32(7)
	specs := []job.Spec{
		{Kind: "k"},
		{ID: "mine", Kind: "k", MaxRetries: &retries, Delay: time.Hour, CreatedAt: clock.Now().Add(-time.Hour)},
		{ID: "later", Argv: []string{"true"}, RunAt: clock.Now().Add(time.Minute), Queue: "q", Tags: map[string]string{"a": "b"}},
	}
	for _, got := range enqueue(t, q, specs...) {
		want := find(t, q, got.Spec.ID)
		gotJSON, err := got.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		wantJSON, err := want.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if string(gotJSON) != string(wantJSON) {
			t.Errorf("enqueue answered\n%s\nthe query\n%s", gotJSON, wantJSON)
		}
	}
}

func TestEnqueueMany_OneBadSpecWritesNothing(t *testing.T) {
	t.Parallel()
	q, _ := queuetest.Open(t)
	enqueue(t, q, job.Spec{ID: "taken", Kind: "k"})
	_, err := q.EnqueueMany(t.Context(), []job.Spec{{ID: "new", Kind: "k"}, {ID: "taken", Kind: "k"}}, queue.EnqueueOptions{})
	var refused *queue.SpecError
	if !errors.As(err, &refused) || refused.Index != 1 || !errors.Is(err, job.ErrExists) {
		t.Errorf("got %v, want a SpecError of index 1 for an existing job", err)
	}
	if n, err := q.Count(t.Context(), projection.Filter{}); err != nil || n != 1 {
		t.Errorf("%d jobs (%v), want 1", n, err)
	}
	jobs, err := q.EnqueueMany(t.Context(), []job.Spec{{ID: "new", Kind: "k"}, {ID: "taken", Kind: "k"}}, queue.EnqueueOptions{SkipExisting: true})
	if err != nil || len(jobs) != 1 || jobs[0].Spec.ID != "new" {
		t.Errorf("skipping existing jobs added %v (%v), want new alone", jobs, err)
	}
}

func TestEnqueueMany_MoreThanOneCommitIsCheckedFirst(t *testing.T) {
	t.Parallel()
	q, _ := queuetest.Open(t)
	specs := make([]job.Spec, 100_001)
	for i := range specs {
		specs[i] = job.Spec{Kind: "k"}
	}
	bad := specs
	bad[100_000] = job.Spec{}
	_, err := q.EnqueueMany(t.Context(), bad, queue.EnqueueOptions{})
	var refused *queue.SpecError
	if !errors.As(err, &refused) || refused.Index != 100_000 {
		t.Errorf("got %v, want a SpecError of index 100000", err)
	}
	if n, err := q.Count(t.Context(), projection.Filter{}); err != nil || n != 0 {
		t.Errorf("%d jobs (%v), want none", n, err)
	}
	specs[100_000] = job.Spec{Kind: "k"}
	var steps []int
	jobs, err := q.EnqueueMany(t.Context(), specs, queue.EnqueueOptions{Progress: func(done, _ int) { steps = append(steps, done) }})
	if err != nil || len(jobs) != len(specs) || fmt.Sprint(steps) != "[100000 100001]" {
		t.Errorf("%d jobs in steps %v (%v)", len(jobs), steps, err)
	}
}

func TestEnqueue_FromManyGoroutinesLosesNothing(t *testing.T) {
	t.Parallel()
	q := open(t, t.TempDir())
	var group sync.WaitGroup
	for range 32 {
		group.Go(func() {
			for range 10 {
				if _, err := q.Enqueue(context.Background(), job.Spec{Command: "true"}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	again := open(t, q.Dir())
	if n, err := again.Count(t.Context(), projection.Filter{}); err != nil || n != 320 {
		t.Errorf("%d jobs (%v), want 320", n, err)
	}
}

func TestWait_UnknownJobIsAnErrorAtOnce(t *testing.T) {
	t.Parallel()
	q, _ := queuetest.Open(t)
	if _, err := q.Wait(t.Context(), "nobody"); !errors.Is(err, job.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

func TestOpen_NoCreateLeavesNothing(t *testing.T) {
	t.Parallel()
	if _, err := queue.Open(t.Context(), t.TempDir()+"/none", queue.Options{NoCreate: true}); !errors.Is(err, eventlog.ErrNoLog) {
		t.Errorf("got %v, want ErrNoLog", err)
	}
}

// TestRead_ShowsWhatWasUnknown: who asks the log about an unknown outcome must not be told that nothing
// happened when it comes to light with the next sync.
func TestRead_ShowsWhatWasUnknown(t *testing.T) {
	t.Parallel()
	memory := queue.NewMemory()
	writer, err := memory.Open(t.Context(), queue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	memory.Log.Inject(func(op eventlog.Op) error {
		if op == eventlog.OpSync {
			return errors.New("the disk is on fire")
		}
		return nil
	})
	if _, err := writer.Enqueue(t.Context(), job.Spec{ID: "maybe", Kind: "k"}); !errors.Is(err, eventlog.ErrUnknown) {
		t.Fatalf("got %v, want ErrUnknown", err)
	}
	reader, err := memory.Open(t.Context(), queue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	read := func() (ids []string, err error) {
		err = reader.Read(t.Context(), func(r queue.Record) error {
			if e, ok := r.Event.(*job.JobEnqueued); ok {
				ids = append(ids, e.Spec.ID)
			}
			return nil
		})
		return ids, err
	}
	if ids, err := read(); !errors.Is(err, eventlog.ErrUnknown) {
		t.Errorf("while no sync succeeds: got %v, %v; want ErrUnknown", ids, err)
	}
	memory.Log.Inject(nil)
	if ids, err := read(); err != nil || len(ids) != 1 {
		t.Errorf("when syncs succeed again: got %v, %v; want the job", ids, err)
	}
}
