package decide

import (
	"fmt"
	"maps"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
)

// Edit is what a job is to say from now on; what is nil stays as it is.
type Edit struct {
	Command    *string // for the shell, also of a job that had an argv
	Queue      *string
	Priority   *int32
	MaxRetries *uint32
	Timeout    *time.Duration    // 0 = none
	RunAt      *time.Time        // not before; a time that has come means at once. Excludes Delay
	Delay      *time.Duration    // not before this long after the edit; 0 = at once
	Deadline   *time.Time        // no run begins or goes on from then on; the zero time = none. Excludes DeadlineIn
	DeadlineIn *time.Duration    // the same, counted from the edit; 0 = none
	Tags       map[string]string // are set; others stay
	Untag      []string          // tags that are taken away
}

// Editing changes what waiting jobs say. They keep their ids and positions. A job that gets another priority takes
// its place among those of that priority by the time since which it is due; one that gets a time, or is to run at
// once, as if it had been enqueued now. About a job that says so already there is nothing to do. What it refuses a
// job for, beside its state: job.ErrInvalid for what no job may say, job.ErrQueueFull.
func Editing(e Edit) Action {
	return Action{
		States: []job.State{job.Pending, job.Failed},
		want:   "only pending and failed jobs can be edited", running: "it is running, and only jobs that wait can be edited",
		rule: func(s *State, b *projection.Brief, t *turn) (job.Event, error) {
			spec, _ := s.Jobs.Spec(b.Key)
			was := job.JobEnqueued{Spec: spec, Due: b.Schedule.Due}
			is, err := e.of(was, t.now)
			if err != nil {
				return nil, fmt.Errorf("job %q: %w", spec.ID, err)
			}
			edited := job.Edited(b.Key, &was, &is)
			if len(edited.Fields) == 0 {
				return nil, nil
			}
			if edited.Has(job.FieldQueue) {
				if err := t.move(s, is.Spec.Queue); err != nil {
					return nil, err
				}
			}
			return edited, nil
		},
	}
}

// move counts a job that comes into a queue.
func (t *turn) move(s *State, queue string) error {
	config := s.Jobs.Config()
	if n := s.Jobs.Waiting(queue) + t.moved[queue]; config.QueueMax > 0 && n >= int(config.QueueMax) {
		return fmt.Errorf("queue %q has %d waiting jobs, queue_max is %d: %w", queue, n, config.QueueMax, job.ErrQueueFull)
	}
	t.moved[queue]++
	return nil
}

// of returns what a job says after the edit.
func (e *Edit) of(was job.JobEnqueued, now int64) (job.JobEnqueued, error) {
	is := was
	spec := &is.Spec
	if e.Command != nil {
		if spec.Kind != "" {
			return is, fmt.Errorf("command: %w: it is a job for the handler %q", job.ErrInvalid, spec.Kind)
		}
		spec.Command, spec.Argv = *e.Command, nil
	}
	if e.Queue != nil {
		spec.Queue = *e.Queue
	}
	if e.Priority != nil {
		spec.Priority = *e.Priority
	}
	if e.MaxRetries != nil {
		spec.MaxRetries = e.MaxRetries
	}
	if e.Timeout != nil {
		spec.Timeout = e.Timeout
	}
	if len(e.Tags)+len(e.Untag) > 0 {
		tags := map[string]string{}
		maps.Copy(tags, spec.Tags)
		maps.Copy(tags, e.Tags)
		for _, name := range e.Untag {
			delete(tags, name)
		}
		if spec.Tags = tags; len(tags) == 0 {
			spec.Tags = nil
		}
	}
	if e.RunAt != nil {
		spec.RunAt = *e.RunAt
	}
	if e.Delay != nil {
		spec.Delay = *e.Delay
	}
	e.setDeadline(spec)
	if err := spec.Validate(); err != nil {
		return is, err
	}
	return is, e.setTimes(&is, now)
}

// setDeadline leaves a deadline that is counted from the edit to setTimes.
func (e *Edit) setDeadline(spec *job.Spec) {
	if e.Deadline != nil || e.DeadlineIn != nil {
		spec.Deadline = time.Time{}
	}
	if e.Deadline != nil {
		spec.Deadline = *e.Deadline
	}
	if e.DeadlineIn != nil {
		spec.DeadlineIn = *e.DeadlineIn
	}
}

// setTimes decides when the job is due and when it is too late, if that changes.
func (e *Edit) setTimes(is *job.JobEnqueued, now int64) error {
	spec := &is.Spec
	timed := e.RunAt != nil || e.Delay != nil
	if timed {
		is.Due = dueTime(spec, now)
	}
	if spec.DeadlineIn != 0 {
		spec.Deadline = time.Unix(0, later(now, spec.DeadlineIn)).UTC()
	}
	spec.RunAt, spec.Delay, spec.DeadlineIn = time.Time{}, 0, 0
	if timed || e.Deadline != nil || e.DeadlineIn != nil {
		return checkDeadline(is, now)
	}
	return nil
}
