package decide_test

import (
	"time"

	"github.com/queuectl/queuectl/job"
	"pgregory.net/rapid"
)

// queuesModel is what the documentation says of pauses, limits and concurrency keys, written plainly: what runs
// is counted anew each time, and a rate is a bucket of nanoseconds.
type queuesModel struct {
	paused map[string]bool
	limits map[string]job.Limits
	level  map[string]int64 // of each bucket; a job takes out Interval
	last   int64            // time of the last event
}

func newQueuesModel() queuesModel {
	return queuesModel{
		paused: map[string]bool{}, limits: map[string]job.Limits{}, level: map[string]int64{}, last: noon.UnixNano(),
	}
}

func (m *queuesModel) full(queue string) int64 {
	l := m.limits[queue]
	return int64(l.Rate) * int64(l.Interval())
}

// levelAt is how much is in a bucket at a time.
func (m *queuesModel) levelAt(queue string, now int64) int64 {
	return min(m.full(queue), m.level[queue]+max(0, now-m.last))
}

// holds says what holds a job back that is due, "" if nothing does.
func (m *queuesModel) holds(w *world, s *job.Schedule) string {
	running, keyTaken := 0, false
	for b := range w.Jobs.Running() {
		if b.Schedule.Queue == s.Queue {
			running++
		}
		keyTaken = keyTaken || s.ConcurrencyKey != "" && b.Schedule.ConcurrencyKey == s.ConcurrencyKey
	}
	l := m.limits[s.Queue]
	switch {
	case m.paused[s.Queue]:
		return "its queue is paused"
	case l.Concurrency > 0 && running >= int(l.Concurrency):
		return "all places of its queue are taken"
	case l.Rate > 0 && m.levelAt(s.Queue, w.at.Time) < int64(l.Interval()):
		return "the rate of its queue is used up"
	case keyTaken:
		return "a job of its key runs"
	}
	return ""
}

// take takes an event before it is folded. A claim must not be of a job that something holds back.
func (m *queuesModel) take(t *rapid.T, w *world, e job.Event) {
	if claimed, ok := e.(job.JobClaimed); ok {
		b, _ := w.Jobs.Brief(claimed.Job)
		if why := m.holds(w, &b.Schedule); why != "" {
			t.Fatalf("job %d is claimed although %s", claimed.Job, why)
		}
	}
	for queue := range m.limits {
		m.level[queue] = m.levelAt(queue, w.at.Time)
	}
	m.last = w.at.Time
	switch e := e.(type) {
	case job.JobClaimed:
		b, _ := w.Jobs.Brief(e.Job)
		queue := b.Schedule.Queue
		m.level[queue] -= int64(m.limits[queue].Interval())
	case job.QueuePaused:
		m.paused[e.Queue] = true
	case job.QueueResumed:
		m.paused[e.Queue] = false
	case job.QueueLimited:
		old := m.limits[e.Queue]
		if m.limits[e.Queue] = e.Limits(); old.Rate != e.Rate || old.Per != e.Per {
			m.level[e.Queue] = m.full(e.Queue)
		}
	}
}

// modelQueues has one that no job is ever in.
var modelQueues = []string{"default", "other", "empty"}

func drawQueues(t *rapid.T) []string {
	return rapid.SliceOfN(rapid.SampledFrom(modelQueues), 1, 2).Draw(t, "queues")
}

func drawLimits(t *rapid.T) job.Limits {
	l := job.Limits{Concurrency: rapid.Uint32Range(0, 2).Draw(t, "concurrency"), Rate: rapid.Uint32Range(0, 3).Draw(t, "rate")}
	if l.Rate > 0 {
		l.Per = rapid.SampledFrom([]time.Duration{time.Second, time.Minute}).Draw(t, "per")
	}
	return l
}
