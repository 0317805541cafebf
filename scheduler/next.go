package scheduler

import (
	"iter"
	"slices"

	"github.com/queuectl/queuectl/job"
)

// Lanes selects what a worker serves: jobs of the named kinds in the named queues.
//
// Who names queues serves them in turn: of those whose first job has the highest priority, the one that was
// served longest ago, by whomever. So none waits for the whole backlog of another. Who serves all queues takes the
// jobs of all of them in one order.
type Lanes struct {
	Queues []string // nil = all
	Shell  bool     // shell jobs
	Kinds  []string // jobs for Go handlers, by the handler's name
}

// Serve says whether jobs of the queue and kind are selected.
func (l *Lanes) Serve(queue, kind string) bool {
	if l.Queues != nil && !slices.Contains(l.Queues, queue) {
		return false
	}
	if kind == "" {
		return l.Shell
	}
	return slices.Contains(l.Kinds, kind)
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

// firstReady and firstWaiting return the slot at the head of a source, -1 if there is none, or if its queue is
// shut.
func (t *Timeline) firstReady(s source) int32 {
	l := s.lane
	if l == nil {
		if s.group.ready.empty() {
			return -1
		}
		l = t.lanes[s.group.ready.first()]
	}
	if l.ready.empty() || l.queue.opens != 0 {
		return -1
	}
	return t.firstOf(l)
}

func (t *Timeline) firstWaiting(s source) int32 {
	l := s.lane
	if l == nil {
		if s.group.waiting.empty() {
			return -1
		}
		l = t.lanes[s.group.waiting.first()]
	}
	if l.waiting.empty() || l.queue.opens != 0 {
		return -1
	}
	return t.firstWaitingOf(l)
}

// Next returns the first job that is due at now (Unix nanoseconds) in the selected lanes and that neither its
// queue nor its concurrency key holds back, without taking it out. What became due once stays due, also if now is
// smaller in a later call. O(log n) for all queues, and for each queue that is named; a job that becomes due is
// moved once, whoever asks.
func (t *Timeline) Next(now int64, l Lanes) (job.Position, bool) {
	t.open(now)
	best := int32(-1)
	for _, s := range t.selected(l) {
		for slot := t.firstWaiting(s); slot >= 0 && t.items[slot].due <= now; slot = t.firstWaiting(s) {
			t.leave(slot)
			t.items[slot].ready = true
			t.join(slot)
		}
		if slot := t.firstReady(s); slot >= 0 && (best < 0 || t.comesFirst(slot, best, l.Queues != nil)) {
			best = slot
		}
	}
	if best < 0 {
		return 0, false
	}
	return t.items[best].key, true
}

// comesFirst says whether the job in slot a is to be begun before that in slot b: see [Lanes].
func (t *Timeline) comesFirst(a, b int32, inTurn bool) bool {
	if inTurn && t.items[a].priority == t.items[b].priority {
		x, y := t.laneAt(t.items[a].home).queue, t.laneAt(t.items[b].home).queue
		if x.served != y.served {
			return x.served < y.served
		}
	}
	return t.readyLess(a, b)
}

// NextDue returns when the next job of the selected lanes will be due (Unix nanoseconds) if no event comes
// before that; ok is false when none will. A time ≤ now means that one is due now; it is 0 if one is ready
// already. It changes nothing, and costs O(1) for all queues, or for each that is named. Of those that are shut until a
// time it looks, for all queues, at those only that open before the time that it returns.
func (t *Timeline) NextDue(l Lanes) (due int64, ok bool) {
	due = never
	for _, s := range t.selected(l) {
		if t.firstReady(s) >= 0 {
			return 0, true
		}
		if slot := t.firstWaiting(s); slot >= 0 {
			due = min(due, t.items[slot].due)
		}
		if s.lane != nil {
			due = min(due, t.dueOnceOpen(s.lane))
		}
	}
	if l.Queues == nil {
		due = t.nextOpening(0, &l, due)
	}
	if due == never {
		return 0, false
	}
	return due, true
}

// nextOpening returns a time, or when the first job is due before it in a queue at or below a place in the heap of
// those that are shut until a time.
func (t *Timeline) nextOpening(place int, l *Lanes, due int64) int64 {
	if place >= len(t.opening.numbers) {
		return due
	}
	q := t.queues[t.opening.numbers[place]]
	if q.opens >= due {
		return due // and so do all below
	}
	for _, lane := range q.lanes {
		if l.Serve(q.name, lane.group.kind) {
			due = min(due, t.dueOnceOpen(lane))
		}
	}
	for child := place*arity + 1; child <= place*arity+arity; child++ {
		due = t.nextOpening(child, l, due)
	}
	return due
}

// dueOnceOpen returns when the first job of a lane is due whose queue is shut until a time; never if there is none,
// or the queue is not.
func (t *Timeline) dueOnceOpen(l *lane) int64 {
	switch opens := l.queue.opens; {
	case opens == 0 || opens == never:
		return never
	case !l.ready.empty():
		return opens
	case !l.waiting.empty():
		return max(opens, t.items[t.firstWaitingOf(l)].due)
	}
	return never
}

// Waits says whether any job of the selected lanes waits, also if its queue is shut. O(1) for all queues, and
// for each queue that is named.
func (t *Timeline) Waits(l Lanes) bool {
	for _, s := range t.selected(l) {
		if s.lane == nil && s.group.jobs > 0 || s.lane != nil && s.lane.jobs > 0 {
			return true
		}
	}
	return false
}

// Before yields the jobs that are due at now (Unix nanoseconds) and come before that with the key, which need
// not be due yet, in no particular order; Rank is the time that they are ordered by. Those that something else
// holds back than the job itself are left out. It changes nothing, and costs O(n): it is for people who wonder
// why a job waits.
func (t *Timeline) Before(key job.Position, now int64) iter.Seq[job.Schedule] {
	return func(yield func(job.Schedule) bool) {
		own := t.index.find(t.items, key)
		if own < 0 {
			return
		}
		ownQueue, ownKey := t.laneAt(t.items[own].home).queue, t.keyAt(t.items[own].home)
		for slot := range t.items {
			it := &t.items[slot]
			if it.key == 0 || !it.ready && it.due > now || !t.readyLess(int32(slot), own) {
				continue
			}
			l, k := t.laneAt(it.home), t.keyAt(it.home)
			if l.queue != ownQueue && l.queue.opens > now || k != nil && k != ownKey && k.runs > 0 {
				continue
			}
			if !yield(job.Schedule{Key: it.key, Queue: l.queue.name, Kind: l.group.kind, Priority: it.priority, Rank: it.due}) {
				return
			}
		}
	}
}

// keyAt returns the concurrency key of an item's home, nil if it has none.
func (t *Timeline) keyAt(home int32) *key {
	if home < 0 {
		return t.strands[^home].key
	}
	return nil
}
