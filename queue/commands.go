package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/job"
)

// Bounds of one commit of a bulk enqueue. They stay below the frame's bounds (eventlog.MaxEvents,
// eventlog.MaxFrame), so that ids, times and the commit's own data fit as well.
const (
	maxBatchJobs  = 100_000
	maxBatchBytes = 24 << 20
)

// SpecError is the refusal of one spec of several: its Index in the slice and the reason.
type SpecError = decide.SpecError

// EnqueueOptions are preferences of [Queue.EnqueueEach].
type EnqueueOptions struct {
	SkipExisting bool                  // leave out specs whose id is known, instead of refusing all
	Progress     func(done, total int) // called after each commit; nil = not
}

// Enqueue adds one job; it is durable when Enqueue returns. It returns the job as the log took it, with
// the id that was made for it. A job whose unique key another has is refused, or as spec.OnClash says: with
// job.ClashExisting the other is returned, and nothing is written; whether it is new is told by [Queue.EnqueueEach].
// Errors: job.ErrInvalid, job.ErrExists, job.ErrDuplicate, job.ErrQueueFull, job.ErrNotFound for a parent.
func (q *Queue) Enqueue(ctx context.Context, spec job.Spec) (job.Job, error) {
	var came arrivals
	if err := q.enqueueBatch(ctx, []job.Spec{spec}, false, &came); err != nil {
		if refused, ok := errors.AsType[*SpecError](err); ok {
			err = refused.Err
		}
		return job.Job{}, err
	}
	return came.jobs[0], nil
}

// EnqueueMany is [Queue.EnqueueEach] for who wants the new jobs only: those that stand for a spec, and those of
// specs that were left out, are not among them.
func (q *Queue) EnqueueMany(ctx context.Context, specs []job.Spec, opt EnqueueOptions) ([]job.Job, error) {
	came, err := q.enqueueSorted(ctx, specs, opt)
	added := came.jobs[:0]
	for i, how := range came.hows {
		switch {
		case how != Added:
		case len(added) == i: // nothing before it was left out: jobs are large
			added = came.jobs[:i+1]
		default:
			added = append(added, came.jobs[i])
		}
	}
	return added, err
}

// Enqueued is what became of a spec.
type Enqueued struct {
	Job job.Job // the new one, or that which was there; if it was Skipped, only Key and Spec.ID are set
	How How
}

// How says what became of a spec.
type How = decide.How

// What became of it.
const (
	Added   = decide.Added   // it is a new job
	Found   = decide.Found   // a job with its unique key was there, and its OnClash is job.ClashExisting
	Skipped = decide.Skipped // a job with its id was there, and SkipExisting was given
)

// EnqueueEach adds all specs or, when one is refused (*SpecError), none. Up to 100,000 jobs (24 MiB)
// are one commit. More are several, each of which is all or nothing; all are checked before the first
// is written, so that only a job that another process enqueues meanwhile can stop a later one: the jobs
// returned beside the error are in the queue.
//
// Specs may name each other as parents in any order: each is enqueued after its parents, and all others stay in their
// order. A file of several commits may have jobs that come after those of an earlier commit, which may have ended by
// then.
//
// What became of each spec is returned in their order, beside an error in that of the enqueue. Of a spec that has the unique key of one before it, Found
// says that the one before it stands for it, and the spec with job.ClashReplace takes its place.
func (q *Queue) EnqueueEach(ctx context.Context, specs []job.Spec, opt EnqueueOptions) ([]Enqueued, error) {
	came, err := q.enqueueSorted(ctx, specs, opt)
	if came.jobs == nil {
		return nil, err
	}
	each := make([]Enqueued, len(came.jobs))
	for i := range each {
		each[i] = Enqueued{Job: came.jobs[i], How: came.hows[i]}
	}
	return each, err
}

// arrivals are what became of specs, in their order.
type arrivals struct {
	jobs []job.Job // as Enqueued.Job
	hows []How
}

func makeArrivals(n int) arrivals { return arrivals{make([]job.Job, 0, n), make([]How, 0, n)} }

