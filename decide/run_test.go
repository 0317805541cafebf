package decide_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/scheduler"
)

func TestClaim_TakesTheFirstDueJobOfTheLanes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	worker := w.worker("w1")
	w.must(decide.Enqueue(w.State, w.at, []job.Spec{
		{ID: "later", Command: "true", Delay: time.Minute},
		{ID: "other", Command: "true", Queue: "other", Priority: 9},
		{ID: "low", Command: "true", Priority: -1},
		{ID: "mail", Kind: "mail", Priority: 9},
		{ID: "first", Command: "true"},
		{ID: "second", Command: "true"},
	}, false))
	lanes := scheduler.Lanes{Queues: []string{"default"}, Shell: true}
	for _, want := range []string{"first", "second", "low"} {
		events := w.must(decide.Claim(w.State, w.at, worker, lanes))
		if got := w.Jobs.ID(events[0].(job.JobClaimed).Job); got != want {
			t.Errorf("claimed %q, want %q", got, want)
		}
	}
	events, err := decide.Claim(w.State, w.at, worker, lanes)
	refused(t, events, err, job.ErrNothingDue)
	w.pass(time.Minute)
	if key, _ := w.claim(worker); w.Jobs.ID(key) != "other" {
		t.Errorf("claimed %q, want the one of the highest priority", w.Jobs.ID(key))
	}
	if j := w.job("first"); j.State != job.Processing || j.Runs != 1 || j.Worker != worker || j.StartedAt.IsZero() {
		t.Errorf("claimed job: %+v", j)
	}
	w.agree()
}

// TestClaim_ARetryHasItsTurnUnderConstantLoad: it comes before the work that came after its time.
func TestClaim_ARetryHasItsTurnUnderConstantLoad(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	worker := w.worker("w1")
	w.enqueue("bad")
	w.run(worker, exit1) // due again in two seconds
	w.enqueue("before")
	w.pass(3 * time.Second)
	w.enqueue("after")
	var order []string
	for range 3 {
		key, _ := w.claim(worker)
		order = append(order, w.Jobs.ID(key))
	}
	if want := []string{"before", "bad", "after"}; !slices.Equal(order, want) {
		t.Errorf("order %v, want %v", order, want)
	}
}

func TestClaim_JobsDueAtOnceKeepTheOrderOfEnqueueWhateverTheClockDoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	worker := w.worker("w1")
	want := []string{"now", "in another year", "an hour ago", "now again"}
	for i, step := range []time.Duration{0, 73 * 365 * 24 * time.Hour, -73*365*24*time.Hour - time.Hour, time.Hour} {
		w.pass(step)
		w.enqueue(want[i])
	}
	back, run := w.claim(worker)
	w.must(decide.RunLost(w.State, w.at, back, run)) // it keeps its place
	for _, want := range want {
		if key, _ := w.claim(worker); w.Jobs.ID(key) != want {
			t.Errorf("claimed %q, want %q", w.Jobs.ID(key), want)
		}
	}
	w.agree()
}

func TestClaim_Refusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enqueue("a")
	events, err := decide.Claim(w.State, w.at, 2, all)
	refused(t, events, err, job.ErrNoWorker)
	worker := w.worker("w1")
	w.must(decide.RequestStop(w.State, w.at, nil, false))
	events, err = decide.Claim(w.State, w.at, worker, all)
	refused(t, events, err, job.ErrNothingDue)
}

func TestFinish_CompletesTheJob(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	worker := w.worker("w1")
	w.enqueue("a")
	w.pass(time.Second)
	wantKinds(t, w.run(worker, decide.Outcome{Result: job.Result{OutputSize: 3}}), job.KindJobCompleted)
	j := w.job("a")
	if j.State != job.Completed || j.Attempts != 0 || j.Runs != 1 || j.LastError != "" || *j.Exit != 0 {
		t.Errorf("completed job: %+v", j)
	}
	if want := noon.Add(time.Second); !j.FinishedAt.Equal(want) || !j.UpdatedAt.Equal(want) || !j.EnqueuedAt.Equal(noon) {
		t.Errorf("finished %v, updated %v, enqueued %v", j.FinishedAt, j.UpdatedAt, j.EnqueuedAt)
	}
	w.agree()
}

