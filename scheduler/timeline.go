// Package scheduler says what is due: which waiting job comes next, and how long a failed one waits.
//
// A [Timeline] keeps the waiting jobs in lanes, one for each queue and kind of job. A lane has two
// min-heaps: waiting, by due time, and ready, by priority (high first), due time and key. Jobs go from
// the first to the second as their time comes. The order is total and looks at nothing but what the log
// holds, so the same log gives the same order on every machine. Every change is O(log n), a waiting
// job takes less than 60 bytes, and none of them is a pointer that the garbage collector has to follow.
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

	readyItems, waitingItems order // of a lane's heaps
	readyLanes, waitingLanes order // of a group's heaps
	sources                  []source
}

// item is one waiting job: 32 bytes, no pointers.
type item struct {
	key      job.Position
	due      int64 // or rank, of a job that is due at once
	lane     int32
	priority int32
	place    int32 // in its heap
	ready    bool  // in the lane's ready heap, not in its waiting heap
}

// lane holds the jobs of one queue and kind.
type lane struct {
	number         int32
	queue          string
	group          *group
	ready, waiting heap  // of slots
	readyPlace     int32 // in the heaps of the group; -1 = not there, since the lane's own is empty
	waitingPlace   int32
}

// group holds the lanes of one kind. A worker that serves all queues looks at the group alone.
type group struct {
	kind           string
	lanes          map[string]*lane // by queue
	ready, waiting heap             // of lane numbers, by their first items
}

// NewTimeline returns an empty timeline.
func NewTimeline() *Timeline {
	t := &Timeline{free: -1, kinds: map[string]*group{}}
	place := func(slot, place int32) { t.items[slot].place = place }
	t.readyItems = order{less: t.readyLess, moved: place}
	t.waitingItems = order{less: t.waitingLess, moved: place}
	t.readyLanes = order{
		less:  func(a, b int32) bool { return t.readyLess(t.lanes[a].ready.first(), t.lanes[b].ready.first()) },
		moved: func(lane, place int32) { t.lanes[lane].readyPlace = place },
	}
	t.waitingLanes = order{
		less:  func(a, b int32) bool { return t.waitingLess(t.lanes[a].waiting.first(), t.lanes[b].waiting.first()) },
		moved: func(lane, place int32) { t.lanes[lane].waitingPlace = place },
	}
	return t
}

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
		t.leave(slot)
	} else {
		slot = t.newSlot()
		t.items[slot].key = s.Key
		t.index.add(t.items, slot)
	}
	it := &t.items[slot]
	it.due, it.priority, it.lane = s.Due, s.Priority, l.number
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
	t.leave(slot)
	t.index.remove(t.items, key)
	t.items[slot] = item{place: t.free}
	t.free = slot
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
	// Jobs whose times met at 1 are now in order of their keys, which is a change of order.
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
	if l := t.last; l != nil && l.queue == queue && l.group.kind == kind {
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
			number: int32(len(t.lanes)), queue: queue, group: g,
			ready: heap{order: &t.readyItems}, waiting: heap{order: &t.waitingItems},
			readyPlace: -1, waitingPlace: -1,
		}
		g.lanes[queue] = l
		t.lanes = append(t.lanes, l)
	}
	t.last = l
	return l
}

// join puts a slot's item into the heap that it belongs to.
func (t *Timeline) join(slot int32) {
	it := &t.items[slot]
	l := t.lanes[it.lane]
	if it.ready {
		l.ready.push(slot)
	} else {
		l.waiting.push(slot)
	}
	l.rank(it.ready)
}

// leave takes a slot's item out of its heap.
func (t *Timeline) leave(slot int32) {
	it := &t.items[slot]
	l := t.lanes[it.lane]
	if it.ready {
		l.ready.remove(it.place)
	} else {
		l.waiting.remove(it.place)
	}
	l.rank(it.ready)
}

// rank gives the lane its place in a heap of its group, after its own heap has changed.
func (l *lane) rank(ready bool) {
	own, all, place := &l.waiting, &l.group.waiting, l.waitingPlace
	if ready {
		own, all, place = &l.ready, &l.group.ready, l.readyPlace
	}
	switch {
	case place >= 0 && own.empty():
		all.remove(place)
	case place >= 0:
		all.fix(place)
	case !own.empty():
		all.push(l.number)
	}
}
