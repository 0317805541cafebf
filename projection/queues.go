package projection

import (
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/queuectl/queuectl/job"
)

// gate is what holds a queue back.
type gate struct {
	paused  job.Position // of the QueuePaused; 0 = it is not
	limited job.Position // of the last QueueLimited; 0 = there was none
	limits  job.Limits
	// bucket is when the bucket of the rate will be full again, by the clock of Projection.elapsed; it is full
	// at any later time, too. Each claim takes a job's share out, which puts that off by an interval (the
	// generic cell rate algorithm, ITU-T I.371).
	bucket int64
}

// take takes one job's share out of the bucket. It does not hold less than nothing, whatever the clock did.
func (g *gate) take(now int64) {
	each := int64(g.limits.Interval())
	if each == 0 {
		return
	}
	full := each * int64(g.limits.Rate)
	g.bucket = min(max(g.bucket, now)+each, now+full)
}

// Never is when a queue opens that does so only by an event.
const Never = int64(1<<63 - 1)

// opens returns when the next job may be claimed as far as the gate can tell, by the clock of
// Projection.elapsed; 0 = whenever one is due.
func (g *gate) opens(running int) int64 {
	if g.paused != 0 || g.limits.Concurrency != 0 && running >= int(g.limits.Concurrency) {
		return Never
	}
	each := int64(g.limits.Interval())
	return max(0, g.bucket-each*int64(max(1, g.limits.Rate)-1))
}

// elapsed is a clock that never runs backward: the time that has passed in the log, where a step back of the
// wall clock counts as no time at all. So nothing waits for an hour because the clock was set back by one.
func (p *Projection) elapsed(wall int64) int64 {
	if p.at.Position == 0 {
		return p.steady
	}
	return p.steady + max(0, wall-p.at.Time)
}

// advance moves on to an event.
func (p *Projection) advance(at job.At) {
	p.steady = p.elapsed(at.Time)
	p.at = job.At{Position: at.Position, Time: at.Time}
}

// gateOf returns what holds the queue back, something that holds nothing if there was nothing yet.
func (p *Projection) gateOf(name string) *gate {
	q := &p.lanes.queues[p.lanes.queueNumber(name)]
	if q.gate == nil {
		q.gate = &gate{}
	}
	return q.gate
}

// foldQueue folds an event about a queue.
func (p *Projection) foldQueue(at job.At, e job.Event) (Change, error) {
	var name, wrong string
	fold := func() {}
	switch e := e.(type) {
	case job.QueuePaused:
		name, wrong = e.Queue, unless(!p.isPaused(e.Queue), "the queue must not be paused")
		fold = func() { p.gateOf(name).paused = at.Position }
	case job.QueueResumed:
		name, wrong = e.Queue, unless(p.isPaused(e.Queue), "the queue must be paused")
		fold = func() { p.gateOf(name).paused = 0 }
	case job.QueueLimited:
		name, wrong = e.Queue, unless(e.Limits().Check() == nil, "the limits must be possible")
		fold = func() { p.gateOf(name).limit(at.Position, e.Limits()) }
	}
	if name == "" {
		wrong = "the queue must have a name"
	}
	if wrong != "" {
		return Change{}, p.misfit(at, e, wrong)
	}
	fold()
	return Change{Gate: name}, nil
}

func unless(ok bool, wrong string) string {
	if ok {
		return ""
	}
	return wrong
}

// limit sets the limits. The bucket of a new rate is full.
func (g *gate) limit(at job.Position, l job.Limits) {
	if l.Rate != g.limits.Rate || l.Per != g.limits.Per {
		g.bucket = 0
	}
	g.limited, g.limits = at, l
}

// ran notes what the beginning or the end of a run means to the job's queue and key.
func (p *Projection) ran(at job.At, j place, c *Change) {
	r := j.record()
	q := p.queueOf(r)
	if r.state == job.Processing {
		q.served = at.Position
		c.Began = at.Position
	} else if r.keyed {
		c.Freed = p.keyOf(r)
	}
	if q.gate != nil {
		if c.Began != 0 {
			q.gate.take(p.elapsed(at.Time))
		}
		c.Gate = q.name
	}
}

