package stats

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/queuectl/queuectl/job"
)

// history is a random log of a few jobs that live as jobs may, under a clock that steps back.
type history struct {
	records []Record
	states  map[job.Position]job.State
	runs    map[job.Position]job.Position // the current run of a job
	queues  map[job.Position]string
	now     int64
}

func (h *history) add(t *rapid.T, key job.Position, e job.Event) job.Position {
	h.now += rapid.Int64Range(-50, 1000).Draw(t, "step") * 1e6
	p := job.Position(len(h.records) + 1)
	if key == 0 {
		key = p
	}
	h.records = append(h.records, Record{
		At: job.At{Position: p, Time: h.now}, Event: e, Queue: h.queues[key], Size: rapid.IntRange(0, 9).Draw(t, "size"),
	})
	return p
}

func (h *history) result(t *rapid.T) job.Result {
	return job.Result{Start: h.now, End: h.now + rapid.Int64Range(0, 1e10).Draw(t, "ran")}
}

// grow appends one event of a new or a known job.
func (h *history) grow(t *rapid.T) {
	key := job.Position(rapid.IntRange(0, len(h.records)).Draw(t, "job"))
	run := h.runs[key]
	switch h.states[key] {
	case 0:
		p := job.Position(len(h.records) + 1)
		h.queues[p], h.states[p] = rapid.SampledFrom([]string{"a", "b"}).Draw(t, "queue"), job.Pending
		h.add(t, 0, &job.JobEnqueued{Due: rapid.SampledFrom([]int64{0, 5, h.now + 1e9}).Draw(t, "due")})
	case job.Pending, job.Failed:
		switch rapid.IntRange(0, 5).Draw(t, "what") {
		case 0:
			h.states[key] = job.Cancelled
			h.add(t, key, &job.JobCancelled{Job: key})
		default:
			h.states[key] = job.Processing
			h.runs[key] = h.add(t, key, job.JobClaimed{Job: key})
		}
	case job.Processing:
		switch rapid.IntRange(0, 6).Draw(t, "what") {
		case 0, 1:
			h.states[key] = job.Completed
			h.add(t, key, &job.JobCompleted{Job: key, Run: run, Result: h.result(t)})
		case 2:
			h.states[key] = job.Failed
			h.add(t, key, &job.JobFailed{Job: key, Run: run, Result: h.result(t), NextAttemptAt: h.now + 3e8})
		case 3:
			h.states[key] = job.Dead
			h.add(t, key, &job.JobDied{Job: key, Run: run, Failure: job.WhyExit, Result: h.result(t)})
		case 4:
			h.states[key] = job.Dead
			h.add(t, key, &job.JobDied{Job: key, Run: run, Why: job.WhyCrashes})
		case 5:
			h.states[key] = job.Pending
			h.add(t, key, job.RunLost{Job: key, Run: run})
		case 6:
			h.states[key] = job.Pending
			h.add(t, key, job.RunReturned{Job: key, Run: run})
		}
	case job.Dead:
		h.states[key] = job.Pending
		h.add(t, key, job.JobRetried{Job: key, From: job.Dead})
	default:
		h.add(t, key, job.KillRequested{Job: key})
	}
}

// before returns the events of a job among the first n, newest first.
func (h *history) before(from, n int, key job.Position) (events []Record) {
	for _, r := range slices.Backward(h.records[from:n]) {
		if job.Of(r.Event) == key || r.At.Position == key {
			events = append(events, r)
		}
	}
	return events
}

// waits are the waiting times of the runs of a queue, found by looking back from each claim.
func (h *history) waits(from int, queue string) (waits []int64) {
	for n := from; n < len(h.records); n++ {
		r := h.records[n]
		if _, ok := r.Event.(job.JobClaimed); !ok || r.Queue != queue {
			continue
		}
		for _, last := range h.before(from, n, job.Of(r.Event)) {
			due := last.At.Time
			switch e := last.Event.(type) {
			case *job.JobEnqueued:
				due = max(due, e.Due)
			case *job.JobFailed:
				due = e.NextAttemptAt
			case job.KillRequested:
				continue
			}
			waits = append(waits, max(0, r.At.Time-due))
			break
		}
	}
	slices.Sort(waits)
	return waits
}

