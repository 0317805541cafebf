package decide

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/queuectl/queuectl/job"
)

// Admission is what [Admit] decided.
type Admission struct {
	Events []job.Event
	Jobs   []Admitted // for each spec
}

// Admitted is what became of a spec.
type Admitted struct {
	Job job.Position // that was enqueued, or stands for the spec; in the events already, or in the state
	How How
}

// How says what became of a spec.
type How uint8

// What became of it.
const (
	Added   How = 0 // it is a new job
	Found   How = 1 // a job with its unique key was there, which was to be taken instead
	Skipped How = 2 // a job with its id was there, and such specs were to be left out
)

// Enqueue is [Admit] for who needs the events only.
func Enqueue(s *State, at job.At, specs []job.Spec, skipExisting bool) ([]job.Event, error) {
	a, err := Admit(s, at, specs, skipExisting)
	return a.Events, err
}

// Admit admits all specs or none, in their order. With skipExisting it leaves out specs with an id
// that is known, or that an earlier one of the specs has; else that is a refusal. A spec without an id
// gets one from job.MadeID with at.Rand. A spec whose unique key a job has is refused, or as its OnClash
// says; a waiting job that it replaces is cancelled right before it. Parents are jobs that are known, or that stand
// for earlier specs; see [Order]. A job with a parent that has ended already in another way than it should is ended
// right after it was enqueued, and has its hook. The events share the specs' maps and slices.
//
// A refusal is a *SpecError. It wraps job.ErrInvalid, job.ErrExists, job.ErrDuplicate (as a *DuplicateError),
// job.ErrNotFound for a parent, or
// job.ErrQueueFull if the waiting jobs of a queue would be more than the setting queue_max.
func Admit(s *State, at job.At, specs []job.Spec, skipExisting bool) (Admission, error) {
	b := newBatch(s, at, specs)
	if skipExisting {
		b.chosenKeys = map[string]job.Position{}
	}
	a := Admission{Events: make([]job.Event, 0, len(specs)), Jobs: make([]Admitted, len(specs))}
	decided := make([]job.JobEnqueued, len(specs)) // at once: one allocation instead of many
	for i := range specs {
		e := &decided[i]
		e.Spec = specs[i]
		err := e.Spec.Validate()
		if err == nil && e.Spec.OnClash == job.ClashExisting {
			if stands := b.stands(&e.Spec); stands != 0 { // also if it has the id
				a.Jobs[i] = Admitted{stands, Found}
				b.bear(e.Spec.ID, stands)
				continue
			}
		}
		if err == nil {
			err = b.checkID(i, e.Spec.ID)
			if err != nil && skipExisting {
				a.Jobs[i] = Admitted{b.ids(e.Spec.ID), Skipped}
				continue
			}
		}
		if err == nil && e.Spec.UniqueKey != "" {
			var room []job.Event
			room, err = b.makeRoom(&e.Spec)
			a.Events = append(a.Events, room...)
			b.at.Position += job.Position(len(room))
		}
		if err == nil {
			err = b.admit(e)
		}
		broken := job.Position(0)
		if err == nil && len(e.Spec.After) > 0 {
			broken, err = b.resolve(&e.Spec)
		}
		if err != nil {
			return Admission{}, &SpecError{Index: i, Err: err}
		}
		a.Events = append(a.Events, e)
		a.Jobs[i] = Admitted{b.at.Position, Added}
		b.admitted(i, e)
		a.Events = b.end(a.Events, e, broken)
	}
	if len(b.replaced) > 0 {
		replaced := cascading{s: s, at: at, ended: b.ended, size: b.hookSize, taken: b.wanted()}
		a.Events = replaced.follow(a.Events)
	}
	return a, nil
}

