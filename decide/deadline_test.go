package decide_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/job"
)

// dated adds a job with a deadline so long after now.
func (w *world) dated(id string, d time.Duration, spec job.Spec) {
	w.Helper()
	spec.ID, spec.Command, spec.DeadlineIn = id, "true", d
	w.must(decide.Enqueue(w.State, w.at, []job.Spec{spec}, false))
}

func TestEnqueue_ADeadlineIsDecided(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.dated("in", time.Hour, job.Spec{})
	w.must(decide.Enqueue(w.State, w.at, []job.Spec{{ID: "at", Command: "true", Deadline: noon.Add(time.Hour)}}, false))
	for _, id := range []string{"in", "at"} {
		if spec := w.job(id).Spec; !spec.Deadline.Equal(noon.Add(time.Hour)) || spec.DeadlineIn != 0 {
			t.Errorf("%s: %v, %v", id, spec.Deadline, spec.DeadlineIn)
		}
	}
	w.agree()
	for _, spec := range []job.Spec{
		{Command: "true", Deadline: noon},
		{Command: "true", DeadlineIn: time.Hour, Delay: time.Hour},
		{Command: "true", DeadlineIn: time.Hour, RunAt: noon.Add(2 * time.Hour)},
		{Command: "true", DeadlineIn: time.Hour, Deadline: noon.Add(time.Minute)},
	} {
		events, err := decide.Enqueue(w.State, w.at, []job.Spec{spec}, false)
		refused(t, events, err, job.ErrInvalid)
	}
}

func TestClaim_WhatIsPastItsDeadlineDiesInPlaceOfIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	worker := w.worker("w")
	w.dated("late", 2*time.Second, job.Spec{})
	w.dated("first", time.Second, job.Spec{})
	w.dated("good", 2*time.Second+1, job.Spec{})
	w.enqueue("plain")
	w.pass(2 * time.Second)
	events := w.must(decide.Claim(w.State, w.at, worker, all))
	wantKinds(t, events, job.KindJobDied, job.KindJobDied)
	if first := job.Of(events[0]); w.Jobs.ID(first) != "first" {
		t.Errorf("%s died first", w.Jobs.ID(first))
	}
	j := w.job("late")
	if j.State != job.Dead || j.Why != job.WhyDeadline || j.Runs != 0 || j.Attempts != 0 || j.Crashes != 0 || j.LastError != "" {
		t.Errorf("%+v", j)
	}
	if key, _ := w.claim(worker); w.Jobs.ID(key) != "good" {
		t.Errorf("%s is next", w.Jobs.ID(key))
	}
	w.pass(time.Hour) // a run is under way: its worker ends it
	if key, _ := w.claim(worker); w.Jobs.ID(key) != "plain" {
		t.Errorf("%s is next", w.Jobs.ID(key))
	}
	w.agree()
}

func TestExpire_SoManyAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	specs := make([]job.Spec, 5000)
	for i := range specs {
		specs[i] = job.Spec{ID: fmt.Sprint("j", i), Command: "true", DeadlineIn: time.Duration(1+(i*7919)%5000) * time.Millisecond}
	}
	w.must(decide.Enqueue(w.State, w.at, specs, false))
	events, err := decide.Expire(w.State, w.at)
	nothing(t, events, err)
	w.pass(time.Minute)
	last := time.Time{}
	for _, want := range []int{4096, 904, 0} {
		events, err := decide.Expire(w.State, w.at)
		if err != nil || len(events) != want {
			t.Fatalf("%d events, %v; want %d", len(events), err, want)
		}
		for _, e := range events {
			spec, _ := w.Jobs.Spec(job.Of(e))
			if spec.Deadline.Before(last) {
				t.Fatal("not in order of time")
			}
			last = spec.Deadline
		}
		w.fold(events)
	}
	w.agree()
}

func TestFinish_AnAttemptAfterTheDeadlineIsNone(t *testing.T) {
	t.Parallel()
	timeout := decide.Outcome{Failure: job.WhyTimeout, Result: job.Result{Timeout: time.Second}}
	for _, c := range []struct {
		name    string
		took    time.Duration
		spec    job.Spec
		outcome decide.Outcome
		want    job.Why // WhyNone = it is tried again
	}{
		{"in time", time.Second, job.Spec{}, exit1, job.WhyNone},
		{"next comes too late", 8 * time.Second, job.Spec{}, exit1, job.WhyDeadline},
		{"no retries left", 8 * time.Second, job.Spec{MaxRetries: new(uint32(0))}, exit1, job.WhyRetries},
		{"ended by it", 10 * time.Second, job.Spec{MaxRetries: new(uint32(0))}, timeout, job.WhyDeadline},
		{"a final code", 8 * time.Second, job.Spec{DeadOn: job.ExitCodes{1}}, exit1, job.WhyExit},
	} {
		w := newWorld(t)
		w.dated("a", 10*time.Second, c.spec)
		key, run := w.claim(w.worker("w"))
		w.pass(c.took)
		o := c.outcome
		o.Job, o.Run = key, run
		w.must(decide.Finish(w.State, w.at, o, 0))
		j := w.job("a")
		if dead := j.State == job.Dead; dead != (c.want != job.WhyNone) || dead && j.Why != c.want || j.Attempts != 1 {
			t.Errorf("%s: %v, %v after %d attempts", c.name, j.State, j.Why, j.Attempts)
		}
		w.agree()
	}
}

