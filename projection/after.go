package projection

import (
	"iter"
	"maps"
	"slices"
	"sort"

	"github.com/queuectl/queuectl/job"
)

// What comes after what. A job waits for its parents as long as record.left is not 0: that is how many of them have
// not ended as they should. Which children a job has never changes, and is kept apart: in memory for the children
// that are newer than the base, in its files for all others.

// Child is a job that comes after another one.
type Child struct {
	Key job.Position
	On  job.AfterOn
}

// Failing is a job that has ended in another way than some of those should that still wait for it.
type Failing struct {
	Key    job.Position
	State  job.State    // in which it ended
	Left   uint64       // how many those are
	Cursor job.Position // up to this child they have been dealt with: none of those waits
}

// after is what the fold keeps of it, beside the records.
type after struct {
	children map[job.Position][]Child // of newer jobs than the base, in order of their keys
	waiting  uint64                   // jobs that wait for parents: while there are none, nobody looks
	failing  map[job.Position]*Failing
}

func newAfter() after {
	return after{children: map[job.Position][]Child{}, failing: map[job.Position]*Failing{}}
}

// AnyAfter says whether any job waits for parents. O(1).
func (p *Projection) AnyAfter() bool { return p.after.waiting > 0 }

// AnyFailing says whether [Projection.Failing] has any. O(1).
func (p *Projection) AnyFailing() bool { return len(p.after.failing) > 0 }

// Failing returns jobs that have ended in another way than some of those should that still wait for them, by key.
// Those that wait must be ended by events.
func (p *Projection) Failing() []Failing {
	var list []Failing
	for _, key := range slices.Sorted(maps.Keys(p.after.failing)) {
		list = append(list, *p.after.failing[key])
	}
	return list
}

// Children yields the jobs that come after the one with this key, in order of their keys from the first on that is
// greater than from. Some of them may have been forgotten. It costs O(log n) to begin.
func (p *Projection) Children(key, from job.Position) iter.Seq[Child] {
	return func(yield func(Child) bool) {
		for _, l := range p.base.levels {
			for c := range l.children(key) {
				if c.Key > from && !yield(c) {
					return
				}
			}
		}
		list := p.after.children[key]
		i := sort.Search(len(list), func(i int) bool { return list[i].Key > from })
		for _, c := range list[i:] {
			if !yield(c) {
				return
			}
		}
	}
}

// AwaitsParents says whether the job with this key waits for parents, and what is to become of it when one ends in
// another way than it should.
func (p *Projection) AwaitsParents(key job.Position) (job.OnParentFailure, bool) {
	f, known := p.look(key)
	if !known || f.record.left == 0 {
		return 0, false
	}
	return f.head().OnParent, true
}

// awaiting returns where a job is in memory, and brings it there if need be, if it waits for parents.
func (p *Projection) awaiting(key job.Position) (place, bool) {
	if j, here := p.find(key); here {
		return j, j.record().left > 0
	}
	if f, known := p.look(key); !known || f.record.left == 0 {
		return place{}, false
	}
	return p.bring(key)
}

// birth is what a new job has to do with its parents.
type birth struct {
	parents []job.Parent
	left    uint32    // parents that have not ended as they should
	broken  []Failing // those that have ended in another way
}

func (p *Projection) birth(at job.At, e *job.Peek, parents []job.Parent) (birth, error) {
	b := birth{parents: parents}
	for _, parent := range parents {
		f, known := p.look(parent.Key)
		switch {
		case !known:
			return birth{}, p.misfit(at, &job.JobEnqueued{}, "the parents must exist")
		case parent.On.Met(f.record.state):
			continue
		case f.record.state.Ended():
			b.broken = append(b.broken, Failing{Key: parent.Key, State: f.record.state})
		}
		b.left++
	}
	if e.OnParent == job.ParentRelease && b.broken != nil {
		b.left, b.broken = 0, nil
	}
	return b, nil
}

// bear notes a new job.
func (p *Projection) bear(key job.Position, b *birth) {
	for _, parent := range b.parents {
		p.after.children[parent.Key] = append(p.after.children[parent.Key], Child{key, parent.On})
	}
	if b.left > 0 {
		p.after.waiting++
	}
	for _, f := range b.broken {
		p.after.failed(f.Key, f.State)
	}
}

// failed counts a child that has to be ended because of a job.
func (a *after) failed(key job.Position, state job.State) {
	f := a.failing[key]
	if f == nil {
		f = &Failing{Key: key, State: state}
		a.failing[key] = f
	}
	f.Left++
}

