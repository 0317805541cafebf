package projection

import (
	"encoding/json"
	"slices"

	"github.com/queuectl/queuectl/job"
)

// Key returns the key of the job with this id, 0 if there is none.
func (p *Projection) Key(id string) job.Position {
	if key, ok := job.PositionOfMadeID(id); ok && p.has(key, id) {
		return key
	}
	return p.keyChosen(id)
}

// keyChosen returns the key of the job for which somebody has chosen this id, 0 if there is none.
func (p *Projection) keyChosen(id string) job.Position {
	if key, known := p.chosen[id]; known {
		return key
	}
	for key := range p.base.keys(id) {
		if p.has(key, id) {
			return key
		}
	}
	return 0
}

// has says that the job with this key has this id.
func (p *Projection) has(key job.Position, id string) bool {
	f, known := p.look(key)
	return known && f.head().ID == id
}

// Hooks returns the hooks of the job with this key, nil where it has none. They are read from the encoded job: it
// allocates nothing for one without hooks.
func (p *Projection) Hooks(key job.Position) (onComplete, onDead json.RawMessage) {
	f, known := p.look(key)
	if !known {
		return nil, nil
	}
	return job.PeekHooks(f.spec)
}

// Brief is the short form of a job: what the rules look at.
type Brief struct {
	Key                  job.Position
	State                job.State
	Attempts, MaxRetries uint32
	Runs, Crashes        uint32
	Run, Worker          job.Position // current or last run and its worker; 0 = never ran
	Schedule             job.Schedule // Due is meaningful while State.Waiting()
	OnCrash              job.OnCrash
	Deadline             int64  // Unix nanoseconds; 0 = none
	Parents              uint32 // that it waits for
	KillAsked            bool   // the current run was asked to end: see Kills
	CancelAsked          bool   // … and the job is to be cancelled then
	Held                 bool   // nobody claims it
	Unique               bool   // it has a unique key
}

// Brief returns the short form of the job with this key. Of a job in memory it decodes and allocates nothing.
func (p *Projection) Brief(key job.Position) (Brief, bool) {
	f, known := p.look(key)
	if !known {
		return Brief{}, false
	}
	return f.brief(), true
}

func (f *found) brief() Brief {
	b := Brief{
		Key: f.key, State: f.record.state, MaxRetries: f.record.maxRetries, OnCrash: f.record.onCrash, Parents: f.record.left, Schedule: f.schedule(), Unique: f.record.unique,
	}
	if f.record.dated && f.life.flags&lifted == 0 {
		b.Deadline = f.head().Deadline
	}
	if f.lived {
		l := &f.life
		b.Attempts, b.Runs, b.Crashes, b.Run, b.Worker = l.attempts, l.runs, l.crashes, l.run, l.worker
		b.KillAsked, b.CancelAsked, b.Held = l.flags&killAsked != 0, l.flags&cancelAsked != 0, l.flags&held != 0
	}
	return b
}

// Kills returns the signals that were asked for the current run of the job with this key, in the order of the
// requests. nil if there are none.
func (p *Projection) Kills(key job.Position) []int32 {
	f, _ := p.look(key)
	return slices.Clone(f.kills)
}

// ID returns the id of the job with this key, "" if there is none. It is cheaper than [Projection.Job].
func (p *Projection) ID(key job.Position) string {
	f, known := p.look(key)
	if !known {
		return ""
	}
	return f.head().ID
}

// Spec returns the spec of the job with this key, as it was enqueued.
func (p *Projection) Spec(key job.Position) (job.Spec, bool) {
	f, known := p.look(key)
	if !known {
		return job.Spec{}, false
	}
	return f.event().Spec, true
}

// Job returns the job with this key.
func (p *Projection) Job(key job.Position) (job.Job, bool) {
	f, known := p.look(key)
	if !known {
		return job.Job{}, false
	}
	return p.tell(&f), true
}

// tell is a job as it is told to the world.
func (p *Projection) tell(f *found) job.Job {
	j := f.job()
	j.QueuePaused = j.State.Waiting() && p.isPaused(f.queue)
	for i, parent := range j.Spec.After {
		j.Spec.After[i].ID = p.ID(parent.Key)
	}
	return j
}
