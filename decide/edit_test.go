package decide_test

import (
	"errors"
	"testing"
	"time"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/job"
)

// edit decides an edit of the job with this id.
func (w *world) edit(id string, e decide.Edit) ([]job.Event, error) {
	acted, err := decide.Act(w.State, w.at, decide.Editing(e), decide.Chosen{Keys: []job.Position{w.Jobs.Key(id)}})
	return acted.Events, err
}

func TestEdit_OnlyJobsThatWait(t *testing.T) {
	t.Parallel()
	for _, state := range job.States {
		w, _ := oneOfEach(t)
		events, err := w.edit(state.String(), decide.Edit{Priority: new(int32(7))})
		if !state.Waiting() {
			refused(t, events, err, job.ErrWrongState)
			continue
		}
		w.must(events, err)
		if j := w.job(state.String()); j.Spec.Priority != 7 || j.State != state {
			t.Errorf("%v: priority %d, state %v", state, j.Spec.Priority, j.State)
		}
		w.agree()
	}
}

func TestEdit_AnotherTimeIsAsIfItWasEnqueuedNow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(decide.Enqueue(w.State, w.at, []job.Spec{{ID: "later", Command: "true", Delay: time.Hour}}, false))
	w.enqueue("first")
	w.pass(time.Second)
	w.must(w.edit("later", decide.Edit{Delay: new(time.Duration(0))}))
	w.pass(time.Second)
	w.enqueue("late")
	worker := w.worker("w")
	for _, want := range []string{"first", "later", "late"} {
		if key, _ := w.claim(worker); w.Jobs.ID(key) != want {
			t.Fatalf("%s is claimed, want %s", w.Jobs.ID(key), want)
		}
	}
}

func TestEdit_AnotherPriorityKeepsTheTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enqueue("a")
	w.pass(time.Second)
	w.must(decide.Enqueue(w.State, w.at, []job.Spec{{ID: "b", Command: "true", Priority: 5}}, false))
	w.pass(time.Second)
	w.must(w.edit("a", decide.Edit{Priority: new(int32(5))}))
	if key, _ := w.claim(w.worker("w")); w.Jobs.ID(key) != "a" {
		t.Errorf("%s is claimed before the older one", w.Jobs.ID(key))
	}
}

func TestEdit_Refusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enqueue("a", "b")
	w.must(decide.Enqueue(w.State, w.at, []job.Spec{{ID: "handler", Kind: "mail"}}, false))
	for name, e := range map[string]decide.Edit{
		"blank command": {Command: new(" ")}, "queue": {Queue: new("a b")}, "retries": {MaxRetries: new(uint32(2e9))},
		"negative delay": {Delay: new(-time.Second)}, "two times": {Delay: new(time.Second), RunAt: &noon},
	} {
		events, err := w.edit("a", e)
		if refused(t, events, err, job.ErrInvalid); t.Failed() {
			t.Fatal(name)
		}
	}
	events, err := w.edit("handler", decide.Edit{Command: new("true")})
	refused(t, events, err, job.ErrInvalid)
	events, err = w.edit("a", decide.Edit{Priority: new(int32(0))})
	nothing(t, events, err)

	w.must(decide.SetConfig(w.State, w.at, "queue_max", "1"))
	two := decide.Chosen{Keys: []job.Position{w.Jobs.Key("a"), w.Jobs.Key("b")}}
	if _, err := decide.Act(w.State, w.at, decide.Editing(decide.Edit{Queue: new("mail")}), two); !errors.Is(err, job.ErrQueueFull) {
		t.Errorf("two jobs into a queue for one: %v", err)
	}
	w.must(w.edit("a", decide.Edit{Queue: new("mail")}))
	if w.Jobs.Waiting("mail") != 1 || w.Jobs.Waiting("default") != 2 {
		t.Errorf("%d and %d wait", w.Jobs.Waiting("mail"), w.Jobs.Waiting("default"))
	}
}
