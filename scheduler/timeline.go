// Package scheduler says what is due: which waiting job comes next, and how long a failed one waits.
//
// A [Timeline] keeps the waiting jobs in lanes, one for each queue and kind of job. A lane has two
// min-heaps: waiting, by due time, and ready, by priority (high first), due time and key. Jobs go from
// the first to the second as their time comes. The order is total and looks at nothing but what the log
// holds, so the same log gives the same order on every machine. Every change is O(log n), a waiting
// job takes less than 60 bytes, and none of them is a pointer that the garbage collector has to follow.
//
// Jobs of one lane that share a concurrency key are a strand. A strand has two heaps of its own, and stands in
// those of the lane as one item does; while a job of its key runs it is taken out, and so none of its jobs is
// looked at, however many wait. In the same way the lanes of a queue that is shut are taken out of what a
// worker looks at, until a time or until somebody says otherwise. Which queue is shut, and which key is taken,
// follows from the events: see package decide.
//
// A job that is due at once is ready whatever the clock says, and takes its place among the ready ones
// by its rank: about when it was enqueued. So a retry comes after the work that was there before its
// time and before the work that came later, and under a load that never ends each has its turn.
//
// The package starts no goroutine and reads no clock, and it never changes a job: the time is an
// argument, and what is due is only said. Claims are decided by package decide; who may hold one is
// the matter of package scheduler/lease.
package scheduler

import (
	"fmt"
	"math"

	"github.com/queuectl/queuectl/job"
)

// Timeline holds the waiting jobs; see the package's description. The zero value is not usable: start
// from [NewTimeline]. Not safe for concurrent use.
type Timeline struct {
	items []item // slots; a free one has key 0
	free  int32  // first free slot, -1 = none; the place of a free slot is the next one
	index index

	lanes []*lane           // numbered; never removed: queues are few, and come back
	kinds map[string]*group // by kind
	last  *lane             // of the last Put: jobs of one lane mostly come in a row

	queues  []*queue          // numbered; never removed either
	byName  map[string]*queue // the same
	opening heap              // of numbers of queues with jobs that are shut until a time
	strands []strand          // those that are free have no key
	unused  []int32           // free strands
	keys    map[string]*key   // that jobs wait for, or that are taken

	readyItems, waitingItems order // of a lane's heaps, and of a strand's
	readyLanes, waitingLanes order // of a group's heaps
	openingQueues            order
	sources                  []source
}

// item is one waiting job: 32 bytes, no pointers.
type item struct {
	key      job.Position
	due      int64 // or rank, of a job that is due at once
	home     int32 // number of its lane, or ^number of its strand
	priority int32
	place    int32 // in its heap
	ready    bool  // in the ready heap of its home, not in its waiting heap
}

// lane holds the jobs of one queue and kind. While its queue is shut it is in no heap of its group.
type lane struct {
	number         int32
	queue          *queue
	group          *group
	jobs           int   // all of them, in strands, too
	ready, waiting heap  // of slots and of ^strands
	readyPlace     int32 // in the heaps of the group; -1 = not there, since the lane's own is empty
	waitingPlace   int32
}

// group holds the lanes of one kind. A worker that serves all queues looks at the group alone.
type group struct {
	kind           string
	jobs           int              // in all lanes
	lanes          map[string]*lane // by queue
	ready, waiting heap             // of lane numbers, by their first items
}