func TestFinish_FailuresBackOffAndEndInTheDeadLetterQueue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	worker := w.worker("w1")
	w.enqueue("a")
	for attempt, want := range []time.Duration{2 * time.Second, 4 * time.Second, 8 * time.Second} {
		w.pass(time.Minute)
		wantKinds(t, w.run(worker, exit1), job.KindJobFailed)
		j := w.job("a")
		delay := j.NextAttemptAt.Sub(time.Unix(0, w.at.Time))
		if j.State != job.Failed || int(j.Attempts) != attempt+1 || delay != want || j.Why != job.WhyExit {
			t.Errorf("attempt %d: %v, %d attempts, next in %v, why %v", attempt+1, j.State, j.Attempts, delay, j.Why)
		}
		events, err := decide.Claim(w.State, w.at, worker, all)
		refused(t, events, err, job.ErrNothingDue)
	}
	w.pass(time.Minute)
	wantKinds(t, w.run(worker, exit1), job.KindJobDied)
	j := w.job("a")
	if j.State != job.Dead || j.Attempts != 4 || j.Runs != 4 || j.Why != job.WhyRetries || !j.NextAttemptAt.IsZero() ||
		!strings.HasPrefix(j.LastError, "Exit 1") || *j.Exit != 1 {
		t.Errorf("dead job: %+v", j)
	}
	w.agree()
}

func TestFinish_BackOffBaseOfJobBeforeSettingBeforeWorker(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		spec   job.Spec
		set    string
		worker float64
		want   time.Duration
	}{
		{name: "default", want: 2 * time.Second},
		{name: "worker", worker: 3, want: 3 * time.Second},
		{name: "setting", set: "5", worker: 3, want: 5 * time.Second},
		{name: "setting that is the default", set: "2", worker: 3, want: 2 * time.Second},
		{name: "job", spec: job.Spec{BackoffBase: new(7.5)}, set: "5", worker: 3, want: 7500 * time.Millisecond},
		{name: "cap of the job", spec: job.Spec{BackoffMax: new(time.Second)}, set: "5", want: time.Second},
		{name: "no delay at all", spec: job.Spec{BackoffMax: new(time.Duration)}, want: 0},
	} {
		w := newWorld(t)
		worker := w.worker("w1")
		if test.set != "" {
			w.must(decide.SetConfig(w.State, w.at, "backoff_base", test.set))
		}
		test.spec.Command = "false"
		w.must(decide.Enqueue(w.State, w.at, []job.Spec{test.spec}, false))
		o := exit1
		o.Job, o.Run = w.claim(worker)
		e := w.must(decide.Finish(w.State, w.at, o, test.worker))[0].(*job.JobFailed)
		if got := time.Duration(e.NextAttemptAt - w.at.Time); got != test.want {
			t.Errorf("%s: delay %v, want %v", test.name, got, test.want)
		}
	}
}

func TestFinish_JitterDependsOnTheLogAndTheRun(t *testing.T) {
	t.Parallel()
	delays := func(log [16]byte) (delays []time.Duration) {
		w := &world{tester: t, State: decide.NewState(), raw: decide.NewState(), decoded: decide.NewState()}
		w.at = job.At{Position: 1, Time: noon.UnixNano()}
		w.fold([]job.Event{job.LogCreated{LogID: log}})
		worker := w.worker("w1")
		w.must(decide.SetConfig(w.State, w.at, "backoff_jitter", "0.5"))
		w.enqueue("a", "b", "c")
		for range 3 {
			e := w.run(worker, exit1)[0].(*job.JobFailed)
			delays = append(delays, time.Duration(e.NextAttemptAt-w.at.Time))
		}
		return delays
	}
	first := delays([16]byte{})
	if second := delays([16]byte{}); !slices.Equal(first, second) {
		t.Errorf("delays %v and %v of the same runs", first, second)
	}
	if slices.Equal(first, delays([16]byte{0: 1})) || slices.Equal(first, delays([16]byte{15: 1})) {
		t.Error("two logs have the same jitter")
	}
	for i, d := range first {
		if d < 2*time.Second || d > 3*time.Second || i > 0 && d == first[0] {
			t.Errorf("run %d: delay %v after %v, want others from 2 s to 3 s", i, d, first[:i])
		}
	}
}

