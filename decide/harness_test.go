package decide_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/scheduler"
)

// noon is when the tests' logs begin.
var noon = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// all serves every job of the tests.
var all = scheduler.Lanes{Shell: true, Kinds: []string{"mail"}}

// tester is what testing.T and rapid.T have in common.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

// world is a log with its state, kept in three ways that must agree.
type world struct {
	tester
	*decide.State               // lived through: decided and folded
	raw           *decide.State // folded from bytes
	decoded       *decide.State // decoded and folded
	at            job.At        // of the next event
}

func newWorld(t tester) *world {
	w := &world{
		tester: t, State: decide.NewState(), raw: decide.NewState(), decoded: decide.NewState(),
		at: job.At{
			Position: 1, Time: noon.UnixNano(), Rand: 7,
			Actor: &job.Actor{User: "ann", Host: "h", PID: 1, Dir: "/home/ann", Path: "/bin"},
		},
	}
	w.fold([]job.Event{job.LogCreated{LogID: [16]byte{1, 2, 3}, Format: 1, Level: 1}})
	return w
}

// fold folds events in all three ways. They are one commit.
func (w *world) fold(events []job.Event) {
	w.Helper()
	for _, e := range events {
		data := job.AppendEvent(nil, e)
		w.State.Fold(w.at, e)
		if err := w.raw.FoldRaw(w.at, job.KindOf(e), data); err != nil {
			w.Fatalf("FoldRaw: %v", err)
		}
		again, err := job.DecodeEvent(job.KindOf(e), data)
		if err != nil {
			w.Fatalf("DecodeEvent: %v", err)
		}
		w.decoded.Fold(w.at, again)
		w.at.Position++
	}
}

// agree compares the three.
func (w *world) agree() {
	w.Helper()
	want := w.Jobs.AppendCanonical(nil)
	if got := w.raw.Jobs.AppendCanonical(nil); !bytes.Equal(got, want) {
		w.Fatalf("the state folded from bytes differs from the one lived through")
	}
	if got := w.decoded.Jobs.AppendCanonical(nil); !bytes.Equal(got, want) {
		w.Fatalf("the state folded from decoded events differs from the one lived through")
	}
}

// must folds what a rule decided, which must not be a refusal, and returns it.
func (w *world) must(events []job.Event, err error) []job.Event {
	w.Helper()
	if err != nil {
		w.Fatalf("refused: %v", err)
	}
	w.fold(events)
	return events
}

func (w *world) pass(d time.Duration) { w.at.Time += int64(d) }

// enqueue adds shell jobs with these ids.
func (w *world) enqueue(ids ...string) {
	w.Helper()
	specs := make([]job.Spec, len(ids))
	for i, id := range ids {
		specs[i] = job.Spec{ID: id, Command: "true"}
	}
	w.must(decide.Enqueue(w.State, w.at, specs, false))
}

// worker starts a worker with this id and returns its key.
func (w *world) worker(id string) job.Position {
	w.Helper()
	w.must(decide.StartWorker(w.State, w.at, &job.WorkerStarted{ID: id, Slots: 2, Shell: true}))
	return w.at.Position - 1
}

// claim begins the run of the next due job and returns both.
func (w *world) claim(worker job.Position) (key, run job.Position) {
	w.Helper()
	events := w.must(decide.Claim(w.State, w.at, worker, all))
	return events[0].(job.JobClaimed).Job, w.at.Position - 1
}

// run begins and ends a run of the next due job.
func (w *world) run(worker job.Position, o decide.Outcome) []job.Event {
	w.Helper()
	o.Job, o.Run = w.claim(worker)
	return w.must(decide.Finish(w.State, w.at, o, 0))
}

func (w *world) job(id string) job.Job {
	w.Helper()
	j, ok := w.Jobs.Job(w.Jobs.Key(id))
	if !ok {
		w.Fatalf("no job %q", id)
	}
	return j
}

// exit1 is the outcome of `exit 1`.
var exit1 = decide.Outcome{Failure: job.WhyExit, Result: job.Result{Exit: 1, Tail: "boom\n"}}

// refused checks that a rule refused with want and decided nothing.
func refused(t *testing.T, events []job.Event, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
	if len(events) != 0 {
		t.Errorf("a refusal with %d events", len(events))
	}
}

// nothing checks that a rule saw nothing to do.
func nothing(t *testing.T, events []job.Event, err error) {
	t.Helper()
	if err != nil || len(events) != 0 {
		t.Errorf("%d events, error %v; want neither", len(events), err)
	}
}

func kinds(events []job.Event) (kinds []job.Kind) {
	for _, e := range events {
		kinds = append(kinds, job.KindOf(e))
	}
	return kinds
}

func wantKinds(t *testing.T, events []job.Event, want ...job.Kind) {
	t.Helper()
	if got := kinds(events); !slices.Equal(got, want) {
		t.Errorf("events %v, want %v", got, want)
	}
}
