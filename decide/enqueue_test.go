package decide_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/job"
)

func TestEnqueue_DueTime(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		spec job.Spec
		want int64
	}{
		{name: "at once", want: 0},
		{name: "delay", spec: job.Spec{Delay: time.Minute}, want: noon.Add(time.Minute).UnixNano()},
		{name: "run_at", spec: job.Spec{RunAt: noon.Add(time.Hour)}, want: noon.Add(time.Hour).UnixNano()},
		{name: "run_at now", spec: job.Spec{RunAt: noon}, want: 0},
		{name: "run_at in the past", spec: job.Spec{RunAt: noon.AddDate(-9, 0, 0)}, want: 0},
	} {
		w := newWorld(t)
		test.spec.Command = "true"
		e := w.must(decide.Enqueue(w.State, w.at, []job.Spec{test.spec}, false))[0].(*job.JobEnqueued)
		if e.Due != test.want {
			t.Errorf("%s: due %d, want %d", test.name, e.Due, test.want)
		}
		if !e.Spec.RunAt.IsZero() || e.Spec.Delay != 0 {
			t.Errorf("%s: run_at %v and delay %v are left in the event", test.name, e.Spec.RunAt, e.Spec.Delay)
		}
	}
}

func TestEnqueue_DelayNearTheEndOfTimeDoesNotOverflow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.at.Time = math.MaxInt64 - 5
	e := w.must(decide.Enqueue(w.State, w.at, []job.Spec{{Command: "true", Delay: job.MaxDuration}}, false))[0]
	if due := e.(*job.JobEnqueued).Due; due != math.MaxInt64 {
		t.Errorf("due %d, want the last time there is", due)
	}
}

func TestEnqueue_MaxRetriesIsResolved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(decide.SetConfig(w.State, w.at, "max_retries", "5"))
	w.must(decide.Enqueue(w.State, w.at, []job.Spec{
		{ID: "silent", Command: "true"}, {ID: "zero", Command: "true", MaxRetries: new(uint32)},
	}, false))
	w.must(decide.SetConfig(w.State, w.at, "max_retries", "9"))
	for id, want := range map[string]uint32{"silent": 5, "zero": 0} {
		if j := w.job(id); j.MaxRetries != want || *j.Spec.MaxRetries != want {
			t.Errorf("%s: max_retries %d and %d, want %d", id, j.MaxRetries, *j.Spec.MaxRetries, want)
		}
	}
}

func TestEnqueue_MadeIDsSayTheirPositionAndSort(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	specs := make([]job.Spec, 100)
	for i := range specs {
		specs[i].Command = "true"
	}
	last, tails := "", map[string]bool{}
	for i, e := range w.must(decide.Enqueue(w.State, w.at, specs, false)) {
		id := e.(*job.JobEnqueued).Spec.ID
		key, ok := job.PositionOfMadeID(id)
		if !ok || key != job.Position(2+i) || w.Jobs.Key(id) != key || id <= last {
			t.Fatalf("id %q of the job at %d, after %q", id, 2+i, last)
		}
		last = id
		tails[id[len(id)-3:]] = true
	}
	if len(tails) < 90 {
		t.Errorf("%d different endings of 100 ids", len(tails))
	}
}

