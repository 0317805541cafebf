package projection_test

import (
	"errors"
	"testing"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
)

var noon = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// history folds events a second apart, at positions from 1 on.
type history struct {
	*projection.Projection
	at job.At // of the next event
}

func newHistory() *history {
	return &history{
		Projection: projection.New(),
		at:         job.At{Position: 1, Time: noon.UnixNano(), Actor: &job.Actor{User: "ann", Host: "h", PID: 7, Dir: "/home", Path: "/bin"}},
	}
}

// add folds the events and returns the position of the last one.
func (h *history) add(events ...job.Event) job.Position {
	for _, e := range events {
		h.Fold(h.at, e)
		h.at.Position++
		h.at.Time += int64(time.Second)
	}
	return h.at.Position - 1
}

func enqueued(id string) *job.JobEnqueued {
	return &job.JobEnqueued{Spec: job.Spec{ID: id, Command: "true", MaxRetries: new(uint32(3))}}
}

func enqueuedIn(id, queue string) *job.JobEnqueued {
	e := enqueued(id)
	e.Spec.Queue = queue
	return e
}

func workerStarted(id string) *job.WorkerStarted {
	return &job.WorkerStarted{ID: id, Slots: 2, Shell: true, Queues: []string{"default"}}
}

// misfit returns the *MisfitError that folding e panics with, nil if it does not.
func (h *history) misfit(t *testing.T, e job.Event) (misfit *projection.MisfitError) {
	t.Helper()
	before := h.AppendCanonical(nil)
	defer func() {
		err, _ := recover().(error)
		if errors.As(err, &misfit) && string(h.AppendCanonical(nil)) != string(before) {
			t.Errorf("%T does not fit and has changed the state", e)
		}
	}()
	h.Fold(h.at, e)
	return nil
}
