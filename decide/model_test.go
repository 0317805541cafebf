package decide_test

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
	"github.com/queuectl/queuectl/scheduler"
	"pgregory.net/rapid"
)

// modelIDs are few, so that commands meet.
var modelIDs = []string{"a", "b", "c", "d", "e"}

// refusals are all errors that a rule may answer with.
var refusals = []error{
	job.ErrInvalid, job.ErrNotFound, job.ErrExists, job.ErrWrongState, job.ErrStale, job.ErrQueueFull,
	job.ErrNothingDue, job.ErrNoWorker, job.ErrUnknownKey, job.ErrDuplicate,
}

// sequence is a world under random commands.
type sequence struct {
	*world
	ready  map[job.Position]int64 // due times of waiting jobs that were due once
	queues queuesModel
	after  afterModel
}

// do carries out a command: a refusal is one of the errors, and all events are legal.
func (q *sequence) do(t *rapid.T, events []job.Event, err error) {
	if err != nil {
		known := slices.ContainsFunc(refusals, func(r error) bool { return errors.Is(err, r) })
		if !known || len(events) > 0 {
			t.Fatalf("refused with %d events by %v", len(events), err)
		}
		return
	}
	for _, e := range events {
		key := job.Of(e)
		if _, ok := e.(*job.JobEnqueued); ok {
			key = q.at.Position
		}
		before, _ := q.Jobs.Brief(key)
		q.queues.take(t, q.world, e)
		q.fold([]job.Event{e})
		if _, anew := e.(*job.JobEdited); anew {
			delete(q.ready, key) // it is put in its place anew
		}
		after, _ := q.Jobs.Brief(key)
		if after.Runs > before.Runs && after.Deadline != 0 && after.Deadline <= q.at.Time {
			t.Fatalf("%T: a run begins after the deadline", e)
		}
		stays := slices.Contains([]job.Kind{job.KindKillRequested, job.KindJobHeld, job.KindJobReleased, job.KindJobEdited}, job.KindOf(e))
		if key != 0 && stays != (before.State == after.State) || !stays && !before.State.CanBecome(after.State) && key != 0 {
			t.Fatalf("%T leads from %v to %v", e, before.State, after.State)
		}
		if before.Held && after.Runs > before.Runs {
			t.Fatalf("%T: a held job runs", e)
		}
		if after.Runs < before.Runs || after.Run < before.Run {
			t.Fatalf("%T: runs %d → %d, run %d → %d", e, before.Runs, after.Runs, before.Run, after.Run)
		}
	}
	checkHooks(t, q.Jobs, events)
	q.pass(1)
}

func (q *sequence) drawWorker(t *rapid.T) job.Position {
	keys := []job.Position{99}
	for w := range q.Jobs.Workers() {
		keys = append(keys, w.Key)
	}
	return rapid.SampledFrom(keys).Draw(t, "worker")
}

// drawRun draws a job and a run, mostly one that is under way.
func (q *sequence) drawRun(t *rapid.T) (key, run job.Position) {
	type pair struct{ key, run job.Position }
	pairs := []pair{{1, 1}}
	for w := range q.Jobs.Workers() {
		for _, key := range w.Running {
			b, _ := q.Jobs.Brief(key)
			pairs = append(pairs, pair{key, b.Run})
		}
	}
	for _, id := range modelIDs {
		if b, ok := q.Jobs.Brief(q.Jobs.Key(id)); ok {
			pairs = append(pairs, pair{b.Key, b.Run})
		}
	}
	drawn := rapid.SampledFrom(pairs).Draw(t, "run")
	return drawn.key, drawn.run
}

func drawIDs(t *rapid.T) []string {
	return rapid.SliceOfN(rapid.SampledFrom(append([]string{"unknown"}, modelIDs...)), 0, 2).Draw(t, "ids")
}