func TestEnqueue_MadeIDsAvoidChosenOnes(t *testing.T) {
	t.Parallel()
	one := []job.Spec{{Command: "true"}}
	w := newWorld(t)
	w.at.Position++ // as it will be behind a chosen one
	events, err := decide.Enqueue(w.State, w.at, one, false)
	if err != nil {
		t.Fatal(err)
	}
	w.at.Position--
	taken := events[0].(*job.JobEnqueued).Spec.ID

	t.Run("of an earlier job", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.enqueue(taken)
		w.must(decide.Enqueue(w.State, w.at, one, false))
		if n := w.Jobs.Counts()[job.Pending]; n != 2 {
			t.Errorf("%d jobs, want 2", n)
		}
		if key := w.Jobs.Key(taken); key != 2 {
			t.Errorf("%q is job %d, want 2", taken, key)
		}
	})
	t.Run("of a later spec of the batch", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.at.Position++
		w.must(decide.Enqueue(w.State, w.at, []job.Spec{{Command: "true"}, {ID: taken, Command: "true"}}, false))
		if key := w.Jobs.Key(taken); key != 4 {
			t.Errorf("%q is job %d, want 4", taken, key)
		}
	})
	t.Run("all taken", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		specs := make([]job.Spec, job.MadeIDs, job.MadeIDs+1)
		position := w.at.Position + job.MadeIDs // of the one that gets none
		for i := range specs {
			specs[i] = job.Spec{ID: job.MadeID(position, uint64(i)), Command: "true"}
		}
		events, err := decide.Enqueue(w.State, w.at, append(specs, one...), false)
		refused(t, events, err, job.ErrExists)
	})
}

func TestEnqueue_RefusalNamesTheSpecAndAdmitsNone(t *testing.T) {
	t.Parallel()
	ok := job.Spec{Command: "true"}
	for _, test := range []struct {
		name  string
		specs []job.Spec
		index int
		err   error
		text  string
	}{
		{name: "invalid", specs: []job.Spec{ok, {}}, index: 1, err: job.ErrInvalid, text: "command"},
		{name: "known id", specs: []job.Spec{ok, ok, {ID: "old", Command: "true"}}, index: 2, err: job.ErrExists, text: `job "old"`},
		{
			name:  "id given twice",
			specs: []job.Spec{{ID: "new", Command: "true"}, {ID: "new", Command: "true"}}, index: 1,
			err: job.ErrExists, text: `job "new" is given twice`,
		},
		{name: "queue_max", specs: []job.Spec{ok, ok, ok, ok}, index: 3, err: job.ErrQueueFull, text: `queue "default" has 4 waiting jobs`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.must(decide.SetConfig(w.State, w.at, "queue_max", "4"))
			w.enqueue("old")
			events, err := decide.Enqueue(w.State, w.at, test.specs, false)
			refused(t, events, err, test.err)
			var refusal *decide.SpecError
			if !errors.As(err, &refusal) || refusal.Index != test.index || !strings.Contains(err.Error(), test.text) {
				t.Errorf("error %v, want one about spec %d with %q", err, test.index, test.text)
			}
		})
	}
}

func TestEnqueue_QueueMaxIsPerQueueAndCountsWaitingJobsOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(decide.SetConfig(w.State, w.at, "queue_max", "2"))
	worker := w.worker("w1")
	w.enqueue("a", "b")
	w.claim(worker)
	w.enqueue("c")
	w.must(decide.Enqueue(w.State, w.at, []job.Spec{
		{Command: "true", Queue: "other"}, {Command: "true", Queue: "other"},
	}, false))
	for _, queue := range []string{"", "default", "other"} {
		events, err := decide.Enqueue(w.State, w.at, []job.Spec{{Command: "true", Queue: queue}}, false)
		refused(t, events, err, job.ErrQueueFull)
	}
}

func TestEnqueue_SkipExistingLeavesOutWhatIsKnown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enqueue("a", "b")
	specs := []job.Spec{{Command: "1"}}
	for i, id := range []string{"a", "c", "b", "c", "d"} {
		specs = append(specs, job.Spec{ID: id, Command: fmt.Sprint(i)})
	}
	events := w.must(decide.Enqueue(w.State, w.at, specs, true))
	if len(events) != 3 || w.job("c").Spec.Command != "1" || w.job("d").Key != w.at.Position-1 {
		t.Errorf("%d events, c runs %q, d is job %d", len(events), w.job("c").Spec.Command, w.job("d").Key)
	}
	w.agree()
	events, err := decide.Enqueue(w.State, w.at, specs[1:], true)
	nothing(t, events, err)
	events, err = decide.Enqueue(w.State, w.at, []job.Spec{specs[1], {}}, true)
	refused(t, events, err, job.ErrInvalid)
}
