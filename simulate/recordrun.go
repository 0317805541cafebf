package simulate

import (
	"time"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/job"
)

// about takes an event about a job.
func (r *Recorder) about(j *tracked, key job.Position, e job.Event) {
	switch e := e.(type) {
	case job.JobClaimed:
		r.claimed(j, e.Worker)
	case job.KillRequested:
		r.killAsked(j, e.Cancel)
	case *job.JobCompleted:
		r.ran(j, job.WhyNone, &e.Result)
		r.over(j, key, job.Completed)
	case *job.JobFailed:
		r.ran(j, e.Why, &e.Result)
		r.learnBase(j, e.NextAttemptAt)
		j.attempts++
		r.again(j, job.Failed, r.clock.moment(e.NextAttemptAt))
	case *job.JobDied:
		switch {
		case e.Why == job.WhyDependency:
			r.endsByParent(j, e.Parent, doom)
		case e.Run == 0: // it waited
		case e.Failure != job.WhyNone:
			r.ran(j, e.Failure, &e.Result)
			j.attempts++
		default:
			r.cutRun(j, lost)
			j.crashes++
		}
		r.over(j, key, job.Dead)
	case job.RunLost:
		r.cutRun(j, lost)
		j.crashes++
		r.again(j, job.Pending, 0)
	case job.RunReturned:
		r.returned(j, e.Why)
		r.again(j, job.Pending, r.clock.moment(e.Due))
	case job.JobRetried:
		r.retried(j, key, e)
	case *job.JobEdited:
		r.edited(j, e)
	case job.JobHeld:
		r.held(j, true)
	case job.JobReleased:
		r.held(j, false)
	case *job.JobCancelled:
		switch {
		case e.Run != 0:
			r.cutRun(j, asked)
		case e.Parent != 0:
			r.endsByParent(j, e.Parent, cancel)
		case j.number != none:
			r.step(cancel, j.number)
		}
		r.over(j, key, job.Cancelled)
	}
}

func (r *Recorder) claimed(j *tracked, worker job.Position) {
	j.state, j.worker, j.claimed, j.waits = job.Processing, worker, r.clock.last, 0
	if j.number != none {
		r.meter.claimed(j.number)
	}
}

// killAsked notes that somebody asked for the end of the current run. What they ask for later ends no run
// that the first request does not end.
func (r *Recorder) killAsked(j *tracked, forGood bool) {
	if !j.killed {
		j.killed, j.how = true, kill
		if forGood {
			j.how = cancel
		}
	}
	if j.number != none && j.asked == none {
		r.ask(j)
	}
}

// ask has the simulation ask for the end of the current run.
func (r *Recorder) ask(j *tracked) {
	j.asked = int32(len(r.record.script))
	r.step(j.how, j.number)
}

// ran notes a run that had an outcome.
func (r *Recorder) ran(j *tracked, why job.Why, result *job.Result) {
	held := r.clock.last - j.claimed
	took := min(max(0, result.End-result.Start), held)
	next := run{held: held, took: took, why: why, exit: result.Exit, timeout: result.Timeout, next: none}
	if j.killed {
		next.cut = asked
	}
	r.note(j, next)
}

// cutRun notes a run that had none.
func (r *Recorder) cutRun(j *tracked, cut cut) {
	held := r.clock.last - j.claimed
	r.note(j, run{held: held, took: held, why: job.WhySignal, next: none, cut: cut})
}

func (r *Recorder) note(j *tracked, next run) {
	if j.number == none {
		return
	}
	number := int32(len(r.record.runs))
	r.record.runs = append(r.record.runs, next)
	if j.last == none {
		r.record.jobs[j.number].first = number
	} else {
		r.record.runs[j.last].next = number
	}
	j.last = number
	if next.cut == whole {
		r.record.pools.add(lane{j.queue, j.kind}, j.attempts, number)
	}
}

// returned notes that a worker gives back what it runs.
func (r *Recorder) returned(j *tracked, why job.Why) {
	w := r.workers[j.worker]
	if why != job.WhyStop || w == nil || w.number == none {
		return
	}
	r.cutRun(j, asked)
	if !w.returned {
		w.returned = true
		r.step(giveBack, w.number)
	}
}

// endRun notes that a run is over: how long it took to end it, if somebody asked for that.
func (r *Recorder) endRun(j *tracked) {
	if j.asked != none {
		asked := &r.record.script[j.asked]
		asked.wait = r.clock.last - asked.at
	}
	j.asked, j.killed = none, false
}

// again notes that a job waits again.
func (r *Recorder) again(j *tracked, state job.State, due int64) {
	r.endRun(j)
	j.state, j.waits, j.since = state, due, max(r.clock.last, due)
	if j.number != none {
		r.meter.again(j.number, state, due)
	}
}