// NewTimeline returns an empty timeline.
func NewTimeline() *Timeline {
	t := &Timeline{free: -1, kinds: map[string]*group{}, byName: map[string]*queue{}, keys: map[string]*key{}}
	t.readyItems = order{
		less: func(a, b int32) bool { return t.readyLess(t.readySlot(a), t.readySlot(b)) },
		moved: func(number, place int32) {
			if number < 0 {
				t.strands[^number].readyPlace = place
			} else {
				t.items[number].place = place
			}
		},
	}
	t.waitingItems = order{
		less: func(a, b int32) bool { return t.waitingLess(t.waitingSlot(a), t.waitingSlot(b)) },
		moved: func(number, place int32) {
			if number < 0 {
				t.strands[^number].waitingPlace = place
			} else {
				t.items[number].place = place
			}
		},
	}
	t.readyLanes = order{
		less:  func(a, b int32) bool { return t.readyLess(t.firstOf(t.lanes[a]), t.firstOf(t.lanes[b])) },
		moved: func(lane, place int32) { t.lanes[lane].readyPlace = place },
	}
	t.waitingLanes = order{
		less: func(a, b int32) bool {
			return t.waitingLess(t.firstWaitingOf(t.lanes[a]), t.firstWaitingOf(t.lanes[b]))
		},
		moved: func(lane, place int32) { t.lanes[lane].waitingPlace = place },
	}
	t.openingQueues = order{
		less:  func(a, b int32) bool { return t.queues[a].opens < t.queues[b].opens },
		moved: func(queue, place int32) { t.queues[queue].place = place },
	}
	t.opening.order = &t.openingQueues
	return t
}

// readySlot and waitingSlot return the slot that a number in a heap of items stands for: itself or, of a
// strand, its first.
func (t *Timeline) readySlot(number int32) int32 {
	if number < 0 {
		return t.strands[^number].ready.first()
	}
	return number
}

func (t *Timeline) waitingSlot(number int32) int32 {
	if number < 0 {
		return t.strands[^number].waiting.first()
	}
	return number
}

// firstOf and firstWaitingOf return the slot at the head of a lane's heap, which is not empty.
func (t *Timeline) firstOf(l *lane) int32        { return t.readySlot(l.ready.first()) }
func (t *Timeline) firstWaitingOf(l *lane) int32 { return t.waitingSlot(l.waiting.first()) }

// waitingLess orders slots by (due, key).
func (t *Timeline) waitingLess(a, b int32) bool {
	x, y := &t.items[a], &t.items[b]
	if x.due != y.due {
		return x.due < y.due
	}
	return x.key < y.key
}

// readyLess orders slots by (priority high first, due, key).
func (t *Timeline) readyLess(a, b int32) bool {
	x, y := &t.items[a], &t.items[b]
	if x.priority != y.priority {
		return x.priority > y.priority
	}
	if x.due != y.due {
		return x.due < y.due
	}
	return x.key < y.key
}

// Len returns the number of jobs in it.
func (t *Timeline) Len() int { return t.index.used }

// Put adds a waiting job, or moves it if it is there already. A job that is due at once (Due 0) is
// ready; any other waits until [Timeline.Next] is asked at a time at or after Due. O(log n).
func (t *Timeline) Put(s job.Schedule) {
	if s.Key == 0 {
		panic("scheduler: a waiting job has no key")
	}
	l := t.laneOf(s.Queue, s.Kind)
	slot := t.index.find(t.items, s.Key)
	if slot >= 0 {
		t.takeOut(slot)
	} else {
		slot = t.newSlot()
		t.items[slot].key = s.Key
		t.index.add(t.items, slot)
	}
	home := l.number
	if s.ConcurrencyKey != "" {
		home = ^t.strandOf(l, s.ConcurrencyKey)
	}
	t.count(l, 1)
	it := &t.items[slot]
	it.due, it.priority, it.home = s.Due, s.Priority, home
	if it.ready = s.Due <= 0; it.ready {
		it.due = s.Rank
	}
	t.join(slot)
}

// Remove takes a job out, if it is there. O(log n).
func (t *Timeline) Remove(key job.Position) {
	slot := t.index.find(t.items, key)
	if slot < 0 {
		return
	}
	t.takeOut(slot)
	t.index.remove(t.items, key)
	t.items[slot] = item{place: t.free}
	t.free = slot
}

// takeOut takes a slot's item out of its lane.
func (t *Timeline) takeOut(slot int32) {
	home := t.items[slot].home
	t.count(t.laneAt(home), -1)
	t.leave(slot)
	if home < 0 {
		t.dropIfEmpty(^home)
	}
}

// laneAt returns the lane of an item's home.
func (t *Timeline) laneAt(home int32) *lane {
	if home < 0 {
		home = t.strands[^home].lane
	}
	return t.lanes[home]
}

