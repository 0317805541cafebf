package decide_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/job"
)

// oneOfEach is a world with a job in every state, named after it.
func oneOfEach(t tester) (w *world, worker job.Position) {
	w = newWorld(t)
	worker = w.worker("w1")
	w.enqueue("completed")
	w.run(worker, decide.Outcome{})
	w.must(decide.Enqueue(w.State, w.at, []job.Spec{{ID: "dead", Command: "false", MaxRetries: new(uint32)}}, false))
	w.run(worker, exit1)
	w.enqueue("failed")
	w.run(worker, exit1)
	w.enqueue("cancelled")
	w.must(decide.Cancel(w.State, w.at, []string{"cancelled"}))
	w.enqueue("processing")
	w.claim(worker)
	w.enqueue("pending")
	return w, worker
}

func TestVerbs_EachStateAllowsWhatItShould(t *testing.T) {
	t.Parallel()
	retry := func(onlyDead bool) func(*decide.State, job.At, []string) ([]job.Event, error) {
		return func(s *decide.State, at job.At, ids []string) ([]job.Event, error) {
			return decide.Retry(s, at, ids, onlyDead)
		}
	}
	for _, test := range []struct {
		name  string
		rule  func(*decide.State, job.At, []string) ([]job.Event, error)
		leads map[string]job.State // from a state, by its name; all others are refused
	}{
		{"retry", retry(false), map[string]job.State{"dead": job.Pending, "failed": job.Pending}},
		{"retry dead", retry(true), map[string]job.State{"dead": job.Pending}},
		{"cancel", decide.Cancel, map[string]job.State{
			"pending": job.Cancelled, "failed": job.Cancelled, "processing": job.Processing,
		}},
		{"kill", func(s *decide.State, at job.At, ids []string) ([]job.Event, error) {
			return decide.Kill(s, at, ids, 9)
		}, map[string]job.State{"processing": job.Processing}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, state := range job.States {
				w, _ := oneOfEach(t)
				id := state.String()
				events, err := test.rule(w.State, w.at, []string{id})
				want, allowed := test.leads[id]
				if !allowed {
					refused(t, events, err, job.ErrWrongState)
					var refusal *decide.StateError
					if !errors.As(err, &refusal) || refusal.ID != id || refusal.State != state || refusal.Want == "" {
						t.Errorf("%s: error %v", id, err)
					}
					continue
				}
				w.must(events, err)
				if got := w.job(id).State; got != want {
					t.Errorf("%s becomes %v, want %v", id, got, want)
				}
				w.agree()
			}
		})
	}
}

func TestVerbs_AllOrNone(t *testing.T) {
	t.Parallel()
	w, _ := oneOfEach(t)
	for name, rule := range map[string]func(ids ...string) ([]job.Event, error){
		"dead":       func(ids ...string) ([]job.Event, error) { return decide.Retry(w.State, w.at, ids, true) },
		"pending":    func(ids ...string) ([]job.Event, error) { return decide.Cancel(w.State, w.at, ids) },
		"processing": func(ids ...string) ([]job.Event, error) { return decide.Kill(w.State, w.at, ids, 15) },
	} {
		events, err := rule(name, "completed")
		refused(t, events, err, job.ErrWrongState)
		events, err = rule(name, "unknown")
		refused(t, events, err, job.ErrNotFound)
		if events, err = rule(name, name); err != nil || len(events) != 1 {
			t.Errorf("%s given twice: %d events, error %v; want 1", name, len(events), err)
		}
		events, err = rule()
		nothing(t, events, err)
	}
}

// dies enqueues a job of one retry, loses its first run, and lets both attempts fail.
func (w *world) dies(id string) (worker, key job.Position) {
	worker = w.worker("w1")
	w.must(decide.Enqueue(w.State, w.at, []job.Spec{{ID: id, Command: "false", MaxRetries: new(uint32(1))}}, false))
	key, run := w.claim(worker)
	w.must(decide.RunLost(w.State, w.at, key, run))
	w.run(worker, exit1)
	w.pass(time.Minute)
	w.run(worker, exit1)
	return worker, key
}

