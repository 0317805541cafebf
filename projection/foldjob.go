package projection

import (
	"math"

	"github.com/queuectl/queuectl/job"
)

// foldJob folds an event about a job that exists.
func (p *Projection) foldJob(at job.At, key job.Position, e job.Event) (Change, error) {
	j, known := p.bring(key)
	if !known {
		return Change{}, p.misfit(at, e, "the job must exist")
	}
	if reason := p.unfit(j, e); reason != "" {
		return Change{}, p.misfit(at, e, reason)
	}
	r := j.record()
	if r.life == 0 {
		r.life = p.lives.add() + 1
	}
	l := p.lives.at(r.life - 1)
	l.updatedAt = at.Time
	switch e := e.(type) {
	case job.KillRequested:
		p.killAsked(r, e)
		return Change{}, nil
	case job.JobHeld:
		p.held++
		l.flags |= held
		return p.change(j), nil
	case job.JobReleased:
		p.held--
		l.flags &^= held
		return p.change(j), nil
	case *job.JobEdited:
		p.edit(at, j, e)
		return p.change(j), nil
	}
	if r.state == job.Processing {
		p.worker(l.worker).end(key)
		l.flags &^= killAsked | cancelAsked
		delete(p.kills, r.life)
	}
	from := r.state
	waited, ended := from.Waiting(), from == job.Processing
	r.due, l.finishedAt, l.ended, l.why = 0, 0, 0, job.WhyNone
	p.turn(j, p.apply(at, j, e))
	if r.state.Ended() {
		l.finishedAt, l.ended = at.Time, at.Position
		if l.flags&held != 0 {
			p.held--
			l.flags &^= held
		}
	}
	if r.dated {
		p.dates.set(key, p.waitsUntil(j))
	}
	var change Change
	if waited || r.state.Waiting() {
		change = p.change(j)
	}
	if ended || r.state == job.Processing {
		p.ran(at, j, &change)
	}
	change.Released = p.tellChildren(j, from)
	return change, nil
}

// killAsked notes a signal that was asked for.
func (p *Projection) killAsked(r *record, e job.KillRequested) {
	l := p.lives.at(r.life - 1)
	l.flags |= killAsked
	if e.Cancel {
		l.flags |= cancelAsked
	}
	p.kills[r.life] = append(p.kills[r.life], e.Signal)
}

// unfit says why an event cannot happen to a job, "" if it can. Events that end a run must be about
// the current one: that is the fence between a run and its successors.
func (p *Projection) unfit(j place, e job.Event) string {
	r := j.record()
	var run job.Position // that the event ends or is about
	switch e := e.(type) {
	case job.JobClaimed:
		switch {
		case !p.claimable(r):
			return "the job must wait, and neither be held nor wait for parents"
		case p.worker(e.Worker) == nil:
			return "the worker must be known"
		}
		return ""
	case job.JobHeld:
		if r.state.Ended() || p.isHeld(r) {
			return "the job must not have ended, nor be held"
		}
		return ""
	case *job.JobEdited:
		if !r.state.Waiting() {
			return "the job must wait"
		}
		return ""
	case job.JobReleased:
		if !p.isHeld(r) {
			return "the job must be held"
		}
		return ""
	case job.JobRetried:
		if r.state != e.From || e.From != job.Dead && e.From != job.Failed {
			return "the job must be dead or failed, as the event says"
		}
		return ""
	case *job.JobCancelled:
		if e.Run == 0 {
			if !r.state.Waiting() {
				return "the job must wait"
			}
			if e.Parent != 0 {
				return p.unfitParent(r, e.Run, e.Parent)
			}
			return ""
		}
		run = e.Run
	case job.KillRequested:
		if e.Signal < 1 || e.Signal > math.MaxInt16 {
			return "the signal must be one"
		}
		run = e.Run
	case *job.JobCompleted:
		run = e.Run
	case *job.JobFailed:
		run = e.Run
	case *job.JobDied:
		if e.Why == job.WhyDependency {
			return p.unfitParent(r, e.Run, e.Parent)
		}
		if e.Run == 0 {
			return unfitWithoutRun(r, e)
		}
		run = e.Run
	case job.RunLost:
		if r.life != 0 && p.lives.at(r.life-1).worker != e.Worker {
			return "the run must be the worker's"
		}
		run = e.Run
	case job.RunReturned:
		run = e.Run
	default:
		return "the fold must know all events about jobs"
	}
	if r.state != job.Processing || p.lives.at(r.life-1).run != run {
		return "the run must be the job's current one"
	}
	return ""
}

