package decide

import (
	"fmt"

	"github.com/queuectl/queuectl/job"
)

// StartWorker makes a worker known; its key is the event's position. Errors: job.ErrInvalid for a
// worker without an id, without slots, or that serves neither shell jobs nor a kind; job.ErrWrongState
// if a worker of that id is known.
func StartWorker(s *State, _ job.At, e *job.WorkerStarted) ([]job.Event, error) {
	switch {
	case e.ID == "":
		return nil, fmt.Errorf("worker without an id: %w", job.ErrInvalid)
	case e.Slots == 0:
		return nil, fmt.Errorf("worker %q with 0 slots: %w: must be 1 or more", e.ID, job.ErrInvalid)
	case !e.Shell && len(e.Kinds) == 0:
		return nil, fmt.Errorf("worker %q serves neither shell jobs nor a kind: %w", e.ID, job.ErrInvalid)
	}
	if _, known := s.Jobs.WorkerByID(e.ID); known {
		return nil, fmt.Errorf("worker %q has started already: %w", e.ID, job.ErrWrongState)
	}
	return []job.Event{e}, nil
}

// StopWorker ends a worker in good order. Errors: job.ErrNoWorker if it is not known, job.ErrWrongState
// if it still has runs.
func StopWorker(s *State, _ job.At, worker job.Position, why string) ([]job.Event, error) {
	if err := idle(s, worker); err != nil {
		return nil, err
	}
	return []job.Event{job.WorkerStopped{Worker: worker, Why: why}}, nil
}

// WorkerLost forgets a worker whose process is gone, after [RunLost] has ended its runs. Errors:
// job.ErrNoWorker if it is not known, job.ErrWrongState if it still has runs.
func WorkerLost(s *State, _ job.At, worker job.Position) ([]job.Event, error) {
	if err := idle(s, worker); err != nil {
		return nil, err
	}
	return []job.Event{job.WorkerLost{Worker: worker}}, nil
}

func idle(s *State, worker job.Position) error {
	w, known := s.Jobs.Worker(worker)
	if !known {
		return fmt.Errorf("worker %d: %w", worker, job.ErrNoWorker)
	}
	if n := len(w.Running); n > 0 {
		return fmt.Errorf("worker %q still has %d runs: %w", w.ID, n, job.ErrWrongState)
	}
	return nil
}

// RequestStop asks workers to stop, all or none: those with the ids, or all that started before if none
// is given. With now they end the running commands too. There is no event for a worker that was asked
// for as much before. Error: job.ErrNoWorker for an id that is not known.
func RequestStop(s *State, _ job.At, ids []string, now bool) ([]job.Event, error) {
	asked := func(w *job.Worker) bool { return w.Stopping && (w.StopNow || !now) }
	if len(ids) == 0 {
		for w := range s.Jobs.Workers() {
			if !asked(&w) {
				return []job.Event{job.StopRequested{Now: now}}, nil
			}
		}
		return nil, nil
	}
	var events []job.Event
	seen := make(map[job.Position]bool, len(ids))
	for _, id := range ids {
		key, known := s.Jobs.WorkerByID(id)
		if !known {
			return nil, fmt.Errorf("worker %q: %w", id, job.ErrNoWorker)
		}
		w, _ := s.Jobs.Worker(key)
		if !seen[key] && !asked(&w) {
			events = append(events, job.StopRequested{Worker: key, Now: now})
		}
		seen[key] = true
	}
	return events, nil
}