func TestRetry_BeginsAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	worker, _ := w.dies("a")
	if j := w.job("a"); j.State != job.Dead || j.Attempts != 2 || j.Crashes != 1 || j.Runs != 3 || j.FinishedAt.IsZero() {
		t.Fatalf("before: %+v", j)
	}
	w.must(decide.Retry(w.State, w.at, []string{"a"}, true))
	j := w.job("a")
	if j.State != job.Pending || j.Attempts != 0 || j.Crashes != 0 || j.LastError != "" || !j.NextAttemptAt.IsZero() ||
		j.Why != job.WhyNone || !j.FinishedAt.IsZero() {
		t.Errorf("after: %+v", j)
	}
	if j.Runs != 3 || j.Run == 0 || j.StartedAt.IsZero() {
		t.Errorf("the history is gone: %+v", j)
	}
	w.agree()
	wantKinds(t, w.run(worker, exit1), job.KindJobFailed) // one retry again
}

func TestRetry_ThatKeepsAttemptsIsOneRunMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	worker, key := w.dies("a")
	acted, err := decide.Act(w.State, w.at, decide.Retrying(decide.Retries{Keep: true}), decide.Chosen{Keys: []job.Position{key}})
	w.must(acted.Events, err)
	if j := w.job("a"); j.State != job.Pending || j.Attempts != 2 || j.Crashes != 1 || j.LastError != "" {
		t.Errorf("%+v", j)
	}
	w.agree()
	wantKinds(t, w.run(worker, exit1), job.KindJobDied)
	if j := w.job("a"); j.Attempts != 3 || j.Why != job.WhyRetries {
		t.Errorf("%+v", j)
	}
}

func TestCancel_IsAskedOnce(t *testing.T) {
	t.Parallel()
	w, _ := oneOfEach(t)
	ids := []string{"processing"}
	w.must(decide.Kill(w.State, w.at, ids, 2))
	events := w.must(decide.Cancel(w.State, w.at, ids))
	if want := (job.KillRequested{Job: w.Jobs.Key("processing"), Run: w.job("processing").Run, Signal: 15, Cancel: true}); events[0] != want {
		t.Errorf("%+v, want %+v", events[0], want)
	}
	events, err := decide.Cancel(w.State, w.at, ids)
	nothing(t, events, err)
}

func TestKill_SignalsOutsideTheRangeAreRefused(t *testing.T) {
	t.Parallel()
	w, _ := oneOfEach(t)
	for _, signal := range []int32{-1, 0, 65, 1 << 20} {
		events, err := decide.Kill(w.State, w.at, []string{"processing"}, signal)
		refused(t, events, err, job.ErrInvalid)
	}
	w.must(decide.Kill(w.State, w.at, []string{"processing"}, 64))
	b, _ := w.Jobs.Brief(w.Jobs.Key("processing"))
	if !b.KillAsked || b.CancelAsked {
		t.Errorf("%+v", b)
	}
}

func TestKill_EveryRequestIsKeptUntilTheRunHasEnded(t *testing.T) {
	t.Parallel()
	w, _ := oneOfEach(t)
	key := w.Jobs.Key("processing")
	for _, signal := range []int32{2, 2, 9} {
		w.must(decide.Kill(w.State, w.at, []string{"processing"}, signal))
	}
	w.must(decide.Cancel(w.State, w.at, []string{"processing"}))
	if got, want := w.Jobs.Kills(key), []int32{2, 2, 9, 15}; !slices.Equal(got, want) {
		t.Errorf("signals %v, want %v", got, want)
	}
	w.agree()
	b, _ := w.Jobs.Brief(key)
	w.must(decide.RunLost(w.State, w.at, key, b.Run))
	if got := w.Jobs.Kills(key); len(got) != 0 || len(w.Jobs.Kills(99)) != 0 {
		t.Errorf("signals %v after the run", got)
	}
}