// enqueueSorted is EnqueueEach.
func (q *Queue) enqueueSorted(ctx context.Context, specs []job.Spec, opt EnqueueOptions) (arrivals, error) {
	if len(specs) == 0 {
		return arrivals{}, nil
	}
	order, err := decide.Order(specs)
	if err != nil {
		return arrivals{}, err
	}
	if order == nil {
		return q.enqueueInOrder(ctx, specs, opt)
	}
	sorted := make([]job.Spec, len(specs))
	for i, at := range order {
		sorted[i] = specs[at]
	}
	done, err := q.enqueueInOrder(ctx, sorted, opt)
	if refused, ok := errors.AsType[*SpecError](err); ok {
		err = &SpecError{Index: order[refused.Index], Err: refused.Err}
	}
	if err != nil {
		return done, err
	}
	came := arrivals{make([]job.Job, len(specs)), make([]How, len(specs))}
	for i, at := range order {
		came.jobs[at], came.hows[at] = done.jobs[i], done.hows[i]
	}
	return came, nil
}

// enqueueInOrder is EnqueueEach of specs that each come after their parents.
func (q *Queue) enqueueInOrder(ctx context.Context, specs []job.Spec, opt EnqueueOptions) (arrivals, error) {
	batches := split(specs)
	if len(batches) > 1 {
		if err := q.rehearse(ctx, specs, opt); err != nil {
			return arrivals{}, err
		}
	}
	came := makeArrivals(len(specs))
	done := 0
	for _, batch := range batches {
		if err := q.enqueueBatch(ctx, batch, opt.SkipExisting, &came); err != nil {
			if refused, ok := errors.AsType[*SpecError](err); ok {
				err = &SpecError{Index: done + refused.Index, Err: refused.Err}
			}
			return came, err
		}
		done += len(batch)
		if opt.Progress != nil {
			opt.Progress(done, len(specs))
		}
	}
	return came, nil
}

// enqueueBatch enqueues all specs in one commit and adds what became of them to came, or neither.
func (q *Queue) enqueueBatch(ctx context.Context, specs []job.Spec, skipExisting bool, came *arrivals) error {
	start := len(came.jobs)
	if start == 0 && cap(came.jobs) < len(specs) {
		*came = makeArrivals(len(specs)) // here: others wait while a rule is asked
	}
	err := q.change(ctx, func(s *decide.State, at job.At) ([]job.Event, error) {
		came.jobs, came.hows = came.jobs[:start], came.hows[:start] // it may be asked twice
		admission, err := decide.Admit(s, at, specs, skipExisting)
		if err != nil {
			return nil, err
		}
		for _, admitted := range admission.Jobs {
			var j job.Job
			of := at.Position
			switch {
			case admitted.How == Skipped:
				j.Key = admitted.Job // its id is filled in later: others wait now
			case admitted.Job < of:
				j, _ = s.Jobs.Job(admitted.Job)
			default:
				own := at
				own.Position = admitted.Job
				j = enqueued(own, admission.Events[admitted.Job-of].(*job.JobEnqueued))
			}
			came.jobs, came.hows = append(came.jobs, j), append(came.hows, admitted.How)
		}
		return admission.Events, nil
	})
	if err != nil {
		came.jobs, came.hows = came.jobs[:start], came.hows[:start]
		return err
	}
	for i, how := range came.hows[start:] {
		if how == Skipped {
			came.jobs[start+i].Spec.ID = specs[i].ID
		}
	}
	return q.lookAgain(ctx, came.jobs[start:])
}

// lookAgain completes new jobs that come after others: how many of them have ended, the state knows.
func (q *Queue) lookAgain(ctx context.Context, jobs []job.Job) error {
	follows := func(j *job.Job) bool { return len(j.Spec.After) > 0 }
	some := false
	for i := range jobs {
		some = some || follows(&jobs[i])
	}
	if !some {
		return nil
	}
	return q.view(ctx, func(s *decide.State) {
		for i := range jobs {
			if j, known := s.Jobs.Job(jobs[i].Key); known && follows(&jobs[i]) {
				jobs[i] = j
			}
		}
	})
}

// rehearse decides the whole enqueue against the state of now and throws the result away.
func (q *Queue) rehearse(ctx context.Context, specs []job.Spec, opt EnqueueOptions) error {
	var refusal error
	err := q.view(ctx, func(s *decide.State) {
		at := job.At{Position: s.Jobs.Position() + 1, Time: q.opt.Now().UnixNano()}
		_, refusal = decide.Enqueue(s, at, specs, opt.SkipExisting)
	})
	if err != nil {
		return err
	}
	return refusal
}

