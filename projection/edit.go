package projection

import "github.com/queuectl/queuectl/job"

// edit changes what a job says. If its time is among that, it takes its place among those that are due as if it had
// been enqueued now.
func (p *Projection) edit(at job.At, j place, e *job.JobEdited) {
	r := j.record()
	f := p.foundAt(j)
	spec := *f.event()
	e.Apply(&spec)
	p.encoding = job.AppendEvent(p.encoding[:0], &spec)
	p.specs.remove(r.spec)
	r.spec = p.specs.add(p.encoding)
	r.priority = spec.Spec.Priority
	if n := spec.Spec.MaxRetries; n != nil {
		r.maxRetries = *n
	}
	p.moveTo(r, spec.Spec.Queue)
	if e.Has(job.FieldDue) {
		if r.due, r.rank = max(0, spec.Due), spec.Due; r.due == 0 {
			p.rank = max(p.rank, at.Time)
			r.rank = p.rank
		}
	}
	l := p.lives.at(r.life - 1)
	l.flags |= edited
	l.flags &^= lifted // a deadline that held no longer is not in what it says now
	if r.dated = !spec.Spec.Deadline.IsZero(); e.Has(job.FieldDeadline) {
		p.dates.set(j.key(), p.waitsUntil(j))
	}
}

// moveTo brings a job into another queue.
func (p *Projection) moveTo(r *record, queue string) {
	was := p.lanes.all[r.lane]
	r.lane = p.lanes.number(queue, was.kind)
	p.lanes.queues[was.queue].counts[r.state]--
	p.queueOf(r).counts[r.state]++
}