// attempts are the runs that the ended jobs of a queue needed, found by looking back from each end.
func (h *history) attempts(from int, queue string) (attempts []int64) {
	for n := from; n < len(h.records); n++ {
		r := h.records[n]
		switch r.Event.(type) {
		case *job.JobCompleted, *job.JobDied:
		default:
			continue
		}
		runs := int64(0)
	back:
		for _, e := range h.before(from, n, job.Of(r.Event)) {
			switch e := e.Event.(type) {
			case job.JobClaimed:
				runs++
			case *job.JobEnqueued, job.JobRetried:
				if r.Queue == queue {
					attempts = append(attempts, runs)
				}
				_ = e
				break back
			}
		}
	}
	slices.Sort(attempts)
	return attempts
}

func (h *history) ran(from int, queue string) (ran []int64) {
	for _, r := range h.records[from:] {
		if r.Queue != queue {
			continue
		}
		switch e := r.Event.(type) {
		case *job.JobCompleted:
			ran = append(ran, e.Result.End-e.Result.Start)
		case *job.JobFailed:
			ran = append(ran, e.Result.End-e.Result.Start)
		case *job.JobDied:
			if e.Failure != job.WhyNone {
				ran = append(ran, e.Result.End-e.Result.Start)
			}
		}
	}
	slices.Sort(ran)
	return ran
}

// same compares a histogram with sorted values.
func same(h *Histogram, sorted []int64) error {
	if h.Count() != uint64(len(sorted)) {
		return fmt.Errorf("%d values, want %d", h.Count(), len(sorted))
	}
	for i, want := range sorted {
		got := h.Quantile((float64(i) + 0.5) / float64(len(sorted)))
		if off := got - want; max(off, -off) > want/256 {
			return fmt.Errorf("value %d of %d is %d, want %d", i, len(sorted), got, want)
		}
	}
	return nil
}

// TestStats_AgreesWithLookingBack folds a history from anywhere on, and compares with what is found by looking
// back through it again and again.
func TestStats_AgreesWithLookingBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := &history{
			states: map[job.Position]job.State{}, runs: map[job.Position]job.Position{}, queues: map[job.Position]string{},
			now: 1e18,
		}
		for range rapid.IntRange(1, 80).Draw(t, "events") {
			h.grow(t)
		}
		from := rapid.IntRange(0, len(h.records)-1).Draw(t, "from")
		var s Stats
		kinds := map[job.Kind]Tally{}
		for _, r := range h.records[from:] {
			s.Fold(r)
			k := job.KindOf(r.Event)
			kinds[k] = Tally{kinds[k].Events + 1, kinds[k].Bytes + uint64(r.Size)}
		}
		if fmt.Sprint(kinds) != fmt.Sprint(s.Kinds) {
			t.Errorf("kinds are %v, want %v", s.Kinds, kinds)
		}
		if s.First != h.records[from].At || s.Last != h.records[len(h.records)-1].At {
			t.Errorf("from %+v to %+v", s.First, s.Last)
		}
		for name, q := range s.Queues {
			for what, err := range map[string]error{
				"waiting":  same(&q.Waiting, h.waits(from, name)),
				"running":  same(&q.Running, h.ran(from, name)),
				"attempts": same(&q.Attempts, h.attempts(from, name)),
			} {
				if err != nil {
					t.Errorf("%s in queue %s from %d: %v", what, name, from, err)
				}
			}
		}
		total := s.Total()
		if total.Enqueued != kinds[job.KindJobEnqueued].Events || total.Started != kinds[job.KindJobClaimed].Events ||
			total.Completed != kinds[job.KindJobCompleted].Events || total.Dead != kinds[job.KindJobDied].Events ||
			total.Cancelled != kinds[job.KindJobCancelled].Events ||
			total.Failed+total.Lost != kinds[job.KindJobFailed].Events+kinds[job.KindJobDied].Events+kinds[job.KindRunLost].Events {
			t.Errorf("total is %+v of %v", total, kinds)
		}
		var events uint64
		spans, _ := s.Rates()
		for _, span := range spans {
			events += span.Events
		}
		if events != uint64(len(h.records)-from) {
			t.Errorf("the spans have %d events, want %d", events, len(h.records)-from)
		}
		for key := range s.jobs {
			if h.states[key].Ended() {
				t.Errorf("job %d is %v and was not dropped", key, h.states[key])
			}
		}
	})
}