// split cuts specs into batches that each fit into one commit.
func split(specs []job.Spec) [][]job.Spec {
	if len(specs) == 1 {
		return [][]job.Spec{specs}
	}
	var batches [][]job.Spec
	var scratch []byte
	start, size := 0, 0
	for i := range specs {
		scratch = job.AppendEvent(scratch[:0], &job.JobEnqueued{Spec: specs[i]})
		if i > start && (i-start == maxBatchJobs || size+len(scratch) > maxBatchBytes) {
			batches = append(batches, specs[start:i])
			start, size = i, 0
		}
		size += len(scratch)
	}
	return append(batches, specs[start:])
}

// enqueued is the job that an event has just brought into being, as the projection would answer it.
func enqueued(at job.At, e *job.JobEnqueued) job.Job {
	j := job.Job{
		Key: at.Position, Spec: e.Spec, State: job.Pending,
		EnqueuedAt: at.When(), CreatedAt: at.When(), UpdatedAt: at.When(),
		CallerDir: at.Actor.Dir, CallerPath: at.Actor.Path,
	}
	if e.Spec.MaxRetries != nil {
		j.MaxRetries = *e.Spec.MaxRetries
	}
	if !e.Spec.CreatedAt.IsZero() {
		j.CreatedAt = e.Spec.CreatedAt
	}
	if e.Due != 0 {
		j.NextAttemptAt = time.Unix(0, e.Due).UTC()
	}
	return j
}

// Retry brings jobs back, all or none: dead ones, and unless onlyDead failed ones, which then do not
// wait for their time. Attempts and crashes start again from 0; earlier runs stay in the history.
// Errors: job.ErrNotFound, job.ErrWrongState.
func (q *Queue) Retry(ctx context.Context, onlyDead bool, ids ...string) error {
	return q.change(ctx, func(s *decide.State, at job.At) ([]job.Event, error) {
		return decide.Retry(s, at, ids, onlyDead)
	})
}

// Cancel withdraws jobs, all or none. Waiting jobs are cancelled when it returns. Of running ones the
// worker is asked to end the command, and the job is cancelled when it has ended. Errors:
// job.ErrNotFound, job.ErrWrongState for jobs that have ended.
func (q *Queue) Cancel(ctx context.Context, ids ...string) error {
	return q.change(ctx, func(s *decide.State, at job.At) ([]job.Event, error) {
		return decide.Cancel(s, at, ids)
	})
}

// Hold keeps jobs from being claimed until they are released, all or none. They stay pending or failed. A run that
// is under way goes on; if its job waits after it, for another attempt or because its worker died, it is held
// then. Jobs that have ended are not held any more, and come back without it. Errors: job.ErrNotFound,
// job.ErrWrongState for jobs that have ended.
func (q *Queue) Hold(ctx context.Context, ids ...string) error {
	return q.change(ctx, func(s *decide.State, at job.At) ([]job.Event, error) {
		return decide.Hold(s, at, ids)
	})
}

// Release ends the hold of jobs, all or none: they take the place among the waiting ones that they would have had.
// Errors: job.ErrNotFound, job.ErrWrongState for jobs that are not held.
func (q *Queue) Release(ctx context.Context, ids ...string) error {
	return q.change(ctx, func(s *decide.State, at job.At) ([]job.Event, error) {
		return decide.Release(s, at, ids)
	})
}

// Edit changes what a waiting job says, and returns it as it is then. It keeps its id and its position. With
// another priority it takes its place among the jobs of that priority by the time since which it is due; with
// another time, or at once, as if it had been enqueued now. Errors: job.ErrNotFound; job.ErrWrongState if it does not
// wait, also because a worker was faster; job.ErrInvalid; job.ErrQueueFull.
func (q *Queue) Edit(ctx context.Context, id string, e Edit) (j job.Job, err error) {
	err = q.change(ctx, func(s *decide.State, at job.At) ([]job.Event, error) {
		key := s.Jobs.Key(id)
		if key == 0 {
			return nil, fmt.Errorf("job %q: %w", id, job.ErrNotFound)
		}
		acted, err := decide.Act(s, at, decide.Editing(e), decide.Chosen{Keys: []job.Position{key}})
		return acted.Events, err
	})
	if err != nil {
		return job.Job{}, err
	}
	return q.Job(ctx, id)
}

