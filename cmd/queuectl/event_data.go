package main

import (
	"encoding/hex"
	"fmt"
	"time"

	"github.com/queuectl/queuectl/job"
)

// eventData is what one event says, as JSON. Names are never changed, only added.
func eventData(e job.Event) map[string]any {
	switch e := e.(type) {
	case job.LogCreated:
		return map[string]any{"log_id": hex.EncodeToString(e.LogID[:]), "format": e.Format, "level": e.Level}
	case job.LogRepaired:
		return map[string]any{
			"segment": e.Segment, "offset": e.Offset, "size": e.Size, "crc32c": e.CRC,
			"quarantine": e.Quarantine, "verdict": e.Verdict, "accepted": optional(e.Accepted),
			"first_commit": optional(e.FirstCommit), "last_commit": optional(e.LastCommit),
			"first_position": optional(e.FirstPosition), "last_position": optional(e.LastPosition), "events": e.Events,
		}
	case job.ClockStepped:
		return map[string]any{"from": moment(e.From), "to": moment(e.To)}
	case job.LogRestored:
		return map[string]any{
			"commit": e.Commit, "sha256": hex.EncodeToString(e.Head[:]), "backup_at": moment(e.Backup), "from": optional(e.From),
		}
	case job.ArchivePruned:
		return map[string]any{
			"first_commit": e.First, "last_commit": e.Last, "first_position": e.From, "last_position": e.To,
			"sha256": hex.EncodeToString(e.Head[:]), "base_sha256": hex.EncodeToString(e.Base[:]),
		}
	case job.ConfigSet:
		return map[string]any{"key": e.Key, "old": optional(e.Old), "new": e.New}
	case job.ConfigUnset:
		return map[string]any{"key": e.Key, "old": e.Old}
	case *job.JobEnqueued:
		return map[string]any{"spec": viewSpec(e.Spec), "due": moment(e.Due)}
	case job.JobClaimed:
		return map[string]any{"worker": e.Worker}
	case *job.JobCompleted:
		return withResult(e.Result, map[string]any{"run": e.Run})
	case *job.JobFailed:
		return withResult(e.Result, map[string]any{
			"run": e.Run, "why": e.Why, "next_attempt_at": moment(e.NextAttemptAt),
		})
	case *job.JobDied:
		return withResult(e.Result, map[string]any{"run": optional(e.Run), "why": e.Why, "failure": optional(e.Failure), "parent": optional(e.Parent)})
	case job.RunLost:
		return map[string]any{"run": e.Run, "worker": e.Worker}
	case job.RunReturned:
		return map[string]any{"run": e.Run, "why": e.Why, "due": moment(e.Due)}
	case job.JobRetried:
		return map[string]any{"from": e.From.String(), "reset": e.Reset, "due": moment(e.Due), "deadline_lifted": e.DeadlineLifted}
	case *job.JobCancelled:
		return withResult(e.Result, map[string]any{"run": optional(e.Run), "parent": optional(e.Parent)})
	case job.KillRequested:
		return map[string]any{"run": e.Run, "signal": e.Signal, "cancel": e.Cancel}
	case job.JobHeld, job.JobReleased:
		return map[string]any{}
	case *job.JobEdited:
		return map[string]any{"old": viewEdited(e, &e.Old), "new": viewEdited(e, &e.New)}
	case job.JobsForgotten:
		return map[string]any{"queue": e.Queue, "state": e.State.String(), "through": e.Through, "jobs": e.Jobs}
	case *job.JobsPurged:
		return map[string]any{"jobs": e.Jobs}
	case *job.WorkerStarted:
		return map[string]any{"id": e.ID, "slots": e.Slots, "queues": e.Queues, "kinds": e.Kinds, "shell": e.Shell}
	case job.WorkerStopped:
		return map[string]any{"worker": e.Worker, "why": e.Why}
	case job.StopRequested:
		return map[string]any{"worker": optional(e.Worker), "now": e.Now}
	case job.WorkerLost:
		return map[string]any{"worker": e.Worker}
	case job.QueuePaused:
		return map[string]any{"queue": e.Queue}
	case job.QueueResumed:
		return map[string]any{"queue": e.Queue}
	case job.QueueLimited:
		return map[string]any{"queue": e.Queue, "concurrency": optional(e.Concurrency), "rate": optionalRate(e.Limits())}
	case *job.CronAdded:
		data := viewDefinition(&e.New)
		data["next"] = moment(e.Next)
		return data
	case *job.CronChanged:
		data := map[string]any{"cron": e.Cron, "paused": e.Paused, "next": moment(e.Next), "new": nil}
		if e.New != nil {
			data["new"] = viewDefinition(e.New)
		}
		return data
	case job.CronRemoved:
		return map[string]any{"cron": e.Cron}
	case job.CronTicked:
		return map[string]any{
			"cron": e.Cron, "tick": moment(e.Tick), "since": moment(e.Since), "made": optional(e.Made), "skip": optional(e.Skip), "next": moment(e.Next),
		}
	case job.Unknown:
		return map[string]any{"number": e.Number, "bytes": hex.EncodeToString(e.Data)}
	}
	panic(fmt.Sprintf("cmd: event %T has no data", e))
}

// withResult adds how the run ended to data, if there was a run.
func withResult(r job.Result, data map[string]any) map[string]any {
	if r == (job.Result{}) {
		return data
	}
	data["exit_code"], data["signal"] = exitOf(r), optional(r.Signal)
	data["started_at"], data["finished_at"] = moment(r.Start), moment(r.End)
	data["cpu_seconds"], data["max_rss_bytes"] = r.CPU.Seconds(), r.MaxRSS
	data["output_bytes"], data["output_tail"] = r.OutputSize, r.Tail
	data["left_behind"] = r.LeftBehind
	return data
}

// exitOf is null for a command that a signal ended: it had no exit code.
func exitOf(r job.Result) *int32 {
	if r.Signal != 0 {
		return nil
	}
	return &r.Exit
}

// moment is a time in Unix nanoseconds as JSON: null if it is 0.
func moment(nanoseconds int64) *time.Time {
	if nanoseconds == 0 {
		return nil
	}
	t := time.Unix(0, nanoseconds).UTC()
	return &t
}

// optionalRate is null in JSON for no rate.
func optionalRate(l job.Limits) *string {
	if l.Rate == 0 {
		return nil
	}
	return new(l.RateText())
}
