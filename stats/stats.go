// Package stats sums up the events of a log: how many of which kind, when, how large, and how long jobs have
// waited and run.
//
// It promises:
//
//   - The same events give the same statistics: it is a pure fold, without a clock.
//   - Memory does not grow with the number of events, but with the number of jobs that have not ended, of
//     queues and of kinds.
//   - Counts, sums and maxima are exact, quantiles within 0.4 % of a value that occurred.
//
// A fold may begin anywhere in a log. Of jobs that were enqueued before, it counts what can be told.
package stats

import (
	"time"

	"github.com/queuectl/queuectl/job"
)

// Record is an event as Stats takes it.
type Record struct {
	At    job.At
	Event job.Event
	Queue string // of the job that the event is about; "" = it is about none
	Size  int    // of the event in the log, bytes
}

// Stats sums up events. The zero Stats has seen none. Not safe for concurrent use.
type Stats struct {
	// First and Last are the places of the first and the last event, in the order of the log.
	First, Last job.At
	Commits     uint64
	Bytes       uint64 // of the commits, with all that is around their events
	Kinds       map[job.Kind]Tally
	Queues      map[string]*Queue // by name

	rates rates
	jobs  map[job.Position]progress // that have not ended
}

// Tally is the sum of some events.
type Tally struct {
	Events uint64
	Bytes  uint64
}

// Queue sums up the jobs of one queue.
type Queue struct {
	Enqueued, Completed, Dead, Cancelled uint64 // jobs
	Started, Failed, Lost                uint64 // runs: all, those that failed, those whose worker died
	// Waiting is the time from when a job was due to the claim of its run, by the wall clocks of those who wrote
	// the events; a clock that was set back between counts as no time. In nanoseconds.
	Waiting Histogram
	// Running is how long runs took that ended, well or not. In nanoseconds.
	Running Histogram
	// Attempts is how many runs a job needed from its enqueue, or from when it was retried after it was dead,
	// until it was completed or dead.
	Attempts Histogram
}

// progress is what is known of a job that has not ended.
type progress struct {
	due   int64 // Unix nanoseconds, since when it waits; 0 = not known, or it runs
	runs  uint32
	whole bool // all its runs were seen
}

// Commit takes a commit of this many bytes, before or after its events.
func (s *Stats) Commit(bytes int) {
	s.Commits++
	s.Bytes += uint64(bytes)
}

// Fold takes the next event.
func (s *Stats) Fold(r Record) {
	if s.Kinds == nil {
		s.Kinds, s.Queues, s.jobs = make(map[job.Kind]Tally), make(map[string]*Queue), make(map[job.Position]progress)
		s.First = r.At
	}
	s.Last = r.At
	kind := job.KindOf(r.Event)
	s.Kinds[kind] = Tally{s.Kinds[kind].Events + 1, s.Kinds[kind].Bytes + uint64(r.Size)}
	span := s.rates.at(r.At.Time)
	span.Events++
	if r.Queue == "" {
		return
	}
	q := s.Queues[r.Queue]
	if q == nil {
		q = &Queue{}
		s.Queues[r.Queue] = q
	}
	q.count(r.Event, span)
	s.follow(q, r)
}

// count takes what an event says by itself.
func (q *Queue) count(e job.Event, span *Span) {
	switch e := e.(type) {
	case *job.JobEnqueued:
		q.Enqueued++
		span.Enqueued++
	case job.JobClaimed:
		q.Started++
		span.Started++
	case *job.JobCompleted:
		q.Completed++
		span.Completed++
		q.ran(e.Result)
	case *job.JobFailed:
		q.Failed++
		span.Failed++
		q.ran(e.Result)
	case *job.JobDied:
		q.Dead++
		span.Failed++
		switch {
		case e.Run == 0: // it waited
			return
		case e.Failure == job.WhyNone:
			q.Lost++
			return
		}
		q.Failed++
		q.ran(e.Result)
	case job.RunLost:
		q.Lost++
		span.Failed++
	case *job.JobCancelled:
		q.Cancelled++
		q.ran(e.Result)
	}
}

// ran takes how a run ended, if there was one.
func (q *Queue) ran(r job.Result) {
	if r.Start != 0 {
		q.Running.Add(r.End - r.Start)
	}
}

// follow takes what an event says together with those before it.
func (s *Stats) follow(q *Queue, r Record) {
	key := job.Of(r.Event)
	j := s.jobs[key]
	switch e := r.Event.(type) {
	case *job.JobEnqueued:
		key = r.At.Position
		j = progress{due: max(e.Due, r.At.Time), whole: true}
	case job.JobClaimed:
		if j.due != 0 {
			q.Waiting.Add(r.At.Time - j.due)
		}
		j.due = 0
		j.runs++
	case *job.JobFailed:
		j.due = e.NextAttemptAt
	case job.RunLost:
		j.due = r.At.Time
	case job.RunReturned:
		j.due = max(r.At.Time, e.Due)
	case job.JobRetried:
		if e.From == job.Dead {
			j.whole = true // its runs count anew
		}
		j.due = max(e.Due, r.At.Time)
	case *job.JobEdited:
		if !e.Has(job.FieldDue) {
			return
		}
		j.due = max(e.New.Due, r.At.Time)
	case *job.JobCompleted, *job.JobDied:
		if j.whole {
			q.Attempts.Add(int64(j.runs))
		}
		delete(s.jobs, key)
		return
	case *job.JobCancelled:
		delete(s.jobs, key)
		return
	default:
		return
	}
	s.jobs[key] = j
}

// Rates returns what happened over time, in spans of equal width from the first to the last time that an
// event has: no more than 120 of them.
func (s *Stats) Rates() (spans []Span, width time.Duration) { return s.rates.list(), s.rates.width() }

// Total sums up the jobs of all queues.
func (s *Stats) Total() *Queue {
	var t Queue
	for _, q := range s.Queues {
		t.Enqueued += q.Enqueued
		t.Completed += q.Completed
		t.Dead += q.Dead
		t.Cancelled += q.Cancelled
		t.Started += q.Started
		t.Failed += q.Failed
		t.Lost += q.Lost
		t.Waiting.Merge(&q.Waiting)
		t.Running.Merge(&q.Running)
		t.Attempts.Merge(&q.Attempts)
	}
	return &t
}
