package decide_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
)

// afterModel is the simple account of who waits for whom: it looks at all parents of all jobs after every command.
type afterModel struct {
	waits map[job.Position]bool      // for parents, after the command before
	known map[job.Position]bool      // jobs that were seen
	last  map[job.Position]job.State // of every job, also when it is there no more
}

func newAfterModel() afterModel {
	return afterModel{map[job.Position]bool{}, map[job.Position]bool{}, map[job.Position]job.State{}}
}

func drawParents(t *rapid.T, spec *job.Spec) {
	for _, id := range rapid.SliceOfNDistinct(rapid.SampledFrom(modelIDs), 0, 2, rapid.ID[string]).Draw(t, "after") {
		on := rapid.SampledFrom([]job.AfterOn{job.OnSuccess, job.OnSuccess, job.OnFailure, job.OnAny}).Draw(t, "after_on")
		spec.After = append(spec.After, job.Parent{ID: id, On: on})
	}
	if spec.After != nil {
		spec.OnParentFailure = rapid.SampledFrom([]job.OnParentFailure{job.ParentDead, job.ParentCancel, job.ParentRelease}).Draw(t, "on_parent_failure")
	}
}

// check holds that nobody runs before its parents have ended as they should, and that nobody who waits is forgotten.
func (m *afterModel) check(t *rapid.T, s *projection.Projection) {
	for j := range s.List(projection.Filter{}) {
		m.last[j.Key] = j.State
	}
	failing := s.Failing()
	left := make([]uint64, len(failing)) // of each, the children that are to be ended
	for j := range s.List(projection.Filter{}) {
		if m.waits[j.Key] && (j.State == job.Processing || j.State == job.Completed || j.Runs > 0) {
			t.Fatalf("job %d runs before its parents have ended", j.Key)
		}
		waits := j.State == job.Pending && (m.waits[j.Key] || !m.known[j.Key])
		m.known[j.Key] = true
		unmet, broken := 0, false
		for _, p := range j.Spec.After {
			state := m.last[p.Key]
			if p.On.Met(state) {
				continue
			}
			unmet++
			if waits && state.Ended() {
				broken = true
				if j.Spec.OnParentFailure == job.ParentRelease {
					continue
				}
				later := slices.IndexFunc(failing, func(f projection.Failing) bool { return f.Key == p.Key && f.State == state && f.Cursor < j.Key })
				if later < 0 {
					t.Fatalf("job %d waits for job %d, which is %v", j.Key, p.Key, state)
				}
				left[later]++
			}
		}
		if !waits || broken && j.Spec.OnParentFailure == job.ParentRelease {
			unmet = 0
		}
		if j.ParentsLeft != uint32(unmet) {
			t.Fatalf("job %d waits for %d parents, want %d", j.Key, j.ParentsLeft, unmet)
		}
		delete(m.waits, j.Key)
		if unmet > 0 {
			m.waits[j.Key] = true
		}
	}
	for i, f := range failing {
		if f.Left != left[i] {
			t.Fatalf("%+v, and %d wait for it", f, left[i])
		}
	}
	for key := range m.waits {
		if b, known := s.Brief(key); !known || b.Parents == 0 {
			t.Fatalf("job %d waits and is not there", key)
		}
	}
	if s.AnyAfter() != (len(m.waits) > 0) {
		t.Fatalf("%d jobs wait for parents, and AnyAfter says %v", len(m.waits), s.AnyAfter())
	}
}

// drawHooks gives some jobs hooks.
func drawHooks(t *rapid.T, spec *job.Spec) {
	hook := rapid.SampledFrom([]string{"", "", `"true"`, `{"command":"true","delay":"1s","deadline":"1m"}`})
	for _, field := range []*json.RawMessage{&spec.OnComplete, &spec.OnDead} {
		if text := hook.Draw(t, "hook"); text != "" {
			*field = json.RawMessage(text)
		}
	}
}

