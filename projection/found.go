package projection

import (
	"fmt"
	"time"

	"github.com/queuectl/queuectl/job"
)

// found is a job as queries see it, wherever it is kept.
type found struct {
	key       job.Position
	record    record // without what points into memory: spec, life, caller, lane
	life      life   // if lived
	lived     bool
	spec      string // the encoded JobEnqueued event
	queue     string
	kind      string
	caller    caller
	lastError string
	kills     []int32
}

// look returns the job with this key.
func (p *Projection) look(key job.Position) (found, bool) {
	if j, known := p.find(key); known {
		return p.foundAt(j), true
	}
	if key > p.base.at || p.isHere(key) {
		return found{}, false
	}
	f, known := p.base.find(key)
	return f, known && !p.isCut(&f)
}

// find returns where the job is in memory, if it is there.
func (p *Projection) find(key job.Position) (place, bool) {
	if j, known := p.jobs.find(key); known {
		return j, true
	}
	j, known := p.strays[key]
	return j, known && j.record().here()
}

// isHere says that memory says all about the job, even if that is that it was forgotten.
func (p *Projection) isHere(key job.Position) bool {
	if _, stray := p.strays[key]; stray {
		return true
	}
	i, listed := p.jobs.search(key)
	return listed && p.jobs.at(i).record().state != away
}

// bring returns where the job is in memory, after bringing it there from the base if need be.
func (p *Projection) bring(key job.Position) (place, bool) {
	if j, known := p.find(key); known {
		return j, true
	}
	f, known := p.look(key)
	if !known {
		return place{}, false
	}
	j := p.stray(key, p.adopt(&f))
	p.keep(j, &f)
	return j, true
}

// stray makes a place for a job that is not in order.
func (p *Projection) stray(key job.Position, r record) place {
	i := p.strayed % pageSize
	if i == 0 {
		p.strayPage = new(page)
	}
	p.strayed++
	p.strayPage.keys[i], p.strayPage.jobs[i] = key, r
	p.strayPage.counts[r.state]++
	j := place{p.strayPage, i}
	p.strays[key] = j
	return j
}

// adopt returns the record of a job that comes from the base.
func (p *Projection) adopt(f *found) record {
	r := f.record
	r.spec, r.life = p.specs.add([]byte(f.spec)), 0
	r.lane, r.caller = p.lanes.number(f.queue, f.kind), p.callers.number(f.caller)
	return r
}

// keep notes the rest of a job that was adopted.
func (p *Projection) keep(j place, f *found) {
	if !f.lived {
		return
	}
	r := j.record()
	r.life = p.lives.add() + 1
	*p.lives.at(r.life - 1) = f.life
	if f.lastError != "" {
		p.errors[r.life] = f.lastError
	}
	if len(f.kills) > 0 {
		p.kills[r.life] = f.kills
	}
}

// foundAt is the job at a place in memory.
func (p *Projection) foundAt(j place) found {
	r := j.record()
	lane := p.lanes.all[r.lane]
	f := found{
		key: j.key(), record: *r, spec: p.specs.text(r.spec),
		queue: p.lanes.queues[lane.queue].name, kind: lane.kind, caller: p.callers.all[r.caller],
	}
	if r.life != 0 {
		f.lived, f.life = true, *p.lives.at(r.life - 1)
		f.lastError, f.kills = p.errors[r.life], p.kills[r.life]
	}
	return f
}

func (f *found) schedule() job.Schedule {
	s := job.Schedule{
		Key: f.key, Queue: f.queue, Kind: f.kind,
		Priority: f.record.priority, Due: f.record.due, Rank: f.record.rank,
	}
	if f.record.keyed {
		s.ConcurrencyKey = f.head().ConcurrencyKey
	}
	return s
}

// head reads what can be read from a job's event without decoding all of it.
func (f *found) head() job.Peek {
	head, err := job.PeekEnqueued(f.spec)
	if err != nil {
		panic(fmt.Sprintf("projection: event of job %d was folded and is not readable: %v", f.key, err))
	}
	return head
}

// event decodes a job's event. Its texts share the memory of the encoded form, which nobody can write to.
// A deadline that no longer holds is left out.
func (f *found) event() *job.JobEnqueued {
	e, err := job.DecodeEnqueued(f.spec)
	if err != nil {
		panic(fmt.Sprintf("projection: event of job %d was folded and is not readable: %v", f.key, err))
	}
	if f.life.flags&lifted != 0 {
		e.Spec.Deadline = time.Time{}
	}
	return e
}

func (f *found) job() job.Job {
	enqueued := instant(f.record.enqueuedAt)
	out := job.Job{
		Key: f.key, Spec: f.event().Spec, State: f.record.state, MaxRetries: f.record.maxRetries,
		EnqueuedAt: enqueued, CreatedAt: enqueued, UpdatedAt: enqueued,
		ParentsLeft: f.record.left, CallerDir: f.caller.dir, CallerPath: f.caller.path,
	}
	if given := out.Spec.CreatedAt; !given.IsZero() {
		out.CreatedAt = given
	}
	if f.record.due != 0 {
		out.NextAttemptAt = instant(f.record.due)
	}
	if !f.lived {
		return out
	}
	l := &f.life
	out.Attempts, out.Runs, out.Crashes, out.Run, out.Worker = l.attempts, l.runs, l.crashes, l.run, l.worker
	out.UpdatedAt = instant(l.updatedAt)
	if l.runs > 0 {
		out.StartedAt = instant(l.startedAt)
	}
	if f.record.state.Ended() {
		out.FinishedAt = instant(l.finishedAt)
	}
	if l.flags&hasExit != 0 {
		out.Exit = new(l.exit)
	}
	out.Signal, out.Why, out.LastError = l.signal, l.why, f.lastError
	out.KillAsked, out.Held = l.flags&killAsked != 0, l.flags&held != 0
	return out
}

func instant(ns int64) time.Time { return time.Unix(0, ns).UTC() }
