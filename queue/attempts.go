package queue

import (
	"time"

	"github.com/queuectl/queuectl/job"
)

// Attempt is one run of a job, as its events tell of it.
type Attempt struct {
	Run    job.Position // its number: the position of its start
	Number uint32       // 1 = the first since the enqueue or the last retry that reset; a lost run counts for none
	Worker job.Position // that ran it …
	By     *job.Actor   // … and its process

	Due     time.Time     // since when it could have begun
	Started time.Time     // its claim
	Ended   time.Time     // zero = it is under way
	Waited  time.Duration // from Due to Started, 0 if a clock was set back meanwhile
	Took    time.Duration // of the command, by the worker's clock; 0 while it is under way

	Outcome Outcome
	Why     job.Why    // how it failed, or why it was given back; WhyNone = neither
	Died    job.Why    // Outcome died: why the job was not to be tried again
	Result  job.Result // zero if the worker saw no end of it
	Next    time.Time  // Outcome failed, and returned because of a snooze: not before then the next attempt; else zero
}

// Outcome is how an attempt ended. Values are only ever added.
type Outcome string

// The outcomes.
const (
	OutcomeRunning   Outcome = "running" // it has not ended
	OutcomeCompleted Outcome = "completed"
	OutcomeFailed    Outcome = "failed"    // and there will be a next attempt
	OutcomeDied      Outcome = "dead"      // and there will be none
	OutcomeLost      Outcome = "lost"      // its worker died
	OutcomeReturned  Outcome = "returned"  // its worker gave it back, which counts as nothing
	OutcomeCancelled Outcome = "cancelled" // it was ended because the job was cancelled
)

// Attempts returns the runs that the events of one job tell of, oldest first; see [Queue.History]. Run 0 does
// not occur: of events that begin in the middle of a job's life, the run under way is left out.
func Attempts(records []Record) []Attempt {
	var attempts []Attempt
	var due time.Time
	number := uint32(1)
	for _, r := range records {
		when := r.At.When()
		switch e := r.Event.(type) {
		case *job.JobEnqueued:
			if due = when; e.Due != 0 {
				due = instant(e.Due)
			}
		case job.JobRetried:
			if due = when; e.Due != 0 {
				due = instant(e.Due)
			}
			if e.Reset {
				number = 1
			}
		case *job.JobEdited:
			if due = dueAfter(e, due, when); e.Has(job.FieldDue) && len(attempts) > 0 {
				attempts[len(attempts)-1].Next = due
			}
		case job.JobClaimed:
			attempts = append(attempts, Attempt{
				Run: r.At.Position, Number: number, Worker: e.Worker, By: r.At.Actor,
				Due: due, Started: when, Waited: max(0, when.Sub(due)), Outcome: OutcomeRunning,
			})
		default:
			if len(attempts) == 0 || attempts[len(attempts)-1].Outcome != OutcomeRunning {
				continue
			}
			a := &attempts[len(attempts)-1]
			a.end(r)
			if a.Outcome == OutcomeRunning {
				continue // it was only asked to end
			}
			if due = when; !a.Next.IsZero() {
				due = a.Next
			}
			if a.Outcome == OutcomeFailed || a.Outcome == OutcomeDied && a.Why != job.WhyNone {
				number++
			}
		}
	}
	return attempts
}

// dueAfter returns when a job is due after an edit.
func dueAfter(e *job.JobEdited, due, when time.Time) time.Time {
	switch {
	case !e.Has(job.FieldDue):
		return due
	case e.New.Due == 0:
		return when
	}
	return instant(e.New.Due)
}

// end takes the event that ends the attempt, if it does.
func (a *Attempt) end(r Record) {
	switch e := r.Event.(type) {
	case *job.JobCompleted:
		a.Outcome, a.Result = OutcomeCompleted, e.Result
	case *job.JobFailed:
		a.Outcome, a.Why, a.Result, a.Next = OutcomeFailed, e.Why, e.Result, instant(e.NextAttemptAt)
	case *job.JobDied:
		a.Outcome, a.Why, a.Died, a.Result = OutcomeDied, e.Failure, e.Why, e.Result
	case job.RunLost:
		a.Outcome = OutcomeLost
	case job.RunReturned:
		if a.Outcome, a.Why = OutcomeReturned, e.Why; e.Due != 0 {
			a.Next = instant(e.Due)
		}
	case *job.JobCancelled:
		a.Outcome, a.Result = OutcomeCancelled, e.Result
	default:
		return
	}
	a.Ended = r.At.When()
	if a.Took = max(0, a.Ended.Sub(a.Started)); a.Result.End != 0 {
		a.Took = time.Duration(a.Result.End - a.Result.Start)
	}
}

func instant(nanoseconds int64) time.Time { return time.Unix(0, nanoseconds).UTC() }
