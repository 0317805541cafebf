package projection

import (
	"iter"

	"github.com/queuectl/queuectl/job"
)

// Filter selects jobs; zero fields select all.
type Filter struct {
	States []job.State
	Queue  string
	After  job.Position // cursor: only jobs with a greater key
	Before job.Position // only jobs with a smaller key; 0 = no bound
	Limit  int          // 0 = all
	Newest bool         // the last Limit jobs instead of the first, still in order of enqueue
}

// List yields the selected jobs in order of enqueue. Nothing may be folded before it is done. It costs
// O(log n) to begin, and then little for jobs that are not selected: runs of 256 jobs without one in
// the States are passed over at once.
func (p *Projection) List(f Filter) iter.Seq[job.Job] {
	return func(yield func(job.Job) bool) {
		left := f.Limit
		for j := range p.choose(f) {
			if !yield(p.job(j)) {
				return
			}
			if left--; left == 0 {
				return
			}
		}
	}
}

// Count returns how many jobs List would yield without a Limit. Without After and Before it is O(1).
func (p *Projection) Count(f Filter) int {
	f.Limit = 0
	if f.After == 0 && f.Before == 0 {
		return p.countStates(f)
	}
	n := 0
	for range p.choose(f) {
		n++
	}
	return n
}

func (p *Projection) countStates(f Filter) int {
	counts := p.counts
	if f.Queue != "" {
		q, known := p.lanes.byQueue[f.Queue]
		if !known {
			return 0
		}
		counts = p.lanes.queues[q].counts
	}
	states := stateSet(f.States)
	n := 0
	for state, count := range counts {
		if states.has(job.State(state)) {
			n += count
		}
	}
	return n
}

// states is a set of job.State.
type states uint8

func stateSet(list []job.State) states {
	if len(list) == 0 {
		return 1<<len(Counts{}) - 1
	}
	var set states
	for _, s := range list {
		if int(s) < len(Counts{}) {
			set |= 1 << s
		}
	}
	return set
}

func (set states) has(s job.State) bool { return set>>s&1 != 0 }

// in says whether any of the jobs counted is in one of the states.
func (set states) in(c *Counts) bool {
	for state, n := range c {
		if n > 0 && set.has(job.State(state)) {
			return true
		}
	}
	return false
}

// choose yields where the selected jobs are, from the first one on; with Newest and a Limit from the
// Limit-th last one on.
func (p *Projection) choose(f Filter) iter.Seq[place] {
	queue := uint32(0)
	if f.Queue != "" {
		known := false
		if queue, known = p.lanes.byQueue[f.Queue]; !known {
			return func(func(place) bool) {}
		}
	}
	set := stateSet(f.States)
	match := func(j place) bool {
		r := j.record()
		return set.has(r.state) && (f.Queue == "" || p.lanes.all[r.lane].queue == queue)
	}
	from, found := p.jobs.search(f.After)
	if found {
		from++
	}
	to := p.jobs.n
	if f.Before != 0 {
		to, _ = p.jobs.search(f.Before)
	}
	if f.Newest && f.Limit > 0 {
		from = p.back(from, to, f.Limit, set, match)
	}
	return func(yield func(place) bool) {
		for i := from; i < to; i++ {
			j := p.jobs.at(i)
			if j.i == 0 && !set.in(&j.page.counts) {
				i += pageSize - 1
				continue
			}
			if match(j) && !yield(j) {
				return
			}
		}
	}
}

// back returns the number of the limit-th last match before to, or from if there are not so many.
func (p *Projection) back(from, to, limit int, set states, match func(place) bool) int {
	for i := to - 1; i >= from; i-- {
		j := p.jobs.at(i)
		if j.i == pageSize-1 && !set.in(&j.page.counts) {
			i -= pageSize - 1
			continue
		}
		if match(j) {
			if limit--; limit == 0 {
				return i
			}
		}
	}
	return from
}