func TestSetConfig_HoldsTheCanonicalForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if events := w.must(decide.SetConfig(w.State, w.at, "timeout", "90s")); events[0].(job.ConfigSet).Old != "" {
		t.Errorf("%+v, want no old value", events[0])
	}
	canonical := w.Jobs.Config()
	text, _ := canonical.Text("timeout")
	events, err := decide.SetConfig(w.State, w.at, "timeout", "1m30s")
	nothing(t, events, err)
	events = w.must(decide.SetConfig(w.State, w.at, "timeout", "2m"))
	if got := events[0].(job.ConfigSet); got.Old != text || w.Jobs.Config().Timeout != 2*time.Minute {
		t.Errorf("%+v, timeout %v", got, w.Jobs.Config().Timeout)
	}
	// The default value is a value too: it holds against worker start --backoff-base.
	wantKinds(t, w.must(decide.SetConfig(w.State, w.at, "backoff_base", "2")), job.KindConfigSet)
	wantKinds(t, w.must(decide.UnsetConfig(w.State, w.at, "timeout")), job.KindConfigUnset)
	if w.Jobs.IsSet("timeout") || w.Jobs.Config().Timeout != 0 || !w.Jobs.IsSet("backoff_base") {
		t.Error("unset does not take the setting back")
	}
	events, err = decide.UnsetConfig(w.State, w.at, "timeout")
	nothing(t, events, err)
	w.agree()
}

func TestSetConfig_Refusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	events, err := decide.SetConfig(w.State, w.at, "colour", "red")
	refused(t, events, err, job.ErrUnknownKey)
	events, err = decide.UnsetConfig(w.State, w.at, "colour")
	refused(t, events, err, job.ErrUnknownKey)
	events, err = decide.SetConfig(w.State, w.at, "backoff_base", "0.5")
	refused(t, events, err, job.ErrInvalid)
}

func TestWorker_Refusals(t *testing.T) {
	t.Parallel()
	w, worker := oneOfEach(t)
	for _, e := range []*job.WorkerStarted{
		{Slots: 1, Shell: true}, {ID: "x", Shell: true}, {ID: "x", Slots: 1},
	} {
		events, err := decide.StartWorker(w.State, w.at, e)
		refused(t, events, err, job.ErrInvalid)
	}
	events, err := decide.StartWorker(w.State, w.at, &job.WorkerStarted{ID: "w1", Slots: 1, Shell: true})
	refused(t, events, err, job.ErrWrongState)
	events, err = decide.StopWorker(w.State, w.at, worker, "signal")
	refused(t, events, err, job.ErrWrongState)
	events, err = decide.WorkerLost(w.State, w.at, worker)
	refused(t, events, err, job.ErrWrongState)
	w.must(decide.RunLost(w.State, w.at, w.job("processing").Key, w.job("processing").Run))
	wantKinds(t, w.must(decide.WorkerLost(w.State, w.at, worker)), job.KindWorkerLost)
	events, err = decide.StopWorker(w.State, w.at, worker, "signal")
	refused(t, events, err, job.ErrNoWorker)
	events, err = decide.WorkerLost(w.State, w.at, worker)
	refused(t, events, err, job.ErrNoWorker)
	wantKinds(t, w.must(decide.StopWorker(w.State, w.at, w.worker("w2"), "signal")), job.KindWorkerStopped)
	w.agree()
}

func TestRequestStop_ReachesThoseThatStartedBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	events, err := decide.RequestStop(w.State, w.at, nil, true)
	nothing(t, events, err)
	first, second := w.worker("w1"), w.worker("w2")
	events = w.must(decide.RequestStop(w.State, w.at, []string{"w2", "w2"}, false))
	if len(events) != 1 || events[0] != (job.StopRequested{Worker: second}) {
		t.Errorf("events %+v", events)
	}
	events, err = decide.RequestStop(w.State, w.at, []string{"w1", "unknown"}, false)
	refused(t, events, err, job.ErrNoWorker)
	events, err = decide.RequestStop(w.State, w.at, []string{"w2"}, false)
	nothing(t, events, err)
	wantKinds(t, w.must(decide.RequestStop(w.State, w.at, nil, false)), job.KindStopRequested)
	events, err = decide.RequestStop(w.State, w.at, nil, false)
	nothing(t, events, err)
	wantKinds(t, w.must(decide.RequestStop(w.State, w.at, []string{"w2"}, true)), job.KindStopRequested)
	third := w.worker("w3")
	for key, want := range map[job.Position][2]bool{first: {true, false}, second: {true, true}, third: {false, false}} {
		if got, _ := w.Jobs.Worker(key); got.Stopping != want[0] || got.StopNow != want[1] {
			t.Errorf("worker %q: stopping %v, now %v; want %v", got.ID, got.Stopping, got.StopNow, want)
		}
	}
	w.agree()
}
