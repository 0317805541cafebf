package decide_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
)

// after is the spec of a job that comes after others.
func after(id string, parents ...string) job.Spec {
	spec := job.Spec{ID: id, Command: "true", MaxRetries: new(uint32)}
	for _, p := range parents {
		name, on, _ := strings.Cut(p, ":")
		o, err := job.ParseAfterOn(on)
		if on != "" && err != nil {
			panic(err)
		}
		spec.After = append(spec.After, job.Parent{ID: name, On: o})
	}
	return spec
}

func (w *world) add(specs ...job.Spec) []job.Event {
	w.Helper()
	return w.must(decide.Enqueue(w.State, w.at, specs, false))
}

// states lists the jobs' states, those that wait for parents with their number.
func (w *world) states() string {
	var list []string
	for j := range w.Jobs.List(projection.Filter{}) {
		word := j.Spec.ID + "=" + j.State.String()
		if j.ParentsLeft > 0 {
			word += fmt.Sprint("/", j.ParentsLeft)
		}
		list = append(list, word)
	}
	return strings.Join(list, " ")
}

func (w *world) wantStates(want string) {
	w.Helper()
	w.agree()
	if got := w.states(); got != want {
		w.Fatalf("jobs %s, want %s", got, want)
	}
}

func TestAfter_AJobWaitsForAllItsParents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	worker := w.worker("w")
	w.add(after("a"), after("b"), after("c", "a", "b"))
	w.wantStates("a=pending b=pending c=pending/2")
	w.run(worker, decide.Outcome{})
	w.wantStates("a=completed b=pending c=pending/1")
	_, err := decide.Claim(w.State, w.at, worker, all)
	if err != nil {
		t.Fatal(err)
	}
	if n := w.Timeline.Len(); n != 1 {
		t.Errorf("%d jobs in the timeline, want b alone", n)
	}
	w.run(worker, decide.Outcome{})
	w.wantStates("a=completed b=completed c=pending")
	w.run(worker, decide.Outcome{})
	w.wantStates("a=completed b=completed c=completed")
}

func TestAfter_AJobWaitsForItsTimeToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	worker := w.worker("w")
	late := after("b", "a")
	late.Delay = time.Hour
	w.add(after("a"), late)
	w.run(worker, decide.Outcome{})
	if _, err := decide.Claim(w.State, w.at, worker, all); !errors.Is(err, job.ErrNothingDue) {
		t.Errorf("claimed before its time: %v", err)
	}
	w.pass(time.Hour)
	w.run(worker, decide.Outcome{})
	w.wantStates("a=completed b=completed")
}

func TestAfter_WhatAParentThatFailsMeans(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	worker := w.worker("w")
	cancelled, released := after("c", "a", "z"), after("r", "a", "z")
	cancelled.OnParentFailure, released.OnParentFailure = job.ParentCancel, job.ParentRelease
	z := after("z")
	z.Delay = time.Hour
	w.add(after("a"), z, after("d", "a"), cancelled, released, after("f", "a:failure"), after("y", "a:any", "z"), after("dd", "d"), after("ff", "d:failure"))
	events := w.run(worker, exit1)
	wantKinds(t, events, job.KindJobDied, job.KindJobDied, job.KindJobCancelled, job.KindJobDied)
	w.wantStates("a=dead z=pending d=dead c=cancelled r=pending f=pending y=pending/1 dd=dead ff=pending")
	d := w.job("d")
	if d.Why != job.WhyDependency || d.LastError != "Parent a is dead" || d.Attempts != 0 || d.Runs != 0 || d.FinishedAt.IsZero() {
		t.Errorf("%+v", d)
	}
	if dd := w.job("dd"); dd.LastError != "Parent d is dead" {
		t.Errorf("%q", dd.LastError)
	}
	if len(w.Jobs.Failing()) != 0 {
		t.Errorf("%+v is left", w.Jobs.Failing())
	}
}

