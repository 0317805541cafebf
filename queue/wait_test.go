package queue_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
	"github.com/queuectl/queuectl/queuetest"
)

// TestWaitFor_SeesWhatTheOptionsAskFor: all of them, the first of them, or the first that can no longer get there.
func TestWaitFor_SeesWhatTheOptionsAskFor(t *testing.T) {
	t.Parallel()
	q, clock := queuetest.Open(t)
	handlers := map[string]queue.Handler{
		"good": func(context.Context, job.Job) error { return nil },
		"bad":  func(context.Context, job.Job) error { return errors.New("no") },
	}
	enqueue(t, q, job.Spec{ID: "never", Kind: "nobody's"})
	for _, spec := range []job.Spec{{ID: "bad", Kind: "bad", MaxRetries: new(uint32)}, {ID: "good", Kind: "good"}} {
		enqueue(t, q, spec)
		clock.Advance(time.Second)
		if err := queuetest.Drain(t.Context(), q, handlers); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name   string
		ids    []string
		opt    queue.WaitOptions
		want   []string
		missed bool
	}{
		{"all, in the order of ids", []string{"good", "bad"}, queue.WaitOptions{}, []string{"good", "bad"}, false},
		{"the first", []string{"never", "good", "bad"}, queue.WaitOptions{Any: true}, []string{"bad"}, false},
		{"a state", []string{"bad"}, queue.WaitOptions{States: []job.State{job.Dead}}, []string{"bad"}, false},
		{"a state that is out of reach", []string{"never", "good"}, queue.WaitOptions{States: []job.State{job.Dead}}, []string{"good"}, true},
		{"the first in a state", []string{"never", "bad", "good"}, queue.WaitOptions{States: []job.State{job.Completed}, Any: true}, []string{"good"}, false},
		{"none in a state", []string{"bad", "good"}, queue.WaitOptions{States: []job.State{job.Failed}, Any: true}, []string{"bad", "good"}, true},
		{"nothing", nil, queue.WaitOptions{Any: true}, nil, false},
	} {
		waited, err := q.WaitFor(t.Context(), test.ids, test.opt)
		var got []string
		missed := false
		for _, w := range waited {
			got = append(got, w.Job.Spec.ID)
			missed = missed || !w.Reached
		}
		if err != nil || !slices.Equal(got, test.want) || missed != test.missed {
			t.Errorf("%s: got %v, missed %v, %v; want %v, missed %v", test.name, got, missed, err, test.want, test.missed)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := q.WaitFor(ctx, []string{"good", "never"}, queue.WaitOptions{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the end of the time", err)
	}
}

// TestWaitFor_AQuickRunIsNoticed: a job may have begun and ended between two looks.
func TestWaitFor_AQuickRunIsNoticed(t *testing.T) {
	t.Parallel()
	q, _ := queuetest.Open(t)
	handlers := map[string]queue.Handler{"k": func(context.Context, job.Job) error { return nil }}
	j := enqueue(t, q, job.Spec{Kind: "k"})[0]
	waited, err := q.WaitInTwoLooks([]string{j.Spec.ID}, queue.WaitOptions{States: []job.State{job.Processing}}, func() error {
		return queuetest.Drain(t.Context(), q, handlers)
	})
	if err != nil || len(waited) != 1 || !waited[0].Reached || waited[0].Job.State != job.Completed {
		t.Errorf("got %+v, %v; want a job that was processing, and is completed", waited, err)
	}
}
