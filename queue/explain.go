package queue

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
)

// Explanation is why a job is where it is, and how it came there.
type Explanation struct {
	Job   job.Job
	Hooks []job.Job // that its ends have become: see [View.Hooks]
	From  Place     // the last event that it rests on
	Now   time.Time // the moment that it is about
	// Next is the earliest time at which the job can run next, Now if it is due; zero if nothing will run it
	// unless a person asks for it.
	Next    time.Time
	Reasons []Reason // why it is where it is, the most important first
	Story   []Reason // how it came there: its runs that did not succeed, and what people did, oldest first
}

// Reason is one of them. Its Code says which of the other fields are set.
type Reason struct {
	Code    Code
	Event   *Record      // that says so; nil = nothing in the log does, it is so now
	Until   time.Time    // when it will be over
	Ahead   int          // due jobs that come first …
	First   []Ahead      // … and the first few of them, in the order in which they will run
	Workers []WorkerInfo // that it is about
	Jobs    []string     // ids of the jobs that it is about …
	Parents []Relative   // … and how they are, of parents

	said job.Position // of the event that says so, if that is not about the job; 0 = see quote
}

// Ahead is a due job that comes before another.
type Ahead struct {
	ID       string
	Priority int32
	Since    time.Time // when it became due: among jobs of one priority, the earliest is first
}

// Code says what a reason is. Codes are only ever added.
type Code string

// Why a job waits.
const (
	CodeHeld      Code = "held"                // somebody holds it: Event. It is said of a job that runs, too
	CodeParents   Code = "waiting_for_parents" // Jobs and Parents have those that have not ended as they should. Event
	CodeScheduled Code = "scheduled"           // it was enqueued for a later time: Event, Until
	CodeSnoozed   Code = "snoozed"             // its last run asked to be run later: Event, Until
	CodeBackoff   Code = "backoff"             // it failed, and the time of its next attempt has not come: Event, Until
	CodeNoWorker  Code = "no_worker"           // no worker lives
	CodeNotServed Code = "not_served"          // Workers live, but none of them serves its queue and kind
	CodeStopping  Code = "workers_stopping"    // Workers would serve it, but were asked to stop
	CodeBusy      Code = "all_busy"            // all slots of the Workers that serve it are taken
	CodeBehind    Code = "behind"              // others come first: Ahead, First
	CodeTurn      Code = "its_turn"            // one of Workers will claim it at once

	CodePaused      Code = "queue_paused"      // its queue is paused: Event
	CodeConcurrency Code = "concurrency_limit" // as many jobs of its queue run as may: Event is the limit, Jobs has those that run
	CodeRate        Code = "rate_limit"        // its queue has begun as many jobs as may be: Event is the limit, Until when it may begin one more
	CodeKeyTaken    Code = "concurrency_key"   // another job of its concurrency key runs: Jobs has it
)

// Why a job is where it is otherwise.
const (
	CodeRunning       Code = "running"            // Event is the claim; Workers has the one that runs it
	CodeKillRequested Code = "kill_requested"     // its run was asked to end: Event
	CodeWorkerDead    Code = "worker_dead"        // Workers has the one that ran it, which is dead: it will be put back. Event is the claim
	CodeCompleted     Code = "completed"          // Event
	CodeRetriesUsedUp Code = "retries_used_up"    // dead: it failed once more than max_retries says. Event
	CodeExitCode      Code = "exit_code_is_final" // dead: its spec says that it is not to be retried after that exit code. Event
	CodeCrashes       Code = "crashed_too_often"  // dead: its workers died more often than the setting max_crashes says. Event
	CodeOnCrash       Code = "crashed"            // dead: its worker died, or had to stop, and it must not run twice. Event
	CodeDependency    Code = "parent_failed"      // dead: a job that it comes after ended in another way than it should. Event
	CodeDeadline      Code = "deadline_passed"    // dead: its deadline came before it could run, or run again. Event
	CodeCancelled     Code = "cancelled"          // Event
)

// How a job came where it is. Each is about an Event.
const (
	CodeFailed   Code = "attempt_failed"
	CodeLost     Code = "run_lost"     // its worker died; it was due again at once
	CodeReturned Code = "run_returned" // its worker gave it back, which counts as nothing
	CodeRetried  Code = "retried"      // by a person: its attempts count from 0 again
	CodeEdited   Code = "edited"       // by a person
)

// Explain says why the job with this id is where it is. It reads the log from the job's beginning. Error:
// job.ErrNotFound; of a damaged log a *eventlog.CorruptError beside what the sound part explains.
func (q *Queue) Explain(ctx context.Context, id string) (e Explanation, err error) {
	workers, err := q.Workers(ctx)
	if err != nil {
		return Explanation{}, err
	}
	viewErr := q.view(ctx, func(s *decide.State) {
		e, err = View{s}.explain(id, q.opt.Now(), workers)
	})
	if viewErr != nil {
		err = viewErr
	}
	if err != nil {
		return Explanation{}, err
	}
	records, err := q.History(ctx, id)
	e.quote(records)
	return e, cmp.Or(err, e.quoteOthers(ctx, q.reader))
}

