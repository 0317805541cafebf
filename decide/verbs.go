package decide

import (
	"fmt"
	"slices"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
)

// Retries are preferences of [Retrying]. The zero value retries dead jobs, and failed ones without waiting for their next
// attempt, all at once, with attempts and crashes from 0 again.
type Retries struct {
	OnlyDead bool
	// Keep leaves attempts and crashes as they are: a job that has used them up runs once more.
	Keep  bool
	Every time.Duration // as of [Action]
}

// Retrying brings jobs back to pending. A deadline that has passed by then is lifted: who retries by hand wants the job
// to run. A dead one whose unique key another job has by now is refused with a *DuplicateError.
func Retrying(r Retries) Action {
	a := Action{States: []job.State{job.Failed, job.Dead}, Every: r.Every, want: "only dead and failed jobs can be retried"}
	if r.OnlyDead {
		a.States, a.want = []job.State{job.Dead}, "only dead jobs can be retried"
	}
	a.rule = func(s *State, b *projection.Brief, t *turn) (job.Event, error) {
		lifted := b.Deadline != 0 && b.Deadline <= max(t.now, t.due)
		if b.State == job.Dead {
			if err := t.checkUnique(s, b); err != nil {
				return nil, err
			}
		}
		return job.JobRetried{Job: b.Key, From: b.State, Reset: !r.Keep, Due: t.due, DeadlineLifted: lifted}, nil
	}
	return a
}

// Retry is [Retrying] of the jobs with these ids, all or none; an id that is given twice counts once. Errors:
// job.ErrNotFound, or a *StateError for a job in another state.
func Retry(s *State, at job.At, ids []string, onlyDead bool) ([]job.Event, error) {
	return byID(s, at, Retrying(Retries{OnlyDead: onlyDead}), ids)
}

// Cancelling withdraws jobs: those that wait at once; for one that runs it asks the worker to end the run (TERM,
// then KILL), and the job is cancelled then. Nothing is asked a second time.
func Cancelling() Action {
	return Action{
		States: []job.State{job.Pending, job.Failed, job.Processing},
		want:   "only pending, failed and processing jobs can be cancelled",
		rule: func(_ *State, b *projection.Brief, _ *turn) (job.Event, error) {
			switch {
			case b.State.Waiting():
				return &job.JobCancelled{Job: b.Key}, nil
			case b.CancelAsked:
				return nil, nil
			}
			return job.KillRequested{Job: b.Key, Run: b.Run, Signal: sigTerm, Cancel: true}, nil
		},
	}
}

// Cancel is [Cancelling] of the jobs with these ids, all or none. An id that is given twice counts once. Errors:
// job.ErrNotFound, or a *StateError for a job that has ended.
func Cancel(s *State, at job.At, ids []string) ([]job.Event, error) {
	return byID(s, at, Cancelling(), ids)
}

// Holding keeps jobs from being claimed until they are released. A run that is under way goes on; if the job waits
// after it, it is held then. About a job that is held there is nothing to do.
func Holding() Action {
	return Action{
		States: []job.State{job.Pending, job.Failed, job.Processing},
		want:   "only pending, failed and processing jobs can be held",
		rule: func(_ *State, b *projection.Brief, _ *turn) (job.Event, error) {
			if b.Held {
				return nil, nil
			}
			return job.JobHeld{Job: b.Key}, nil
		},
	}
}

// Hold is [Holding] of the jobs with these ids, all or none. Errors: job.ErrNotFound, or a *StateError for a job
// that has ended.
func Hold(s *State, at job.At, ids []string) ([]job.Event, error) {
	return byID(s, at, Holding(), ids)
}

// Releasing ends the hold of jobs: they are claimed again when their time has come, in the order that they would
// have had.
func Releasing() Action {
	const want = "only held jobs can be released"
	return Action{
		States: []job.State{job.Pending, job.Failed, job.Processing}, Held: true, want: want,
		rule: func(_ *State, b *projection.Brief, _ *turn) (job.Event, error) {
			if !b.Held {
				return nil, &StateError{State: b.State, Want: want}
			}
			return job.JobReleased{Job: b.Key}, nil
		},
	}
}

// Release is [Releasing] of the jobs with these ids, all or none. Errors: job.ErrNotFound, or a *StateError for a
// job that is not held.
func Release(s *State, at job.At, ids []string) ([]job.Event, error) {
	return byID(s, at, Releasing(), ids)
}

// Numbers of signals, on all systems that we run on.
const (
	sigTerm   = 15
	maxSignal = 64
)

// Killing asks for the end of the current runs of jobs. Error: job.ErrInvalid for a signal outside 1–64.
func Killing(signal int32) (Action, error) {
	if signal < 1 || signal > maxSignal {
		return Action{}, fmt.Errorf("signal %d: %w: must be 1 to %d", signal, job.ErrInvalid, maxSignal)
	}
	return Action{
		States: []job.State{job.Processing}, want: "only processing jobs can be killed",
		rule: func(_ *State, b *projection.Brief, _ *turn) (job.Event, error) {
			return job.KillRequested{Job: b.Key, Run: b.Run, Signal: signal}, nil
		},
	}, nil
}

// Kill is [Killing] of the jobs with these ids, all or none. An id that is given twice counts once. Errors:
// job.ErrInvalid, job.ErrNotFound, or a *StateError for a job that is not processing.
func Kill(s *State, at job.At, ids []string, signal int32) ([]job.Event, error) {
	a, err := Killing(signal)
	if err != nil {
		return nil, err
	}
	return byID(s, at, a, ids)
}

// Purging lets dead jobs leave the state, as [Forget] does, but singly. It is one event for all of them.
func Purging() Action {
	return Action{
		States: []job.State{job.Dead}, want: "only dead jobs can be purged",
		rule: func(_ *State, b *projection.Brief, _ *turn) (job.Event, error) {
			return &job.JobsPurged{Jobs: []job.Position{b.Key}}, nil
		},
	}
}

// Clearing lets jobs that have ended leave the state as [Purging] does: those that had ended at or before a time (Unix
// nanoseconds), 0 = whenever that was.
func Clearing(until int64) Action {
	return Action{
		States: []job.State{job.Completed, job.Dead, job.Cancelled}, want: "only completed, dead and cancelled jobs can be forgotten",
		rule: func(s *State, b *projection.Brief, _ *turn) (job.Event, error) {
			if until != 0 {
				if j, _ := s.Jobs.Job(b.Key); j.FinishedAt.UnixNano() > until {
					return nil, &StateError{State: b.State, Want: "it ended later than that"}
				}
			}
			return &job.JobsPurged{Jobs: []job.Position{b.Key}}, nil
		},
	}
}

// joinPurged makes one event of those that [Purging] and [Clearing] have about one job each.
func joinPurged(events []job.Event) []job.Event {
	if len(events) == 0 || job.KindOf(events[0]) != job.KindJobsPurged {
		return events
	}
	all := &job.JobsPurged{Jobs: make([]job.Position, len(events))}
	for i, e := range events {
		all.Jobs[i] = e.(*job.JobsPurged).Jobs[0]
	}
	slices.Sort(all.Jobs)
	return []job.Event{all}
}

// SetConfig changes a setting to what value says, in its canonical form. There is no event if it is set
// to that already, and the empty value is the default of those that may have it. Errors: job.ErrUnknownKey, job.ErrInvalid.
func SetConfig(s *State, at job.At, key, value string) ([]job.Event, error) {
	config := s.Jobs.Config()
	canonical, err := config.Set(key, value)
	if err != nil {
		return nil, err
	}
	if canonical == "" {
		return UnsetConfig(s, at, key)
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
