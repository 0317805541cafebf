package projection

import (
	"iter"

	"github.com/queuectl/queuectl/job"
)

// Coming yields the jobs that wait for parents and that nobody has to release before they can go on: neither they nor any
// that they come after, over however many steps, is held. Once those have ended they can be begun, or are ended because
// of one. The order is that of their keys. All jobs that wait must be in memory, see [Projection.LoadLive]; O(n) if any
// waits for parents.
func (p *Projection) Coming() iter.Seq[job.Schedule] {
	return func(yield func(job.Schedule) bool) {
		if !p.AnyAfter() {
			return
		}
		coming := map[job.Position]bool{}
		for f := range p.inMemory(Filter{States: []job.State{job.Pending, job.Failed}}) {
			if f.record.left == 0 || f.life.flags&held != 0 || !p.parentsGoOn(&f, coming) {
				continue
			}
			if coming[f.key] = true; !yield(f.schedule()) {
				return
			}
		}
	}
}

// parentsGoOn says that all that a job waits for runs, can run one day, or is among those that come. It has been
// asked of the parents before, since their keys are smaller.
func (p *Projection) parentsGoOn(f *found, coming map[job.Position]bool) bool {
	for _, parent := range job.PeekParents(f.spec) {
		b, known := p.Brief(parent.Key)
		if known && b.State.Waiting() && (b.Held || b.Parents > 0 && !coming[b.Key]) {
			return false
		}
	}
	return true
}