func TestAfter_EveryEndOfAParentCounts(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(w *world, worker job.Position){
		"cancelled": func(w *world, _ job.Position) { w.must(decide.Cancel(w.State, w.at, []string{"a"})) },
		"killed by its crash": func(w *world, worker job.Position) {
			w.must(decide.SetConfig(w.State, w.at, "max_crashes", "0"))
			key, run := w.claim(worker)
			w.must(decide.RunLost(w.State, w.at, key, run))
		},
		"cancelled while it runs": func(w *world, worker job.Position) {
			key, run := w.claim(worker)
			w.must(decide.Cancel(w.State, w.at, []string{"a"}))
			w.wantStates("a=processing b=pending/1 c=pending/1")
			w.must(decide.Finish(w.State, w.at, decide.Outcome{Job: key, Run: run}, 0))
		},
		"dead": func(w *world, worker job.Position) { w.run(worker, exit1) },
	} {
		w := newWorld(t)
		worker := w.worker("w")
		w.add(after("a"), after("b", "a"), after("c", "a:any"))
		end(w, worker)
		if got := w.states(); !strings.HasSuffix(got, "b=dead c=pending") {
			t.Errorf("%s: %s", name, got)
		}
		w.agree()
	}
}

func TestAfter_ParentsThatHaveEndedCountAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	worker := w.worker("w")
	w.add(after("good"), after("bad"))
	w.run(worker, decide.Outcome{})
	w.run(worker, exit1)
	cancelled := after("3", "bad")
	cancelled.OnParentFailure = job.ParentCancel
	w.add(after("1", "good"), after("2", "bad"), cancelled, after("4", "2"), after("5", "2:any", "good"), after("6", "good:failure"))
	w.wantStates("good=completed bad=dead 1=pending 2=dead 3=cancelled 4=dead 5=pending 6=dead")
}

func TestAfter_AJobThatEndsAtOnceKeepsNoUniqueKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enqueue("bad")
	w.must(decide.Cancel(w.State, w.at, []string{"bad"}))
	dead, next := after("dead", "bad"), after("next")
	dead.UniqueKey, next.UniqueKey = "u", "u"
	w.add(dead, next)
	w.wantStates("bad=cancelled dead=dead next=pending")
}

func TestAfter_ARetriedParentIsWaitedForAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	worker := w.worker("w")
	z := after("z")
	z.Delay = time.Hour
	w.add(after("a"), z, after("gone", "a"), after("waits", "a:any", "z"))
	w.run(worker, exit1)
	w.wantStates("a=dead z=pending gone=dead waits=pending/1")
	w.must(decide.Retry(w.State, w.at, []string{"a"}, false))
	w.wantStates("a=pending z=pending gone=dead waits=pending/2")
	w.run(worker, decide.Outcome{})
	w.wantStates("a=completed z=pending gone=dead waits=pending/1")
	w.must(decide.Retry(w.State, w.at, []string{"gone"}, false))
	w.wantStates("a=completed z=pending gone=pending waits=pending/1")
}

func TestAfter_ParentsThatWereForgottenCountByHowTheyEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	worker := w.worker("w")
	z := after("z")
	z.Delay = time.Hour
	w.add(after("a"), z, after("c", "a", "z"))
	w.run(worker, decide.Outcome{})
	ripe, err := decide.Ripe(w.State, job.Completed, w.at.Time, w.at.Time)
	if err != nil || len(ripe) != 1 {
		t.Fatal(ripe, err)
	}
	w.must(decide.Forget(w.State, w.at, w.at.Position-1, ripe))
	w.wantStates("z=pending c=pending/1")
	if c := w.job("c"); c.Spec.After[0].String() != fmt.Sprintf("#%d", c.Spec.After[0].Key) || c.Spec.After[1].ID != "z" {
		t.Errorf("%+v", c.Spec.After)
	}
	w.pass(time.Hour)
	w.run(worker, decide.Outcome{})
	w.wantStates("z=completed c=pending")
	events, err := decide.Enqueue(w.State, w.at, []job.Spec{after("late", "a")}, false)
	refused(t, events, err, job.ErrNotFound)
}

func TestAfter_AWaitingJobCanBeCancelled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(after("a"), after("b", "a"), after("c", "b"))
	w.must(decide.Cancel(w.State, w.at, []string{"b"}))
	w.wantStates("a=pending b=cancelled c=dead")
	w.must(decide.Cancel(w.State, w.at, []string{"a"}))
	if w.Jobs.AnyAfter() || w.Timeline.Len() != 0 {
		t.Errorf("somebody waits still: %s", w.states())
	}
}

func TestAfter_RefusesParentsThatAreNotThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enqueue("a")
	for _, tt := range []struct {
		specs []job.Spec
		want  error
		index int
	}{
		{[]job.Spec{after("b", "a"), after("c", "unknown")}, job.ErrNotFound, 1},
		{[]job.Spec{after("b", "c"), after("c")}, job.ErrNotFound, 0}, // the caller puts them in order
		{[]job.Spec{{Command: "true", After: []job.Parent{{Key: 99}}}}, job.ErrNotFound, 0},
		{[]job.Spec{{Command: "true", After: []job.Parent{{ID: "a"}, {Key: w.Jobs.Key("a")}}}}, job.ErrInvalid, 0},
	} {
		events, err := decide.Enqueue(w.State, w.at, tt.specs, false)
		refused(t, events, err, tt.want)
		var spec *decide.SpecError
		if !errors.As(err, &spec) || spec.Index != tt.index {
			t.Errorf("%v, want one about spec %d", err, tt.index)
		}
	}
}

func TestOrder_ParentsComeFirst(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		specs []job.Spec
		want  []int
	}{
		{[]job.Spec{after("a"), after("b", "a"), after("", "b", "elsewhere")}, nil},
		{[]job.Spec{after("c", "b"), after("x"), after("b", "a"), after("a")}, []int{3, 2, 0, 1}},
		{[]job.Spec{after("c", "a", "b"), after("", "b"), after("b", "a"), after("a")}, []int{3, 2, 0, 1}},
	} {
		got, err := decide.Order(tt.specs)
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%v, %v, want %v", got, err, tt.want)
		}
	}
	_, err := decide.Order([]job.Spec{after("x", "a"), after("a", "b"), after("b", "c"), after("c", "a")})
	var spec *decide.SpecError
	if !errors.Is(err, job.ErrInvalid) || !errors.As(err, &spec) || spec.Index != 1 || !strings.HasSuffix(err.Error(), "a after b after c after a") {
		t.Errorf("%v", err)
	}
}

// A fan and a chain that are larger than a commit may be.
func TestCascade_GoesOnInFurtherCommits(t *testing.T) {
	t.Parallel()
	const n = 10_000
	fan, chain := []job.Spec{after("p")}, []job.Spec{after("p")}
	for i := range n {
		fan = append(fan, after(fmt.Sprint(i), "p"))
		chain = append(chain, after(fmt.Sprint(i), chain[i].ID))
	}
	for name, specs := range map[string][]job.Spec{"fan": fan, "chain": chain} {
		w := newWorld(t)
		worker := w.worker("w")
		w.add(specs...)
		events := w.run(worker, exit1)
		if len(events) != 1+4096 {
			t.Fatalf("%s: %d events in the commit of the outcome", name, len(events))
		}
		if _, err := decide.Claim(w.State, w.at, worker, all); !errors.Is(err, job.ErrNothingDue) {
			t.Fatalf("%s: a job is claimed whose parent is dead: %v", name, err)
		}
		w.agree()
		commits := 0
		for ; ; commits++ {
			events := w.must(decide.Cascade(w.State, w.at))
			if len(events) == 0 {
				break
			}
		}
		if c := w.Jobs.Counts(); c[job.Dead] != n+1 || commits != 2 || w.Jobs.AnyAfter() {
			t.Errorf("%s: %v after %d more commits", name, c, commits)
		}
		w.agree()
	}
}

// What is left of a cascade is not lost sight of because a later child of the same parent ends at its enqueue.
func TestCascade_GoesOnBehindAChildThatEndsAtItsEnqueue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.LimitCascade(2)
	specs := []job.Spec{after("p")}
	for i := range 5 {
		specs = append(specs, after(fmt.Sprint(i), "p"))
	}
	w.add(specs...)
	w.must(decide.Cancel(w.State, w.at, []string{"p"}))
	w.add(after("late", "p"))
	w.wantStates("p=cancelled 0=dead 1=dead 2=pending/1 3=pending/1 4=pending/1 late=dead")
	for len(w.must(decide.Cascade(w.State, w.at))) > 0 {
	}
	w.wantStates("p=cancelled 0=dead 1=dead 2=dead 3=dead 4=dead late=dead")
	if w.Jobs.AnyFailing() {
		t.Errorf("%+v is left", w.Jobs.Failing())
	}
}

func TestAfter_AParentWhoseDeadlinePassesEndsItsChildren(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	late := after("a")
	late.DeadlineIn = time.Hour
	w.add(late, after("b", "a"), after("c", "a:failure"))
	w.pass(2 * time.Hour)
	w.must(decide.Expire(w.State, w.at))
	w.wantStates("a=dead b=dead c=pending")
}
