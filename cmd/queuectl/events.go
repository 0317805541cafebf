package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// eventView is an event as JSON.
type eventView struct {
	Position job.Position   `json:"position"`
	Time     time.Time      `json:"time"`
	Kind     string         `json:"kind"`
	Job      *string        `json:"job"`
	Data     map[string]any `json:"data"`
	Actor    actorView      `json:"actor"`
	Reason   *string        `json:"reason"`
}

type actorView struct {
	User    string `json:"user"`
	Host    string `json:"host"`
	PID     uint32 `json:"pid"`
	Program string `json:"program"`
}

func viewActor(a *job.Actor) actorView {
	return actorView{User: a.User, Host: a.Host, PID: a.PID, Program: a.Program}
}

// story is an event together with the id of the job that it is about, "" if it is about none.
type story struct {
	queue.Record
	id string
}

func viewEvent(e story) any {
	v := eventView{
		Position: e.At.Position, Time: e.At.When(), Kind: job.KindOf(e.Event).String(), Job: optional(e.id), Data: eventData(e.Event),
	}
	if a := e.At.Actor; a != nil {
		v.Actor = viewActor(a)
		v.Reason = optional(a.Reason)
	}
	return v
}

// storyByColumn is the column of storyTable that says who wrote an event, where the table is of many jobs.
const storyByColumn = 4

// storyTable shows events to people, with the jobs that they are about; those of one job as its biography. Times
// are those of the clock on the wall, because a history is compared with other histories.
func storyTable(ofOneJob bool) func(*session, []story) table {
	if ofOneJob {
		return biography
	}
	return func(_ *session, events []story) table {
		t := table{header: []string{"POSITION", "WHEN", "JOB", "EVENT", "BY", "DETAILS"}, spare: []string{"BY", "POSITION", "WHEN"}}
		for _, e := range events {
			what, details := eventWords(e.Event)
			t.add(
				text(fmt.Sprint(e.At.Position)), text(clockTime(e.At.When())), text(e.id), text(what),
				text(byWords(e.At.Actor)), text(withReason(details, e.At.Actor)),
			)
		}
		return t
	}
}

// byWords says who wrote an event.
func byWords(a *job.Actor) string {
	if a == nil {
		return ""
	}
	return fmt.Sprintf("%s@%s %d", a.User, a.Host, a.PID)
}

// withReason adds why it was done, if somebody said so.
func withReason(details string, a *job.Actor) string {
	if a == nil || a.Reason == "" {
		return details
	}
	return strings.TrimPrefix(details+", because: "+a.Reason, ", ")
}

