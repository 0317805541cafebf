package projection

import (
	"iter"
	"slices"

	"github.com/queuectl/queuectl/job"
)

// Filter selects jobs; zero fields select all. A job must satisfy everything that is set.
type Filter struct {
	States []job.State // any of them
	Queue  string
	Tags   map[string]string // all of them
	Match  string            // is in the id, the command, the handler's name or last_error; case matters
	Since  int64             // enqueued at or after this time (Unix nanoseconds); 0 = no bound
	Until  int64             // enqueued at or before this time; 0 = no bound
	Held   bool              // only jobs that are held
	After  job.Position      // cursor: only jobs with a greater key
	Before job.Position      // only jobs with a smaller key; 0 = no bound
	Limit  int               // 0 = all
	Newest bool              // the last Limit jobs instead of the first, still in order of enqueue
}

// List yields the selected jobs in order of enqueue. Nothing may be folded before it is done. It costs
// O(log n) to begin, and then little for jobs that are not selected: runs of 256 jobs without one in
// the States are passed over at once, and of a snapshot only the files' parts for these states are read.
func (p *Projection) List(f Filter) iter.Seq[job.Job] {
	return func(yield func(job.Job) bool) {
		for j := range p.choose(f) {
			if !yield(p.tell(&j)) {
				return
			}
		}
	}
}

// Count returns how many jobs List would yield without a Limit. If only States and Queue are set it is O(1).
func (p *Projection) Count(f Filter) int {
	f.Limit = 0
	if f.After == 0 && f.Before == 0 && !f.looksInside() {
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
		return 1<<len(Counts{}) - 2 // 0 is that of forgotten jobs
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

// choose yields the selected jobs, as List does.
func (p *Projection) choose(f Filter) iter.Seq[found] {
	return func(yield func(found) bool) {
		if f.Newest && f.Limit > 0 {
			p.last(f)(yield)
			return
		}
		f.Newest = false
		left := f.Limit
		for j := range p.all(f) {
			if !f.selects(&j) {
				continue
			}
			if !yield(j) {
				return
			}
			if left--; left == 0 {
				return
			}
		}
	}
}

// last yields the last jobs that the filter selects, as many as its limit says, in order.
func (p *Projection) last(f Filter) iter.Seq[found] {
	jobs := make([]found, 0, min(f.Limit, pageSize))
	for j := range p.all(f) {
		if !f.selects(&j) {
			continue
		}
		if jobs = append(jobs, j); len(jobs) == f.Limit {
			break
		}
	}
	slices.Reverse(jobs)
	return slices.Values(jobs)
}

// all yields the jobs of the filter's states between its bounds, in memory or not, in order of their keys
// or, for the newest, against it.
func (p *Projection) all(f Filter) iter.Seq[found] {
	live := jobSections[0].states
	if set := stateSet(f.States); p.live && set&live == set {
		return p.inMemory(f)
	}
	return p.merge(0, f)
}

// merge is all, but of the base only with the jobs that the files from the given one on have.
func (p *Projection) merge(from int, f Filter) iter.Seq[found] {
	if from == len(p.base.levels) {
		return p.inMemory(f)
	}
	return func(yield func(found) bool) {
		next, stop := iter.Pull(p.inMemory(f))
		defer stop()
		here, more := next()
		for there := range p.base.scan(from, &f) {
			if p.isCut(&there) || p.isHere(there.key) {
				continue
			}
			for more && (here.key < there.key) != f.Newest {
				if !yield(here) {
					return
				}
				here, more = next()
			}
			if !yield(there) {
				return
			}
		}
		for ; more; here, more = next() {
			if !yield(here) {
				return
			}
		}
	}
}

// inMemory is all, of the jobs in memory.
func (p *Projection) inMemory(f Filter) iter.Seq[found] {
	return func(yield func(found) bool) {
		set := stateSet(f.States)
		stray := p.strayKeys(&f)
		for j := range p.jobs.walk(&f, set) {
			for len(stray) > 0 && (stray[0] < j.key()) != f.Newest {
				if s := p.strays[stray[0]]; set.has(s.record().state) && !yield(p.foundAt(s)) {
					return
				}
				stray = stray[1:]
			}
			if !yield(p.foundAt(j)) {
				return
			}
		}
		for _, key := range stray {
			if s := p.strays[key]; set.has(s.record().state) && !yield(p.foundAt(s)) {
				return
			}
		}
	}
}

// strayKeys returns the keys of strays between the filter's bounds, in its order.
func (p *Projection) strayKeys(f *Filter) []job.Position {
	if len(p.strays) == 0 {
		return nil
	}
	var keys []job.Position
	for key := range p.strays {
		if key > f.After && (f.Before == 0 || key < f.Before) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	if f.Newest {
		slices.Reverse(keys)
	}
	return keys
}

// walk yields the jobs of the states between the filter's bounds, in its order. Pages without one are
// passed over.
func (t *table) walk(f *Filter, set states) iter.Seq[place] {
	from, exact := t.search(f.After)
	if exact {
		from++
	}
	to := t.n
	if f.Before != 0 {
		to, _ = t.search(f.Before)
	}
	return func(yield func(place) bool) {
		for i := from; i < to && !f.Newest; i++ {
			j := t.at(i)
			if (j.i == 0 || i == from) && !set.in(&j.page.counts) {
				i += pageSize - 1 - j.i
			} else if set.has(j.record().state) && !yield(j) {
				return
			}
		}
		for i := to - 1; i >= from && f.Newest; i-- {
			j := t.at(i)
			if (j.i == pageSize-1 || i == to-1) && !set.in(&j.page.counts) {
				i -= j.i
			} else if set.has(j.record().state) && !yield(j) {
				return
			}
		}
	}
}
