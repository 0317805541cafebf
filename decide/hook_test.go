package decide_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/job"
)

const (
	completed = job.KindJobCompleted
	died      = job.KindJobDied
	hooked    = job.KindJobEnqueued
)

// TestHook_ComesWithTheEndOfItsJob: in the same commit, and only with the end that it is for.
func TestHook_ComesWithTheEndOfItsJob(t *testing.T) {
	t.Parallel()
	well := decide.Outcome{}
	for _, test := range []struct {
		name string
		spec job.Spec
		end  decide.Outcome
		want []job.Kind
		env  map[string]string
	}{
		{"completed", job.Spec{OnComplete: json.RawMessage(`"a"`)}, well, []job.Kind{completed, hooked}, hookEnv("completed", "0", "0")},
		{"completed, with a hook for the other end", job.Spec{OnDead: json.RawMessage(`"a"`)}, well, []job.Kind{completed}, nil},
		{"dead", job.Spec{OnDead: json.RawMessage(`"a"`), MaxRetries: new(uint32)}, exit1, []job.Kind{died, hooked}, hookEnv("dead", "1", "1")},
		{"dead by a signal", job.Spec{OnDead: json.RawMessage(`"a"`), MaxRetries: new(uint32)}, decide.Outcome{Failure: job.WhySignal, Result: job.Result{Signal: 9}}, []job.Kind{died, hooked}, hookEnv("dead", "", "1")},
		{"failed", job.Spec{OnDead: json.RawMessage(`"a"`)}, exit1, []job.Kind{job.KindJobFailed}, nil},
		{"given back", job.Spec{OnComplete: json.RawMessage(`"a"`)}, decide.Outcome{Returned: job.WhyStop}, []job.Kind{job.KindRunReturned}, nil},
	} {
		w := newWorld(t)
		worker := w.worker("w")
		test.spec.ID, test.spec.Command = "j", "true"
		w.must(decide.Enqueue(w.State, w.at, []job.Spec{test.spec}, false))
		events := w.run(worker, test.end)
		wantKinds(t, events, test.want...)
		if len(events) > 1 {
			got := events[1].(*job.JobEnqueued).Spec
			j := w.job("j")
			if got.ID != job.HookID(j.Key, j.Run) || got.Queue != job.HookQueue || got.Command != "a" || *got.MaxRetries != 3 || got.Cwd != "/home/ann" {
				t.Errorf("%s: the hook is %+v", test.name, got)
			}
			for name, value := range test.env {
				if got.Env[name] != value {
					t.Errorf("%s: %s is %q, want %q", test.name, name, got.Env[name], value)
				}
			}
		}
		w.agree()
	}
}

func hookEnv(state, exit, failed string) map[string]string {
	return map[string]string{job.HookJob: "j", job.HookState: state, job.HookExitCode: exit, job.HookAttempts: failed}
}

// TestHook_IsNeverLost: not by a full queue, an id that is taken, or the death of the worker; and each death has its own.
func TestHook_IsNeverLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	worker := w.worker("w")
	w.must(decide.SetConfig(w.State, w.at, "queue_max", "1"))
	w.must(decide.Enqueue(w.State, w.at, []job.Spec{
		{ID: "waits", Command: "true", Queue: "full", Delay: time.Hour},
		{ID: "j", Command: "true", OnCrash: job.CrashDead, OnDead: json.RawMessage(`{"argv":["tell"],"queue":"full","delay":"1m","max_retries":9,"deadline":"2m","env":{"A":"b"}}`)},
	}, false))
	key, run := w.claim(worker)
	w.must(decide.Enqueue(w.State, w.at, []job.Spec{{ID: job.HookID(key, run), Command: "true", Delay: time.Hour}}, false))
	events := w.must(decide.RunLost(w.State, w.at, key, run))
	wantKinds(t, events, died, hooked)
	e := events[1].(*job.JobEnqueued)
	if e.Spec.ID != job.HookID(key, run)+"-2" || e.Spec.Queue != "full" || e.Due != w.at.Time+int64(time.Minute) || e.Spec.Delay != 0 ||
		e.Spec.Deadline.UnixNano() != w.at.Time+int64(2*time.Minute) || e.Spec.DeadlineIn != 0 ||
		*e.Spec.MaxRetries != 9 || e.Spec.Env["A"] != "b" || e.Spec.Env[job.HookAttempts] != "0" || e.Spec.Env[job.HookExitCode] != "" {
		t.Errorf("the hook is %+v", e)
	}
	w.must(decide.Retry(w.State, w.at, []string{"j"}, true))
	again, second := w.claim(worker)
	if again != key {
		t.Fatalf("claimed %d, want %d", again, key)
	}
	events = w.must(decide.RunLost(w.State, w.at, key, second))
	if id := events[1].(*job.JobEnqueued).Spec.ID; id != job.HookID(key, second) {
		t.Errorf("the second death has the hook %s", id)
	}
	w.agree()
}