func drawSpec(t *rapid.T) job.Spec {
	spec := job.Spec{
		ID:             rapid.SampledFrom(append([]string{""}, modelIDs...)).Draw(t, "id"),
		Queue:          rapid.SampledFrom([]string{"", "other"}).Draw(t, "queue"),
		ConcurrencyKey: rapid.SampledFrom([]string{"", "", "k", "l"}).Draw(t, "concurrency key"),
		Priority:       rapid.Int32Range(-1, 1).Draw(t, "priority"),
		Delay:          time.Duration(rapid.IntRange(-1, 5).Draw(t, "delay")) * time.Second,
		OnCrash:        rapid.SampledFrom([]job.OnCrash{job.CrashRetry, job.CrashRetry, job.CrashDead}).Draw(t, "on_crash"),
	}
	if rapid.Bool().Draw(t, "dated") {
		spec.DeadlineIn = time.Duration(rapid.IntRange(0, 20).Draw(t, "deadline")) * time.Second
	}
	if rapid.Bool().Draw(t, "mail") {
		spec.Kind, spec.Payload = "mail", []byte(`{"to":"ann"}`)
	} else {
		spec.Command = "true"
	}
	if rapid.Bool().Draw(t, "few retries") {
		spec.MaxRetries = new(rapid.Uint32Range(0, 1).Draw(t, "max_retries"))
	}
	if spec.UniqueKey = rapid.SampledFrom([]string{"", "", "strict", "any"}).Draw(t, "unique_key"); spec.UniqueKey != "" {
		spec.OnClash = rapid.SampledFrom([]job.OnClash{job.ClashRefuse, job.ClashExisting, job.ClashReplace}).Draw(t, "on_clash")
		spec.UniqueFor = time.Duration(rapid.IntRange(0, 9).Draw(t, "unique_for")) * time.Second
		if spec.UniqueKey == "any" && rapid.Bool().Draw(t, "waiting") {
			spec.UniqueScope, spec.UniqueFor = job.ScopeWaiting, 0
		}
	}
	if rapid.Bool().Draw(t, "tags") {
		spec.Tags = map[string]string{"x": "1", "y": "2"}
	}
	drawParents(t, &spec)
	drawHooks(t, &spec)
	if rapid.IntRange(0, 9).Draw(t, "id of a hook") == 0 {
		spec.ID = job.HookID(job.Position(rapid.IntRange(1, 30).Draw(t, "job")), 0)
	}
	return spec
}

func drawEdit(t *rapid.T) (e decide.Edit) {
	edits := []func(){
		func() { e.Command = new("false") },
		func() { e.Queue = new(rapid.SampledFrom([]string{"default", "other", "a b"}).Draw(t, "to queue")) },
		func() { e.Priority = new(rapid.Int32Range(-1, 1).Draw(t, "to priority")) },
		func() { e.MaxRetries = new(rapid.Uint32Range(0, 1).Draw(t, "to retries")) },
		func() { e.Timeout = new(time.Minute) },
		func() { e.Delay = new(time.Duration(rapid.IntRange(-1, 5).Draw(t, "to delay")) * time.Second) },
		func() { e.DeadlineIn = new(time.Duration(rapid.IntRange(-1, 20).Draw(t, "to deadline")) * time.Second) },
		func() { e.Tags, e.Untag = map[string]string{"x": "2"}, []string{"y"} },
	}
	for _, i := range rapid.SliceOfN(rapid.IntRange(0, len(edits)-1), 0, 2).Draw(t, "edits") {
		edits[i]()
	}
	return e
}

func drawOutcome(t *rapid.T) decide.Outcome {
	return rapid.SampledFrom([]decide.Outcome{
		{},
		exit1,
		{Failure: job.WhySignal, Result: job.Result{Signal: 9}},
		{Returned: job.WhyStop},
		{Failure: job.WhyTimeout, Result: job.Result{Signal: 15, Timeout: time.Second}},
		{Failure: job.WhyError, Result: job.Result{Tail: "no such host"}},
		{Failure: job.WhyStop},
	}).Draw(t, "outcome")
}

// check holds the invariants of all three states.
func (q *sequence) check(t *rapid.T) {
	q.agree()
	q.after.check(t, q.Jobs)
	var waiting []job.Schedule
	counts := q.Jobs.Counts()
	seen := counts
	now := q.at.Time
	ready := map[job.Position]int64{}
	held, heldWaiting := 0, 0
	var deadline int64
	active := map[string][]projection.Brief{}
	for j := range q.Jobs.List(projection.Filter{}) {
		b, _ := q.Jobs.Brief(j.Key)
		counts[j.State]--
		if j.State.Waiting() || j.State == job.Processing {
			active[j.Spec.UniqueKey] = append(active[j.Spec.UniqueKey], b)
		}
		due, was := q.ready[j.Key]
		if b.Held {
			held++
		}
		if !b.State.Waiting() {
			continue
		}
		if b.Deadline != 0 && (deadline == 0 || b.Deadline < deadline) {
			deadline = b.Deadline
		}
		if b.Held || b.Parents > 0 {
			heldWaiting++
			continue
		}
		if b.Schedule.Due <= now || was && due == b.Schedule.Due {
			ready[j.Key] = b.Schedule.Due
			waiting = append(waiting, b.Schedule)
		}
	}
	// What is due while its queue or its key holds it back is not looked at, and may not be due any more when the
	// clock was set back meanwhile: here it is looked at when it is let go.
	waiting = slices.DeleteFunc(waiting, func(s job.Schedule) bool {
		held := q.queues.holds(q.world, &s) != ""
		if due, was := q.ready[s.Key]; held && (!was || due != s.Due) && s.Due != 0 {
			delete(ready, s.Key)
		}
		return held
	})
	q.ready = ready
	if len(active["strict"]) > 1 {
		t.Fatalf("%d jobs have a key that one alone may have", len(active["strict"]))
	}
	if counts != (projection.Counts{}) {
		t.Fatalf("counts %v are not those of the jobs: %v", seen, counts)
	}
	for name, s := range map[string]*decide.State{"lived": q.State, "raw": q.raw, "decoded": q.decoded} {
		if got := s.Jobs.Held(); got != held {
			t.Fatalf("%s: %d jobs are held, want %d", name, got, held)
		}
		for _, key := range []string{"strict", "any"} {
			if got := s.Jobs.ActiveWithKey(key); !slices.Equal(got, active[key]) {
				t.Fatalf("%s: %v are active with key %s, want %v", name, got, key, active[key])
			}
		}
		if want := seen[job.Pending] + seen[job.Failed] - heldWaiting; s.Timeline.Len() != want {
			t.Fatalf("%s: %d jobs in the timeline, %d wait", name, s.Timeline.Len(), want)
		}
		if got, _ := s.Jobs.NextDeadline(); got != deadline {
			t.Fatalf("%s: the next deadline is %d, want %d", name, got, deadline)
		}
		var want job.Position
		if len(waiting) > 0 {
			want = slices.MinFunc(waiting, func(a, b job.Schedule) int {
				return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Key, b.Key))
			}).Key
		}
		if key, _ := s.Timeline.Next(now, all); key != want {
			t.Fatalf("%s: job %d is next, want %d", name, key, want)
		}
	}
}

