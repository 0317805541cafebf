package queuetest

import (
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// Shrink returns the shortest log that it finds by taking events out of a recorded one, so that the log still
// leads to a state that is bad, and every event of it still follows from those before. Taking out any one event
// of the result, with those that rest on it, gives a log that leads to no bad state. It returns nil if no state
// of the log is bad.
//
// It first cuts the log off after the first bad state. Then it takes out whole jobs, and then events, many at a
// time at first and then fewer (delta debugging: Zeller and Hildebrandt, Simplifying and Isolating
// Failure-Inducing Input, 2002). bad is asked after every event of the log, and once for each attempt to make it
// shorter, with the state at the end. It must give the same answer for the same state.
func Shrink(log Log, bad func(queue.View) bool) Log {
	records := untilBad(log.Records(), bad)
	if records == nil {
		return nil
	}
	s := shrinker{records: records, bad: bad}
	s.reduce(func(r queue.Record) job.Position {
		if _, ok := r.Event.(*job.JobEnqueued); ok {
			return r.At.Position
		}
		return job.Of(r.Event)
	})
	for before := -1; before != len(s.records); { // less may be needed for what is left
		before = len(s.records)
		s.reduce(func(r queue.Record) job.Position { return r.At.Position })
	}
	if len(s.records) == 0 {
		return Log{} // the state before the first event is bad
	}
	return logOf(s.records)
}

// untilBad returns the log up to its first bad state, nil if there is none.
func untilBad(records []queue.Record, bad func(queue.View) bool) []queue.Record {
	fold := queue.NewFold()
	for i, r := range records {
		if fold.Take(r) == nil && bad(fold.View) {
			return records[:i+1]
		}
	}
	return nil
}

// shrinker holds the shortest log so far.
type shrinker struct {
	records []queue.Record
	bad     func(queue.View) bool
}

// reduce takes out groups of events as long as that is possible. Events of group 0 stay.
func (s *shrinker) reduce(groupOf func(queue.Record) job.Position) {
	for size := len(s.groups(groupOf)); size > 0; size /= 2 {
		for from := 0; ; {
			groups := s.groups(groupOf)
			if from >= len(groups) {
				break
			}
			out := map[job.Position]bool{}
			for _, g := range groups[from:min(from+size, len(groups))] {
				out[g] = true
			}
			if !s.without(func(r queue.Record) bool { return out[groupOf(r)] }) {
				from += size // else what follows is there now
			}
		}
	}
}

// groups lists the groups in the order of their first events.
func (s *shrinker) groups(groupOf func(queue.Record) job.Position) (groups []job.Position) {
	seen := map[job.Position]bool{0: true}
	for _, r := range s.records {
		if g := groupOf(r); !seen[g] {
			seen[g] = true
			groups = append(groups, g)
		}
	}
	return groups
}

// without takes events out, and those that do not fit then, if the state at the end is bad still.
func (s *shrinker) without(out func(queue.Record) bool) bool {
	fold := queue.NewFold()
	var kept []queue.Record
	for _, r := range s.records {
		if !out(r) && fold.Take(r) == nil {
			kept = append(kept, r)
		}
	}
	if !s.bad(fold.View) {
		return false
	}
	s.records = kept
	return true
}