// over notes the end of a job. Only a dead one can be brought back.
func (r *Recorder) over(j *tracked, key job.Position, state job.State) {
	r.endRun(j)
	j.state, j.waits, j.held, j.left = state, 0, false, 0
	if j.number != none {
		r.meter.ended(j.number, state)
		r.record.jobs[j.number].ended = true
	}
	if state != job.Dead {
		delete(r.live, key)
	}
	r.tellChildren(key, state)
}

func (r *Recorder) retried(j *tracked, key job.Position, e job.JobRetried) {
	if e.From == job.Dead {
		r.revived(key)
	}
	if e.DeadlineLifted {
		j.deadline = 0
	}
	if e.Reset {
		j.attempts, j.crashes = 0, 0
	}
	due := r.clock.moment(e.Due)
	j.state, j.waits, j.since = job.Pending, due, max(r.clock.last, due)
	switch {
	case !r.open:
	case j.number == none: // it died before the record began
		j.enqueued, j.due, j.failed, j.lost = r.clock.last, due, j.attempts, j.crashes
		j.after = nil // it waits for nobody
		r.enter(key, j)
		r.meter.entered(j.number, due)
		r.step(arrive, j.number)
	default:
		r.meter.again(j.number, job.Pending, due)
		how := retry
		if e.From == job.Dead {
			how = retryDead
		}
		r.step(how, j.number)
		step := &r.record.script[len(r.record.script)-1]
		step.keep, step.wait = !e.Reset, max(0, due-r.clock.last)
	}
}

// held notes that somebody holds or releases a job.
func (r *Recorder) held(j *tracked, is bool) {
	j.held = is
	if j.number == none {
		return
	}
	how := release
	if is {
		how = hold
	}
	r.step(how, j.number)
}

// edited notes that somebody changed a job. What it does in a run is no part of a record.
func (r *Recorder) edited(j *tracked, e *job.JobEdited) {
	var edit decide.Edit
	if e.Has(job.FieldQueue) {
		edit.Queue = new(r.intern(e.New.Spec.Queue))
	}
	if e.Has(job.FieldPriority) {
		edit.Priority = &e.New.Spec.Priority
	}
	if e.Has(job.FieldMaxRetries) {
		edit.MaxRetries = e.New.Spec.MaxRetries
	}
	if e.Has(job.FieldTimeout) {
		edit.Timeout = e.New.Spec.Timeout
	}
	if e.Has(job.FieldDeadline) {
		edit.Deadline = &time.Time{}
		if at := e.New.Spec.Deadline; !at.IsZero() {
			edit.Deadline = new(instant(r.clock.moment(at.UnixNano())))
		}
	}
	if e.Has(job.FieldDue) {
		due := r.clock.moment(e.New.Due)
		j.waits, j.since = due, max(r.clock.last, due)
		if edit.Delay = new(time.Duration(0)); due != 0 {
			edit.Delay, edit.RunAt = nil, new(instant(due))
		}
		if j.number != none {
			r.meter.again(j.number, j.state, due)
		}
	}
	if j.number == none { // it is entered as it is
		if j.edited(&edit); e.Has(job.FieldDue) {
			j.due = j.waits
		}
		return
	}
	r.record.edits = append(r.record.edits, edit)
	r.step(amend, j.number)
	r.record.script[len(r.record.script)-1].wait = int64(len(r.record.edits) - 1)
}

// edited makes the changes that a record needs to know of.
func (e *entrant) edited(edit *decide.Edit) {
	if edit.Queue != nil {
		e.queue = *edit.Queue
	}
	if edit.Priority != nil {
		e.priority = *edit.Priority
	}
	if edit.MaxRetries != nil {
		e.maxRetries, e.ownRetries = *edit.MaxRetries, true
	}
	if edit.Deadline != nil {
		if e.deadline = 0; !edit.Deadline.IsZero() {
			e.deadline = edit.Deadline.UnixNano()
		}
	}
	if edit.Timeout != nil {
		own := limits{}
		if e.limits != nil {
			own = *e.limits
		}
		own.timeout = edit.Timeout
		e.limits = &own
	}
}

// learnBase finds out whether workers brought a back-off base with them, which the log does not say: with
// no setting and no wish of the job's, the delay after the first failure is the base in seconds.
func (r *Recorder) learnBase(j *tracked, next int64) {
	_, isSet := r.set["backoff_base"]
	if r.record.base != 0 || isSet || j.limits != nil || j.attempts != 0 || r.config.BackoffJitter != 0 {
		return
	}
	delay := time.Duration(r.clock.moment(next) - r.clock.last)
	if delay >= time.Second && delay < r.config.BackoffMax {
		r.record.base = delay.Seconds()
	}
}