// Explain says why the job with this id was where it was, where the Replay stands, at the moment now: what is
// due depends on it. Of the workers it knows what the log knew. Errors as of [Queue.Explain].
func (r *Replay) Explain(ctx context.Context, id string, now time.Time) (Explanation, error) {
	e, err := r.View.explain(id, now, r.Workers())
	if err != nil {
		return Explanation{}, err
	}
	records, err := r.History(ctx, id)
	e.quote(records)
	return e, cmp.Or(err, e.quoteOthers(ctx, r.open))
}

// quoteOthers adds the events that are not about the job. They are read where they are.
func (e *Explanation) quoteOthers(ctx context.Context, open openLog) error {
	for i := range e.Reasons {
		reason := &e.Reasons[i]
		if reason.said == 0 {
			continue
		}
		past := biographer{open: open, through: reason.said}
		err := past.read(ctx, reason.said, func(at job.At, raw eventlog.Event) error {
			if at.Position != reason.said {
				return nil
			}
			event, err := job.DecodeEvent(job.Kind(raw.Kind), raw.Data)
			reason.Event = &Record{At: at, Event: event}
			return err
		})
		if err != nil && !errors.Is(err, eventlog.ErrPruned) { // then it can be said without the event
			return err
		}
	}
	return nil
}

// quote adds the events of the job: those that the reasons rest on, and how it came there. They may be newer
// than the state.
func (e *Explanation) quote(records []Record) {
	last := map[Code]*Record{}
	var timed *Record // the last event that gave the job a time
	for i := range records {
		r := &records[i]
		if r.At.Position > e.From.Position {
			break
		}
		if givesTime(r.Event) {
			timed = r
		}
		code := codeOf(r.Event)
		switch last[code] = r; code {
		case CodeFailed, CodeLost, CodeReturned, CodeSnoozed, CodeRetried, CodeEdited, CodeRetriesUsedUp, CodeExitCode, CodeCrashes, CodeOnCrash, CodeDeadline, CodeDependency:
			e.Story = append(e.Story, Reason{Code: code, Event: r})
		}
	}
	for i := range e.Reasons {
		reason := &e.Reasons[i]
		if reason.Code == CodeSnoozed && timed != nil && codeOf(timed.Event) != CodeSnoozed {
			reason.Code = CodeScheduled // somebody gave it another time, or had it retried later
		}
		code := reason.Code
		switch code {
		case CodeParents:
			reason.Event = last[CodeScheduled] // the enqueue
			continue
		case CodeBackoff:
			code = CodeFailed
		case CodeWorkerDead:
			code = CodeRunning
		}
		reason.Event = last[code]
		later := timed != nil && reason.Event != nil && timed.At.Position > reason.Event.At.Position
		if code == CodeScheduled || code == CodeSnoozed || code == CodeFailed && later {
			reason.Event = timed
		}
		if reason.Event == nil || len(e.Story) == 0 {
			continue
		}
		if end := len(e.Story) - 1; e.Story[end].Event == reason.Event {
			e.Story = e.Story[:end] // it is said already
		}
	}
}

// givesTime says that an event decided when its job may run first.
func givesTime(e job.Event) bool {
	switch e := e.(type) {
	case *job.JobEnqueued:
		return e.Due != 0
	case job.JobRetried:
		return e.Due != 0
	case job.RunReturned:
		return e.Due != 0
	case *job.JobEdited:
		return e.Has(job.FieldDue) && e.New.Due != 0
	}
	return false
}

// codeOf says what an event can be a reason for, "" if for nothing.
func codeOf(e job.Event) Code {
	switch e := e.(type) {
	case *job.JobEnqueued:
		return CodeScheduled
	case job.JobClaimed:
		return CodeRunning
	case *job.JobFailed:
		return CodeFailed
	case job.RunLost:
		return CodeLost
	case job.RunReturned:
		if e.Why == job.WhySnooze {
			return CodeSnoozed
		}
		return CodeReturned
	case job.JobRetried:
		return CodeRetried
	case *job.JobEdited:
		return CodeEdited
	case job.KillRequested:
		return CodeKillRequested
	case job.JobHeld:
		return CodeHeld
	case *job.JobCompleted:
		return CodeCompleted
	case *job.JobCancelled:
		return CodeCancelled
	case *job.JobDied:
		return codeOfDeath(e.Why)
	}
	return ""
}

func codeOfDeath(why job.Why) Code {
	switch why {
	case job.WhyCrashes:
		return CodeCrashes
	case job.WhyOnCrash:
		return CodeOnCrash
	case job.WhyDependency:
		return CodeDependency
	case job.WhyExit:
		return CodeExitCode
	case job.WhyDeadline:
		return CodeDeadline
	}
	return CodeRetriesUsedUp
}