// count counts a job that comes (1) or goes (-1).
func (t *Timeline) count(l *lane, n int) {
	l.jobs += n
	l.group.jobs += n
	q := l.queue
	if q.jobs += n; q.opens != 0 && q.jobs <= 1 { // the first has come, or the last has gone
		t.rankOpening(q)
	}
}

// StepBack tells that the wall clock was set back by d nanoseconds: everything that waits for a time
// stays as far away as it was, and what is ready stays ready. It does nothing if d is not positive.
// O(n).
func (t *Timeline) StepBack(d int64) {
	if d <= 0 {
		return
	}
	for i := range t.items {
		if it := &t.items[i]; it.key != 0 && it.due > 0 {
			it.due = max(1, it.due-d) // 0 would mean at once, which comes before all times
		}
	}
	for _, q := range t.queues {
		if q.opens != 0 && q.opens != never {
			q.opens = max(1, q.opens-d)
		}
	}
	t.opening.rebuild()
	// Jobs whose times met at 1 are now in order of their keys, which is a change of order.
	for i := range t.strands {
		t.strands[i].ready.rebuild()
		t.strands[i].waiting.rebuild()
	}
	for _, l := range t.lanes {
		l.ready.rebuild()
		l.waiting.rebuild()
	}
	for _, g := range t.kinds {
		g.ready.rebuild()
		g.waiting.rebuild()
	}
}

// newSlot returns a slot that is free.
func (t *Timeline) newSlot() int32 {
	if slot := t.free; slot >= 0 {
		t.free = t.items[slot].place
		return slot
	}
	if len(t.items) == math.MaxInt32 {
		panic(fmt.Sprintf("scheduler: more than %d jobs wait", math.MaxInt32))
	}
	t.items = append(t.items, item{})
	return int32(len(t.items) - 1)
}

// laneOf returns the lane of a queue and kind, a new one if there is none.
func (t *Timeline) laneOf(queue, kind string) *lane {
	if l := t.last; l != nil && l.queue.name == queue && l.group.kind == kind {
		return l
	}
	g := t.kinds[kind]
	if g == nil {
		g = &group{kind: kind, lanes: map[string]*lane{}, ready: heap{order: &t.readyLanes}, waiting: heap{order: &t.waitingLanes}}
		t.kinds[kind] = g
	}
	l := g.lanes[queue]
	if l == nil {
		l = &lane{
			number: int32(len(t.lanes)), queue: t.queueOf(queue), group: g,
			ready: heap{order: &t.readyItems}, waiting: heap{order: &t.waitingItems},
			readyPlace: -1, waitingPlace: -1,
		}
		g.lanes[queue] = l
		t.lanes = append(t.lanes, l)
		l.queue.lanes = append(l.queue.lanes, l)
	}
	t.last = l
	return l
}

// join puts a slot's item into the heap that it belongs to.
func (t *Timeline) join(slot int32) {
	it := &t.items[slot]
	if it.home < 0 {
		t.strands[^it.home].heap(it.ready).push(slot)
		t.rankStrand(^it.home, it.ready)
		return
	}
	l := t.lanes[it.home]
	l.heap(it.ready).push(slot)
	l.rank(it.ready)
}

// leave takes a slot's item out of its heap.
func (t *Timeline) leave(slot int32) {
	it := &t.items[slot]
	if it.home < 0 {
		t.strands[^it.home].heap(it.ready).remove(it.place)
		t.rankStrand(^it.home, it.ready)
		return
	}
	l := t.lanes[it.home]
	l.heap(it.ready).remove(it.place)
	l.rank(it.ready)
}

func (l *lane) heap(ready bool) *heap {
	if ready {
		return &l.ready
	}
	return &l.waiting
}

// rank gives the lane its place in a heap of its group, after its own heap has changed, or after its queue was
// shut or opened.
func (l *lane) rank(ready bool) {
	own, all, place := &l.waiting, &l.group.waiting, l.waitingPlace
	if ready {
		own, all, place = &l.ready, &l.group.ready, l.readyPlace
	}
	all.rank(l.number, place, !own.empty() && l.queue.opens == 0)
}
