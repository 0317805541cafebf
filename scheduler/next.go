package scheduler

import (
	"iter"

	"github.com/queuectl/queuectl/job"
)

// Lanes selects what a worker serves: jobs of the named kinds in the named queues.
type Lanes struct {
	Queues []string // nil = all
	Shell  bool     // shell jobs
	Kinds  []string // jobs for Go handlers, by the handler's name
}

// source is where selected jobs come from: one lane, or all lanes of a kind.
type source struct {
	group *group
	lane  *lane // nil = all of the group
}

// selected lists the sources of a selection that may hold jobs: one for each kind if it is of all
// queues, else one for each kind and queue. The slice is valid until the next call.
func (t *Timeline) selected(l Lanes) []source {
	t.sources = t.sources[:0]
	if l.Shell {
		t.selectKind("", l.Queues)
	}
	for _, kind := range l.Kinds {
		t.selectKind(kind, l.Queues)
	}
	return t.sources
}

func (t *Timeline) selectKind(kind string, queues []string) {
	g := t.kinds[kind]
	if g == nil {
		return
	}
	if queues == nil {
		t.sources = append(t.sources, source{group: g})
		return
	}
	for _, queue := range queues {
		if l := g.lanes[queue]; l != nil {
			t.sources = append(t.sources, source{group: g, lane: l})
		}
	}
}

// firstReady and firstWaiting return the slot at the head of a source, -1 if there is none.
func (t *Timeline) firstReady(s source) int32 {
	l := s.lane
	if l == nil {
		if s.group.ready.empty() {
			return -1
		}
		l = t.lanes[s.group.ready.first()]
	}
	if l.ready.empty() {
		return -1
	}
	return l.ready.first()
}

func (t *Timeline) firstWaiting(s source) int32 {
	l := s.lane
	if l == nil {
		if s.group.waiting.empty() {
			return -1
		}
		l = t.lanes[s.group.waiting.first()]
	}
	if l.waiting.empty() {
		return -1
	}
	return l.waiting.first()
}

// Next returns the first job that is due at now (Unix nanoseconds) in the selected lanes, without
// taking it out. What became due once stays due, also if now is smaller in a later call. O(log n) for
// all queues, and for each queue that is named; a job that becomes due is moved once, whoever asks.
func (t *Timeline) Next(now int64, l Lanes) (job.Position, bool) {
	best := int32(-1)
	for _, s := range t.selected(l) {
		for slot := t.firstWaiting(s); slot >= 0 && t.items[slot].due <= now; slot = t.firstWaiting(s) {
			t.leave(slot)
			t.items[slot].ready = true
			t.join(slot)
		}
		if slot := t.firstReady(s); slot >= 0 && (best < 0 || t.readyLess(slot, best)) {
			best = slot
		}
	}
	if best < 0 {
		return 0, false
	}
	return t.items[best].key, true
}

// NextDue returns when the next job of the selected lanes will be due (Unix nanoseconds); ok is false
// when none waits. A time ≤ now means that one is due now; it is 0 if one is ready already. It changes
// nothing, and costs O(1) for all queues and for each queue that is named.
func (t *Timeline) NextDue(l Lanes) (due int64, ok bool) {
	for _, s := range t.selected(l) {
		if t.firstReady(s) >= 0 {
			return 0, true
		}
		if slot := t.firstWaiting(s); slot >= 0 && (!ok || t.items[slot].due < due) {
			due, ok = t.items[slot].due, true
		}
	}
	return due, ok
}

// Before yields the jobs that are due at now (Unix nanoseconds) and come before that with the key, which need
// not be due yet, in no particular order; Rank is the time that they are ordered by. It changes nothing, and
// costs O(n): it is for people who wonder why a job waits.
func (t *Timeline) Before(key job.Position, now int64) iter.Seq[job.Schedule] {
	return func(yield func(job.Schedule) bool) {
		own := t.index.find(t.items, key)
		if own < 0 {
			return
		}
		for slot := range t.items {
			it := &t.items[slot]
			if it.key == 0 || !it.ready && it.due > now || !t.readyLess(int32(slot), own) {
				continue
			}
			l := t.lanes[it.lane]
			if !yield(job.Schedule{Key: it.key, Queue: l.queue, Kind: l.group.kind, Priority: it.priority, Rank: it.due}) {
				return
			}
		}
	}
}
