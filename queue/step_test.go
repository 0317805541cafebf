package queue_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
	"github.com/queuectl/queuectl/queuetest"
)

// told is a step in words.
func told(s queue.Step) string {
	var words []string
	for _, c := range s.Changes {
		if when, ok := c.To.(time.Time); ok {
			c.To = "+" + when.Sub(queuetest.Start).String()
		}
		if when, ok := c.From.(time.Time); ok {
			c.From = "+" + when.Sub(queuetest.Start).String()
		}
		words = append(words, fmt.Sprintf("%s %s %v>%v", c.Of, c.Field, c.From, c.To))
	}
	return strings.TrimSpace(fmt.Sprintf("%v %s: %s", job.KindOf(s.Event), s.ID, strings.Join(words, ", ")))
}

func TestReplay_StepSaysWhatAnEventChanges(t *testing.T) {
	t.Parallel()
	q, clock := queuetest.Open(t)
	ctx := t.Context()
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := q.SetConfig(ctx, "max_retries", "1")
	do(err)
	_, err = q.SetConfig(ctx, "max_retries", "2")
	do(err)
	do(q.UnsetConfig(ctx, "max_retries"))
	_, err = q.Enqueue(ctx, job.Spec{ID: "a", Kind: "k", Delay: time.Hour})
	do(err)
	clock.Advance(time.Hour)
	worker := ""
	do(q.Run(ctx, queue.WorkerOptions{
		UntilIdle: true, Started: func(w job.Worker) { worker = w.ID },
		Handlers: map[string]queue.Handler{"k": func(context.Context, job.Job) error {
			if err := q.Kill(ctx, 15, "a"); err != nil {
				return err
			}
			return errors.New("as it was told")
		}},
	}))
	do(q.Cancel(ctx, "a"))
	want := `LogCreated :
ConfigSet : setting max_retries <nil>>1
ConfigSet : setting max_retries 1>2
ConfigUnset : setting max_retries 2><nil>
JobEnqueued a: job state <nil>>pending, job next_attempt_at <nil>>+1h0m0s, count pending 0>1
WorkerStarted : worker W <nil>>running
JobClaimed a: job state pending>processing, job runs 0>1, job next_attempt_at +1h0m0s><nil>, count pending 1>0, count processing 0>1
KillRequested a: job kill_requested false>true
JobFailed a: job state processing>failed, job attempts 0>1, job next_attempt_at <nil>>+1h0m2s, job kill_requested true>false, count processing 1>0, count failed 0>1
WorkerStopped : worker W running><nil>
JobCancelled a: job state failed>cancelled, job next_attempt_at +1h0m2s><nil>, count failed 1>0, count cancelled 0>1`
	r, err := q.Replay(ctx)
	do(err)
	defer r.Close()
	var got []string
	for {
		step, err := r.Step(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		do(err)
		got = append(got, strings.ReplaceAll(told(step), worker, "W"))
	}
	if got := strings.Join(got, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	now, err := q.Digest(ctx)
	do(err)
	if r.Digest() != now {
		t.Error("the steps lead to another state than the queue has")
	}
}