// batch is an Enqueue under way.
type batch struct {
	s          *State
	at         job.At                  // of the next event
	first      job.Position            // of its events
	chosen     map[string]int          // chosen id → index of the first spec that has it; nil for a single spec
	waiting    map[string]int          // waiting jobs by queue, with those of the batch; only if there is a limit
	limit      int                     // queue_max; 0 = none
	chosenKeys map[string]job.Position // keys of the jobs with chosen ids; nil unless those that exist are skipped
	mine       map[string]twin         // jobs of the batch by unique key; nil = none
	replaced   map[job.Position]bool   // jobs that the batch cancels; nil = none
	born       map[string]born         // what stands for the ids of the batch; nil unless some of several specs have parents
	only       string                  // id of a single spec, which has no chosen
	ended      int                     // jobs that have ended because of a parent
	hookSize   int                     // bytes of their hooks
	maxRetries *uint32                 // of the settings: shared by all specs that say nothing
}

func newBatch(s *State, at job.At, specs []job.Spec) batch {
	config := s.Jobs.Config()
	maxRetries := config.MaxRetries // of its own: the events must not keep the whole config
	b := batch{s: s, at: at, first: at.Position, limit: int(config.QueueMax), maxRetries: &maxRetries}
	if b.limit > 0 {
		b.waiting = map[string]int{}
	}
	if len(specs) == 1 {
		b.only = specs[0].ID
		return b // it cannot clash with another
	}
	if slices.ContainsFunc(specs, func(s job.Spec) bool { return len(s.After) > 0 }) {
		b.born = map[string]born{}
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

// ids returns the job with an id, in the state or in the batch.
func (b *batch) ids(id string) job.Position {
	if key := b.s.Jobs.Key(id); key != 0 {
		return key
	}
	return b.chosenKeys[id]
}

// admitted takes up the i-th spec, which is decided.
func (b *batch) admitted(i int, e *job.JobEnqueued) {
	spec := &e.Spec
	if b.chosenKeys != nil && b.chosen[spec.ID] == i {
		b.chosenKeys[spec.ID] = b.at.Position
	}
	if name := spec.UniqueKey; name != "" {
		if b.mine == nil {
			b.mine = map[string]twin{}
		}
		b.mine[name] = twin{key: b.at.Position, id: spec.ID, queue: spec.Queue, state: job.Pending, batch: true}
	}
	b.bear(spec.ID, b.at.Position)
	b.at.Position++
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
	e.Due = dueTime(spec, b.at.Time)
	if spec.DeadlineIn != 0 {
		spec.Deadline = time.Unix(0, later(b.at.Time, spec.DeadlineIn)).UTC()
	}
	if err := checkDeadline(e, b.at.Time); err != nil {
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
	spec.RunAt, spec.Delay, spec.DeadlineIn, spec.OnClash = time.Time{}, 0, 0, job.ClashRefuse
	return nil
}

// checkDeadline refuses a job that could never run.
func checkDeadline(e *job.JobEnqueued, now int64) error {
	deadline := e.Spec.Deadline
	switch {
	case deadline.IsZero():
	case deadline.UnixNano() <= now:
		return fmt.Errorf("deadline %s: %w: it has passed", deadline.Format(time.RFC3339), job.ErrInvalid)
	case e.Due >= deadline.UnixNano():
		return fmt.Errorf("deadline %s: %w: the job may not run before %s", deadline.Format(time.RFC3339), job.ErrInvalid, time.Unix(0, e.Due).UTC().Format(time.RFC3339))
	}
	return nil
}

// count counts a job that will wait in a queue.
func (b *batch) count(queue string) error {
	if b.limit == 0 {
		return nil
	}
	n := b.waitingIn(queue)
	if n >= b.limit {
		return fmt.Errorf("queue %q has %d waiting jobs, queue_max is %d: %w", queue, n, b.limit, job.ErrQueueFull)
	}
	b.waitsIn(queue, +1)
	return nil
}

// waitsIn notes that more or fewer jobs wait in a queue.
func (b *batch) waitsIn(queue string, n int) {
	if b.limit > 0 {
		b.waiting[queue] = b.waitingIn(queue) + n
	}
}

// waitingIn returns how many jobs wait in a queue, with those of the batch.
func (b *batch) waitingIn(queue string) int {
	if n, counted := b.waiting[queue]; counted {
		return n
	}
	return b.s.Jobs.Waiting(queue)
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
