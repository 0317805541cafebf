package simulate

import (
	"errors"
	"testing"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
)

// failOnce is a log of one job that fails once, after which its worker stops for the reason.
func failOnce(base time.Duration, why string) *Record {
	r, second := NewRecorder(0), int64(time.Second)
	result := job.Result{Start: 3 * second, End: 4 * second}
	for i, e := range []struct {
		seconds int64
		event   job.Event
	}{
		{1, job.LogCreated{}},
		{2, &job.JobEnqueued{Spec: job.Spec{ID: "a", Command: ":", Queue: "default", MaxRetries: new(uint32(3))}}},
		{3, &job.WorkerStarted{ID: "w", Slots: 1, Shell: true}},
		{3, job.JobClaimed{Job: 2, Worker: 3}},
		{4, &job.JobFailed{Job: 2, Run: 4, Why: job.WhyExit, Result: result, NextAttemptAt: 4*second + int64(base)}},
		{4 + int64(base/time.Second), job.JobClaimed{Job: 2, Worker: 3}},
		{5 + int64(base/time.Second), &job.JobCompleted{Job: 2, Run: 6, Result: result}},
		{6 + int64(base/time.Second), job.WorkerStopped{Worker: 3, Why: why}},
	} {
		r.Take(job.At{Position: job.Position(i + 1), Time: e.seconds * second}, e.event)
	}
	return r.Record()
}

func TestRun_AWorkerStopsWhenNothingIsLeft(t *testing.T) {
	t.Parallel()
	patient := Scenario{Set: map[string]string{"backoff_base": "60"}}
	for _, tt := range []struct {
		why     string
		waiting int
	}{{"nothing left", 0}, {"stop requested", 1}} {
		got, err := Run(failOnce(2*time.Second, tt.why), patient)
		if err != nil {
			t.Fatal(err)
		}
		if got.Waiting != tt.waiting || got.Completed != 1-tt.waiting {
			t.Errorf("the worker stopped (%s), and then: %+v", tt.why, got)
		}
		if tt.waiting == 0 && got.Makespan != 63*time.Second {
			t.Errorf("it took %v, want 1 s of waiting, two runs of 1 s and a minute between them", got.Makespan)
		}
	}
}

// The back-off base that a worker brings with it is not in the log.
func TestRecorder_LearnsTheBaseOfWorkers(t *testing.T) {
	t.Parallel()
	r := failOnce(7*time.Second, "nothing left")
	got, err := Run(r, Scenario{})
	if want := r.Measures(); err != nil || got != want {
		t.Errorf("simulated\n%+v, %v\nrecorded\n%+v", got, err, want)
	}
	other, err := Run(r, Scenario{Set: map[string]string{"backoff_base": "2"}})
	if err != nil || other.Makespan != got.Makespan-5*time.Second {
		t.Errorf("with the setting it took %v (%v), and %v without", other.Makespan, err, got.Makespan)
	}
}

func TestRun_ComesToAnEnd(t *testing.T) {
	t.Parallel()
	r := NewRecorder(0)
	for i, e := range []job.Event{
		&job.WorkerStarted{ID: "w", Slots: 1, Shell: true},
		&job.JobEnqueued{Spec: job.Spec{ID: "a", Command: ":", Queue: "default", MaxRetries: new(uint32(3))}},
		job.JobClaimed{Job: 2, Worker: 1},
		&job.JobDied{Job: 2, Run: 3, Why: job.WhyRetries, Failure: job.WhyExit},
	} {
		r.Take(job.At{Position: job.Position(i + 1), Time: int64(i + 1)}, e)
	}
	record := r.Record()
	forEver := Scenario{Set: map[string]string{"max_retries": "1000000000"}}
	if _, err := Run(record, forEver); !errors.Is(err, ErrEndless) {
		t.Errorf("a job that always fails and is always tried again: %v", err)
	}
	forEver.Interrupted = func() bool { return true }
	if _, err := Run(record, forEver); !errors.Is(err, ErrInterrupted) {
		t.Errorf("interrupted: %v", err)
	}
}

// A worker that was asked to stop before the record begins takes nothing more.
func TestRecorder_BeginsWithAWorkerThatIsToStop(t *testing.T) {
	t.Parallel()
	r, second := NewRecorder(4), int64(time.Second)
	spec := func(id string) job.Spec {
		return job.Spec{ID: id, Command: ":", Queue: "default", MaxRetries: new(uint32(3))}
	}
	for i, e := range []struct {
		seconds int64
		event   job.Event
	}{
		{1, &job.WorkerStarted{ID: "old", Slots: 2, Shell: true}},
		{1, &job.JobEnqueued{Spec: spec("a")}},
		{1, job.JobClaimed{Job: 2, Worker: 1}},
		{2, job.StopRequested{Worker: 1}},
		{3, &job.JobEnqueued{Spec: spec("b")}},
		{6, &job.JobCompleted{Job: 2, Run: 3, Result: job.Result{Start: 1 * second, End: 6 * second}}},
		{6, job.WorkerStopped{Worker: 1, Why: "stop requested"}},
		{10, &job.WorkerStarted{ID: "new", Slots: 1, Shell: true}},
		{10, job.JobClaimed{Job: 5, Worker: 8}},
		{11, &job.JobCompleted{Job: 5, Run: 9, Result: job.Result{Start: 10 * second, End: 11 * second}}},
	} {
		r.Take(job.At{Position: job.Position(i + 1), Time: e.seconds * second}, e.event)
	}
	record := r.Record()
	got, err := Run(record, Scenario{})
	if want := record.Measures(); err != nil || got != want || got.Wait.Max != 7*time.Second {
		t.Errorf("simulated\n%+v, %v\nrecorded\n%+v", got, err, want)
	}
}