// unfitWithoutRun is unfit for a job that dies while it waits.
func unfitWithoutRun(r *record, e *job.JobDied) string {
	switch {
	case !r.state.Waiting():
		return "the job must wait"
	case e.Failure != job.WhyNone:
		return "a job that did not run has not failed"
	}
	return ""
}

// apply does what an event does to a job, but for its state, which it returns.
func (p *Projection) apply(at job.At, j place, e job.Event) job.State {
	r := j.record()
	l := p.lives.at(r.life - 1)
	switch e := e.(type) {
	case job.JobClaimed:
		l.run, l.worker, l.startedAt = at.Position, e.Worker, at.Time
		l.runs++
		w := p.worker(e.Worker)
		w.Running = append(w.Running, j.key())
		return job.Processing
	case *job.JobCompleted:
		l.exited(job.WhyNone, &e.Result)
		return job.Completed
	case *job.JobFailed:
		p.failed(r, e.Why, &e.Result)
		l.why = e.Why
		r.due = max(0, e.NextAttemptAt)
		return job.Failed
	case *job.JobDied:
		switch {
		case e.Why == job.WhyDependency:
			p.because(at, r, e.Parent, j.key())
		case e.Run == 0:
		case e.Failure == job.WhyNone:
			p.lost(r)
		default:
			p.failed(r, e.Failure, &e.Result)
		}
		l.why = e.Why
		return job.Dead
	case job.RunLost:
		p.lost(r)
		return job.Pending
	case job.RunReturned:
		r.due = max(0, e.Due)
		return job.Pending
	case job.JobRetried:
		p.revived = at.Position
		delete(p.errors, r.life)
		if e.Reset {
			l.attempts, l.crashes = 0, 0
		}
		r.due = max(0, e.Due)
		if e.DeadlineLifted {
			l.flags |= lifted
		}
		return job.Pending
	case *job.JobCancelled:
		if e.Run != 0 {
			l.exited(job.WhyNone, &e.Result)
		}
		if e.Parent != 0 {
			p.because(at, r, e.Parent, j.key())
		}
		return job.Cancelled
	}
	panic("projection: an event that fits is not applied")
}

// failed counts a run that failed.
func (p *Projection) failed(r *record, why job.Why, result *job.Result) {
	l := p.lives.at(r.life - 1)
	l.attempts++
	l.exited(why, result)
	p.errors[r.life] = job.LastError(why, *result)
}

// lost counts a run that was lost with its worker.
func (p *Projection) lost(r *record) {
	l := p.lives.at(r.life - 1)
	l.crashes++
	l.signal, l.exit = 0, 0
	l.flags &^= hasExit
	p.errors[r.life] = job.LastError(job.WhyNone, job.Result{})
}

// exited notes how the process of a run ended: with an exit code, unless it was ended by a signal or a
// timeout, or was no process.
func (l *life) exited(why job.Why, result *job.Result) {
	l.signal, l.exit = result.Signal, 0
	l.flags &^= hasExit
	if result.Signal == 0 && (why == job.WhyNone || why == job.WhyExit) {
		l.exit = result.Exit
		l.flags |= hasExit
	}
}

// turn brings a job into another state and keeps the counts.
func (p *Projection) turn(j place, to job.State) {
	r := j.record()
	if !r.state.CanBecome(to) {
		panic("projection: " + r.state.String() + " cannot become " + to.String())
	}
	q := p.queueOf(r)
	for _, c := range []*Counts{&p.counts, &j.page.counts, &q.counts} {
		c[r.state]--
		c[to]++
	}
	if r.unique && isActive(r.state) != isActive(to) {
		f := p.foundAt(j)
		p.uniques.turned(j.key(), f.head().UniqueKey, isActive(to))
	}
	r.state = to
}

// claimable says that the job waits for nothing but its time and a worker.
func (p *Projection) claimable(r *record) bool {
	return r.state.Waiting() && r.left == 0 && !p.isHeld(r)
}

// isHeld says that the job is held.
func (p *Projection) isHeld(r *record) bool {
	return r.life != 0 && p.lives.at(r.life-1).flags&held != 0
}

func (p *Projection) queueOf(r *record) *queue {
	return &p.lanes.queues[p.lanes.all[r.lane].queue]
}

// change tells the timeline about a job.
func (p *Projection) change(j place) Change {
	r := j.record()
	if !p.claimable(r) {
		return Change{Job: j.key()}
	}
	return Change{Job: j.key(), Waiting: true, Schedule: p.schedule(j)}
}

func (p *Projection) schedule(j place) job.Schedule {
	r := j.record()
	return job.Schedule{
		Key: j.key(), Queue: p.queueOf(r).name, Kind: p.lanes.all[r.lane].kind, ConcurrencyKey: p.keyOf(r),
		Priority: r.priority, Due: r.due, Rank: r.rank,
	}
}