// rank is when a job that is due became so.
func rank(s job.Schedule) int64 {
	if s.Due == 0 {
		return s.Rank
	}
	return s.Due
}

func TestRules_AnySequenceOfCommandsKeepsTheInvariants(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		q := &sequence{world: newWorld(t), ready: map[job.Position]int64{}, queues: newQueuesModel(), after: newAfterModel()}
		q.LimitCascade(rapid.SampledFrom([]int{0, 1, 2}).Draw(t, "jobs in a commit"))
		started := 0
		start := func(t *rapid.T) {
			started++
			e := &job.WorkerStarted{ID: fmt.Sprint("w", started%4), Slots: 1, Shell: true, Queues: []string{"default"}}
			events, err := decide.StartWorker(q.State, q.at, e)
			q.do(t, events, err)
		}
		start(t)
		t.Repeat(map[string]func(*rapid.T){
			"enqueue": func(t *rapid.T) {
				q.at.Rand = rapid.Uint64().Draw(t, "rand")
				specs := rapid.SliceOfN(rapid.Custom(drawSpec), 1, 4).Draw(t, "specs")
				events, err := decide.Enqueue(q.State, q.at, specs, rapid.Bool().Draw(t, "skip existing"))
				q.do(t, events, err)
			},
			"claim": func(t *rapid.T) {
				lanes := rapid.SampledFrom([]scheduler.Lanes{all, {Shell: true}, {Queues: []string{"other"}, Kinds: all.Kinds}}).Draw(t, "lanes")
				events, err := decide.Claim(q.State, q.at, q.drawWorker(t), lanes)
				q.do(t, events, err)
			},
			"finish": func(t *rapid.T) {
				o := drawOutcome(t)
				o.Job, o.Run = q.drawRun(t)
				events, err := decide.Finish(q.State, q.at, o, 0)
				q.do(t, events, err)
			},
			"run lost": func(t *rapid.T) {
				key, run := q.drawRun(t)
				events, err := decide.RunLost(q.State, q.at, key, run)
				q.do(t, events, err)
			},
			"expire": func(t *rapid.T) {
				events, err := decide.Expire(q.State, q.at)
				q.do(t, events, err)
			},
			"retry": func(t *rapid.T) {
				events, err := decide.Retry(q.State, q.at, drawIDs(t), rapid.Bool().Draw(t, "only dead"))
				q.do(t, events, err)
			},
			"cancel": func(t *rapid.T) {
				events, err := decide.Cancel(q.State, q.at, drawIDs(t))
				q.do(t, events, err)
			},
			"hold": func(t *rapid.T) {
				events, err := decide.Hold(q.State, q.at, drawIDs(t))
				q.do(t, events, err)
			},
			"release": func(t *rapid.T) {
				events, err := decide.Release(q.State, q.at, drawIDs(t))
				q.do(t, events, err)
			},
			"act": func(t *rapid.T) {
				a := rapid.SampledFrom([]decide.Action{
					decide.Cancelling(), decide.Retrying(decide.Retries{Keep: rapid.Bool().Draw(t, "keep")}), decide.Holding(), decide.Releasing(), decide.Editing(drawEdit(t)), decide.Purging(), decide.Clearing(0),
				}).Draw(t, "action")
				a.Every = time.Duration(rapid.IntRange(0, 2).Draw(t, "every")) * time.Second
				words := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "all", "last", "1-20"}), 0, 2).Draw(t, "words")
				f := projection.Filter{Queue: rapid.SampledFrom([]string{"", "other"}).Draw(t, "queue")}
				sel, err := q.Jobs.Select(words, f, projection.Filter{States: a.States, Held: a.Held})
				if err != nil {
					return
				}
				c := decide.Chosen{Keys: sel.Keys, Filter: &sel.Filter}
				acted, err := decide.Act(q.State, q.at, a, c)
				if err == nil && !sel.Named && len(acted.Jobs) != len(sel.Keys) {
					t.Fatalf("of %v only %v were acted on", sel.Keys, acted.Jobs)
				}
				q.do(t, acted.Events, err)
			},
			"kill": func(t *rapid.T) {
				events, err := decide.Kill(q.State, q.at, drawIDs(t), rapid.Int32Range(0, 15).Draw(t, "signal"))
				q.do(t, events, err)
			},
			"config": func(t *rapid.T) {
				key := rapid.SampledFrom([]string{"max_retries", "max_crashes", "queue_max", "unknown"}).Draw(t, "key")
				if rapid.Bool().Draw(t, "unset") {
					events, err := decide.UnsetConfig(q.State, q.at, key)
					q.do(t, events, err)
					return
				}
				events, err := decide.SetConfig(q.State, q.at, key, rapid.SampledFrom([]string{"0", "1", "5", "x"}).Draw(t, "value"))
				q.do(t, events, err)
			},
			"pause": func(t *rapid.T) {
				events, err := decide.PauseQueues(q.State, q.at, drawQueues(t))
				q.do(t, events, err)
			},
			"resume": func(t *rapid.T) {
				events, err := decide.ResumeQueues(q.State, q.at, drawQueues(t))
				q.do(t, events, err)
			},
			"limit": func(t *rapid.T) {
				limits := drawLimits(t)
				events, err := decide.LimitQueue(q.State, q.at, rapid.SampledFrom(modelQueues).Draw(t, "queue"), func(l *job.Limits) { *l = limits })
				q.do(t, events, err)
			},
			"cascade": func(t *rapid.T) {
				events, err := decide.Cascade(q.State, q.at)
				q.do(t, events, err)
			},
			"worker starts": start,
			"worker stops": func(t *rapid.T) {
				rule := decide.WorkerLost
				if rapid.Bool().Draw(t, "in good order") {
					rule = func(s *decide.State, at job.At, worker job.Position) ([]job.Event, error) {
						return decide.StopWorker(s, at, worker, "signal")
					}
				}
				events, err := rule(q.State, q.at, q.drawWorker(t))
				q.do(t, events, err)
			},
			"stop requested": func(t *rapid.T) {
				ids := rapid.SampledFrom([][]string{nil, {"w1"}, {"w2", "w3"}}).Draw(t, "ids")
				events, err := decide.RequestStop(q.State, q.at, ids, rapid.Bool().Draw(t, "now"))
				q.do(t, events, err)
			},
			"time passes": func(t *rapid.T) {
				// A step back of less than a second leaves open what was open.
				seconds := rapid.OneOf(rapid.IntRange(-5, -2), rapid.IntRange(0, 20)).Draw(t, "seconds")
				q.pass(time.Duration(seconds) * time.Second)
				q.do(t, decide.Clock(q.State, q.at), nil)
			},
			"": q.check,
		})
	})
}