// checkHooks holds that every end in a commit that was folded is followed by the hook that the job has for it, and that
// nothing else brings a hook.
func checkHooks(t *rapid.T, s *projection.Projection, events []job.Event) {
	hooks, ends := 0, 0
	for i, e := range events {
		key, state := job.Of(e), job.Completed
		switch e := e.(type) {
		case *job.JobDied:
			state = job.Dead
		case *job.JobCompleted:
		case *job.JobEnqueued:
			if e.Spec.Env[job.HookJob] != "" {
				hooks++
			}
			continue
		default:
			continue
		}
		spec, _ := s.Spec(key)
		if state == job.Completed && spec.OnComplete == nil || state == job.Dead && spec.OnDead == nil {
			continue
		}
		ends++
		hook := &job.JobEnqueued{}
		if i+1 < len(events) {
			hook, _ = events[i+1].(*job.JobEnqueued)
		}
		if hook == nil || hook.Spec.Env[job.HookJob] != spec.ID || hook.Spec.Env[job.HookState] != state.String() || hook.Spec.After[0].Key != key {
			t.Fatalf("job %s is %v, and its hook is %+v", spec.ID, state, hook)
		}
	}
	if hooks != ends {
		t.Fatalf("%d ends with hooks and %d hooks", ends, hooks)
	}
}

// TestAfter_NoInterleavingBreaksTheOrder is the model with many parents, hooks and few other things. A commit ends few
// jobs, so that much is left for others.
func TestAfter_NoInterleavingBreaksTheOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		worker := w.worker("w")
		w.LimitCascade(rapid.IntRange(1, 3).Draw(t, "jobs in a commit"))
		model := newAfterModel()
		var names []string
		some := func(t *rapid.T) []string { return []string{rapid.SampledFrom(names).Draw(t, "job")} }
		spec := func(t *rapid.T) job.Spec {
			s := job.Spec{ID: fmt.Sprint("j", len(names)), Command: "true", MaxRetries: new(uint32)}
			for range rapid.IntRange(0, min(3, len(names))).Draw(t, "parents") {
				p := job.Parent{ID: some(t)[0], On: rapid.SampledFrom([]job.AfterOn{job.OnSuccess, job.OnFailure, job.OnAny, job.OnAny}).Draw(t, "on")}
				if w.Jobs.Key(p.ID) != 0 && !slices.ContainsFunc(s.After, func(o job.Parent) bool { return o.ID == p.ID }) {
					s.After = append(s.After, p)
				}
			}
			if s.After != nil {
				s.OnParentFailure = rapid.SampledFrom([]job.OnParentFailure{job.ParentDead, job.ParentCancel, job.ParentRelease}).Draw(t, "on_parent_failure")
			}
			drawHooks(t, &s)
			names = append(names, s.ID)
			return s
		}
		do := func(events []job.Event, err error) {
			if err == nil {
				w.fold(events)
				checkHooks(t, w.Jobs, events)
			}
			w.pass(1)
		}
		do(decide.Enqueue(w.State, w.at, []job.Spec{spec(t), spec(t)}, false))
		t.Repeat(map[string]func(*rapid.T){
			"enqueue": func(t *rapid.T) { do(decide.Enqueue(w.State, w.at, []job.Spec{spec(t)}, false)) },
			"run": func(t *rapid.T) {
				events, err := decide.Claim(w.State, w.at, worker, all)
				if do(events, err); err != nil {
					return
				}
				o := rapid.SampledFrom([]decide.Outcome{{}, exit1, exit1}).Draw(t, "outcome")
				o.Job, o.Run = events[0].(job.JobClaimed).Job, w.at.Position-1
				do(decide.Finish(w.State, w.at, o, 0))
			},
			"retry":  func(t *rapid.T) { do(decide.Retry(w.State, w.at, some(t), true)) },
			"cancel": func(t *rapid.T) { do(decide.Cancel(w.State, w.at, some(t))) },
			"purge": func(t *rapid.T) {
				acted, err := decide.Act(w.State, w.at, decide.Clearing(0), decide.Chosen{Keys: []job.Position{max(1, w.Jobs.Key(some(t)[0]))}})
				do(acted.Events, err)
			},
			"cascade": func(t *rapid.T) {
				failing := w.Jobs.AnyFailing()
				events, err := decide.Cascade(w.State, w.at)
				if do(events, err); failing != (len(events) > 0) {
					t.Fatalf("%d events, and %v are left", len(events), w.Jobs.Failing())
				}
			},
			"": func(t *rapid.T) {
				w.agree()
				model.check(t, w.Jobs)
			},
		})
	})
}