// Kill asks for the end of the current run of each job, all or none: signal 15 is followed by KILL
// after kill_grace, others are sent alone. The run then counts by how it ended: with exit code 0 the
// job is completed all the same. A request that follows another is passed on as well. Kill returns when the request is durable, not when the run has ended; see [Queue.Wait]. Errors:
// job.ErrNotFound, job.ErrWrongState, job.ErrInvalid.
func (q *Queue) Kill(ctx context.Context, signal int, ids ...string) error {
	return q.change(ctx, func(s *decide.State, at job.At) ([]job.Event, error) {
		return decide.Kill(s, at, ids, int32(signal))
	})
}

// SetConfig changes a setting for all processes and returns its canonical text. Errors:
// job.ErrUnknownKey, job.ErrInvalid.
func (q *Queue) SetConfig(ctx context.Context, key, value string) (canonical string, err error) {
	var c job.Config
	if canonical, err = c.Set(key, value); err != nil {
		return "", err
	}
	return canonical, q.change(ctx, func(s *decide.State, at job.At) ([]job.Event, error) {
		return decide.SetConfig(s, at, key, canonical)
	})
}

// UnsetConfig takes a setting back to its default. Error: job.ErrUnknownKey.
func (q *Queue) UnsetConfig(ctx context.Context, key string) error {
	return q.change(ctx, func(s *decide.State, at job.At) ([]job.Event, error) {
		return decide.UnsetConfig(s, at, key)
	})
}

// RequestStop asks the workers that run now to stop, those with the given ids or all: they claim
// nothing more, finish what runs, and end. With now they end the running commands, whose jobs go back
// to pending. It returns how many live workers it reached. Error: job.ErrNoWorker for an unknown id.
func (q *Queue) RequestStop(ctx context.Context, now bool, ids ...string) (reached int, err error) {
	workers, err := q.Workers(ctx)
	if err != nil {
		return 0, err
	}
	live := map[string]bool{}
	for _, w := range workers {
		if w.Alive {
			live[w.ID] = true
		}
	}
	targets := live
	if len(ids) > 0 {
		targets = map[string]bool{} // an id that is given twice counts once
	}
	for _, id := range ids {
		if !live[id] {
			return 0, fmt.Errorf("worker %q: %w", id, job.ErrNoWorker)
		}
		targets[id] = true
	}
	if len(targets) == 0 {
		return 0, nil
	}
	return len(targets), q.change(ctx, func(s *decide.State, at job.At) ([]job.Event, error) {
		return decide.RequestStop(s, at, ids, now)
	})
}

// PauseQueues keeps the jobs of queues from being claimed, by all workers of all processes; running ones go on.
// Nothing is claimed any more when it returns. A queue need not have been used yet. It returns the queues as they
// are then, in the order of the names. Error: job.ErrInvalid for a name that no queue can have; then none is
// paused.
func (q *Queue) PauseQueues(ctx context.Context, names ...string) ([]QueueInfo, error) {
	return q.changeQueues(ctx, names, decide.PauseQueues)
}

// ResumeQueues ends what PauseQueues began.
func (q *Queue) ResumeQueues(ctx context.Context, names ...string) ([]QueueInfo, error) {
	return q.changeQueues(ctx, names, decide.ResumeQueues)
}

func (q *Queue) changeQueues(ctx context.Context, names []string, rule func(*decide.State, job.At, []string) ([]job.Event, error)) ([]QueueInfo, error) {
	err := q.change(ctx, func(s *decide.State, at job.At) ([]job.Event, error) { return rule(s, at, names) })
	if err != nil {
		return nil, err
	}
	return q.queuesNamed(ctx, names)
}

func (q *Queue) queuesNamed(ctx context.Context, names []string) (infos []QueueInfo, err error) {
	err = q.view(ctx, func(s *decide.State) {
		infos = nil // it may be asked twice
		for _, name := range names {
			infos = append(infos, View{s}.Queue(name))
		}
	})
	return infos, err
}

// LimitQueue changes the limits of a queue, which hold for all workers of all processes together: change gets
// those in force, and may be called more than once. It returns the queue as it is then. Error: job.ErrInvalid.
func (q *Queue) LimitQueue(ctx context.Context, name string, change func(*job.Limits)) (QueueInfo, error) {
	err := q.change(ctx, func(s *decide.State, at job.At) ([]job.Event, error) {
		return decide.LimitQueue(s, at, name, change)
	})
	if err != nil {
		return QueueInfo{}, err
	}
	infos, err := q.queuesNamed(ctx, []string{name})
	if err != nil {
		return QueueInfo{}, err
	}
	return infos[0], nil
}
