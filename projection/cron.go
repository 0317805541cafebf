package projection

import (
	"cmp"
	"container/heap"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/queuectl/queuectl/job"
)

// cron is a schedule. When it ticks is decided by others: the events say what its next tick is.
type cron struct {
	key        job.Position
	name       string
	definition string // an encoded CronAdded event
	addedAt    int64
	changedAt  int64
	anchor     int64
	next       int64 // 0 = none
	last       int64 // 0 = none yet
	skip       job.Skip
	paused     bool
	jobs       []job.Position
	place      int // in crons.ticks, if there is a next tick
}

// crons are the schedules, with the next ticks of all in a heap.
type crons struct {
	byName map[string]*cron
	byKey  map[job.Position]*cron
	ticks  ticks
}

func newCrons() crons {
	return crons{byName: map[string]*cron{}, byKey: map[job.Position]*cron{}}
}

// add takes a schedule in. It reports false, and has done nothing, if its name or its key is taken.
func (c *crons) add(s *cron) bool {
	if c.byName[s.name] != nil || c.byKey[s.key] != nil || s.name == "" {
		return false
	}
	c.byName[s.name], c.byKey[s.key] = s, s
	if s.next != 0 {
		heap.Push(&c.ticks, s)
	}
	return true
}

func (c *crons) remove(s *cron) {
	c.setNext(s, 0)
	delete(c.byName, s.name)
	delete(c.byKey, s.key)
}

// setNext changes the next tick. O(log n).
func (c *crons) setNext(s *cron, next int64) {
	was := s.next
	s.next = next
	switch {
	case was == 0 && next != 0:
		heap.Push(&c.ticks, s)
	case was != 0 && next != 0:
		heap.Fix(&c.ticks, s.place)
	case was != 0:
		heap.Remove(&c.ticks, s.place)
	}
}

// sorted lists the schedules in order of their keys.
func (c *crons) sorted() []*cron {
	return slices.SortedFunc(maps.Values(c.byKey), func(a, b *cron) int { return cmp.Compare(a.key, b.key) })
}

// ticks is a heap of schedules by their next ticks.
type ticks []*cron

func (t ticks) Len() int           { return len(t) }
func (t ticks) Less(i, j int) bool { return compareTicks(t[i], t[j]) < 0 }

func (t ticks) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].place, t[j].place = i, j
}

func (t *ticks) Push(x any) {
	s := x.(*cron)
	s.place = len(*t)
	*t = append(*t, s)
}

func (t *ticks) Pop() any {
	last := len(*t) - 1
	s := (*t)[last]
	(*t)[last] = nil
	*t = (*t)[:last]
	return s
}

func compareTicks(a, b *cron) int {
	return cmp.Or(cmp.Compare(a.next, b.next), cmp.Compare(a.key, b.key))
}

// due appends the schedules at or below a place of the heap whose next tick has come.
func (t ticks) due(list []*cron, place int, now int64) []*cron {
	if place >= len(t) || t[place].next > now {
		return list
	}
	return t.due(t.due(append(list, t[place]), 2*place+1, now), 2*place+2, now)
}

// encodeCron returns a definition as it is kept.
func encodeCron(c *job.Cron) string { return string(job.AppendEvent(nil, &job.CronAdded{New: *c})) }

func (p *Projection) cronAdded(at job.At, e *job.CronAdded) error {
	s := &cron{
		key: at.Position, name: strings.Clone(e.New.Name), definition: encodeCron(&e.New),
		addedAt: at.Time, changedAt: at.Time, anchor: at.Time, next: e.Next,
	}
	if !p.crons.add(s) {
		return p.misfit(at, e, "the schedule must have a name, and a new one")
	}
	return nil
}

func (p *Projection) cronChanged(at job.At, e *job.CronChanged) error {
	s := p.crons.byKey[e.Cron]
	switch {
	case s == nil:
		return p.misfit(at, e, "the schedule must be known")
	case e.New != nil && e.New.Name != s.name:
		return p.misfit(at, e, "a schedule keeps its name")
	case e.Paused && e.Next != 0:
		return p.misfit(at, e, "a schedule that is paused has no next tick")
	}
	if e.New != nil {
		if old := p.cronEntry(s); !old.SameTimes(e.New) {
			s.anchor = at.Time
		}
		s.definition = encodeCron(e.New)
	}
	s.paused, s.changedAt = e.Paused, at.Time
	p.crons.setNext(s, e.Next)
	return nil
}

func (p *Projection) cronRemoved(at job.At, e job.CronRemoved) error {
	s := p.crons.byKey[e.Cron]
	if s == nil {
		return p.misfit(at, e, "the schedule must be known")
	}
	p.crons.remove(s)
	return nil
}