func TestFinish_GivenBackCountsNothing(t *testing.T) {
	t.Parallel()
	for _, why := range []job.Why{job.WhyStop, job.WhyNotStarted} {
		w := newWorld(t)
		worker := w.worker("w1")
		w.enqueue("a")
		wantKinds(t, w.run(worker, decide.Outcome{Returned: why}), job.KindRunReturned)
		if j := w.job("a"); j.State != job.Pending || j.Attempts != 0 || j.Crashes != 0 || j.Runs != 1 || !j.NextAttemptAt.IsZero() {
			t.Errorf("%v: %+v", why, j)
		}
		if key, _ := w.claim(worker); key != w.Jobs.Key("a") {
			t.Errorf("%v: the job is not due at once", why)
		}
	}
}

// A job that is not to be repeated, neither after a failure nor after a crash, was begun: it may have done something.
func TestFinish_GivenBackAfterItsBeginRunsAtMostOnce(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name       string
		onCrash    job.OnCrash
		maxRetries uint32
		why        job.Why
		want       job.State
	}{
		{"begun", job.CrashDead, 0, job.WhyStop, job.Dead},
		{"not begun", job.CrashDead, 0, job.WhyNotStarted, job.Pending},
		{"may be repeated after a failure", job.CrashDead, 1, job.WhyStop, job.Pending},
		{"may be repeated after a crash", job.CrashRetry, 0, job.WhyStop, job.Pending},
	} {
		w := newWorld(t)
		worker := w.worker("w1")
		w.must(decide.Enqueue(w.State, w.at, []job.Spec{
			{ID: "a", Command: "true", OnCrash: test.onCrash, MaxRetries: &test.maxRetries},
		}, false))
		w.run(worker, decide.Outcome{Returned: test.why, Result: job.Result{Signal: 15}})
		j := w.job("a")
		if j.State != test.want || j.State == job.Dead && (j.Why != job.WhyOnCrash || j.Crashes != 1 || j.Attempts != 0) {
			t.Errorf("%s: %+v", test.name, j)
		}
		w.agree()
	}
}

func TestFinish_CancelAsked(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		outcome decide.Outcome
		event   job.Kind
		state   job.State
	}{
		{"killed", decide.Outcome{Failure: job.WhySignal, Result: job.Result{Signal: 15}}, job.KindJobCancelled, job.Cancelled},
		{"failed", exit1, job.KindJobCancelled, job.Cancelled},
		{"given back", decide.Outcome{Returned: job.WhyStop}, job.KindJobCancelled, job.Cancelled},
		{"ended with exit code 0 on TERM", decide.Outcome{}, job.KindJobCancelled, job.Cancelled},
	} {
		w := newWorld(t)
		worker := w.worker("w1")
		w.enqueue("a")
		o := test.outcome
		o.Job, o.Run = w.claim(worker)
		w.must(decide.Cancel(w.State, w.at, []string{"a"}))
		if j := w.job("a"); j.State != job.Processing || !j.KillAsked {
			t.Errorf("%s: asked: %+v", test.name, j)
		}
		wantKinds(t, w.must(decide.Finish(w.State, w.at, o, 0)), test.event)
		if j := w.job("a"); j.State != test.state || j.Attempts != 0 || j.KillAsked || j.Signal != test.outcome.Result.Signal {
			t.Errorf("%s: %+v", test.name, j)
		}
		w.agree()
	}
}

func TestFinish_OutcomeOfARunThatIsNotCurrentIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	worker := w.worker("w1")
	w.enqueue("a")
	key, lost := w.claim(worker)
	w.must(decide.RunLost(w.State, w.at, key, lost))
	try := func(name string, key, run job.Position) {
		t.Helper()
		for _, o := range []decide.Outcome{{}, exit1, {Returned: job.WhyStop}} {
			o.Job, o.Run = key, run
			events, err := decide.Finish(w.State, w.at, o, 0)
			refused(t, events, err, job.ErrStale)
		}
		events, err := decide.RunLost(w.State, w.at, key, run)
		refused(t, events, err, job.ErrStale)
		if _, err := decide.Prepare(w.State, key, run); err == nil {
			t.Errorf("%s: Prepare of a stale run", name)
		}
	}
	try("pending", key, lost)
	_, run := w.claim(worker)
	try("lost run", key, lost)
	try("no run", key, 0)
	try("unknown job", 99, run)
	w.must(decide.Finish(w.State, w.at, decide.Outcome{Job: key, Run: run}, 0))
	try("completed", key, run)
}

