package projection

import (
	"iter"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/queuectl/queuectl/job"
)

// cuts says which jobs of a queue were forgotten: those that came into a final state with an event at or
// before the position for that state, and are in it still.
type cuts [len(Counts{})]job.Position

// has says that the job is gone.
func (c *cuts) has(f *found) bool {
	return f.record.state.Ended() && f.life.ended <= c[f.record.state]
}

// isCut says that a job of the base is gone.
func (p *Projection) isCut(f *found) bool {
	number, known := p.lanes.byQueue[f.queue]
	return known && p.lanes.queues[number].cuts.has(f)
}

// forgotten lets jobs go.
func (p *Projection) forgotten(at job.At, e job.JobsForgotten) error {
	number, known := p.lanes.byQueue[e.Queue]
	switch {
	case !e.State.Ended():
		return p.misfit(at, e, "the jobs must have ended")
	case !known || uint64(p.lanes.queues[number].counts[e.State]) < e.Jobs:
		return p.misfit(at, e, "the queue must have so many jobs")
	case e.Through <= p.lanes.queues[number].cuts[e.State] || e.Through >= at.Position:
		return p.misfit(at, e, "the cut must be later than the one before, and not in the future")
	}
	p.revived = at.Position
	q := &p.lanes.queues[number]
	q.cuts[e.State] = e.Through
	q.counts[e.State] -= int(e.Jobs)
	p.counts[e.State] -= int(e.Jobs)
	p.drop(number, e.State)
	return nil
}

// purged lets single jobs go. Of those of the base memory says from now on that they are gone.
func (p *Projection) purged(at job.At, e *job.JobsPurged) error {
	last := job.Position(0)
	for _, key := range e.Jobs {
		f, known := p.look(key)
		if !known || !f.record.state.Ended() || key <= last {
			return p.misfit(at, e, "the jobs must have ended, and be named once, in order")
		}
		last = key
	}
	p.revived = at.Position
	for _, key := range e.Jobs {
		j, _ := p.bring(key)
		state := j.record().state
		p.queueOf(j.record()).counts[state]--
		p.counts[state]--
		p.dropJob(j, 0)
	}
	for n, first := range p.jobs.firsts {
		if first > p.base.at {
			p.jobs.tidy(n)
		}
	}
	return nil
}

// drop gives back the memory of the jobs of a queue and state that the cut has reached.
func (p *Projection) drop(queue uint32, state job.State) {
	cut := p.lanes.queues[queue].cuts[state]
	gone := func(r *record) bool {
		return r.state == state && p.lanes.all[r.lane].queue == queue && p.lives.at(r.life-1).ended <= cut
	}
	for n, page := range p.jobs.pages {
		if page.counts[state] > 0 {
			if p.dropAll(page, gone, 0); p.jobs.firsts[n] > p.base.at { // of others it must be known that they are gone
				p.jobs.tidy(n)
			}
		}
	}
	for _, j := range p.strays {
		if gone(j.record()) {
			p.dropJob(j, 0)
		}
	}
}

func (p *Projection) dropAll(page *page, gone func(*record) bool, now job.State) {
	for i := range pageSize {
		if j := (place{page, i}); gone(j.record()) {
			p.dropJob(j, now)
		}
	}
}

// dropJob takes a job out of memory. It is forgotten, or away.
func (p *Projection) dropJob(j place, now job.State) {
	r := j.record()
	f := p.foundAt(j)
	head := f.head()
	if p.chosen[head.ID] == f.key {
		delete(p.chosen, head.ID)
	}
	if r.unique {
		p.uniques.dropped(f.key, head.UniqueKey)
	}
	delete(p.errors, r.life)
	delete(p.kills, r.life)
	p.lives.remove(r.life - 1)
	p.specs.remove(r.spec)
	j.page.counts[r.state]--
	*r = record{state: now}
}

// Settled says that every job that had ended at a position has done so still, and is still there.
func (p *Projection) Settled(since job.Position) bool { return p.revived <= since }

// Covered yields the jobs that the events of [Projection.Ripe] are about.
func (p *Projection) Covered(ripe []job.JobsForgotten) iter.Seq[Brief] {
	return func(yield func(Brief) bool) {
		cuts := map[string]cuts{}
		set := Filter{}
		for _, e := range ripe {
			c := cuts[e.Queue]
			c[e.State] = e.Through
			cuts[e.Queue] = c
			set.States = append(set.States, e.State)
		}
		if len(ripe) == 0 {
			return
		}
		for f := range p.all(set) {
			if c := cuts[f.queue]; c.has(&f) && !yield(f.brief()) {
				return
			}
		}
	}
}

// Ripe returns what JobsForgotten events can say at this moment: the jobs of a final state that ended at
// or before until (Unix nanoseconds), for each queue, by name. Since the log goes by positions, and clocks step back,
// they are those that came into the state before any job that did so later than that. An end in the future of
// now is a clock's mistake, and holds nothing up. It looks at all jobs of the state, once if none ended so long ago.
func (p *Projection) Ripe(state job.State, until, now int64) []job.JobsForgotten {
	type cut struct{ limit, through job.Position }
	cuts := map[string]*cut{}
	states := Filter{States: []job.State{state}}
	old := false
	for f := range p.all(states) {
		old = old || f.life.finishedAt <= until
		c := cuts[f.queue]
		if c == nil {
			c = &cut{limit: math.MaxUint64}
			cuts[strings.Clone(f.queue)] = c
		}
		if at := f.life.finishedAt; at > until && at <= now {
			c.limit = min(c.limit, f.life.ended)
		}
	}
	if !old {
		return nil
	}
	for f := range p.all(states) {
		if c := cuts[f.queue]; f.life.finishedAt <= until && f.life.ended < c.limit {
			c.through = max(c.through, f.life.ended)
		}
	}
	jobs := map[string]uint64{}
	for f := range p.all(states) {
		if f.life.ended <= cuts[f.queue].through {
			jobs[f.queue]++
		}
	}
	var ripe []job.JobsForgotten
	for _, queue := range slices.Sorted(maps.Keys(jobs)) {
		ripe = append(ripe, job.JobsForgotten{Queue: queue, State: state, Through: cuts[queue].through, Jobs: jobs[queue]})
	}
	return ripe
}
