package scheduler

import (
	"math"
	"slices"

	"github.com/queuectl/queuectl/job"
)

// queue is what the lanes of one queue share.
type queue struct {
	number int32
	name   string
	lanes  []*lane // one for each kind
	served job.Position
	jobs   int   // in all lanes, in strands, too
	opens  int64 // 0 = it is open; never, or a time
	place  int32 // in Timeline.opening, while it has jobs and opens at a time; -1 = it is not there
}

// never is when a queue opens that is shut until somebody says otherwise.
const never = math.MaxInt64

// strand holds the jobs of one lane that have the same concurrency key. It is in the lane's heaps unless the key
// is taken, and has at least one job.
type strand struct {
	lane                     int32
	key                      *key // nil = the strand is free
	ready, waiting           heap // of slots
	readyPlace, waitingPlace int32
}

// key is a concurrency key that jobs wait for, or that is taken.
type key struct {
	name    string
	runs    int32   // of jobs with the key; more than one only if another program saw to that
	strands []int32 // one for each lane with jobs that wait for it: few
}

// queueOf returns a queue, a new one if there is none.
func (t *Timeline) queueOf(name string) *queue {
	q := t.byName[name]
	if q == nil {
		q = &queue{number: int32(len(t.queues)), name: name, place: -1}
		t.byName[name] = q
		t.queues = append(t.queues, q)
	}
	return q
}

// Shut keeps the jobs of a queue from being due before a time (Unix nanoseconds): 0 = the queue is open,
// math.MaxInt64 = until Shut is called again. O(log n) for each kind of jobs in the queue.
func (t *Timeline) Shut(name string, until int64) {
	if q := t.queueOf(name); q.opens != until {
		t.shut(q, until)
	}
}

func (t *Timeline) shut(q *queue, until int64) {
	q.opens = until
	t.rankOpening(q)
	for _, l := range q.lanes {
		l.rank(true)
		l.rank(false)
	}
}

// rankOpening gives a queue its place among those that open at a time. One without jobs has none: nobody waits for it.
func (t *Timeline) rankOpening(q *queue) {
	t.opening.rank(q.number, q.place, q.jobs > 0 && q.opens != 0 && q.opens != never)
}

// open opens the queues with jobs whose time has come.
func (t *Timeline) open(now int64) {
	for !t.opening.empty() {
		q := t.queues[t.opening.first()]
		if q.opens > now {
			return
		}
		t.shut(q, 0)
	}
}

// Served tells which run of a job of the queue was begun last: see [Lanes].
func (t *Timeline) Served(name string, run job.Position) { t.queueOf(name).served = run }

// Begin takes out a job of which a run begins, if it is there. The queue was served then, and the job's
// concurrency key is taken until [Timeline.Free] is called. O(log n), for each queue and kind with jobs of the
// key.
func (t *Timeline) Begin(key, run job.Position) {
	slot := t.index.find(t.items, key)
	if slot < 0 {
		return
	}
	home := t.items[slot].home
	t.laneAt(home).queue.served = run
	if home < 0 {
		t.Take(t.strands[^home].key.name)
	}
	t.Remove(key)
}

// Take says that a job with this concurrency key runs: none of those that wait is due before [Timeline.Free].
func (t *Timeline) Take(name string) {
	k := t.keyOf(name)
	k.runs++
	t.rankKey(k)
}

// Free says that a job with this concurrency key runs no longer.
func (t *Timeline) Free(name string) {
	k := t.keys[name]
	if k == nil || k.runs == 0 {
		return
	}
	k.runs--
	t.rankKey(k)
	t.forget(k)
}

func (t *Timeline) rankKey(k *key) {
	for _, number := range k.strands {
		t.rankStrand(number, true)
		t.rankStrand(number, false)
	}
}

func (t *Timeline) keyOf(name string) *key {
	k := t.keys[name]
	if k == nil {
		k = &key{name: name}
		t.keys[name] = k
	}
	return k
}

// forget forgets a key that nobody needs any more.
func (t *Timeline) forget(k *key) {
	if k.runs == 0 && len(k.strands) == 0 {
		delete(t.keys, k.name)
	}
}

// strandOf returns the number of a lane's strand with a key, a new one if there is none.
func (t *Timeline) strandOf(l *lane, name string) int32 {
	k := t.keyOf(name)
	for _, number := range k.strands {
		if t.strands[number].lane == l.number {
			return number
		}
	}
	s := strand{
		lane: l.number, key: k, ready: heap{order: &t.readyItems}, waiting: heap{order: &t.waitingItems},
		readyPlace: -1, waitingPlace: -1,
	}
	number := int32(len(t.strands))
	if last := len(t.unused) - 1; last >= 0 {
		number, t.unused = t.unused[last], t.unused[:last]
		t.strands[number] = s
	} else {
		t.strands = append(t.strands, s)
	}
	k.strands = append(k.strands, number)
	return number
}

// dropIfEmpty gives a strand up whose last job has left.
func (t *Timeline) dropIfEmpty(number int32) {
	s := &t.strands[number]
	if !s.ready.empty() || !s.waiting.empty() {
		return
	}
	k := s.key
	k.strands = slices.DeleteFunc(k.strands, func(other int32) bool { return other == number })
	t.strands[number] = strand{}
	t.unused = append(t.unused, number)
	t.forget(k)
}

func (s *strand) heap(ready bool) *heap {
	if ready {
		return &s.ready
	}
	return &s.waiting
}

// rankStrand gives a strand its place in a heap of its lane, after its own heap has changed, or after its key
// was taken or freed.
func (t *Timeline) rankStrand(number int32, ready bool) {
	s := &t.strands[number]
	l := t.lanes[s.lane]
	place := s.waitingPlace
	if ready {
		place = s.readyPlace
	}
	l.heap(ready).rank(^number, place, !s.heap(ready).empty() && s.key.runs == 0)
	l.rank(ready)
}
