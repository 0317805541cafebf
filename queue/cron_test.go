package queue_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
	"github.com/queuectl/queuectl/queue"
	"github.com/queuectl/queuectl/queuetest"
)

func every(name, schedule string) job.Cron {
	return job.Cron{Name: name, Schedule: schedule, Zone: "UTC", Job: job.Spec{Kind: "k"}}
}

func addCron(t *testing.T, q *queue.Queue, c job.Cron) job.CronEntry {
	t.Helper()
	e, err := q.AddCron(t.Context(), c, false)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// ids returns the ids of all jobs.
func ids(t *testing.T, q *queue.Queue) (ids []string) {
	t.Helper()
	jobs, err := q.List(t.Context(), projection.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range jobs {
		ids = append(ids, j.Spec.ID)
	}
	return ids
}

var ran = map[string]queue.Handler{"k": func(context.Context, job.Job) error { return nil }}

func TestRun_TicksWhileAWorkerRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, err := queue.NewMemory().Open(t.Context(), queue.Options{})
		if err != nil {
			t.Fatal(err)
		}
		addCron(t, q, every("s", "*/2 * * * * *"))
		began := time.Now()
		var at []time.Time
		var mu sync.Mutex
		stop, _, wait := works(t, q, queue.WorkerOptions{Slots: 2, Handlers: map[string]queue.Handler{"k": func(context.Context, job.Job) error {
			mu.Lock()
			defer mu.Unlock()
			at = append(at, time.Now())
			return nil
		}}})
		time.Sleep(7 * time.Second)
		stop()
		if err := wait(); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		if len(at) != 3 && len(at) != 4 {
			t.Fatalf("%d jobs ran in 7 s, want one each 2 s", len(at))
		}
		for i, ran := range at {
			if want := began.Truncate(2 * time.Second).Add(time.Duration(i+1) * 2 * time.Second); ran.Before(want) || ran.After(want.Add(10*time.Millisecond)) {
				t.Errorf("run %d at %v, want %v", i+1, ran, want)
			}
		}
		if err := q.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestRun_AJobThatIsDueBeforeATickDoesNotWaitForIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, err := queue.NewMemory().Open(t.Context(), queue.Options{})
		if err != nil {
			t.Fatal(err)
		}
		addCron(t, q, every("s", "@every 1s"))
		enqueue(t, q, job.Spec{ID: "soon", Kind: "k", Delay: 100 * time.Millisecond})
		stop, _, wait := works(t, q, queue.WorkerOptions{Handlers: ran})
		time.Sleep(200 * time.Millisecond)
		if j := find(t, q, "soon"); j.State != job.Completed {
			t.Errorf("the job is %v", j.State)
		}
		stop()
		if err := errors.Join(wait(), q.Close()); err != nil {
			t.Error(err)
		}
	})
}

func TestRun_NoWorkerNoTicksAndThenAsMissedSays(t *testing.T) {
	t.Parallel()
	for missed, want := range map[job.Missed][]string{
		job.MissedSkip: nil,
		job.MissedOnce: {"m-20260101T120000Z"},
		job.MissedAll:  {"m-20260101T100000Z", "m-20260101T110000Z", "m-20260101T120000Z"},
	} {
		q, clock := queuetest.Open(t)
		clock.Advance(9*time.Hour + time.Second)
		c := every("m", "@hourly")
		c.Missed = missed
		addCron(t, q, c)
		clock.Advance(3*time.Hour + time.Minute)
		if got := ids(t, q); got != nil {
			t.Errorf("%v: without a worker there are jobs: %v", missed, got)
		}
		if err := queuetest.Drain(t.Context(), q, ran); err != nil {
			t.Fatal(err)
		}
		if got := ids(t, q); !slices.Equal(got, want) {
			t.Errorf("%v: %v, want %v", missed, got, want)
		}
	}
}

func TestRun_TwoProcessesMakeOneJobOfATick(t *testing.T) {
	t.Parallel()
	memory := queue.NewMemory()
	clock := queuetest.NewClock(queuetest.Start)
	var queues []*queue.Queue
	for range 2 {
		q, err := memory.Open(t.Context(), queue.Options{Now: clock.Now, Elapsed: clock.Elapsed})
		if err != nil {
			t.Fatal(err)
		}
		defer q.Close()
		queues = append(queues, q)
	}
	for i := range 20 {
		c := every(fmt.Sprint("m", i), "* * * * *")
		c.Missed = job.MissedAll
		addCron(t, queues[0], c)
	}
	clock.Advance(5 * time.Minute)
	var drains sync.WaitGroup
	for _, q := range queues {
		drains.Go(func() {
			if err := queuetest.Drain(t.Context(), q, ran); err != nil {
				t.Error(err)
			}
		})
	}
	drains.Wait()
	if got := ids(t, queues[0]); len(got) != 100 {
		t.Errorf("%d jobs of 100 ticks", len(got))
	}
}