// TestRules_RareSpecsSurviveTheLog folds specs with every field in the three ways.
func TestRules_RareSpecsSurviveTheLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(decide.Enqueue(w.State, w.at, []job.Spec{{
		ID: "full", Argv: []string{"make", "", "-j4"}, Queue: "builds", Priority: -3, Delay: time.Hour,
		Timeout: new(time.Minute), MaxRetries: new(uint32(9)), BackoffBase: new(1.5), BackoffMax: new(time.Hour),
		BackoffJitter: new(0.25), OnCrash: job.CrashDead, Env: map[string]string{"B": "2", "A": "1"}, Cwd: "/src",
		Stdin: "@in", Tags: map[string]string{"z": "", "a": "ö"}, CreatedAt: noon.AddDate(-1, 0, 0),
		Extra: []byte(`{"owner":"ann"}`),
	}}, false))
	w.agree()
	j := w.job("full")
	if !j.CreatedAt.Equal(noon.AddDate(-1, 0, 0)) || j.Spec.Env["B"] != "2" || len(j.Spec.Argv) != 3 ||
		j.CallerDir != "/home/ann" || j.CallerPath != "/bin" || !j.NextAttemptAt.Equal(noon.Add(time.Hour)) {
		t.Errorf("%+v", j)
	}
}
