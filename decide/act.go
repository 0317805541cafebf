package decide

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
)

// Action is what a command does to each of the jobs that it is about. The functions that return one say which
// jobs it is for.
type Action struct {
	// States are those that a job may be in.
	States []job.State
	Held   bool // only held ones
	// Every spreads the jobs over time: the first is due at once, each other so long after the one before it.
	// 0 = all at once. Only a retry knows it.
	Every time.Duration

	want    string // who may be acted on, for a refusal
	running string // the same about a job that is processing; "" = want
	// rule returns nil for a job about which there is nothing to do, a *StateError without an ID for one that it
	// is not for.
	rule func(s *State, b *projection.Brief, t *turn) (job.Event, error)
}

// turn is what a rule knows beside the job.
type turn struct {
	now   int64
	due   int64             // when the job may run first; 0 = at once
	moved map[string]int    // jobs that this commit has brought into other queues, by queue
	back  map[string]string // ids of jobs that it has brought back, by unique key; nil = none
}

// Chosen are the jobs that an [Action] is about.
type Chosen struct {
	Keys []job.Position // each once
	// Filter is nil if the jobs were named: then all are acted on or none. Otherwise one that it does not select
	// any more, or that the action is not for, is left out.
	Filter *projection.Filter
	Done   int   // jobs that the action came to in earlier commits …
	Since  int64 // … the first of which was at this time (Unix nanoseconds). 0 = there was none
}

// Acted is what [Act] decided.
type Acted struct {
	Events []job.Event
	Jobs   []job.Position // that were acted on, also those about which there was nothing to do
}

// Act decides what an action does to jobs, and what that means for those that come after them. Errors, of named jobs
// only: job.ErrNotFound, a *StateError, or what else the action refuses one by.
func Act(s *State, at job.At, a Action, c Chosen) (Acted, error) {
	acted := Acted{Jobs: make([]job.Position, 0, len(c.Keys)), Events: make([]job.Event, 0, len(c.Keys))}
	t := turn{now: at.Time, moved: map[string]int{}}
	since := c.Since
	if since == 0 {
		since = at.Time
	}
	for _, key := range c.Keys {
		if c.Filter != nil && !s.Jobs.Selects(c.Filter, key) {
			continue
		}
		t.due = 0
		if n := c.Done + len(acted.Jobs); a.Every > 0 && n > 0 {
			t.due = spread(since, a.Every, n)
		}
		e, err := a.about(s, key, &t)
		switch {
		case err != nil && c.Filter != nil && leavesOut(err):
			continue
		case err != nil:
			return Acted{}, err
		case e != nil:
			acted.Events = append(acted.Events, e)
		}
		acted.Jobs = append(acted.Jobs, key)
	}
	acted.Events = cascade(s, at, joinPurged(acted.Events))
	return acted, nil
}

// leavesOut says that a refusal is about how one job stands, and not about the command.
func leavesOut(err error) bool {
	return errors.Is(err, job.ErrWrongState) || errors.Is(err, job.ErrNotFound) || errors.Is(err, job.ErrDuplicate)
}

// about asks the rule about one job.
func (a *Action) about(s *State, key job.Position, t *turn) (job.Event, error) {
	b, known := s.Jobs.Brief(key)
	if !known {
		return nil, fmt.Errorf("job at position %d: %w", key, job.ErrNotFound)
	}
	var e job.Event
	err := error(nil)
	if slices.Contains(a.States, b.State) {
		e, err = a.rule(s, &b, t)
	} else {
		err = a.refusal(b.State)
	}
	if refused, ok := errors.AsType[*StateError](err); ok {
		refused.ID = s.Jobs.ID(key)
	}
	return e, err
}

func (a *Action) refusal(state job.State) error {
	if state == job.Processing && a.running != "" {
		return &StateError{State: state, Want: a.running}
	}
	return &StateError{State: state, Want: a.want}
}

// spread returns when the n-th of jobs that come one after another is due.
func spread(since int64, every time.Duration, n int) int64 {
	const most = job.MaxDuration
	if int64(n) > int64(most/every) {
		return later(since, most)
	}
	return later(since, time.Duration(n)*every)
}

// byID is Act about jobs that are named by their ids.
func byID(s *State, at job.At, a Action, ids []string) ([]job.Event, error) {
	c := Chosen{Keys: make([]job.Position, 0, len(ids))}
	seen := make(map[job.Position]bool, len(ids))
	for _, id := range ids {
		key := s.Jobs.Key(id)
		if key == 0 {
			return nil, fmt.Errorf("job %q: %w", id, job.ErrNotFound)
		}
		if !seen[key] {
			seen[key] = true
			c.Keys = append(c.Keys, key)
		}
	}
	acted, err := Act(s, at, a, c)
	return acted.Events, err
}
