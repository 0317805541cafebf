package projection

import (
	"fmt"

	"github.com/queuectl/queuectl/job"
)

// MisfitError says that an event does not follow from those before it. [Projection.Fold] panics with
// it, since only decided events are folded that way; [Projection.FoldEncoded] returns it.
type MisfitError struct {
	Position job.Position
	Kind     job.Kind
	Reason   string // the invariant that is broken
}

func (e *MisfitError) Error() string {
	return fmt.Sprintf("%v at position %d does not fit: %s", e.Kind, e.Position, e.Reason)
}

// Change is what an event did to the timeline.
type Change struct {
	Job      job.Position // that waits now, or does so no longer; 0 = none
	Waiting  bool
	Schedule job.Schedule   // if Waiting
	Began    job.Position   // the run of the job that begins; 0 = none does
	Freed    string         // concurrency key of the job, of which a run has ended; "" = it has none, or none has
	Released []job.Schedule // of other jobs, which wait for no parents any more
	Gate     string         // the queue whose [Projection.Opens] may have changed; "" = none
}

// Fold takes the next event. It cannot fail: an event that does not fit is a broken promise of decide,
// and Fold panics with a *MisfitError. Unknown events are skipped. It keeps no reference to e.
func (p *Projection) Fold(at job.At, e job.Event) Change {
	var change Change
	var err error
	if enqueued, ok := e.(*job.JobEnqueued); ok {
		p.encoding = job.AppendEvent(p.encoding[:0], enqueued)
		change, err = p.enqueued(at, p.specs.add(p.encoding))
	} else {
		change, err = p.fold(at, e)
	}
	if err != nil {
		panic(err)
	}
	return change
}

// FoldEncoded takes the next event as the log has it. An error means that the bytes do not stem from
// this program's rules, whatever their checksums say: it wraps job.ErrDecode or is a *MisfitError, and
// the event has changed nothing. It keeps no reference to data.
func (p *Projection) FoldEncoded(at job.At, kind job.Kind, data []byte) (Change, error) {
	if kind == job.KindJobEnqueued {
		return p.enqueued(at, p.specs.add(data))
	}
	e, err := job.DecodeEvent(kind, data)
	if err != nil {
		return Change{}, err
	}
	return p.fold(at, e)
}

// enqueued folds a JobEnqueued event that is in the arena. PeekEnqueued accepts only what can be decoded
// later, when somebody asks for the job.
func (p *Projection) enqueued(at job.At, spec snippet) (Change, error) {
	e, err := job.PeekEnqueued(p.specs.text(spec))
	made := madeBy(e.ID, at.Position)
	switch {
	case err != nil:
	case at.Position <= p.at.Position:
		err = p.misfit(at, &job.JobEnqueued{}, "positions must grow")
	case e.ID == "" || made && p.keyChosen(e.ID) != 0 || !made && p.Key(e.ID) != 0:
		err = p.misfit(at, &job.JobEnqueued{}, "the id must be new")
	}
	var after birth
	if err == nil && e.After {
		after, err = p.birth(at, &e, job.PeekParents(p.specs.text(spec)))
	}
	if err != nil {
		p.specs.remove(spec)
		return Change{}, err
	}
	if !made {
		p.chosen[e.ID] = at.Position
	}
	r := record{
		enqueuedAt: at.Time, due: e.Due, spec: spec, caller: p.callers.numberOf(at.Actor),
		lane: p.lanes.number(e.Queue, e.Kind), priority: e.Priority, maxRetries: e.MaxRetries,
		left: after.left, state: job.Pending, onCrash: e.OnCrash, unique: e.UniqueKey != "", keyed: e.ConcurrencyKey != "",
		dated: e.Deadline != 0,
	}
	if r.rank = e.Due; e.Due == 0 {
		p.rank = max(p.rank, at.Time)
		r.rank = p.rank
	}
	j := p.jobs.add(at.Position, r)
	if r.unique {
		p.uniques.enqueued(at.Position, e.UniqueKey)
	}
	p.bear(at.Position, &after)
	p.counts[job.Pending]++
	p.queueOf(j.record()).counts[job.Pending]++
	if r.dated {
		p.dates.set(at.Position, e.Deadline)
	}
	p.advance(at)
	return p.change(j), nil
}

// fold folds any event but a JobEnqueued. After an error nothing has changed.
func (p *Projection) fold(at job.At, e job.Event) (change Change, err error) {
	if at.Position <= p.at.Position {
		return Change{}, p.misfit(at, e, "positions must grow")
	}
	if key := job.Of(e); key != 0 {
		change, err = p.foldJob(at, key, e)
	} else {
		change, err = p.foldOther(at, e)
	}
	if err == nil {
		p.advance(at)
	}
	return change, err
}

// foldOther folds an event that is about no job.
func (p *Projection) foldOther(at job.At, e job.Event) (Change, error) {
	switch e := e.(type) {
	case job.LogCreated:
		if p.at.Position != 0 {
			return Change{}, p.misfit(at, e, "it must be the first event")
		}
		p.logID = e.LogID
	case job.LogRepaired:
		p.repairs[e.Quarantine] = true
	case job.ClockStepped, job.LogRestored, job.ArchivePruned, job.Unknown: // facts for people
	case job.ConfigSet:
		return Change{}, p.configSet(at, e)
	case job.ConfigUnset:
		if !p.IsSet(e.Key) {
			return Change{}, p.misfit(at, e, "the setting must be set")
		}
		delete(p.settings, e.Key)
		_ = p.config.Unset(e.Key) // of a key that only a newer program knows there is nothing to take back
	case *job.WorkerStarted:
		return Change{}, p.workerStarted(at, e)
	case job.WorkerStopped:
		return Change{}, p.workerGone(at, e.Worker, e)
	case job.WorkerLost:
		return Change{}, p.workerGone(at, e.Worker, e)
	case job.StopRequested:
		return Change{}, p.stopRequested(at, e)
	case job.JobsForgotten:
		return Change{}, p.forgotten(at, e)
	case job.QueuePaused, job.QueueResumed, job.QueueLimited:
		return p.foldQueue(at, e)
	case *job.CronAdded:
		return Change{}, p.cronAdded(at, e)
	case *job.CronChanged:
		return Change{}, p.cronChanged(at, e)
	case job.CronRemoved:
		return Change{}, p.cronRemoved(at, e)
	case job.CronTicked:
		return Change{}, p.cronTicked(at, e)
	case *job.JobsPurged:
		return Change{}, p.purged(at, e)
	default:
		return Change{}, p.misfit(at, e, "it must be about a job")
	}
	return Change{}, nil
}

// configSet keeps settings with keys that only a newer program knows, and follows all others.
func (p *Projection) configSet(at job.At, e job.ConfigSet) error {
	if _, err := p.config.Text(e.Key); err == nil {
		if _, err := p.config.Set(e.Key, e.New); err != nil {
			return p.misfit(at, e, err.Error())
		}
	}
	p.settings[e.Key] = e.New
	return nil
}

func (p *Projection) misfit(at job.At, e job.Event, reason string) error {
	return &MisfitError{Position: at.Position, Kind: job.KindOf(e), Reason: reason}
}