func TestRun_UntilEmptyMakesTheTicksThatHaveCome(t *testing.T) {
	t.Parallel()
	q, clock := queuetest.Open(t)
	addCron(t, q, every("m", "* * * * *"))
	clock.Advance(time.Minute)
	if err := q.Run(t.Context(), queue.WorkerOptions{UntilEmpty: true, Handlers: ran}); err != nil {
		t.Fatal(err)
	}
	if j := find(t, q, "m-20260101T000100Z"); j.State != job.Completed {
		t.Errorf("the job is %v", j.State)
	}
}

// A schedule of every second after a pause of an hour makes 3,600 jobs. What is due does not wait for all of them.
func TestRun_JobsRunWhileMissedTicksAreMade(t *testing.T) {
	t.Parallel()
	q, clock := queuetest.Open(t)
	c := every("s", "* * * * * *")
	c.Missed = job.MissedAll
	addCron(t, q, c)
	enqueue(t, q, job.Spec{ID: "due", Kind: "k"})
	clock.Advance(time.Hour)
	handlers := map[string]queue.Handler{"k": func(context.Context, job.Job) error { return nil }}
	if err := q.Run(t.Context(), queue.WorkerOptions{UntilEmpty: true, Handlers: handlers}); err != nil {
		t.Fatal(err)
	}
	made := 0
	claim := find(t, q, "due").Run // its position in the log
	jobs, err := q.List(t.Context(), projection.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range jobs {
		if j.Spec.ID != "due" && j.Key < claim {
			made++
		}
	}
	if made == 0 || made > 1200 {
		t.Errorf("%d ticks were made before the job that was due was claimed", made)
	}
	if done, err := q.Count(t.Context(), projection.Filter{States: []job.State{job.Completed}}); err != nil || done != 3601 {
		t.Errorf("%d jobs are completed, %v; want 3601", done, err)
	}
}

func TestAddCron_JobsRunWhereTheScheduleWasAdded(t *testing.T) {
	t.Parallel()
	clock := queuetest.NewClock(queuetest.Start)
	q, err := queue.NewMemory().Open(t.Context(), queue.Options{
		Now: clock.Now, Elapsed: clock.Elapsed, Actor: job.Actor{Dir: "/home/ann", Path: "/home/ann/bin:/bin"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	for _, test := range []struct {
		spec      job.Spec
		cwd, path string
	}{
		{job.Spec{Command: "true"}, "/home/ann", "/home/ann/bin:/bin"},
		{job.Spec{Command: "true", Cwd: "src"}, "/home/ann/src", "/home/ann/bin:/bin"},
		{job.Spec{Command: "true", Cwd: "/srv", Env: map[string]string{"PATH": "/bin", "A": "1"}}, "/srv", "/bin"},
		{job.Spec{Kind: "k"}, "/home/ann", ""},
	} {
		e, err := q.AddCron(t.Context(), job.Cron{Name: "c", Schedule: "@daily", Zone: "UTC", Job: test.spec}, true)
		if err != nil {
			t.Fatal(err)
		}
		if e.Job.Cwd != test.cwd || e.Job.Env["PATH"] != test.path {
			t.Errorf("%+v: in %q with PATH %q", test.spec, e.Job.Cwd, e.Job.Env["PATH"])
		}
	}
}

func TestCron_AnswersAreThoseOfTheState(t *testing.T) {
	t.Parallel()
	q, clock := queuetest.Open(t)
	if _, err := q.Cron(t.Context(), "b"); !errors.Is(err, job.ErrNoCron) {
		t.Errorf("an unknown schedule: %v", err)
	}
	addCron(t, q, every("b", "@every 90s"))
	addCron(t, q, every("a", "@daily"))
	j, err := q.RunCron(t.Context(), "b")
	if err != nil || j.State != job.Pending || j.Spec.Tags[job.CronTag] != "b" {
		t.Fatalf("RunCron: %+v, %v", j, err)
	}
	clock.Advance(90 * time.Second)
	if err := queuetest.Drain(t.Context(), q, ran); err != nil {
		t.Fatal(err)
	}
	crons, err := q.Crons(t.Context())
	if err != nil || len(crons) != 2 || crons[0].Name != "a" || crons[1].Name != "b" {
		t.Fatalf("Crons: %+v, %v", crons, err)
	}
	jobs, err := q.CronJobs(t.Context(), "b")
	if err != nil || len(jobs) != 2 || jobs[0].Spec.ID != j.Spec.ID || jobs[1].Spec.ID != "b-20260101T000130Z" {
		t.Fatalf("CronJobs: %+v, %v", jobs, err)
	}
	next := queue.NextTicks(crons[1], 3)
	for i, tick := range next {
		if want := queuetest.Start.Add(time.Duration(i+2) * 90 * time.Second); !tick.Equal(want) {
			t.Errorf("tick %d is %v, want %v", i, tick, want)
		}
	}
	if len(next) != 3 {
		t.Errorf("%d next ticks", len(next))
	}
	if err := q.PauseCron(t.Context(), true, "a", "b"); err != nil {
		t.Fatal(err)
	}
	if e, err := q.Cron(t.Context(), "b"); err != nil || !e.Paused || queue.NextTicks(e, 3) != nil {
		t.Errorf("a paused schedule: %+v, %v", e, err)
	}
	if err := q.RemoveCron(t.Context(), "a", "b"); err != nil {
		t.Fatal(err)
	}
	if crons, err := q.Crons(t.Context()); err != nil || len(crons) != 0 {
		t.Errorf("after the removal: %+v, %v", crons, err)
	}
}

// A queue that rests on a snapshot knows its schedules, and goes on where they were.
func TestSnapshot_KeepsSchedules(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	clock := queuetest.NewClock(queuetest.Start)
	reopen := func() *queue.Queue {
		q, err := queue.Open(t.Context(), dir, queue.Options{Now: clock.Now, Elapsed: clock.Elapsed})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = q.Close() })
		return q
	}
	q := reopen()
	addCron(t, q, every("m", "* * * * *"))
	paused := every("p", "@every 90s")
	paused.Missed, paused.Overlap = job.MissedAll, job.OverlapSkip
	addCron(t, q, paused)
	if err := q.PauseCron(t.Context(), true, "p"); err != nil {
		t.Fatal(err)
	}
	clock.Advance(time.Minute)
	if err := queuetest.Drain(t.Context(), q, ran); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Snapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
	want, err := q.Crons(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	fresh := reopen()
	if got, err := fresh.Crons(t.Context()); err != nil || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Errorf("from the snapshot\n%+v, %v\nwant\n%+v", got, err, want)
	}
	clock.Advance(time.Minute)
	if err := queuetest.Drain(t.Context(), fresh, ran); err != nil {
		t.Fatal(err)
	}
	if got, want := ids(t, fresh), []string{"m-20260101T000100Z", "m-20260101T000200Z"}; !slices.Equal(got, want) {
		t.Errorf("jobs %v, want %v", got, want)
	}
}

// The hooks of a schedule's jobs run where the schedule was added, and not where the worker is that ticks.
func TestAddCron_HooksRunWhereItWasAdded(t *testing.T) {
	t.Parallel()
	memory := queue.NewMemory()
	adds, err := memory.Open(t.Context(), queue.Options{Actor: job.Actor{Dir: "/home/ann", Path: "/ann/bin"}})
	if err != nil {
		t.Fatal(err)
	}
	defer adds.Close()
	ticks, err := memory.Open(t.Context(), queue.Options{Actor: job.Actor{Dir: "/srv", Path: "/srv/bin"}})
	if err != nil {
		t.Fatal(err)
	}
	defer ticks.Close()
	for name, hook := range map[string]string{
		"line": `"a"`, "relative": `{"argv":["a"],"cwd":"b"}`, "own": `{"command":"a","cwd":"/c","env":{"PATH":"/own","A":"b"}}`, "address": `"https://example.com/"`,
	} {
		c := every(name, "@daily")
		c.Job.OnComplete = []byte(hook)
		addCron(t, adds, c)
		if _, err := ticks.RunCron(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	if err := ticks.Run(t.Context(), queue.WorkerOptions{UntilEmpty: true, Queues: []string{"default"}, Handlers: ran}); err != nil {
		t.Fatal(err)
	}
	hooks, err := adds.List(t.Context(), projection.Filter{Queue: job.HookQueue})
	if err != nil || len(hooks) != 4 {
		t.Fatal(hooks, err)
	}
	want := map[string][2]string{"line": {"/home/ann", "/ann/bin"}, "relative": {"/home/ann/b", "/ann/bin"}, "own": {"/c", "/own"}, "address": {"/srv", ""}}
	for _, hook := range hooks {
		of, err := adds.Job(t.Context(), hook.Spec.After[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		name := of.Spec.Tags[job.CronTag]
		if got := [2]string{hook.Spec.Cwd, hook.Spec.Env["PATH"]}; got != want[name] {
			t.Errorf("%s: %v, want %v", name, got, want[name])
		}
	}
}
