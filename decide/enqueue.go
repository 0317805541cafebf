package decide

import (
	"fmt"
	"math"
	"time"

	"github.com/queuectl/queuectl/job"
)

// Enqueue admits all specs or none, in their order. With skipExisting it leaves out specs with an id
// that is known, or that an earlier one of the specs has; else that is a refusal. A spec without an id
// gets one from job.MadeID with at.Rand. The events share the specs' maps and slices.
//
// A refusal is a *SpecError. It wraps job.ErrInvalid, job.ErrExists, or job.ErrQueueFull if the waiting
// jobs of a queue would be more than the setting queue_max.
func Enqueue(s *State, at job.At, specs []job.Spec, skipExisting bool) ([]job.Event, error) {
	b := newBatch(s, at, specs)
	events := make([]job.Event, 0, len(specs))
	decided := make([]job.JobEnqueued, len(specs)) // at once: one allocation instead of many
	for i := range specs {
		e := &decided[i]
		e.Spec = specs[i]
		err := e.Spec.Validate()
		if err == nil {
			err = b.checkID(i, e.Spec.ID)
			if err != nil && skipExisting {
				continue
			}
		}
		if err == nil {
			err = b.admit(e)
		}
		if err != nil {
			return nil, &SpecError{Index: i, Err: err}
		}
		events = append(events, e)
		b.at.Position++
	}
	return events, nil
}

// batch is an Enqueue under way.
type batch struct {
	s          *State
	at         job.At         // of the next event
	chosen     map[string]int // chosen id → index of the first spec that has it; nil for a single spec
	waiting    map[string]int // waiting jobs by queue, with those of the batch; only if there is a limit
	limit      int            // queue_max; 0 = none
	maxRetries *uint32        // of the settings: shared by all specs that say nothing
}

func newBatch(s *State, at job.At, specs []job.Spec) batch {
	config := s.Jobs.Config()
	maxRetries := config.MaxRetries // of its own: the events must not keep the whole config
	b := batch{s: s, at: at, limit: int(config.QueueMax), maxRetries: &maxRetries}
	if b.limit > 0 {
		b.waiting = map[string]int{}
	}
	if len(specs) == 1 {
		return b // it cannot clash with another
	}
	b.chosen = map[string]int{}
	for i := range specs {
		if id := specs[i].ID; id != "" {
			if _, twice := b.chosen[id]; !twice {
				b.chosen[id] = i
			}
		}
	}
	return b
}

// checkID refuses an id that a job has, or that an earlier spec of the batch than the i-th has.
func (b *batch) checkID(i int, id string) error {
	switch {
	case id == "":
		return nil
	case b.s.Jobs.Key(id) != 0:
		return fmt.Errorf("job %q: %w", id, job.ErrExists)
	case b.chosen[id] != i:
		return fmt.Errorf("job %q is given twice: %w", id, job.ErrExists)
	}
	return nil
}

// admit completes a valid spec with what is decided now.
func (b *batch) admit(e *job.JobEnqueued) (err error) {
	spec := &e.Spec
	if spec.Queue == "" {
		spec.Queue = job.DefaultQueue
	}
	if err := b.count(spec.Queue); err != nil {
		return err
	}
	if spec.ID == "" {
		if spec.ID, err = b.makeID(); err != nil {
			return err
		}
	}
	if spec.MaxRetries == nil {
		spec.MaxRetries = b.maxRetries
	}
	e.Due = dueTime(spec, b.at.Time)
	spec.RunAt, spec.Delay = time.Time{}, 0
	return nil
}

// count counts a job that will wait in a queue.
func (b *batch) count(queue string) error {
	if b.limit == 0 {
		return nil
	}
	n, counted := b.waiting[queue]
	if !counted {
		n = b.s.Jobs.Waiting(queue)
	}
	if n >= b.limit {
		return fmt.Errorf("queue %q has %d waiting jobs, queue_max is %d: %w", queue, n, b.limit, job.ErrQueueFull)
	}
	b.waiting[queue] = n + 1
	return nil
}

// makeID makes an id for the next event that no job has and no spec of the batch wants.
func (b *batch) makeID() (string, error) {
	random := mix(b.at.Rand + uint64(b.at.Position))
	for try := range uint64(job.MadeIDs) {
		id := job.MadeID(b.at.Position, random+try)
		if _, wanted := b.chosen[id]; !wanted && b.s.Jobs.Key(id) == 0 {
			return id, nil
		}
	}
	return "", fmt.Errorf("make an id: all %d for position %d are taken: %w", job.MadeIDs, b.at.Position, job.ErrExists)
}

// dueTime returns when a job may run first (Unix nanoseconds). A time that has come is 0, at once: so
// the job does not have to wait for it again when the clock is set back.
func dueTime(spec *job.Spec, now int64) int64 {
	switch {
	case spec.Delay > 0:
		return later(now, spec.Delay)
	case spec.RunAt.IsZero() || spec.RunAt.UnixNano() <= now:
		return 0
	}
	return spec.RunAt.UnixNano()
}

// later returns the time that is d after t, or the last one that there is.
func later(t int64, d time.Duration) int64 {
	if t > math.MaxInt64-int64(d) {
		return math.MaxInt64
	}
	return t + int64(d)
}

// mix makes a number that looks random from one that does not: the finalizer of SplitMix64 (Steele,
// Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
func mix(x uint64) uint64 {
	x += 0x9E3779B97F4A7C15
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	return x ^ x>>31
}