func (p *Projection) cronTicked(at job.At, e job.CronTicked) error {
	s := p.crons.byKey[e.Cron]
	switch {
	case s == nil:
		return p.misfit(at, e, "the schedule must be known")
	case e.Made != 0 && !p.isThere(e.Made):
		return p.misfit(at, e, "the job must exist")
	case (e.Made == 0) == (e.Skip == job.SkipNone):
		return p.misfit(at, e, "it must have made a job, or say why not")
	case e.Tick == 0 && (e.Made == 0 || e.Next != s.next):
		return p.misfit(at, e, "what is no tick makes a job and leaves the next tick")
	case e.Tick != 0 && (s.next == 0 || e.Tick < s.next || e.Next != 0 && e.Next <= e.Tick):
		return p.misfit(at, e, "ticks must grow")
	}
	if e.Tick != 0 {
		s.last, s.skip = e.Tick, e.Skip
		p.crons.setNext(s, e.Next)
	}
	if e.Made != 0 {
		if len(s.jobs) == job.CronJobs {
			s.jobs = slices.Delete(s.jobs, 0, 1)
		}
		s.jobs = append(s.jobs, e.Made)
	}
	return nil
}

// isThere says whether there is a job with this key.
func (p *Projection) isThere(key job.Position) bool {
	_, there := p.look(key)
	return there
}

// Crons yields the schedules by name.
func (p *Projection) Crons() iter.Seq[job.CronEntry] {
	return func(yield func(job.CronEntry) bool) {
		for _, name := range slices.Sorted(maps.Keys(p.crons.byName)) {
			if !yield(p.cronEntry(p.crons.byName[name])) {
				return
			}
		}
	}
}

// Cron returns the schedule of this name.
func (p *Projection) Cron(name string) (job.CronEntry, bool) {
	s := p.crons.byName[name]
	if s == nil {
		return job.CronEntry{}, false
	}
	return p.cronEntry(s), true
}

// CronName returns the name of the schedule with this key, "" if it is not there.
func (p *Projection) CronName(key job.Position) string {
	if s := p.crons.byKey[key]; s != nil {
		return s.name
	}
	return ""
}

// NextTick returns when the next tick of all schedules is due (Unix nanoseconds), ok is false if there is none.
// O(1).
func (p *Projection) NextTick() (next int64, ok bool) {
	if len(p.crons.ticks) == 0 {
		return 0, false
	}
	return p.crons.ticks[0].next, true
}

// DueCrons returns the schedules whose next tick has come at now (Unix nanoseconds), in order of those ticks, and
// at most so many. It costs time for those that are due only.
func (p *Projection) DueCrons(now int64, most int) []job.CronEntry {
	due := p.crons.ticks.due(nil, 0, now)
	slices.SortFunc(due, compareTicks)
	var entries []job.CronEntry
	for _, s := range due[:min(len(due), most)] {
		entries = append(entries, p.cronEntry(s))
	}
	return entries
}

// cronEntry is for the receiver of a query.
func (p *Projection) cronEntry(s *cron) job.CronEntry {
	decoded, err := job.DecodeEvent(job.KindCronAdded, []byte(s.definition))
	if err != nil {
		if last := len(p.base.levels) - 1; last >= 0 {
			p.base.levels[last].fail(fmt.Errorf("%w: schedule %q: %w", errMalformed, s.name, err))
		}
		panic(fmt.Sprintf("projection: schedule %q does not decode: %v", s.name, err))
	}
	e := job.CronEntry{
		Cron: decoded.(*job.CronAdded).New, Key: s.key, AddedAt: instant(s.addedAt), ChangedAt: instant(s.changedAt),
		Anchor: instant(s.anchor), Paused: s.paused, LastSkip: s.skip, Jobs: slices.Clone(s.jobs),
	}
	if s.next != 0 {
		e.Next = instant(s.next)
	}
	if s.last != 0 {
		e.Last = instant(s.last)
	}
	return e
}

func (c *canon) cron(s *cron) {
	c.numbers(uint64(s.key), uint64(s.addedAt), uint64(s.changedAt), uint64(s.anchor), uint64(s.next), uint64(s.last), uint64(s.skip))
	c.flag(s.paused)
	c.text(s.name)
	c.text(s.definition)
	c.numbers(uint64(len(s.jobs)))
	for _, key := range s.jobs {
		c.numbers(uint64(key))
	}
}

// cron takes a schedule, whose texts share the memory of what they are taken from: that is most of it.
func (t *taker) cron() *cron {
	s := &cron{
		key: t.position(), addedAt: t.int(), changedAt: t.int(), anchor: t.int(), next: t.int(), last: t.int(),
		skip: job.Skip(t.number()), paused: t.flag(), name: t.text(), definition: t.text(),
	}
	for range t.length() {
		s.jobs = append(s.jobs, t.position())
	}
	return s
}