// What a log begins with that was pruned is as good as the events that led to it.
func TestRecorder_ResumesWithAState(t *testing.T) {
	t.Parallel()
	second := int64(time.Second)
	spec := func(id string) job.Spec {
		return job.Spec{ID: id, Command: ":", Queue: "default", MaxRetries: new(uint32(3))}
	}
	const pruned = 9 // "done" has completed, "runs" runs, "waits" waits, and "later" waits for its time
	p := projection.New()
	whole, resumed := NewRecorder(pruned), NewRecorder(0)
	for i, e := range []struct {
		seconds int64
		event   job.Event
	}{
		{1, job.ConfigSet{Key: "backoff_base", New: "3"}},
		{1, &job.WorkerStarted{ID: "w", Slots: 2, Shell: true}},
		{2, &job.JobEnqueued{Spec: spec("done")}},
		{2, job.JobClaimed{Job: 3, Worker: 2}},
		{3, &job.JobEnqueued{Spec: spec("runs")}},
		{4, &job.JobCompleted{Job: 3, Run: 4, Result: job.Result{Start: 2 * second, End: 4 * second}}},
		{5, job.JobClaimed{Job: 5, Worker: 2}},
		{5, &job.JobEnqueued{Spec: spec("waits")}},
		{5, &job.JobEnqueued{Spec: spec("later"), Due: 20 * second}},

		{6, job.JobClaimed{Job: 8, Worker: 2}},
		{9, &job.JobCompleted{Job: 5, Run: 7, Result: job.Result{Start: 5 * second, End: 9 * second}}},
		{10, &job.JobFailed{Job: 8, Run: 10, Why: job.WhyExit, Result: job.Result{Start: 6 * second, End: 10 * second}, NextAttemptAt: 13 * second}},
		{13, job.JobClaimed{Job: 8, Worker: 2}},
		{14, &job.JobCompleted{Job: 8, Run: 13, Result: job.Result{Start: 13 * second, End: 14 * second}}},
		{20, job.JobClaimed{Job: 9, Worker: 2}},
		{21, &job.JobCompleted{Job: 9, Run: 15, Result: job.Result{Start: 20 * second, End: 21 * second}}},
		{22, job.WorkerStopped{Worker: 2, Why: "nothing left"}},
	} {
		at := job.At{Position: job.Position(i + 1), Time: e.seconds * second, Actor: &job.Actor{}}
		whole.Take(at, e.event)
		switch {
		case at.Position <= pruned:
			p.Fold(at, e.event)
			if at.Position == pruned {
				resumed.Resume(p)
			}
		default:
			resumed.Take(at, e.event)
		}
	}
	want, got := whole.Record(), resumed.Record()
	if want.Measures() != got.Measures() {
		t.Errorf("recorded\n%+v, want\n%+v", got.Measures(), want.Measures())
	}
	for _, scenario := range []Scenario{{}, {Set: map[string]string{"backoff_base": "10"}}} {
		a, err1 := Run(want, scenario)
		b, err2 := Run(got, scenario)
		if err := errors.Join(err1, err2); err != nil || a != b {
			t.Errorf("simulated\n%+v, %v, want\n%+v", b, err, a)
		}
	}
}

// The jobs of schedules come in a simulation when their ticks made them: a schedule is a fact, and workers are not.
func TestRun_JobsOfSchedulesComeAtTheirTicks(t *testing.T) {
	t.Parallel()
	r, second, position := NewRecorder(0), int64(time.Second), job.Position(0)
	take := func(seconds int64, events ...job.Event) {
		for _, e := range events {
			position++
			r.Take(job.At{Position: position, Time: seconds * second}, e)
		}
	}
	take(1, job.LogCreated{}, &job.WorkerStarted{ID: "w", Slots: 1, Shell: true})
	take(1, &job.CronAdded{New: job.Cron{Name: "c", Schedule: "@every 10s", Zone: "UTC"}, Next: 11 * second})
	for tick := int64(11); tick <= 31; tick += 10 {
		made := position + 1
		take(tick, &job.JobEnqueued{Spec: job.Spec{ID: job.TickID("c", time.Unix(tick, 0)), Command: ":", MaxRetries: new(uint32)}})
		take(tick, job.CronTicked{Cron: 3, Tick: tick * second, Made: made, Next: (tick + 10) * second})
		run := position + 1
		take(tick, job.JobClaimed{Job: made, Worker: 2})
		take(tick+5, &job.JobCompleted{Job: made, Run: run, Result: job.Result{Start: tick * second, End: (tick + 5) * second}})
	}
	got, err := Run(r.Record(), Scenario{Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	if got.Completed != 3 || got.Makespan != 25*time.Second {
		t.Errorf("two workers complete %d in %v, want 3 jobs in 20 s between the ticks and 5 s of the last", got.Completed, got.Makespan)
	}
}