func TestFinish_OutcomeThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	worker := w.worker("w1")
	w.enqueue("a")
	key, run := w.claim(worker)
	for _, o := range []decide.Outcome{
		{Failure: job.WhyExit, Returned: job.WhyStop}, {Failure: job.WhyRetries}, {Returned: job.WhyExit},
	} {
		o.Job, o.Run = key, run
		events, err := decide.Finish(w.State, w.at, o, 0)
		refused(t, events, err, job.ErrInvalid)
	}
}

func TestRunLost_FollowsOnCrashAndMaxCrashes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	worker := w.worker("w1")
	w.enqueue("a")
	lose := func() []job.Event {
		key, run := w.claim(worker)
		return w.must(decide.RunLost(w.State, w.at, key, run))
	}
	for crash := range 3 {
		wantKinds(t, lose(), job.KindRunLost)
		j := w.job("a")
		if j.State != job.Pending || int(j.Crashes) != crash+1 || j.Attempts != 0 || j.LastError != "Worker lost" || !j.NextAttemptAt.IsZero() {
			t.Errorf("crash %d: %+v", crash+1, j)
		}
	}
	wantKinds(t, lose(), job.KindJobDied)
	if j := w.job("a"); j.State != job.Dead || j.Why != job.WhyCrashes || j.Crashes != 4 || j.Attempts != 0 {
		t.Errorf("dead by crashes: %+v", j)
	}

	w.must(decide.Enqueue(w.State, w.at, []job.Spec{{ID: "once", Command: "true", OnCrash: job.CrashDead}}, false))
	wantKinds(t, lose(), job.KindJobDied)
	if j := w.job("once"); j.State != job.Dead || j.Why != job.WhyOnCrash || j.Runs != 1 {
		t.Errorf("dead by on_crash: %+v", j)
	}

	w.enqueue("cancelled")
	key, run := w.claim(worker)
	w.must(decide.Cancel(w.State, w.at, []string{"cancelled"}))
	wantKinds(t, w.must(decide.RunLost(w.State, w.at, key, run)), job.KindJobCancelled)
	w.agree()
}

func TestPrepare_ResolvesTheSettingsInForce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	worker := w.worker("w1")
	for key, value := range map[string]string{
		"timeout": "30s", "kill_grace": "3s", "output_max": "1MiB", "output_tail": "0",
	} {
		w.must(decide.SetConfig(w.State, w.at, key, value))
	}
	w.must(decide.Enqueue(w.State, w.at, []job.Spec{
		{ID: "setting", Command: "true"}, {ID: "own", Command: "true", Timeout: new(time.Duration)},
	}, false))
	key, run := w.claim(worker)
	r, err := decide.Prepare(w.State, key, run)
	if err != nil || r.Job.Spec.ID != "setting" || r.Attempt != 1 || r.Timeout != 30*time.Second ||
		r.KillGrace != 3*time.Second || r.OutputMax != 1<<20 || r.OutputTail != 0 {
		t.Errorf("%+v, error %v", r, err)
	}
	key, run = w.claim(worker)
	if r, err := decide.Prepare(w.State, key, run); err != nil || r.Timeout != 0 {
		t.Errorf("timeout %v of a job that wants none, error %v", r.Timeout, err)
	}
	o := exit1
	o.Job, o.Run = key, run
	w.must(decide.Finish(w.State, w.at, o, 0))
	w.pass(time.Minute)
	key, run = w.claim(worker)
	if r, err := decide.Prepare(w.State, key, run); err != nil || r.Attempt != 2 {
		t.Errorf("attempt %d after a failure, error %v", r.Attempt, err)
	}
}

func TestClock_AStepBackOfMoreThanASecondIsAnEvent(t *testing.T) {
	t.Parallel()
	if events := decide.Clock(decide.NewState(), job.At{Position: 1, Time: -5e9}); len(events) != 0 {
		t.Errorf("%d events in an empty log", len(events))
	}
	w := newWorld(t)
	for _, test := range []struct {
		step time.Duration
		want int
	}{{time.Hour, 0}, {0, 0}, {-time.Second, 0}, {-time.Second - 1, 1}, {-time.Hour, 1}} {
		at := w.at
		at.Time += int64(test.step)
		events := decide.Clock(w.State, at)
		if len(events) != test.want {
			t.Errorf("a step of %v gives %d events, want %d", test.step, len(events), test.want)
		}
		if test.want == 1 && events[0] != (job.ClockStepped{From: w.at.Time, To: at.Time}) {
			t.Errorf("a step of %v gives %+v", test.step, events[0])
		}
	}
}

