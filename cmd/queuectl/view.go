package main

import (
	"encoding/json"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// viewJob is a job as JSON in lists, without the search path of whoever enqueued it, which is long and
// the same for most.
func viewJob(j job.Job) any {
	j.CallerPath = ""
	return j
}

// specView is the spec of an event as JSON: what its author said, without what became of the job.
type specView struct {
	ID             string              `json:"id"`
	Command        *string             `json:"command"`
	Argv           []string            `json:"argv,omitempty"`
	Kind           string              `json:"kind,omitempty"`
	Payload        json.RawMessage     `json:"payload,omitempty"`
	Queue          string              `json:"queue"`
	Priority       int32               `json:"priority"`
	ConcurrencyKey string              `json:"concurrency_key,omitempty"`
	MaxRetries     *uint32             `json:"max_retries"`
	Deadline       string              `json:"deadline,omitempty"`
	Timeout        *string             `json:"timeout,omitempty"`
	Backoff        job.Backoff         `json:"backoff,omitempty"`
	BackoffBase    *float64            `json:"backoff_base,omitempty"`
	BackoffMax     *string             `json:"backoff_max,omitempty"`
	BackoffJitter  *float64            `json:"backoff_jitter,omitempty"`
	OnCrash        job.OnCrash         `json:"on_crash,omitempty"`
	After          []job.Position      `json:"after,omitempty"` // positions of the parents
	AfterOn        []string            `json:"after_on,omitempty"`
	OnParent       job.OnParentFailure `json:"on_parent_failure,omitempty"`
	RetryOn        job.ExitCodes       `json:"retry_on,omitempty"`
	DeadOn         job.ExitCodes       `json:"dead_on,omitempty"`
	SnoozeOn       job.ExitCodes       `json:"snooze_on,omitempty"`
	Snooze         string              `json:"snooze,omitempty"`
	UniqueKey      string              `json:"unique_key,omitempty"`
	UniqueScope    string              `json:"unique_scope,omitempty"`
	OnComplete     json.RawMessage     `json:"on_complete,omitempty"`
	OnDead         json.RawMessage     `json:"on_dead,omitempty"`
	Env            map[string]string   `json:"env,omitempty"`
	SecretEnv      []string            `json:"secret_env,omitempty"`
	Cwd            string              `json:"cwd,omitempty"`
	Stdin          string              `json:"stdin,omitempty"`
	Tags           map[string]string   `json:"tags,omitempty"`
	CreatedAt      *time.Time          `json:"created_at,omitempty"`
	Extra          json.RawMessage     `json:"extra,omitempty"`
}

func viewSpec(spec job.Spec) any {
	v := specView{
		ID: spec.ID, Command: optional(spec.Command), Argv: spec.Argv, Kind: spec.Kind, Payload: spec.Payload,
		Queue: queueName(spec), Priority: spec.Priority, ConcurrencyKey: spec.ConcurrencyKey, MaxRetries: spec.MaxRetries,
		Deadline: spec.DeadlineText(), Timeout: optionalDuration(spec.Timeout), BackoffBase: spec.BackoffBase,
		BackoffMax: optionalDuration(spec.BackoffMax), BackoffJitter: spec.BackoffJitter, OnCrash: spec.OnCrash, OnParent: spec.OnParentFailure,
		Backoff: spec.Backoff, RetryOn: spec.RetryOn, DeadOn: spec.DeadOn, SnoozeOn: spec.SnoozeOn,
		UniqueKey: spec.UniqueKey, UniqueScope: spec.UniqueScopeText(),
		OnComplete: spec.OnComplete, OnDead: spec.OnDead,
		Env: spec.Env, SecretEnv: spec.SecretEnv, Cwd: spec.Cwd, Stdin: spec.Stdin, Tags: spec.Tags, Extra: spec.Extra,
	}
	for _, p := range spec.After {
		v.After, v.AfterOn = append(v.After, p.Key), append(v.AfterOn, p.On.String())
	}
	if spec.Snooze != 0 {
		v.Snooze = job.FormatDuration(spec.Snooze)
	}
	if !spec.CreatedAt.IsZero() {
		v.CreatedAt = new(spec.CreatedAt.UTC())
	}
	return v
}

// optional is null in JSON for a zero value.
func optional[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

func optionalDuration(d *time.Duration) *string {
	if d == nil {
		return nil
	}
	return new(job.FormatDuration(*d))
}

func queueName(spec job.Spec) string {
	if spec.Queue == "" {
		return job.DefaultQueue
	}
	return spec.Queue
}

// workerView is a worker as JSON.
type workerView struct {
	ID        string    `json:"id"`
	State     string    `json:"state"`
	PID       uint32    `json:"pid"`
	Host      string    `json:"host"`
	User      string    `json:"user"`
	Slots     uint32    `json:"slots"`
	Queues    []string  `json:"queues"` // null = all
	Kinds     []string  `json:"kinds"`
	Shell     bool      `json:"shell"`
	StartedAt time.Time `json:"started_at"`
	Running   []string  `json:"running"` // ids of jobs
}

func viewWorker(w queue.WorkerInfo) any {
	running := w.RunningIDs
	if running == nil {
		running = []string{}
	}
	return workerView{
		ID: w.ID, State: workerState(w), PID: w.PID, Host: w.Host, User: w.User, Slots: w.Slots,
		Queues: w.Queues, Kinds: w.Kinds, Shell: w.Shell, StartedAt: w.StartedAt.UTC(), Running: running,
	}
}

// workerState says what a worker that has not ended is doing. A lost one died: the next worker to look
// puts its jobs back.
func workerState(w queue.WorkerInfo) string {
	switch {
	case !w.Alive:
		return "lost"
	case w.Stopping:
		return "stopping"
	case len(w.RunningIDs) > 0:
		return "running"
	}
	return "idle"
}
