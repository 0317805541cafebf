package main

import (
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
	ID         string  `json:"id"`
	Command    *string `json:"command"`
	MaxRetries *uint32 `json:"max_retries"`
	job.SpecJSON
	CreatedAt *time.Time `json:"created_at,omitempty"`
}

func viewSpec(spec job.Spec) specView {
	v := specView{ID: spec.ID, Command: optional(spec.Command), MaxRetries: spec.MaxRetries, SpecJSON: spec.JSON()}
	if len(spec.After) > 0 { // an event knows its parents by their positions
		keys, on := make([]job.Position, len(spec.After)), make([]string, len(spec.After))
		for i, p := range spec.After {
			keys[i], on[i] = p.Key, p.On.String()
		}
		v.After, v.AfterOn = keys, on
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