// keyOf returns a job's concurrency key.
func (p *Projection) keyOf(r *record) string {
	if !r.keyed {
		return ""
	}
	f := found{spec: p.specs.text(r.spec)}
	return f.head().ConcurrencyKey
}

func (p *Projection) isPaused(name string) bool {
	q, known := p.lanes.byQueue[name]
	return known && p.lanes.queues[q].gate != nil && p.lanes.queues[q].gate.paused != 0
}

// Queue is a queue with what holds it back.
type Queue struct {
	Name    string
	Counts  Counts
	Paused  job.Position // of the QueuePaused; 0 = it is not
	Limited job.Position // of the last QueueLimited; 0 = there was none
	Limits  job.Limits
	Served  job.Position // of the last claim of one of its jobs; 0 = there was none
}

// Held says that somebody holds the queue back, or did so.
func (q *Queue) Held() bool { return q.Paused != 0 || q.Limits != job.Limits{} }

// Queue returns the queue with this name. One that was never used has nothing but that.
func (p *Projection) Queue(name string) Queue {
	number, known := p.lanes.byQueue[name]
	if !known {
		return Queue{Name: name}
	}
	q := &p.lanes.queues[number]
	out := Queue{Name: q.name, Counts: q.counts, Served: q.served}
	if g := q.gate; g != nil {
		out.Paused, out.Limited, out.Limits = g.paused, g.limited, g.limits
	}
	return out
}

// Opens returns when the next job of a queue may be claimed, as far as its pause and its limits tell, by the
// wall clock of the last event (Unix nanoseconds): 0 = whenever one is due, [Never] = not before another event.
func (p *Projection) Opens(name string) int64 {
	number, known := p.lanes.byQueue[name]
	if !known || p.lanes.queues[number].gate == nil {
		return 0
	}
	q := &p.lanes.queues[number]
	opens := q.gate.opens(q.counts[job.Processing])
	switch {
	case opens == Never:
		return Never
	case opens <= p.steady:
		return 0
	}
	return p.at.Time + (opens - p.steady)
}

// Gates yields the names of the queues that anything ever held back, in no particular order.
func (p *Projection) Gates() iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range p.lanes.queues {
			if q := &p.lanes.queues[i]; q.gate != nil && !yield(q.name) {
				return
			}
		}
	}
}

// Served yields the last claim of a job of each queue, in no particular order.
func (p *Projection) Served() iter.Seq2[string, job.Position] {
	return func(yield func(string, job.Position) bool) {
		for i := range p.lanes.queues {
			if q := &p.lanes.queues[i]; q.served != 0 && !yield(q.name, q.served) {
				return
			}
		}
	}
}

// Queues yields every queue that holds jobs, or that is paused or limited, by name.
func (p *Projection) Queues() iter.Seq[Queue] {
	return func(yield func(Queue) bool) {
		for _, name := range slices.Sorted(maps.Keys(p.lanes.byQueue)) {
			if q := p.Queue(name); (q.Counts != (Counts{}) || q.Held()) && !yield(q) {
				return
			}
		}
	}
}

// Running yields the jobs that run, by worker and in the order of their claims.
func (p *Projection) Running() iter.Seq[Brief] {
	return func(yield func(Brief) bool) {
		for _, w := range p.workers {
			for _, key := range w.Running {
				if b, known := p.Brief(key); known && !yield(b) {
					return
				}
			}
		}
	}
}

func (c *canon) gate(g *gate) {
	c.flag(g != nil)
	if g != nil {
		c.numbers(uint64(g.paused), uint64(g.limited), uint64(g.limits.Concurrency), uint64(g.limits.Rate), uint64(g.limits.Per), uint64(g.bucket))
	}
}

func (t *taker) gate() *gate {
	if !t.flag() {
		return nil
	}
	g := &gate{paused: t.position(), limited: t.position()}
	g.limits = job.Limits{Concurrency: uint32(t.number()), Rate: uint32(t.number())}
	g.limits.Per = time.Duration(t.int())
	g.bucket = t.int()
	if g.limits.Check() != nil {
		t.bad = true
	}
	return g
}
