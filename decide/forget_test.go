package decide_test

import (
	"errors"
	"testing"
	"time"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/job"
)

// dead makes a job that is dead.
func (w *world) dead(worker job.Position, id string) {
	w.Helper()
	w.must(decide.Enqueue(w.State, w.at, []job.Spec{{ID: id, Command: "false", MaxRetries: new(uint32)}}, false))
	w.run(worker, exit1)
}

func TestForget_TakesWhatEndedBeforeAMoment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	worker := w.worker("w1")
	w.dead(worker, "old")
	until := w.at.Time
	w.pass(time.Hour)
	w.dead(worker, "young")
	since := w.Jobs.Position()
	ripe, err := decide.Ripe(w.State, job.Dead, until, w.at.Time)
	if err != nil || len(ripe) != 1 || ripe[0].Jobs != 1 {
		t.Fatalf("ripe are %+v, %v", ripe, err)
	}
	w.must(decide.Forget(w.State, w.at, since, ripe))
	if w.Jobs.Key("old") != 0 || w.Jobs.Key("young") == 0 {
		t.Error("the wrong one was forgotten")
	}
	w.agree()
	// Its id can be given again.
	w.must(decide.Enqueue(w.State, w.at, []job.Spec{{ID: "old", Command: "true"}}, false))
	if _, err := decide.Ripe(w.State, job.Pending, until, w.at.Time); !errors.Is(err, job.ErrInvalid) {
		t.Errorf("pending jobs: %v, want ErrInvalid", err)
	}
}

// A clock that was wrong for a while neither keeps what is old nor takes what is new.
func TestForget_GoesByPositionsWhenClocksAreWrong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	worker := w.worker("w1")
	w.dead(worker, "before")
	w.at.Time += int64(80 * 365 * 24 * time.Hour) // a visit to the future
	w.dead(worker, "future")
	w.at.Time = noon.Add(time.Hour).UnixNano()
	w.dead(worker, "after")
	w.pass(time.Hour)
	ripe, err := decide.Ripe(w.State, job.Dead, w.at.Time-int64(30*time.Minute), w.at.Time)
	if err != nil || len(ripe) != 1 || ripe[0].Jobs != 3 {
		t.Errorf("old are %+v, %v; want all three", ripe, err)
	}
	ripe, err = decide.Ripe(w.State, job.Dead, noon.Add(time.Minute).UnixNano(), w.at.Time)
	if err != nil || len(ripe) != 1 || ripe[0].Jobs != 1 {
		t.Errorf("old are %+v, %v; want the first alone", ripe, err)
	}
}

func TestForget_IsRefusedWhenAJobCameBackMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	worker := w.worker("w1")
	w.dead(worker, "a")
	w.dead(worker, "b")
	since := w.Jobs.Position()
	ripe, err := decide.Ripe(w.State, job.Dead, w.at.Time, w.at.Time)
	if err != nil {
		t.Fatal(err)
	}
	w.must(decide.Retry(w.State, w.at, []string{"a"}, true))
	if _, err := decide.Forget(w.State, w.at, since, ripe); !errors.Is(err, job.ErrStale) {
		t.Errorf("with a job that came back: %v, want ErrStale", err)
	}
	since = w.Jobs.Position()
	if ripe, err = decide.Ripe(w.State, job.Dead, w.at.Time, w.at.Time); err != nil {
		t.Fatal(err)
	}
	w.must(decide.Forget(w.State, w.at, since, ripe))
	if _, err := decide.Forget(w.State, w.at, since, ripe); !errors.Is(err, job.ErrStale) {
		t.Errorf("a second time: %v, want ErrStale", err)
	}
}
