package projection_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
	"pgregory.net/rapid"
)

func TestFold_ALifeFromEnqueueToTheEnd(t *testing.T) {
	t.Parallel()
	h := newHistory()
	worker := h.add(workerStarted("w1"))
	key := h.add(enqueued("a"))
	at := func(second int) time.Time { return noon.Add(time.Duration(second) * time.Second) }
	want := job.Job{
		Key: key, Spec: job.Spec{ID: "a", Command: "true", Queue: "default", MaxRetries: new(uint32(3))},
		State: job.Pending, MaxRetries: 3, EnqueuedAt: at(1), CreatedAt: at(1), UpdatedAt: at(1),
		CallerDir: "/home", CallerPath: "/bin",
	}
	check := func(when string) {
		t.Helper()
		if got, ok := h.Job(key); !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", when, got, want)
		}
	}
	check("enqueued")

	run := h.add(job.JobClaimed{Job: key, Worker: worker})
	want.State, want.Runs, want.Run, want.Worker = job.Processing, 1, run, worker
	want.StartedAt, want.UpdatedAt = at(2), at(2)
	check("claimed")

	h.add(job.KillRequested{Job: key, Run: run, Signal: 2})
	want.KillAsked, want.UpdatedAt = true, at(3)
	check("kill asked")

	h.add(&job.JobFailed{
		Job: key, Run: run, Why: job.WhySignal, NextAttemptAt: at(90).UnixNano(),
		Result: job.Result{Signal: 2, Tail: "interrupted\n"},
	})
	want.State, want.Attempts, want.KillAsked, want.Signal = job.Failed, 1, false, 2
	want.Why, want.LastError, want.NextAttemptAt, want.UpdatedAt = job.WhySignal, "Signal 2: interrupted", at(90), at(4)
	check("failed")

	run = h.add(job.JobClaimed{Job: key, Worker: worker})
	want.State, want.Runs, want.Run, want.Why = job.Processing, 2, run, job.WhyNone
	want.NextAttemptAt, want.StartedAt, want.UpdatedAt = time.Time{}, at(5), at(5)
	check("claimed again")

	h.add(job.RunLost{Job: key, Run: run, Worker: worker})
	want.State, want.Crashes, want.Signal, want.LastError, want.UpdatedAt = job.Pending, 1, 0, "Worker lost", at(6)
	check("lost")

	run = h.add(job.JobClaimed{Job: key, Worker: worker})
	h.add(&job.JobDied{Job: key, Run: run, Why: job.WhyRetries, Failure: job.WhyExit, Result: job.Result{Exit: 3}})
	want.State, want.Runs, want.Run, want.Attempts, want.Exit = job.Dead, 3, run, 2, new(int32(3))
	want.Why, want.LastError, want.StartedAt, want.UpdatedAt, want.FinishedAt = job.WhyRetries, "Exit 3", at(7), at(8), at(8)
	check("died")

	h.add(job.JobRetried{Job: key, From: job.Dead, Reset: true})
	want.State, want.Attempts, want.Crashes, want.Why, want.LastError = job.Pending, 0, 0, job.WhyNone, ""
	want.UpdatedAt, want.FinishedAt = at(9), time.Time{}
	check("retried")

	run = h.add(job.JobClaimed{Job: key, Worker: worker})
	h.add(job.RunReturned{Job: key, Run: run, Why: job.WhyStop})
	want.Runs, want.Run, want.StartedAt, want.UpdatedAt = 4, run, at(10), at(11)
	check("returned")

	run = h.add(job.JobClaimed{Job: key, Worker: worker})
	h.add(&job.JobCompleted{Job: key, Run: run})
	want.State, want.Runs, want.Run, want.Exit = job.Completed, 5, run, new(int32(0))
	want.StartedAt, want.UpdatedAt, want.FinishedAt = at(12), at(13), at(13)
	check("completed")
}