// What a spec says of exit codes comes before the count of attempts.
func TestFinish_ExitCodes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		spec  job.Spec
		exit  int32
		state job.State
		why   job.Why
		next  time.Duration
	}{
		{"nothing said", job.Spec{}, 2, job.Failed, job.WhyExit, 2 * time.Second},
		{"final", job.Spec{DeadOn: job.ExitCodes{2, 3}}, 2, job.Dead, job.WhyExit, 0},
		{"not final", job.Spec{DeadOn: job.ExitCodes{2, 3}}, 4, job.Failed, job.WhyExit, 2 * time.Second},
		{"one of those that are retried", job.Spec{RetryOn: job.ExitCodes{2, 3}}, 3, job.Failed, job.WhyExit, 2 * time.Second},
		{"none of those that are retried", job.Spec{RetryOn: job.ExitCodes{2, 3}}, 1, job.Dead, job.WhyExit, 0},
		{"one of those, and no retries are left", job.Spec{RetryOn: job.ExitCodes{2}, MaxRetries: new(uint32(0))}, 2, job.Dead, job.WhyRetries, 0},
		{"snoozed", job.Spec{SnoozeOn: job.ExitCodes{75}, Snooze: time.Hour}, 75, job.Pending, job.WhyNone, time.Hour},
		{"snoozed, for how long it does not say", job.Spec{SnoozeOn: job.ExitCodes{75}, MaxRetries: new(uint32(0))}, 75, job.Pending, job.WhyNone, time.Minute},
		{"linear", job.Spec{Backoff: "linear", BackoffBase: new(7.0)}, 1, job.Failed, job.WhyExit, 7 * time.Second},
		{"listed", job.Spec{Backoff: "3m,1h"}, 1, job.Failed, job.WhyExit, 3 * time.Minute},
	} {
		w := newWorld(t)
		worker := w.worker("w1")
		tt.spec.ID, tt.spec.Command = "a", "false"
		w.must(decide.Enqueue(w.State, w.at, []job.Spec{tt.spec}, false))
		key, run := w.claim(worker)
		w.must(decide.Finish(w.State, w.at, decide.Outcome{Job: key, Run: run, Failure: job.WhyExit, Result: job.Result{Exit: tt.exit}}, 0))
		j := w.job("a")
		next := time.Duration(0)
		if !j.NextAttemptAt.IsZero() {
			next = j.NextAttemptAt.Sub(j.UpdatedAt)
		}
		if j.State != tt.state || j.Why != tt.why || next != tt.next {
			t.Errorf("%s: %s, why %v, next in %v, want %s, %v, %v", tt.name, j.State, j.Why, next, tt.state, tt.why, tt.next)
		}
		if attempts := j.Attempts; (attempts == 0) != (tt.state == job.Pending) {
			t.Errorf("%s: %d attempts", tt.name, attempts)
		}
		w.agree()
	}
}

func TestFinish_ASnoozeCountsForNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	worker := w.worker("w1")
	w.enqueue("a")
	key, run := w.claim(worker)
	w.must(decide.Finish(w.State, w.at, decide.Outcome{Job: key, Run: run, Returned: job.WhySnooze, Snooze: time.Hour}, 0))
	w.pass(time.Hour - 1)
	events, err := decide.Claim(w.State, w.at, worker, scheduler.Lanes{Shell: true})
	refused(t, events, err, job.ErrNothingDue)
	w.pass(1)
	if again, _ := w.claim(worker); again != key {
		t.Errorf("claimed %d, want %d", again, key)
	}
	if j := w.job("a"); j.Runs != 2 || j.Attempts != 0 || j.Crashes != 0 {
		t.Errorf("got %+v", j)
	}
	for _, o := range []decide.Outcome{
		{Returned: job.WhySnooze, Snooze: -1}, {Returned: job.WhySnooze, Snooze: job.MaxDuration + 1}, {Returned: job.WhyStop, Snooze: 1},
	} {
		o.Job, o.Run = key, w.job("a").Run
		events, err := decide.Finish(w.State, w.at, o, 0)
		refused(t, events, err, job.ErrInvalid)
	}
}
