package main

import (
	"fmt"
	"strings"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// reasonWords says in words why a job is where it is.
func reasonWords(s *session, e *queue.Explanation, r *queue.Reason) string {
	spec := e.Job.Spec
	words := ""
	switch r.Code {
	case queue.CodeHeld:
		words = strings.TrimSuffix("it is held"+byWhom(r), ", ") + unless(e.Job.State != job.Processing, "; its run goes on")
	case queue.CodeScheduled:
		words = "its time comes " + s.when(r.Until)
	case queue.CodeParents:
		words = "it comes after " + parentsWords(r.Parents) + unless(e.Next.IsZero(), "; its time comes "+s.when(e.Next))
	case queue.CodeDependency:
		words = fmt.Sprintf("it died %s because a job that it comes after had not ended as it should: %s", s.when(e.Job.FinishedAt), e.Job.LastError)
	case queue.CodeSnoozed:
		words = "its last run asked to be run later, " + s.when(r.Until)
	case queue.CodeBackoff:
		words = fmt.Sprintf("its last attempt failed%s; attempt %s comes %s", lastErrorWords(e.Job), ofAll(e.Job, 1), s.when(r.Until))
	case queue.CodeNoWorker:
		words = "no worker is running"
	case queue.CodeNotServed:
		words = fmt.Sprintf("%s, but none serves %s", running(r.Workers), laneWords(spec))
	case queue.CodeStopping:
		words = fmt.Sprintf("%s stopping and claim nothing more: %s", isAre(len(r.Workers), "the worker that serves it is", "the workers that serve it are"), workerIDs(r.Workers))
	case queue.CodeBusy:
		words = fmt.Sprintf("all slots that it could run in are taken: %s", busyWords(r.Workers))
	case queue.CodeBehind:
		words = behindWords(s, r)
	case queue.CodeTurn:
		words = fmt.Sprintf("it is the first in line, and a slot is free: %s", workerIDs(r.Workers))
	case queue.CodePaused:
		words = fmt.Sprintf("its queue %s is paused%s", queueName(spec), byWhom(r))
	case queue.CodeConcurrency:
		words = fmt.Sprintf("its queue %s runs as many jobs as it may: %s", queueName(spec), strings.Join(r.Jobs, ", "))
	case queue.CodeRate:
		words = fmt.Sprintf("its queue %s has begun as many jobs as it may%s; the next may begin %s", queueName(spec), rateWords(r), s.when(r.Until))
	case queue.CodeKeyTaken:
		words = fmt.Sprintf("another job with its concurrency key %q runs: %s", spec.ConcurrencyKey, strings.Join(r.Jobs, ", "))
	case queue.CodeRunning:
		words = runningWords(s, e, r)
	case queue.CodeKillRequested:
		words = killWords(r)
	case queue.CodeWorkerDead:
		words = fmt.Sprintf("it was running when its worker %s died; the next worker to look puts it back", workerIDs(r.Workers))
	case queue.CodeCompleted:
		words = strings.TrimSuffix("it completed "+s.when(e.Job.FinishedAt)+", "+endWords(r), ", ")
	case queue.CodeCancelled:
		words = strings.TrimSuffix("it was cancelled "+s.when(e.Job.FinishedAt)+byWhom(r), ", ")
	case queue.CodeRetriesUsedUp:
		words = fmt.Sprintf("attempt %s failed %s%s: no retries are left", ofAll(e.Job, 0), s.when(e.Job.FinishedAt), lastErrorWords(e.Job))
	case queue.CodeExitCode:
		words = fmt.Sprintf("attempt %s failed %s%s, and it is not to be retried after that exit code", ofAll(e.Job, 0), s.when(e.Job.FinishedAt), lastErrorWords(e.Job))
	case queue.CodeCrashes:
		words = fmt.Sprintf("its workers died %s while it ran, the last %s: more often than max_crashes allowed", times(e.Job.Crashes), s.when(e.Job.FinishedAt))
	case queue.CodeOnCrash:
		words = fmt.Sprintf("its worker died or had to stop %s while it ran, and it is not to be begun twice (on_crash is dead)", s.when(e.Job.FinishedAt))
	case queue.CodeDeadline:
		words = deadlineWords(s, e)
	default:
		words = string(r.Code) // of a newer package
	}
	return plain(words)
}

// deadlineWords says why a job died of its deadline.
func deadlineWords(s *session, e *queue.Explanation) string {
	words := "its deadline was " + s.when(e.Job.Spec.Deadline)
	if e.Job.Runs == 0 {
		return words + ", and no run of it had begun by then"
	}
	return words + fmt.Sprintf(": attempt %s%s, and none could follow in time", ofAll(e.Job, 0), unless(e.Job.LastError == "", " failed"+lastErrorWords(e.Job)))
}

// ofAll names an attempt: that which failed last, or the next one.
func ofAll(j job.Job, next uint32) string {
	return fmt.Sprintf("%d of %d", j.Attempts+next, uint64(j.MaxRetries)+1)
}

// lastErrorWords says how a job failed last, with the last line that it printed.
func lastErrorWords(j job.Job) string {
	printed := lines(j.LastError)
	words := printed[0]
	if last := len(printed) - 1; last > 0 {
		how, _, _ := strings.Cut(words, ": ")
		words = how + ": " + printed[last]
	}
	return unless(words == "", fmt.Sprintf(" with '%s'", words))
}

func laneWords(spec job.Spec) string {
	if spec.Kind != "" {
		return fmt.Sprintf("jobs for the handler %q of queue %q", spec.Kind, queueName(spec))
	}
	return fmt.Sprintf("commands of queue %q", queueName(spec))
}

func running(workers []queue.WorkerInfo) string {
	return fmt.Sprintf("%s %s (%s)", count(len(workers), "worker"), isAre(len(workers), "is running", "are running"), workerIDs(workers))
}

func isAre(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func workerIDs(workers []queue.WorkerInfo) string {
	ids := make([]string, len(workers))
	for i, w := range workers {
		ids[i] = w.ID
	}
	return strings.Join(ids, ", ")
}

func busyWords(workers []queue.WorkerInfo) string {
	words := make([]string, len(workers))
	for i, w := range workers {
		words[i] = fmt.Sprintf("%s runs %s", w.ID, strings.Join(w.RunningIDs, " "))
	}
	return strings.Join(words, "; ")
}

func behindWords(s *session, r *queue.Reason) string {
	names := make([]string, len(r.First))
	for i, a := range r.First {
		names[i] = fmt.Sprintf("%s (due %s%s)", a.ID, relative(s.now, a.Since), unless(a.Priority == 0, fmt.Sprintf(", priority %d", a.Priority)))
	}
	words := fmt.Sprintf("%s %s first: %s", count(r.Ahead, "due job"), isAre(r.Ahead, "comes", "come"), strings.Join(names, ", "))
	if r.Ahead > len(r.First) {
		words += ", …"
	}
	return words
}

func runningWords(s *session, e *queue.Explanation, r *queue.Reason) string {
	where := ""
	for _, w := range r.Workers {
		where = fmt.Sprintf(" in worker %s, pid %d on %s", w.ID, w.PID, w.Host)
	}
	return fmt.Sprintf("it is running: attempt %s, started %s%s", ofAll(e.Job, 1), s.when(e.Job.StartedAt), where)
}

// rateWords names the rate that a reason is about.
func rateWords(r *queue.Reason) string {
	if r.Event == nil {
		return ""
	}
	e, _ := r.Event.Event.(job.QueueLimited)
	return " at " + e.Limits().RateText()
}

func killWords(r *queue.Reason) string {
	words := "its run was asked to end"
	if r.Event != nil {
		if e, ok := r.Event.Event.(job.KillRequested); ok && e.Cancel {
			words = "its run was asked to end, and the job is cancelled then"
		}
	}
	return words + byWhom(r)
}

// byWhom says who wrote the event that a reason rests on, and why.
func byWhom(r *queue.Reason) string {
	if r.Event == nil || r.Event.At.Actor == nil {
		return ""
	}
	return " by " + withReason(byWords(r.Event.At.Actor), r.Event.At.Actor)
}

// storyWords says what an event of the past was, and what a run printed last.
func storyWords(r *queue.Reason) string {
	what, details := eventWords(r.Event.Event)
	words := strings.TrimSuffix(what+", "+details, ", ")
	tail := ""
	switch e := r.Event.Event.(type) {
	case *job.JobFailed:
		tail = e.Result.Tail
	case *job.JobDied:
		tail = e.Result.Tail
	}
	if last := lastLine(tail); last != "" {
		words += ", last: " + last
	}
	return plain(withReason(words, r.Event.At.Actor))
}

// endWords says how the run ended that a reason rests on.
func endWords(r *queue.Reason) string {
	if r.Event == nil {
		return ""
	}
	_, details := eventWords(r.Event.Event)
	return details
}

func times(n uint32) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return fmt.Sprintf("%d times", n)
}
