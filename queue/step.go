package queue

import (
	"context"
	"slices"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
)

// Step is an event together with what it changed.
type Step struct {
	Record
	Changes []Change // in a fixed order; none for an event that is a fact for people only
}

// Change is one thing that an event changed.
type Change struct {
	Of    string // what it is a part of: "job", "setting", "queue", "worker", "schedule" or "count"
	Field string // of the job as in lists, else the setting's key, the worker's id, the schedule's name or the state that is counted
	// What it was and what it is, nil = nothing: a string, a uint64, an int64 (priority), a bool or a
	// time.Time.
	From, To any
}

// Step folds the next event as [Replay.Next] does, and says what it changed, which takes longer.
func (r *Replay) Step(ctx context.Context) (Step, error) {
	if err := r.fill(ctx); err != nil {
		return Step{}, err
	}
	record, err := r.record()
	if err != nil {
		return Step{}, err
	}
	before := r.look(record)
	if err := r.fold(record.At); err != nil {
		return Step{}, err
	}
	after := r.look(record)
	return Step{Record: record, Changes: before.changes(&after)}, nil
}

// sight is what an event may change.
type sight struct {
	counts  projection.Counts
	job     map[string]any // that it is about
	setting string         // key of the one that it is about; "" = none
	value   any
	workers map[string]any // their states by id, if it is about workers
	order   []string       // of their starts
	cron    string         // name of the schedule that it is about; "" = none
	ticks   any            // when that ticks next
	queue   map[string]any // that it is about
}

// queueFields are those of a queue that events change, in the order in which they are told.
var queueFields = [...]string{"paused", "concurrency", "rate"}

func (s *sight) lookAtQueue(q projection.Queue) {
	s.queue = map[string]any{"paused": q.Paused != 0, "concurrency": q.Limits.ConcurrencyText(), "rate": q.Limits.RateText()}
}

// jobFields are the fields of a job that events change, in the order in which they are told.
var jobFields = [...]string{"state", "attempts", "runs", "crashes", "next_attempt_at", "kill_requested", "held", "queue", "priority", "max_retries"}

// editedFields are those of them that only an edit changes: nothing is said of them when a job comes or goes.
var editedFields = [...]string{"queue", "priority", "max_retries"}

func (r *Replay) look(record Record) sight {
	jobs := r.state.Jobs
	s := sight{counts: jobs.Counts()}
	key := job.Of(record.Event)
	switch e := record.Event.(type) {
	case *job.JobEnqueued:
		key = record.At.Position
	case job.ConfigSet:
		s.lookAtSetting(jobs, e.Key)
	case job.ConfigUnset:
		s.lookAtSetting(jobs, e.Key)
	case *job.CronAdded:
		s.lookAtCron(jobs, e.New.Name)
	case *job.CronChanged:
		s.lookAtCron(jobs, jobs.CronName(e.Cron))
	case job.CronRemoved:
		s.lookAtCron(jobs, jobs.CronName(e.Cron))
	case job.CronTicked:
		s.lookAtCron(jobs, jobs.CronName(e.Cron))
	case *job.WorkerStarted, job.WorkerStopped, job.WorkerLost, job.StopRequested:
		s.lookAtWorkers(jobs)
	case job.QueuePaused:
		s.lookAtQueue(jobs.Queue(e.Queue))
	case job.QueueResumed:
		s.lookAtQueue(jobs.Queue(e.Queue))
	case job.QueueLimited:
		s.lookAtQueue(jobs.Queue(e.Queue))
	}
	if b, known := jobs.Brief(key); key != 0 && known {
		s.lookAtJob(&b)
	}
	return s
}

func (s *sight) lookAtJob(b *projection.Brief) {
	s.job = map[string]any{
		"state": b.State.String(), "attempts": uint64(b.Attempts), "runs": uint64(b.Runs), "crashes": uint64(b.Crashes),
		"kill_requested": b.KillAsked, "held": b.Held,
		"queue": b.Schedule.Queue, "priority": int64(b.Schedule.Priority), "max_retries": uint64(b.MaxRetries),
	}
	if b.State.Waiting() && b.Schedule.Due != 0 {
		s.job["next_attempt_at"] = time.Unix(0, b.Schedule.Due).UTC()
	}
}

func (s *sight) lookAtSetting(jobs *projection.Projection, key string) {
	s.setting = key
	if !jobs.IsSet(key) {
		return
	}
	config := jobs.Config()
	if text, err := config.Text(key); err == nil { // else a newer program's
		s.value = text
	}
}

// lookAtCron says when a schedule ticks next.
func (s *sight) lookAtCron(jobs *projection.Projection, name string) {
	s.cron = name
	c, known := jobs.Cron(name)
	switch {
	case !known:
	case c.Paused:
		s.ticks = "paused"
	case c.Next.IsZero():
		s.ticks = "over"
	default:
		s.ticks = "next " + c.Next.Format(time.RFC3339)
	}
}

func (s *sight) lookAtWorkers(jobs *projection.Projection) {
	s.workers = map[string]any{}
	for w := range jobs.Workers() {
		state := "running"
		switch {
		case w.StopNow:
			state = "stopping now"
		case w.Stopping:
			state = "stopping"
		}
		s.workers[w.ID] = state
		s.order = append(s.order, w.ID)
	}
}

// changes compares what was with what is.
func (s *sight) changes(now *sight) (changes []Change) {
	compare := func(of, field string, from, to any) {
		if from != to {
			changes = append(changes, Change{Of: of, Field: field, From: from, To: to})
		}
	}
	for _, field := range jobFields {
		from, to := s.job[field], now.job[field]
		if s.job == nil && (to == uint64(0) || to == false) {
			continue // of a new job only what is worth saying
		}
		if slices.Contains(editedFields[:], field) && (s.job == nil || now.job == nil) {
			continue
		}
		compare("job", field, from, to)
	}
	compare("setting", now.setting, s.value, now.value)
	for _, field := range queueFields {
		compare("queue", field, s.queue[field], now.queue[field])
	}
	compare("schedule", firstOf(s.cron, now.cron), s.ticks, now.ticks)
	for _, id := range s.order {
		compare("worker", id, s.workers[id], now.workers[id])
	}
	for _, id := range now.order {
		if _, was := s.workers[id]; !was {
			compare("worker", id, nil, now.workers[id])
		}
	}
	for _, state := range job.States {
		compare("count", state.String(), uint64(s.counts[state]), uint64(now.counts[state]))
	}
	return changes
}
