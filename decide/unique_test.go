package decide_test

import (
	"errors"
	"testing"
	"time"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
)

// TestUnique_WhichJobsCount tries each scope against a job in each state.
func TestUnique_WhichJobsCount(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		spec  job.Spec
		clash []job.State // all other states do not count
	}{
		{"active", job.Spec{}, []job.State{job.Pending, job.Failed, job.Processing}},
		{"waiting", job.Spec{UniqueScope: job.ScopeWaiting}, []job.State{job.Pending, job.Failed}},
		{"an hour", job.Spec{UniqueFor: time.Hour}, []job.State{job.Pending, job.Failed, job.Processing, job.Completed, job.Dead}},
		{"a minute", job.Spec{UniqueFor: time.Minute}, []job.State{job.Pending, job.Failed, job.Processing}},
	} {
		for _, state := range job.States {
			w := inState(t, state)
			w.pass(10 * time.Minute)
			spec := test.spec
			spec.ID, spec.Command, spec.UniqueKey = "new", "true", "k"
			want := error(nil)
			for _, s := range test.clash {
				if s == state {
					want = job.ErrDuplicate
				}
			}
			for _, choice := range []job.OnClash{job.ClashRefuse, job.ClashExisting, job.ClashReplace} {
				spec.OnClash = choice
				a, err := decide.Admit(w.State, w.at, []job.Spec{spec}, false)
				old := w.Jobs.Key("old")
				switch {
				case want == nil:
					if err != nil || len(a.Events) != 1 || a.Jobs[0].How != decide.Added {
						t.Errorf("%s, %v, %v: %+v, %v", test.name, state, choice, a, err)
					}
				case choice == job.ClashExisting:
					if err != nil || len(a.Events) != 0 || a.Jobs[0] != (decide.Admitted{Job: old, How: decide.Found}) {
						t.Errorf("%s, %v, existing: %+v, %v", test.name, state, a, err)
					}
				case choice == job.ClashReplace && state.Waiting():
					if wantKinds(t, a.Events, job.KindJobCancelled, job.KindJobEnqueued); err != nil || a.Jobs[0].Job != w.at.Position+1 {
						t.Errorf("%s, %v, replace: %+v, %v", test.name, state, a, err)
					}
				default:
					var taken *decide.DuplicateError
					if !errors.As(err, &taken) || !errors.Is(err, job.ErrDuplicate) || taken.ID != "old" || taken.State != state ||
						taken.Replace != (choice == job.ClashReplace) || len(a.Events) > 0 {
						t.Errorf("%s, %v, %v: %+v, %v", test.name, state, choice, a, err)
					}
				}
			}
		}
	}
}

// inState returns a world with the job "old" of the unique key "k" in a state.
func inState(t *testing.T, state job.State) *world {
	w := newWorld(t)
	worker := w.worker("w")
	retries := uint32(1)
	if state == job.Dead {
		retries = 0
	}
	w.must(decide.Enqueue(w.State, w.at, []job.Spec{{ID: "old", Command: "true", UniqueKey: "k", MaxRetries: &retries}}, false))
	switch state {
	case job.Processing:
		w.claim(worker)
	case job.Completed:
		w.run(worker, decide.Outcome{})
	case job.Failed, job.Dead:
		w.run(worker, exit1)
	case job.Cancelled:
		w.must(decide.Cancel(w.State, w.at, []string{"old"}))
	}
	if got := w.job("old").State; got != state {
		t.Fatalf("the job is %v, want %v", got, state)
	}
	return w
}

func TestUnique_InOneBatch(t *testing.T) {
	t.Parallel()
	spec := func(id string, c job.OnClash) job.Spec {
		return job.Spec{ID: id, Command: "true", UniqueKey: "k", OnClash: c}
	}
	w := newWorld(t)
	first := w.at.Position
	a, err := decide.Admit(w.State, w.at, []job.Spec{spec("a", 0), {Command: "true"}, spec("b", job.ClashExisting)}, false)
	if err != nil || a.Jobs[2] != (decide.Admitted{Job: first, How: decide.Found}) || len(a.Events) != 2 {
		t.Errorf("existing: %+v, %v", a, err)
	}
	var refused *decide.SpecError
	if _, err = decide.Admit(w.State, w.at, []job.Spec{spec("a", 0), spec("b", 0)}, false); !errors.As(err, &refused) || refused.Index != 1 {
		t.Errorf("refuse: %v", err)
	}
	w.must(decide.SetConfig(w.State, w.at, "queue_max", "1"))
	w.must(decide.Enqueue(w.State, w.at, []job.Spec{spec("a", 0), spec("b", job.ClashReplace), spec("c", job.ClashReplace)}, false))
	w.agree()
	if w.job("a").State != job.Cancelled || w.job("b").State != job.Cancelled || w.job("c").State != job.Pending {
		t.Errorf("replace: %v, %v, %v", w.job("a").State, w.job("b").State, w.job("c").State)
	}
	if spec := w.job("c").Spec; spec.OnClash != job.ClashRefuse || spec.UniqueKey != "k" {
		t.Errorf("the job says %+v", spec)
	}
}

func TestUnique_ADeadJobComesBackOnlyWhileNoOtherHasItsKey(t *testing.T) {
	t.Parallel()
	w := inState(t, job.Dead)
	w.must(decide.Enqueue(w.State, w.at, []job.Spec{{ID: "new", Command: "true", UniqueKey: "k"}}, false))
	events, err := decide.Retry(w.State, w.at, []string{"old"}, true)
	refused(t, events, err, job.ErrDuplicate)
	w.run(2, decide.Outcome{}) // by the worker, which is at position 2
	w.must(decide.Retry(w.State, w.at, []string{"old"}, true))
}

func TestUnique_OfSeveralDeadJobsOneComesBack(t *testing.T) {
	t.Parallel()
	w := inState(t, job.Dead)
	w.must(decide.Enqueue(w.State, w.at, []job.Spec{{ID: "second", Command: "true", UniqueKey: "k", MaxRetries: new(uint32(0))}}, false))
	w.run(2, exit1)
	events, err := decide.Retry(w.State, w.at, []string{"old", "second"}, true)
	refused(t, events, err, job.ErrDuplicate)
	sel, err := w.Jobs.Select([]string{"all"}, projection.Filter{}, projection.Filter{States: []job.State{job.Dead}})
	if err != nil {
		t.Fatal(err)
	}
	acted, err := decide.Act(w.State, w.at, decide.Retrying(decide.Retries{OnlyDead: true}), decide.Chosen{Keys: sel.Keys, Filter: &sel.Filter})
	if err != nil || len(acted.Events) != 1 {
		t.Errorf("%d come back, %v", len(acted.Events), err)
	}
}
