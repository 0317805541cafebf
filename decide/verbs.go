package decide

import (
	"fmt"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
)

// Retry brings jobs back to pending, due at once, with attempts and crashes at 0: dead ones and, unless
// onlyDead, failed ones, which wait for their next attempt. All or none; an id that is given twice
// counts once. Errors: job.ErrNotFound, or a *StateError for a job in another state.
func Retry(s *State, _ job.At, ids []string, onlyDead bool) ([]job.Event, error) {
	return each(s, ids, func(id string, b *projection.Brief) (job.Event, error) {
		if b.State == job.Dead || b.State == job.Failed && !onlyDead {
			return job.JobRetried{Job: b.Key, From: b.State, Reset: true}, nil
		}
		want := "only dead and failed jobs can be retried"
		if onlyDead {
			want = "only dead jobs can be retried"
		}
		return nil, &StateError{ID: id, State: b.State, Want: want}
	})
}

// Cancel withdraws jobs, all or none: those that wait at once; for one that runs it asks the worker to
// end the run (TERM, then KILL), and the job is cancelled then. Nothing is asked a second time. An id
// that is given twice counts once. Errors: job.ErrNotFound, or a *StateError for a job that has ended.
func Cancel(s *State, _ job.At, ids []string) ([]job.Event, error) {
	return each(s, ids, func(id string, b *projection.Brief) (job.Event, error) {
		switch {
		case b.State.Waiting():
			return &job.JobCancelled{Job: b.Key}, nil
		case b.State == job.Processing && b.CancelAsked:
			return nil, nil
		case b.State == job.Processing:
			return job.KillRequested{Job: b.Key, Run: b.Run, Signal: sigTerm, Cancel: true}, nil
		}
		return nil, &StateError{ID: id, State: b.State, Want: "only pending, failed and processing jobs can be cancelled"}
	})
}

// Numbers of signals, on all systems that we run on.
const (
	sigTerm   = 15
	maxSignal = 64
)

// Kill asks for the end of the current run of each job, all or none. An id that is given twice counts
// once. Errors: job.ErrInvalid for a signal outside 1–64, job.ErrNotFound, or a *StateError for a job
// that is not processing.
func Kill(s *State, _ job.At, ids []string, signal int32) ([]job.Event, error) {
	if signal < 1 || signal > maxSignal {
		return nil, fmt.Errorf("signal %d: %w: must be 1 to %d", signal, job.ErrInvalid, maxSignal)
	}
	return each(s, ids, func(id string, b *projection.Brief) (job.Event, error) {
		if b.State != job.Processing {
			return nil, &StateError{ID: id, State: b.State, Want: "only processing jobs can be killed"}
		}
		return job.KillRequested{Job: b.Key, Run: b.Run, Signal: signal}, nil
	})
}

// each asks the rule for each job once, and returns its events or the first refusal. The rule returns
// nil for a job about which there is nothing to do.
func each(s *State, ids []string, rule func(id string, b *projection.Brief) (job.Event, error)) ([]job.Event, error) {
	var events []job.Event
	seen := make(map[job.Position]bool, len(ids))
	for _, id := range ids {
		b, known := s.Jobs.Brief(s.Jobs.Key(id))
		if !known {
			return nil, fmt.Errorf("job %q: %w", id, job.ErrNotFound)
		}
		if seen[b.Key] {
			continue
		}
		seen[b.Key] = true
		e, err := rule(id, &b)
		if err != nil {
			return nil, err
		}
		if e != nil {
			events = append(events, e)
		}
	}
	return events, nil
}

// SetConfig changes a setting to what value says, in its canonical form. There is no event if it is set
// to that already. Errors: job.ErrUnknownKey, job.ErrInvalid.
func SetConfig(s *State, _ job.At, key, value string) ([]job.Event, error) {
	config := s.Jobs.Config()
	canonical, err := config.Set(key, value)
	if err != nil {
		return nil, err
	}
	old, err := setting(s, key)
	if err != nil || old == canonical {
		return nil, err
	}
	return []job.Event{job.ConfigSet{Key: key, Old: old, New: canonical}}, nil
}

// UnsetConfig takes a setting back to its default. There is no event if it is not set. Error:
// job.ErrUnknownKey.
func UnsetConfig(s *State, _ job.At, key string) ([]job.Event, error) {
	old, err := setting(s, key)
	if err != nil || old == "" {
		return nil, err
	}
	return []job.Event{job.ConfigUnset{Key: key, Old: old}}, nil
}

// setting returns the canonical text that key is set to, "" if it is not set.
func setting(s *State, key string) (string, error) {
	config := s.Jobs.Config()
	text, err := config.Text(key)
	if err != nil || !s.Jobs.IsSet(key) {
		return "", err
	}
	return text, nil
}

// Ripe returns what [Forget] takes, of a state at a position: the jobs of one final state that ended at or
// before until (Unix nanoseconds); see projection.Ripe. It looks at all jobs of that state. Error:
// job.ErrInvalid for a state that is not final.
func Ripe(s *State, state job.State, until, now int64) ([]job.JobsForgotten, error) {
	if !state.Ended() {
		return nil, fmt.Errorf("forget %v jobs: %w: only completed, dead and cancelled jobs have ended", state, job.ErrInvalid)
	}
	return s.Jobs.Ripe(state, until, now), nil
}

// Forget lets jobs leave the state, as [Ripe] has found them in the state at an earlier position. Error:
// job.ErrStale if one of the jobs that had ended then was brought back or forgotten meanwhile.
func Forget(s *State, _ job.At, since job.Position, ripe []job.JobsForgotten) ([]job.Event, error) {
	if !s.Jobs.Settled(since) {
		return nil, fmt.Errorf("forget jobs as of position %d: %w", since, job.ErrStale)
	}
	events := make([]job.Event, len(ripe))
	for i, e := range ripe {
		events[i] = e
	}
	return events, nil
}
