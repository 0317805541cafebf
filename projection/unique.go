package projection

import (
	"iter"
	"slices"
	"sort"
	"strings"

	"github.com/queuectl/queuectl/job"
)

// uniques finds jobs in memory by their unique keys. Those of the base are found in its files, whose jobs may be in
// another state by now, or gone: whoever looks here looks at the job as well.
type uniques struct {
	active map[string][]job.Position // that wait or run and came to do so in memory
	all    map[string][]job.Position // that were enqueued in memory, in any state, ascending
}

func newUniques() uniques {
	return uniques{active: map[string][]job.Position{}, all: map[string][]job.Position{}}
}

// enqueued takes up a new job, which waits.
func (u *uniques) enqueued(key job.Position, name string) {
	name = strings.Clone(name)
	u.all[name] = append(u.all[name], key)
	u.active[name] = append(u.active[name], key)
}

// turned notes that a job is active now, or not any more.
func (u *uniques) turned(key job.Position, name string, active bool) {
	list := u.active[name]
	i := slices.Index(list, key)
	switch {
	case active && i < 0:
		u.active[strings.Clone(name)] = append(list, key)
	case !active && i >= 0 && len(list) == 1:
		delete(u.active, name)
	case !active && i >= 0:
		u.active[name] = slices.Delete(list, i, i+1)
	}
}

// dropped takes out a job that has ended and leaves memory. Mostly it is the oldest one.
func (u *uniques) dropped(key job.Position, name string) {
	list := u.all[name]
	i, found := slices.BinarySearch(list, key)
	switch {
	case !found:
	case len(list) == 1:
		delete(u.all, name)
	case i == 0:
		u.all[name] = list[1:]
	default:
		u.all[name] = slices.Delete(list, i, i+1)
	}
}

// isActive says that a job in this state has its unique key to itself.
func isActive(s job.State) bool { return s.Waiting() || s == job.Processing }

// ActiveWithKey returns the jobs with this unique key that wait or run, in order of enqueue. It costs as much as
// there are, and O(log n) for each file of a snapshot.
func (p *Projection) ActiveWithKey(name string) []Brief {
	keys := slices.Clone(p.uniques.active[name])
	hash := idHash(name)
	for _, l := range p.base.levels {
		for key := range l.keys(sectionUniqueLive, hash) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	var active []Brief
	for _, key := range slices.Compact(keys) {
		if f, known := p.look(key); known && isActive(f.record.state) && f.head().UniqueKey == name {
			active = append(active, f.brief())
		}
	}
	return active
}

// LastWithKey returns the job with this unique key that was enqueued last, after a time (Unix nanoseconds), and is
// not cancelled. Jobs that were enqueued before an older one are not looked at. It costs as much as there are
// cancelled jobs with the key that are later, and O(log n) for each file of a snapshot.
func (p *Projection) LastWithKey(name string, after int64) (Brief, bool) {
	for key := range p.withKey(name) {
		f, known := p.look(key)
		switch {
		case !known || f.head().UniqueKey != name:
		case f.record.enqueuedAt <= after:
			return Brief{}, false
		case f.record.state != job.Cancelled:
			return f.brief(), true
		}
	}
	return Brief{}, false
}

// withKey yields the keys of jobs that have, or had, this unique key, or one with the same hash; the latest first.
func (p *Projection) withKey(name string) iter.Seq[job.Position] {
	return func(yield func(job.Position) bool) {
		here := p.uniques.all[name]
		hash := idHash(name)
		for _, l := range slices.Backward(p.base.levels) {
			for there := range l.keysDown(sectionUnique, hash) {
				for ; len(here) > 0 && here[len(here)-1] >= there; here = here[:len(here)-1] {
					if !yield(here[len(here)-1]) {
						return
					}
				}
				if !yield(there) { // a second time, if memory has it, too
					return
				}
			}
		}
		for _, key := range slices.Backward(here) {
			if !yield(key) {
				return
			}
		}
	}
}

// keysDown yields the keys of a hash in a section of an index, the last one first.
func (l *level) keysDown(section uint16, hash uint64) iter.Seq[job.Position] {
	return func(yield func(job.Position) bool) {
		for i := l.holding(section, hash); i >= 0; i-- {
			text := l.read(section, i)
			n := len(text) / indexEntry
			at := sort.Search(n, func(i int) bool { return u64(text[i*indexEntry:]) > hash })
			for at--; at >= 0 && u64(text[at*indexEntry:]) == hash; at-- {
				if !yield(job.Position(u64(text[at*indexEntry+8:]))) {
					return
				}
			}
			if at >= 0 || l.file.First(section, i) < hash {
				return
			}
		}
	}
}