// eventWords says in words what happened, and the details that differ from case to case.
func eventWords(e job.Event) (what, details string) {
	switch e := e.(type) {
	case job.LogCreated:
		return "log created", fmt.Sprintf("id %x", e.LogID)
	case job.LogRepaired:
		details := fmt.Sprintf("%s cut from %s at %d (%s)", size(e.Size), e.Segment, e.Offset, e.Verdict)
		if e.Accepted != "" {
			details += fmt.Sprintf(", %s lost, accepted by %s", count(int(e.Events), "event"), e.Accepted)
		}
		return "log repaired", details
	case job.ClockStepped:
		return "clock stepped back", fmt.Sprintf("by %v", time.Duration(e.From-e.To))
	case job.LogRestored:
		return "log restored", fmt.Sprintf("from a backup of %s, up to commit %d", time.Unix(0, e.Backup).Local().Format(time.DateTime), e.Commit)
	case job.ArchivePruned:
		return "log pruned", fmt.Sprintf("events %d to %d", e.From, e.To)
	case job.ConfigSet:
		return "config set", fmt.Sprintf("%s = %s", e.Key, e.New)
	case job.ConfigUnset:
		return "config unset", e.Key
	case *job.JobEnqueued:
		return "enqueued", commandLine(e.Spec)
	case job.JobClaimed:
		return "started", fmt.Sprintf("worker %d", e.Worker)
	case *job.JobCompleted:
		return "completed", resultWords(job.WhyNone, e.Result)
	case *job.JobFailed:
		return "failed", fmt.Sprintf("%s, next attempt %s later", resultWords(e.Why, e.Result), roughly(time.Duration(e.NextAttemptAt-e.Result.End)))
	case *job.JobDied:
		if e.Parent != 0 {
			return "dead", fmt.Sprintf("its parent, job %d, ended in another way than it should", e.Parent)
		}
		return "dead", strings.Trim(whyWords(e.Why)+", "+resultWords(e.Failure, e.Result), ", ")
	case job.RunLost:
		return "worker lost", fmt.Sprintf("worker %d", e.Worker)
	case job.RunReturned:
		if e.Why == job.WhySnooze {
			return "snoozed", "until " + time.Unix(0, e.Due).Local().Format(time.DateTime)
		}
		return "given back", whyWords(e.Why)
	case job.JobRetried:
		return "retried", "was " + e.From.String() + unless(e.Reset, ", attempts count on") + unless(!e.DeadlineLifted, ", its deadline no longer holds")
	case *job.JobCancelled:
		if e.Parent != 0 {
			return "cancelled", fmt.Sprintf("its parent, job %d, ended in another way than it should", e.Parent)
		}
		return "cancelled", ""
	case job.KillRequested:
		if e.Cancel {
			return "cancel requested", ""
		}
		return "kill requested", fmt.Sprintf("signal %d", e.Signal)
	case job.JobHeld:
		return "held", ""
	case job.JobReleased:
		return "released", ""
	case *job.JobEdited:
		return "edited", editWords(e)
	case job.JobsForgotten:
		return "jobs forgotten", fmt.Sprintf("%s of queue %s, through position %d", count(int(e.Jobs), e.State.String()+" job"), e.Queue, e.Through)
	case *job.JobsPurged:
		return "jobs purged", count(len(e.Jobs), "job")
	case *job.WorkerStarted:
		return "worker started", fmt.Sprintf("%s, %s", e.ID, count(int(e.Slots), "slot"))
	case job.WorkerStopped:
		return "worker stopped", fmt.Sprintf("worker %d, %s", e.Worker, e.Why)
	case job.StopRequested:
		return "stop requested", stopWords(e)
	case job.WorkerLost:
		return "worker lost", fmt.Sprintf("worker %d", e.Worker)
	case job.QueuePaused:
		return "queue paused", "queue " + e.Queue
	case job.QueueResumed:
		return "queue resumed", "queue " + e.Queue
	case job.QueueLimited:
		return "queue limited", fmt.Sprintf("queue %s, concurrency %s, rate %s", e.Queue, e.Limits().ConcurrencyText(), e.Limits().RateText())
	case *job.CronAdded:
		return "schedule added", fmt.Sprintf("%s: %s %s, %s", e.New.Name, e.New.Schedule, e.New.Zone, commandLine(e.New.Job))
	case *job.CronChanged:
		return cronChangedWords(e)
	case job.CronRemoved:
		return "schedule removed", fmt.Sprintf("schedule %d", e.Cron)
	case job.CronTicked:
		return tickWords(e)
	case job.Unknown:
		return "unknown", fmt.Sprintf("kind %d, written by a newer program", e.Number)
	}
	panic(fmt.Sprintf("cmd: event %T has no words", e))
}

func stopWords(e job.StopRequested) string {
	words := "all workers"
	if e.Worker != 0 {
		words = fmt.Sprintf("worker %d", e.Worker)
	}
	if e.Now {
		words += ", now"
	}
	return words
}

// resultWords says how a run ended, and after which time.
func resultWords(why job.Why, r job.Result) string {
	words := exitWords(why, r)
	if words != "" && r.End > r.Start {
		words += " after " + threeDigits(time.Duration(r.End-r.Start))
	}
	return words
}

// exitWords says how a run ended, "" if nobody saw it.
func exitWords(why job.Why, r job.Result) string {
	switch {
	case why == job.WhyTimeout:
		return "timeout"
	case why == job.WhyError:
		return "error"
	case r.Signal != 0:
		return fmt.Sprintf("signal %d", r.Signal)
	case why == job.WhyNone && r.End == 0:
		return ""
	}
	return fmt.Sprintf("exit %d", r.Exit)
}

// threeDigits prints a duration to three digits.
func threeDigits(d time.Duration) string {
	unit := time.Duration(1)
	for unit*1000 <= d {
		unit *= 10
	}
	return d.Round(unit).String()
}

func whyWords(why job.Why) string {
	switch why {
	case job.WhyExit: // of a death: see dead_on
		return "not retried after that exit code"
	case job.WhySignal:
		return "signal"
	case job.WhyTimeout:
		return "timeout"
	case job.WhyRetries:
		return "no retries left"
	case job.WhyCrashes:
		return "its workers died too often"
	case job.WhyOnCrash:
		return "its worker died"
	case job.WhyStop:
		return "the worker was told to stop now"
	case job.WhyError:
		return "error"
	case job.WhyDeadline:
		return "its deadline has passed"
	case job.WhySnooze:
		return "it asked to be run later"
	case job.WhyNotStarted:
		return "the machine could not start it"
	}
	return ""
}