func TestHook_FollowsTheDeathByADeadline(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(decide.Enqueue(w.State, w.at, []job.Spec{{
		ID: "late", Command: "true", Deadline: noon.Add(time.Minute), OnDead: json.RawMessage(`"a"`),
	}}, false))
	w.pass(time.Hour)
	wantKinds(t, w.must(decide.Expire(w.State, w.at)), died, hooked)
	w.agree()
}

// A job that is dead at its enqueue, because of a parent, has its hook as any other.
func TestHook_FollowsTheDeathAtTheEnqueue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enqueue("bad", "z")
	w.must(decide.Cancel(w.State, w.at, []string{"bad"}))
	w.must(decide.SetConfig(w.State, w.at, "queue_max", "2"))
	dead, kid, cancelled, late := after("dead", "bad"), after("kid", "dead"), after("c", "bad"), after("late", "z")
	dead.OnDead, kid.OnDead = json.RawMessage(`"a"`), json.RawMessage(`{"command":"b","queue":"default"}`)
	cancelled.OnDead, cancelled.OnParentFailure, cancelled.Queue = json.RawMessage(`"c"`), job.ParentCancel, "other"
	first := w.at.Position
	taken := job.Spec{ID: job.HookID(first, 0), Command: "true", Queue: "other"}
	a, err := decide.Admit(w.State, w.at, []job.Spec{dead, taken, kid, cancelled}, false)
	wantKinds(t, w.must(a.Events, err), hooked, died, hooked, hooked, hooked, died, hooked, hooked, job.KindJobCancelled)
	w.wantStates("bad=cancelled z=pending dead=dead " + job.HookID(first, 0) + "-2=pending " + taken.ID + "=pending kid=dead hook-" +
		fmt.Sprint(first+4, "-0") + "=pending c=cancelled")
	hook := w.job(job.HookID(first, 0) + "-2")
	if env := hook.Spec.Env; env[job.HookJob] != "dead" || env[job.HookState] != "dead" || env[job.HookExitCode] != "" || env[job.HookAttempts] != "0" ||
		hook.Spec.Cwd != "/home/ann" || len(hook.Spec.After) != 1 || hook.Spec.After[0].Key != first || hook.ParentsLeft != 0 {
		t.Errorf("%+v", hook)
	}
	if got := a.Jobs[2].Job; got != w.Jobs.Key("kid") {
		t.Errorf("kid is job %d, want %d", got, w.Jobs.Key("kid"))
	}
	// z and a hook wait in the queue default, which may hold two.
	events, err := decide.Enqueue(w.State, w.at, []job.Spec{late}, false)
	refused(t, events, err, job.ErrQueueFull)
	alone := after(job.HookID(w.at.Position, 0), "bad") // its own id is the one that its hook would have
	alone.Queue, alone.OnDead = "other", json.RawMessage(`"a"`)
	w.must(decide.Enqueue(w.State, w.at, []job.Spec{alone}, false))
	w.job(alone.ID + "-2")
	w.agree()
}

// Jobs whose parent is replaced end in the commit that has the new one, whose id may be that of their hooks.
func TestHook_OfAReplacedParentsChildMakesWayForTheIDsOfTheBatch(t *testing.T) {
	t.Parallel()
	for _, more := range [][]job.Spec{nil, {{Command: "true"}}} {
		w := newWorld(t)
		first, kid := after("p"), after("kid", "p")
		first.UniqueKey, kid.OnDead = "u", json.RawMessage(`"a"`)
		w.add(first, kid)
		id := job.HookID(w.Jobs.Key("kid"), 0)
		second := job.Spec{ID: id, Command: "true", UniqueKey: "u", OnClash: job.ClashReplace}
		w.add(append(more, second)...)
		if hook := w.job(id + "-2"); hook.Spec.Env[job.HookJob] != "kid" {
			t.Errorf("%+v", hook)
		}
		w.agree()
	}
}
