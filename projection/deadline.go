package projection

import (
	"cmp"
	"container/heap"
	"fmt"
	"slices"

	"github.com/queuectl/queuectl/job"
)

// deadline is when a job that waits must have begun.
type deadline struct {
	key   job.Position
	at    int64
	place int // in the heap
}

// deadlines are those of the jobs that wait and have one, the earliest first. Who has none costs nothing here.
type deadlines struct {
	byKey map[job.Position]*deadline
	heap  deadlineHeap
}

func newDeadlines() deadlines { return deadlines{byKey: map[job.Position]*deadline{}} }

// set changes the deadline of a job; 0 = it has none, or does not wait. O(log n).
func (d *deadlines) set(key job.Position, at int64) {
	known := d.byKey[key]
	switch {
	case known == nil && at != 0:
		known = &deadline{key: key, at: at}
		d.byKey[key] = known
		heap.Push(&d.heap, known)
	case known != nil && at == 0:
		heap.Remove(&d.heap, known.place)
		delete(d.byKey, key)
	case known != nil && known.at != at:
		known.at = at
		heap.Fix(&d.heap, known.place)
	}
}

// waitsUntil returns the deadline of a job in memory, 0 if it does not wait or if none holds.
func (p *Projection) waitsUntil(j place) int64 {
	r := j.record()
	if !r.state.Waiting() || r.life != 0 && p.lives.at(r.life-1).flags&lifted != 0 {
		return 0
	}
	head, err := job.PeekEnqueued(p.specs.text(r.spec))
	if err != nil {
		panic(fmt.Sprintf("projection: event of job %d was folded and is not readable: %v", j.key(), err))
	}
	return head.Deadline
}

// NextDeadline returns the first deadline of the jobs that wait (Unix nanoseconds); ok is false if none has one.
// It knows all of them only after LoadLive. O(1).
func (p *Projection) NextDeadline() (at int64, ok bool) {
	if len(p.dates.heap) == 0 {
		return 0, false
	}
	return p.dates.heap[0].at, true
}

// Expired returns the jobs that wait and whose deadline is at or before now, the earliest first, at most so many.
// It knows all of them only after LoadLive. O(k log k) for k of them.
func (p *Projection) Expired(now int64, most int) []job.Position {
	h := p.dates.heap
	var keys []job.Position
	front := []int{0} // places of which all above have been taken, in order
	for len(front) > 0 && len(keys) < most {
		i := front[0]
		front = front[1:]
		if i >= len(h) || h[i].at > now {
			continue
		}
		keys = append(keys, h[i].key)
		for _, below := range [...]int{2*i + 1, 2*i + 2} {
			if below < len(h) && h[below].at <= now {
				at, _ := slices.BinarySearchFunc(front, h[below], func(place int, d *deadline) int { return compareDeadlines(h[place], d) })
				front = slices.Insert(front, at, below)
			}
		}
	}
	return keys
}

func compareDeadlines(a, b *deadline) int {
	return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.key, b.key))
}

// deadlineHeap is a heap of deadlines by their times.
type deadlineHeap []*deadline

func (h deadlineHeap) Len() int           { return len(h) }
func (h deadlineHeap) Less(i, j int) bool { return compareDeadlines(h[i], h[j]) < 0 }

func (h deadlineHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

func (h *deadlineHeap) Push(x any) {
	d := x.(*deadline)
	d.place = len(*h)
	*h = append(*h, d)
}

func (h *deadlineHeap) Pop() any {
	last := len(*h) - 1
	d := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return d
}