func TestFold_ExitCodeOnlyWhereThereIsOne(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		why    job.Why
		result job.Result
		exit   *int32
		signal int32
		text   string
	}{
		{job.WhyExit, job.Result{Exit: 127, Tail: "sh: nope: not found"}, new(int32(127)), 0, "Exit 127: sh: nope: not found"},
		{job.WhySignal, job.Result{Signal: 9}, nil, 9, "Signal 9"},
		{job.WhyTimeout, job.Result{Signal: 15, Timeout: 2 * time.Second}, nil, 15, "Timeout after 2s"},
		{job.WhyTimeout, job.Result{Timeout: time.Minute}, nil, 0, "Timeout after "},
		{job.WhyError, job.Result{Tail: "no such host"}, nil, 0, "no such host"},
	} {
		h := newHistory()
		worker, key := h.add(workerStarted("w")), h.add(enqueued("a"))
		run := h.add(job.JobClaimed{Job: key, Worker: worker})
		h.add(&job.JobFailed{Job: key, Run: run, Why: test.why, Result: test.result, NextAttemptAt: 1})
		j, _ := h.Job(key)
		if !reflect.DeepEqual(j.Exit, test.exit) || j.Signal != test.signal || !strings.Contains(j.LastError, test.text) {
			t.Errorf("%v %+v: exit %v, signal %d, last error %q", test.why, test.result, j.Exit, j.Signal, j.LastError)
		}
	}
}

func TestFold_EventThatDoesNotFitPanicsAndChangesNothing(t *testing.T) {
	t.Parallel()
	h := newHistory()
	h.add(job.LogCreated{Format: 1})
	worker, other := h.add(workerStarted("w1")), h.add(workerStarted("w2"))
	pending := h.add(enqueued("pending"))
	running := h.add(enqueued("running"))
	run := h.add(job.JobClaimed{Job: running, Worker: worker})
	dead := h.add(enqueued("dead"))
	died := h.add(job.JobClaimed{Job: dead, Worker: other})
	h.add(&job.JobDied{Job: dead, Run: died, Why: job.WhyOnCrash})

	for _, e := range []job.Event{
		job.LogCreated{},
		enqueued("pending"), enqueued(""),
		job.ConfigSet{Key: "timeout", New: "soon"},
		job.ConfigUnset{Key: "timeout"},
		workerStarted("w1"),
		job.WorkerStopped{Worker: worker},
		job.WorkerLost{Worker: worker},
		job.WorkerStopped{Worker: 99},
		job.WorkerLost{Worker: pending},
		job.StopRequested{Worker: 99},

		job.JobClaimed{},
		job.JobClaimed{Job: 99, Worker: worker},
		job.JobClaimed{Job: worker, Worker: worker},
		job.JobClaimed{Job: pending, Worker: 99},
		job.JobClaimed{Job: running, Worker: worker},
		job.JobClaimed{Job: dead, Worker: worker},
		&job.JobCompleted{Job: pending}, &job.JobCompleted{Job: running, Run: died}, &job.JobCompleted{Job: dead, Run: died},
		&job.JobFailed{Job: running}, &job.JobFailed{Job: dead, Run: died}, &job.JobDied{Job: running, Run: run + 1},
		job.RunLost{Job: running, Run: run, Worker: other},
		job.RunLost{Job: dead, Run: died, Worker: other},
		job.RunLost{Job: pending},
		job.RunReturned{Job: running, Run: died},
		job.JobRetried{Job: pending, From: job.Pending},
		job.JobRetried{Job: dead, From: job.Failed},
		job.JobRetried{Job: running, From: job.Processing},
		&job.JobCancelled{Job: running}, &job.JobCancelled{Job: dead}, &job.JobCancelled{Job: pending, Run: run},
		job.KillRequested{Job: pending, Signal: 15},
		job.KillRequested{Job: running, Run: run},
		job.KillRequested{Job: running, Run: run, Signal: 1 << 20},
		job.KillRequested{Job: running, Run: died, Signal: 9},
	} {
		if err := h.misfit(t, e); err == nil || err.Reason == "" || err.Position != h.at.Position || err.Kind != job.KindOf(e) {
			t.Errorf("%T %+v: misfit %v", e, e, err)
		}
		if _, err := h.FoldEncoded(h.at, job.KindOf(e), job.AppendEvent(nil, e)); !errors.As(err, new(*projection.MisfitError)) {
			t.Errorf("%T %+v from the log: error %v", e, e, err)
		}
	}
	h.at.Position--
	for _, e := range []job.Event{enqueued("new"), job.ConfigSet{Key: "timeout", New: "2s"}} {
		if err := h.misfit(t, e); err == nil {
			t.Errorf("%T at a position that was folded is taken", e)
		}
	}
}

