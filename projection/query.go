package projection

import (
	"fmt"
	"slices"
	"time"

	"github.com/queuectl/queuectl/job"
)

// Key returns the key of the job with this id, 0 if there is none.
func (p *Projection) Key(id string) job.Position {
	if key, ok := job.PositionOfMadeID(id); ok {
		if j, found := p.jobs.find(key); found && p.head(j).ID == id {
			return key
		}
	}
	return p.chosen[id]
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
	KillAsked            bool // the current run was asked to end: see Kills
	CancelAsked          bool // … and the job is to be cancelled then
}

// Brief returns the short form of the job with this key. It decodes and allocates nothing.
func (p *Projection) Brief(key job.Position) (Brief, bool) {
	j, found := p.jobs.find(key)
	if !found {
		return Brief{}, false
	}
	r := j.record()
	b := Brief{Key: key, State: r.state, MaxRetries: r.maxRetries, OnCrash: r.onCrash, Schedule: p.schedule(j)}
	if r.life != 0 {
		l := p.lives.at(r.life - 1)
		b.Attempts, b.Runs, b.Crashes, b.Run, b.Worker = l.attempts, l.runs, l.crashes, l.run, l.worker
		b.KillAsked, b.CancelAsked = l.flags&killAsked != 0, l.flags&cancelAsked != 0
	}
	return b, true
}

// Kills returns the signals that were asked for the current run of the job with this key, in the order of the
// requests. nil if there are none.
func (p *Projection) Kills(key job.Position) []int32 {
	j, found := p.jobs.find(key)
	if !found {
		return nil
	}
	return slices.Clone(p.kills[j.record().life])
}

// ID returns the id of the job with this key, "" if there is none. It is cheaper than [Projection.Job].
func (p *Projection) ID(key job.Position) string {
	j, found := p.jobs.find(key)
	if !found {
		return ""
	}
	return p.head(j).ID
}

// Spec returns the spec of the job with this key, as it was enqueued.
func (p *Projection) Spec(key job.Position) (job.Spec, bool) {
	j, found := p.jobs.find(key)
	if !found {
		return job.Spec{}, false
	}
	return p.event(j).Spec, true
}

// Job returns the job with this key.
func (p *Projection) Job(key job.Position) (job.Job, bool) {
	j, found := p.jobs.find(key)
	if !found {
		return job.Job{}, false
	}
	return p.job(j), true
}

// head reads what can be read from a job's event without decoding all of it.
func (p *Projection) head(j place) job.Peek {
	head, err := job.PeekEnqueued(p.specs.text(j.record().spec))
	if err != nil {
		panic(fmt.Sprintf("projection: event of job %d was folded and is not readable: %v", j.key(), err))
	}
	return head
}

// event decodes a job's event. Its texts share the memory of the arena, which nobody can write to.
func (p *Projection) event(j place) *job.JobEnqueued {
	e, err := job.DecodeEnqueued(p.specs.text(j.record().spec))
	if err != nil {
		panic(fmt.Sprintf("projection: event of job %d was folded and is not readable: %v", j.key(), err))
	}
	return e
}

func (p *Projection) job(j place) job.Job {
	r := j.record()
	enqueued := instant(r.enqueuedAt)
	out := job.Job{
		Key: j.key(), Spec: p.event(j).Spec, State: r.state, MaxRetries: r.maxRetries,
		EnqueuedAt: enqueued, CreatedAt: enqueued, UpdatedAt: enqueued,
		CallerDir: p.callers.all[r.caller].dir, CallerPath: p.callers.all[r.caller].path,
	}
	if given := out.Spec.CreatedAt; !given.IsZero() {
		out.CreatedAt = given
	}
	if r.due != 0 {
		out.NextAttemptAt = instant(r.due)
	}
	if r.life == 0 {
		return out
	}
	l := p.lives.at(r.life - 1)
	out.Attempts, out.Runs, out.Crashes, out.Run, out.Worker = l.attempts, l.runs, l.crashes, l.run, l.worker
	out.UpdatedAt = instant(l.updatedAt)
	if l.runs > 0 {
		out.StartedAt = instant(l.startedAt)
	}
	if r.state.Ended() {
		out.FinishedAt = instant(l.finishedAt)
	}
	if l.flags&hasExit != 0 {
		out.Exit = new(l.exit)
	}
	out.Signal, out.Why, out.LastError = l.signal, l.why, p.errors[r.life]
	out.KillAsked = l.flags&killAsked != 0
	return out
}

func instant(ns int64) time.Time { return time.Unix(0, ns).UTC() }