func TestEdit_NotBehindTheDeadline(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.dated("a", time.Hour, job.Spec{})
	events, err := w.edit("a", decide.Edit{Delay: new(time.Hour)})
	refused(t, events, err, job.ErrInvalid)
	w.must(w.edit("a", decide.Edit{Delay: new(time.Minute), Command: new("false")}))
	w.agree()
	w.pass(time.Hour)
	wantKinds(t, w.must(decide.Expire(w.State, w.at)), job.KindJobDied)
}

func TestEdit_ADeadlineIsSetMovedAndTakenAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enqueue("a")
	hour, day := noon.Add(time.Hour), noon.Add(24*time.Hour)
	for _, c := range []struct {
		edit decide.Edit
		want time.Time
	}{
		{decide.Edit{DeadlineIn: new(time.Hour)}, hour},
		{decide.Edit{Priority: new(int32(3))}, hour},
		{decide.Edit{Deadline: &day}, day},
		{decide.Edit{Deadline: new(time.Time)}, time.Time{}},
		{decide.Edit{DeadlineIn: new(time.Hour), Delay: new(time.Minute)}, hour},
		{decide.Edit{DeadlineIn: new(time.Duration(0))}, time.Time{}},
		{decide.Edit{Deadline: &hour}, hour},
	} {
		w.must(w.edit("a", c.edit))
		w.agree()
		next, ok := w.Jobs.NextDeadline()
		if got := w.job("a").Spec.Deadline; !got.Equal(c.want) || ok == c.want.IsZero() || ok && next != c.want.UnixNano() {
			t.Errorf("%+v: deadline %v, the next is %d, %v; want %v", c.edit, got, next, ok, c.want)
		}
	}
	events, err := w.edit("a", decide.Edit{Deadline: &hour})
	nothing(t, events, err)
	for name, e := range map[string]decide.Edit{
		"past": {Deadline: new(noon)}, "before it is due": {DeadlineIn: new(time.Minute), Delay: new(time.Minute)},
		"two": {Deadline: &day, DeadlineIn: new(time.Hour)}, "negative": {DeadlineIn: new(-time.Hour)},
	} {
		events, err := w.edit("a", e)
		if refused(t, events, err, job.ErrInvalid); t.Failed() {
			t.Fatal(name)
		}
	}
	w.pass(time.Hour)
	wantKinds(t, w.must(decide.Expire(w.State, w.at)), job.KindJobDied)
}

// A deadline that a retry has lifted may be followed by another, which holds.
func TestEdit_ADeadlineInPlaceOfALiftedOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.dated("a", time.Second, job.Spec{})
	w.pass(time.Minute)
	w.must(decide.Expire(w.State, w.at))
	w.must(decide.Retry(w.State, w.at, []string{"a"}, true))
	w.must(w.edit("a", decide.Edit{Priority: new(int32(3))}))
	if _, ok := w.Jobs.NextDeadline(); ok || !w.job("a").Spec.Deadline.IsZero() {
		t.Error("the lifted one is back")
	}
	w.must(w.edit("a", decide.Edit{DeadlineIn: new(time.Hour)}))
	w.agree()
	w.pass(time.Hour)
	wantKinds(t, w.must(decide.Expire(w.State, w.at)), job.KindJobDied)
}

func TestExpire_HeldJobsToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.dated("a", time.Second, job.Spec{})
	w.must(decide.Hold(w.State, w.at, []string{"a"}))
	w.pass(time.Second)
	wantKinds(t, w.must(decide.Expire(w.State, w.at)), job.KindJobDied)
	w.agree()
}

func TestRetry_LiftsADeadlineThatHasPassed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	worker := w.worker("w")
	w.dated("past", time.Second, job.Spec{})
	w.dated("yet", time.Hour, job.Spec{MaxRetries: new(uint32(0))})
	w.pass(time.Minute)
	w.must(decide.Expire(w.State, w.at))
	w.run(worker, exit1)
	w.must(decide.Retry(w.State, w.at, []string{"past", "yet"}, true))
	if past, yet := w.job("past").Spec.Deadline, w.job("yet").Spec.Deadline; !past.IsZero() || yet.IsZero() {
		t.Errorf("deadlines %v, %v", past, yet)
	}
	w.agree()
	if key, _ := w.claim(worker); w.Jobs.ID(key) != "past" {
		t.Errorf("%s is next", w.Jobs.ID(key))
	}
	if next, ok := w.Jobs.NextDeadline(); !ok || next != noon.Add(time.Hour).UnixNano() {
		t.Errorf("next deadline %d", next)
	}
}