func TestFold_SkipsWhatOnlyANewerProgramKnows(t *testing.T) {
	t.Parallel()
	h := newHistory()
	h.add(job.Unknown{Number: 999, Data: []byte("?")}, job.ConfigSet{Key: "colour", New: "red"})
	if !h.IsSet("colour") || h.Config() != job.DefaultConfig() {
		t.Error("a setting with an unknown key is not just kept")
	}
	h.add(job.ConfigUnset{Key: "colour", Old: "red"})
	if h.IsSet("colour") || h.Position() != 3 {
		t.Errorf("position %d, the setting is set: %v", h.Position(), h.IsSet("colour"))
	}
}

func TestFoldEncoded_BytesThatNobodyCanDecodeAreRefusedAtOnce(t *testing.T) {
	t.Parallel()
	tagsAsNumber := []byte{15 << 3, 1} // a varint, for a field that only a full decode looks into
	for _, data := range [][]byte{{0xff}, append(job.AppendEvent(nil, enqueued("a")), tagsAsNumber...)} {
		h := newHistory()
		if _, err := h.FoldEncoded(h.at, job.KindJobEnqueued, data); !errors.Is(err, job.ErrDecode) {
			t.Errorf("% x: error %v", data, err)
		}
		if h.Count(projection.Filter{}) != 0 || h.Position() != 0 || h.Key("a") != 0 {
			t.Errorf("% x: the state has changed", data)
		}
	}
}

// FuzzFoldEncoded feeds any bytes behind a sound beginning: the answer is an error or a state that can
// be asked for everything, never a panic.
func FuzzFoldEncoded(f *testing.F) {
	worker, key := job.Position(1), job.Position(2)
	for _, e := range []job.Event{
		enqueued("b"),
		job.JobClaimed{Job: key, Worker: worker},
		&job.JobCancelled{Job: key},
		job.ConfigSet{Key: "timeout", New: "2s"},
		workerStarted("w2"),
		job.StopRequested{},
		&job.JobEnqueued{Spec: job.Spec{ID: "c", Argv: []string{"x"}, Tags: map[string]string{"a": "b"}}, Due: 5},
	} {
		f.Add(uint16(job.KindOf(e)), job.AppendEvent(nil, e))
	}
	f.Fuzz(func(t *testing.T, kind uint16, data []byte) {
		h := newHistory()
		h.add(workerStarted("w1"), enqueued("a"))
		change, err := h.FoldEncoded(h.at, job.Kind(kind), data)
		if err != nil && !reflect.DeepEqual(change, projection.Change{}) {
			t.Errorf("%+v beside error %v", change, err)
		}
		h.AppendCanonical(nil)
		for j := range h.List(projection.Filter{}) {
			if h.Key(j.Spec.ID) != j.Key {
				t.Errorf("job %d is not found by its id %q", j.Key, j.Spec.ID)
			}
		}
		for w := range h.Workers() {
			if key, ok := h.WorkerByID(w.ID); !ok || key != w.Key {
				t.Errorf("worker %d is not found by its id", w.Key)
			}
		}
	})
}