// tellChildren does what it means for the children of a job, and for itself as a child, that it has come from one
// state into that in which it is. It returns what the timeline must know of those that wait for parents no more.
func (p *Projection) tellChildren(j place, from job.State) []job.Schedule {
	if p.after.waiting == 0 {
		return nil
	}
	switch to := j.record().state; {
	case to.Ended():
		p.leave(j)
		return p.ended(j.key(), to)
	case from == job.Dead:
		p.revive(j.key())
	}
	return nil
}

// leave ends a job's waiting for parents.
func (p *Projection) leave(j place) {
	r := j.record()
	if r.left == 0 {
		return
	}
	r.left = 0
	p.after.waiting--
	if len(p.after.failing) == 0 || p.policy(j) == job.ParentRelease {
		return // nobody counts it
	}
	for _, parent := range job.PeekParents(p.specs.text(r.spec)) {
		f := p.after.failing[parent.Key]
		if f == nil || parent.On.Met(f.State) {
			continue
		}
		if f.Left--; f.Left == 0 {
			delete(p.after.failing, parent.Key)
		}
	}
}

// ended tells the children of a job that it has ended. O(children).
func (p *Projection) ended(key job.Position, state job.State) (released []job.Schedule) {
	for c := range p.Children(key, 0) {
		j, waits := p.awaiting(c.Key)
		switch {
		case !waits:
			continue
		case c.On.Met(state):
			r := j.record()
			if r.left--; r.left > 0 {
				continue
			}
			p.after.waiting--
		case p.policy(j) == job.ParentRelease:
			p.leave(j)
		default:
			p.after.failed(key, state)
			continue
		}
		if change := p.change(j); change.Waiting {
			released = append(released, change.Schedule)
		}
	}
	return released
}

func (p *Projection) policy(j place) job.OnParentFailure {
	f := p.foundAt(j)
	return f.head().OnParent
}

// revive tells the children of a dead job that it is so no longer. Those that still wait go on waiting, for it, too.
func (p *Projection) revive(key job.Position) {
	delete(p.after.failing, key)
	for c := range p.Children(key, 0) {
		if !c.On.Met(job.Dead) {
			continue
		}
		if j, waits := p.awaiting(c.Key); waits {
			j.record().left++
		}
	}
}

// unfitParent says why an event cannot end a job because of a parent, "" if it can.
func (p *Projection) unfitParent(r *record, run, parent job.Position) string {
	if run != 0 || r.left == 0 || p.after.failing[parent] == nil {
		return "the job must wait for parents, and this one must have ended in another way than it should"
	}
	return ""
}

// because notes that a job is ended because of a parent. Children are dealt with in order of their keys, but for those
// that end right behind their own enqueue: children before such a one may not have had their turn.
func (p *Projection) because(at job.At, r *record, parent, key job.Position) {
	f := p.after.failing[parent]
	if at.Position != key+1 {
		f.Cursor = key
	}
	words := map[job.State]string{job.Completed: " completed", job.Dead: " is dead", job.Cancelled: " was cancelled"}
	p.errors[r.life] = "Parent " + job.Parent{ID: p.ID(parent), Key: parent}.String() + words[f.State]
}

// trim gives up what the base has.
func (p *Projection) trim() {
	for key, list := range p.after.children {
		i := sort.Search(len(list), func(i int) bool { return list[i].Key > p.base.at })
		if i == len(list) {
			delete(p.after.children, key)
		} else if i > 0 {
			p.after.children[key] = slices.Clone(list[i:])
		}
	}
}

// A file has the children of those jobs that it is the first to have: (parent u64 · child u64) in order, the child
// shifted left by childBits, with its condition below.
const childBits = 2

// children yields those of a job, in order.
func (l *level) children(parent job.Position) iter.Seq[Child] {
	return func(yield func(Child) bool) {
		for n := range l.keys(sectionChildren, uint64(parent)) {
			if !yield(Child{n >> childBits, job.AfterOn(n & (1<<childBits - 1))}) {
				return
			}
		}
	}
}

// addParents appends the entries of a job.
func (x *hashIndex) addParents(f *found) {
	for _, parent := range job.PeekParents(f.spec) {
		*x = append(*x, struct{ hash, key uint64 }{uint64(parent.Key), uint64(f.key)<<childBits | uint64(parent.On)})
	}
}

// encode is a part of the summary.
func (a *after) encode(c *canon) {
	c.numbers(a.waiting, uint64(len(a.failing)))
	for _, key := range slices.Sorted(maps.Keys(a.failing)) {
		f := a.failing[key]
		c.numbers(uint64(key), uint64(f.State), f.Left, uint64(f.Cursor))
	}
}

func (t *taker) after() after {
	a := newAfter()
	a.waiting = t.number()
	for range t.length() {
		f := &Failing{Key: t.position(), State: job.State(t.number()), Left: t.number(), Cursor: t.position()}
		a.failing[f.Key] = f
	}
	return a
}
