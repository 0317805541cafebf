package queue_test

import (
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
	"github.com/queuectl/queuectl/queue"
	"github.com/queuectl/queuectl/queuetest"
	"pgregory.net/rapid"
)

// TestDiffTo_IsTheDifferenceOfTheStates compares it with all jobs, settings and workers before and after.
func TestDiffTo_IsTheDifferenceOfTheStates(t *testing.T) {
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
		status, err := q.Status(ctx)
		if err != nil {
			t.Fatal(err)
		}
		from := rapid.Uint64Range(0, uint64(status.Position)).Draw(t, "from")
		to := rapid.Uint64Range(max(1, from), uint64(status.Position)).Draw(t, "to")
		stand := func(p uint64) *queue.Replay {
			r, err := q.Replay(ctx)
			if err == nil && p > 0 {
				err = r.To(ctx, queue.Moment{Position: job.Position(p)})
			}
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		r, before, after := stand(from), stand(from), stand(to)
		defer r.Close()
		defer before.Close()
		defer after.Close()
		got, err := r.DiffTo(ctx, queue.Moment{Position: job.Position(to)})
		if err != nil {
			t.Fatal(err)
		}
		want := slowDiff(before, after)
		got.Workers, want.Workers = nil, nil // those in between are in no state
		if !reflect.DeepEqual(got, want) {
			t.Errorf("from %d to %d:\n got %+v\nwant %+v", from, to, got, want)
		}
	})
}

// slowDiff looks at everything in two states.
func slowDiff(before, after *queue.Replay) queue.Diff {
	d := queue.Diff{
		From:   queue.Place{Position: before.Position(), Time: before.Time()},
		To:     queue.Place{Position: after.Position(), Time: after.Time()},
		Before: before.Status().Counts, After: after.Status().Counts,
	}
	state := func(j job.Job, err error) queue.JobState {
		return queue.JobState{State: j.State, Attempts: j.Attempts, Runs: j.Runs, Crashes: j.Crashes}
	}
	for j := range after.List(projection.Filter{}) {
		was, is := state(before.Job(j.Spec.ID)), state(j, nil)
		if was != is {
			d.Jobs = append(d.Jobs, queue.JobChange{Key: j.Key, ID: j.Spec.ID, Before: was, After: is, LastError: j.LastError})
		}
	}
	for i, set := range after.Config() {
		if was := before.Config()[i]; was != set {
			d.Settings = append(d.Settings, queue.SettingChange{Before: was, After: set})
		}
	}
	return d
}

func TestDiffTo_NamesWorkersThatCameAndWent(t *testing.T) {
	t.Parallel()
	q, _ := queuetest.Open(t)
	enqueue(t, q, job.Spec{ID: "a", Kind: "good"})
	if err := queuetest.Drain(t.Context(), q, handlers); err != nil {
		t.Fatal(err)
	}
	// 3 worker started, 4 claimed, 5 completed, 6 worker stopped
	for _, test := range []struct{ from, to, started, ended job.Position }{
		{2, 6, 3, 6}, {2, 5, 3, 0}, {3, 6, 0, 6}, {3, 5, 0, 0},
	} {
		r := replay(t, q)
		if err := r.To(t.Context(), queue.Moment{Position: test.from}); err != nil {
			t.Fatal(err)
		}
		d, err := r.DiffTo(t.Context(), queue.Moment{Position: test.to})
		if err != nil {
			t.Fatal(err)
		}
		if test.started == 0 && test.ended == 0 {
			if len(d.Workers) != 0 {
				t.Errorf("%+v: got %+v, want none", test, d.Workers)
			}
			continue
		}
		if len(d.Workers) != 1 || d.Workers[0].Started.Position != test.started || d.Workers[0].Ended.Position != test.ended ||
			d.Workers[0].Key != 3 || d.Workers[0].ID == "" || d.Workers[0].Lost {
			t.Errorf("%+v: got %+v", test, d.Workers)
		}
	}
}

func TestDiffTo_ForgottenJobsAreGone(t *testing.T) {
	t.Parallel()
	memory := queue.NewMemory()
	q, err := memory.Open(t.Context(), queue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	enqueue(t, q, job.Spec{ID: "a", Kind: "good"}, job.Spec{ID: "b", Kind: "good"}, job.Spec{ID: "c", Kind: "good"})
	for _, id := range []string{"a", "b"} {
		if err := q.Cancel(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	appendRaw(t, memory, nil, job.JobsForgotten{Queue: job.DefaultQueue, State: job.Cancelled, Through: 5, Jobs: 1})
	r := replay(t, q)
	if err := r.To(t.Context(), queue.Moment{Position: 5}); err != nil {
		t.Fatal(err)
	}
	d, err := r.DiffTo(t.Context(), queue.Moment{})
	if err != nil {
		t.Fatal(err)
	}
	want := []queue.JobChange{
		{Key: 2, ID: "a", Before: queue.JobState{State: job.Cancelled}},
		{Key: 3, ID: "b", Before: queue.JobState{State: job.Pending}, After: queue.JobState{State: job.Cancelled}},
	}
	later := replay(t, q)
	if err := later.To(t.Context(), queue.Moment{Position: 6}); err != nil {
		t.Fatal(err)
	}
	if d, err := later.DiffTo(t.Context(), queue.Moment{}); err != nil || !slices.Equal(d.Jobs, want[:1]) {
		t.Errorf("those that were not forgotten are as they were: got %+v, %v", d.Jobs, err)
	}
	if !slices.Equal(d.Jobs, want) || d.Before[job.Cancelled] != 1 || d.After[job.Cancelled] != 1 {
		t.Errorf("got %+v\nwant %+v", d.Jobs, want)
	}
}

func TestDiffTo_UpToTheDamageAndNotBackward(t *testing.T) {
	t.Parallel()
	memory := queue.NewMemory()
	q, err := memory.Open(t.Context(), queue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	enqueue(t, q, job.Spec{ID: "a", Kind: "good"})
	r := replay(t, q)
	appendRaw(t, memory, nil, job.JobClaimed{Job: 99, Worker: 98})
	d, err := r.DiffTo(t.Context(), queue.Moment{Time: time.Now().Add(time.Hour)})
	if _, damaged := errors.AsType[*eventlog.CorruptError](err); !damaged || len(d.Jobs) != 1 || d.To.Position != 2 {
		t.Errorf("got %+v, %v; want what is sound, and the damage", d, err)
	}
	if _, err := r.DiffTo(t.Context(), queue.Moment{Position: 1}); !errors.Is(err, queue.ErrPassed) {
		t.Errorf("got %v, want ErrPassed", err)
	}
}

// appendRaw appends an event that nobody has decided.
func appendRaw(t *testing.T, memory *queue.Memory, clock *queuetest.Clock, e job.Event) {
	t.Helper()
	var opt eventlog.Options
	if clock != nil {
		opt.Now = func() int64 { return clock.Now().UnixNano() }
	}
	raw, err := memory.Log.Open(t.Context(), ignorant{}, opt)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	event := eventlog.Event{Kind: uint16(job.KindOf(e)), Data: job.AppendEvent(nil, e)}
	err = raw.Append(t.Context(), &eventlog.Proposal{
		Decide: func(eventlog.Turn) ([]eventlog.Event, error) { return []eventlog.Event{event}, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
}