func TestFold_KeepsNothingOfTheCaller(t *testing.T) {
	t.Parallel()
	h := newHistory()
	w, e := workerStarted("w1"), enqueued("a")
	e.Spec.Env = map[string]string{"A": "1"}
	e.Spec.Payload = []byte(`1`)
	data := job.AppendEvent(nil, enqueued("b"))
	worker, key := h.add(w), h.add(e)
	if _, err := h.FoldEncoded(h.at, job.KindJobEnqueued, data); err != nil {
		t.Fatal(err)
	}
	want := string(h.AppendCanonical(nil))
	w.Queues[0], e.Spec.Env["A"], e.Spec.Payload[0], h.at.Actor.Dir = "x", "2", '2', "/elsewhere"
	clear(data)
	got, _ := h.Worker(worker)
	got.Queues[0] = "y"
	j, _ := h.Job(key)
	j.Spec.Env["A"], j.Spec.Payload[0], *j.Spec.MaxRetries = "3", '3', 8
	if string(h.AppendCanonical(nil)) != want {
		t.Error("the state shares memory with what went in or came out")
	}
	if j, _ := h.Job(key); j.Spec.Env["A"] != "1" || *j.Spec.MaxRetries != 3 || string(j.Spec.Payload) != "1" {
		t.Errorf("%+v", j.Spec)
	}
}

func TestWorkers_KnowWhatTheyRunInOrderOfClaims(t *testing.T) {
	t.Parallel()
	h := newHistory()
	worker := h.add(workerStarted("w1"))
	var keys, runs []job.Position
	for _, id := range []string{"a", "b", "c"} {
		keys = append(keys, h.add(enqueued(id)))
	}
	for _, i := range []int{2, 0, 1} {
		runs = append(runs, h.add(job.JobClaimed{Job: keys[i], Worker: worker}))
	}
	h.add(&job.JobCompleted{Job: keys[0], Run: runs[1]})
	second := h.add(workerStarted("w2"))
	got, _ := h.Worker(worker)
	want := job.Worker{
		Key: worker, ID: "w1", Slots: 2, Queues: []string{"default"}, Shell: true, User: "ann", Host: "h", PID: 7,
		StartedAt: noon, Running: []job.Position{keys[2], keys[1]},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
	if key, ok := h.WorkerByID("w2"); key != second || !ok || h.LastWorker() != second {
		t.Errorf("w2 is %d, %v; the last worker is %d; want %d", key, ok, h.LastWorker(), second)
	}
	h.add(job.WorkerStopped{Worker: second})
	ids := []string{}
	for w := range h.Workers() {
		ids = append(ids, w.ID)
	}
	if !slices.Equal(ids, []string{"w1"}) || h.LastWorker() != second {
		t.Errorf("workers %v, last %d", ids, h.LastWorker())
	}
	if _, ok := h.Worker(second); ok {
		t.Error("a worker that has stopped is known")
	}
}

func TestKey_ChosenIDsMayLookLikeMadeOnes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := newHistory()
		keys := map[string]job.Position{}
		for range rapid.IntRange(1, 20).Draw(t, "jobs") {
			position := rapid.OneOf(rapid.Just(h.at.Position), rapid.Custom(func(t *rapid.T) job.Position {
				return job.Position(rapid.Uint64Range(1, 20).Draw(t, "other"))
			})).Draw(t, "position")
			id := job.MadeID(position, rapid.Uint64Range(0, 1).Draw(t, "random"))
			if keys[id] == 0 {
				keys[id] = h.add(enqueued(id))
			}
		}
		for position := range job.Position(22) {
			for random := range uint64(3) {
				id := job.MadeID(position, random)
				if got := h.Key(id); got != keys[id] {
					t.Fatalf("Key(%q) = %d, want %d", id, got, keys[id])
				}
			}
		}
	})
}
