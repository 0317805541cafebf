package growth

import (
	"fmt"
	"testing"
	"time"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
	"github.com/queuectl/queuectl/queue"
	"github.com/queuectl/queuectl/scheduler"
)

// operation is something that is done often, and must not cost much more where there is much of something.
type operation struct {
	name  string // and what there are n of
	whole bool   // it is about all n at once: what counts are the statements for each
	most  int    // with many
	// growth is how many times as many it may execute with many as with few. The logarithm
	// doubles meanwhile, and only a part of the statements is in a heap or a search.
	growth float64
	with   func(t *testing.T, n int) (do func())
}

// The bounds of statements are a quarter above what was counted when they were written: a change that needs that much more
// for everything that a queue does has to say why, here.
var operations = []operation{
	{"claim, outcome and enqueue of one of n jobs", false, 2050, 1.3, func(t *testing.T, n int) func() {
		w := newWorld(t)
		w.enqueue(numbered(n, func(int, *job.Spec) {})...)
		return func() { w.live(job.Spec{Command: "true"}) }
	}},
	{"claim, outcome and enqueue of one of n jobs with a key each", false, 2700, 1.3, func(t *testing.T, n int) func() {
		w := newWorld(t)
		w.enqueue(numbered(n, func(i int, s *job.Spec) { s.ConcurrencyKey = fmt.Sprint("key", i) })...)
		return func() { w.live(job.Spec{Command: "true", ConcurrencyKey: "one more"}) }
	}},
	{"claim, outcome and enqueue of a job in one of n queues", false, 2200, 1.3, func(t *testing.T, n int) func() {
		w := newWorld(t)
		w.enqueue(numbered(n, func(i int, s *job.Spec) { s.Queue = fmt.Sprint("queue", i) })...)
		return func() { w.live(job.Spec{Command: "true"}) }
	}},
	{"claim, outcome and enqueue of a job beside n that wait for a parent", false, 1620, 1.3, func(t *testing.T, n int) func() {
		w := newWorld(t)
		w.enqueue(job.Spec{ID: "parent", Command: "true", Delay: time.Hour})
		w.enqueue(numbered(n, func(_ int, s *job.Spec) { s.After = []job.Parent{{ID: "parent"}} })...)
		w.enqueue(job.Spec{Command: "true"})
		return func() { w.live(job.Spec{Command: "true"}) }
	}},
	{"claim, outcome and enqueue of a job beside n with deadlines", false, 2280, 1.3, func(t *testing.T, n int) func() {
		w := newWorld(t)
		w.enqueue(numbered(n, func(i int, s *job.Spec) { s.DeadlineIn = time.Hour + time.Duration(i)*time.Second })...)
		return func() { w.live(job.Spec{Command: "true", DeadlineIn: time.Hour}) }
	}},
	{"the tick of one of n schedules", false, 3180, 1.3, func(t *testing.T, n int) func() {
		w := newWorld(t)
		for i := range n { // in a minute of their own each
			w.do(decide.AddCron(w.State, w.at, job.Cron{
				Name: fmt.Sprint("cron", i), Schedule: fmt.Sprintf("%d %d %d * *", i%60, i/60%24, 1+i/1440), Zone: "UTC", Job: job.Spec{Command: "true"},
			}, false))
		}
		return func() {
			w.at.Time, _ = w.Jobs.NextTick()
			w.do(decide.Tick(w.State, w.at))
		}
	}},
	{"cancelling one of n jobs by its id", false, 820, 1.5, func(t *testing.T, n int) func() {
		w := newWorld(t)
		w.enqueue(numbered(n, func(i int, s *job.Spec) { s.ID = fmt.Sprint("job", i) })...)
		next := 0
		return func() {
			w.do(decide.Cancel(w.State, w.at, []string{fmt.Sprint("job", next)}))
			next++
		}
	}},
	{"the first page of a list of n jobs", false, 6760, 1.3, func(t *testing.T, n int) func() {
		q := newQueue(t, n)
		return func() {
			if jobs, err := q.List(t.Context(), projection.Filter{Limit: 50}); err != nil || len(jobs) != 50 {
				t.Fatal(len(jobs), err)
			}
		}
	}},
	{"the status of n jobs", false, 190, 1.3, func(t *testing.T, n int) func() {
		q := newQueue(t, n)
		return func() {
			if _, err := q.Status(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}},
	{"showing one of n jobs", false, 310, 1.3, func(t *testing.T, n int) func() {
		q := newQueue(t, n)
		return func() {
			if _, err := q.Job(t.Context(), "job77"); err != nil {
				t.Fatal(err)
			}
		}
	}},
	{"an enqueue through the engine with n jobs there", false, 1600, 1.3, func(t *testing.T, n int) func() {
		q := newQueue(t, n)
		return func() {
			if _, err := q.Enqueue(t.Context(), job.Spec{Command: "true"}); err != nil {
				t.Fatal(err)
			}
		}
	}},
	{"cancelling all of n jobs, each", true, 1850, 1.3, func(t *testing.T, n int) func() {
		return func() {
			q := newQueue(t, n)
			sel, err := q.Select(t.Context(), queue.Cancelling(), []string{"all"}, projection.Filter{})
			if err != nil {
				t.Fatal(err)
			}
			if acted, err := q.Act(t.Context(), queue.Cancelling(), sel, nil); err != nil || len(acted.Keys) != n {
				t.Fatal(len(acted.Keys), err)
			}
		}
	}},
	{"the life of n jobs that come after the first one, each", true, 2100, 1.3, func(t *testing.T, n int) func() {
		return func() {
			w := newWorld(t)
			w.enqueue(numbered(n, func(i int, s *job.Spec) {
				s.ID = fmt.Sprint("job", i)
				if i > 0 {
					s.After = []job.Parent{{ID: "job0"}}
				}
			})...)
			for range n {
				w.run()
			}
		}
	}},
	{"the life of n jobs that come one after another, each", true, 1700, 1.3, func(t *testing.T, n int) func() {
		return func() {
			w := newWorld(t)
			w.enqueue(numbered(n, func(i int, s *job.Spec) {
				s.ID = fmt.Sprint("job", i)
				if i > 0 {
					s.After = []job.Parent{{ID: fmt.Sprint("job", i-1)}}
				}
			})...)
			for range n {
				w.run()
			}
		}
	}},
	{"folding the events of n lives from their bytes, each", true, 1080, 1.3, func(t *testing.T, n int) func() {
		var events []job.Event
		const worker = 1
		for i := range job.Position(n) {
			key := 2 + 3*i
			spec := job.Spec{ID: job.MadeID(key, 7), Command: "true", MaxRetries: new(uint32(3))}
			events = append(events, &job.JobEnqueued{Spec: spec}, job.JobClaimed{Job: key, Worker: worker}, &job.JobCompleted{Job: key, Run: key + 1})
		}
		return func() {
			w := newWorld(t)
			for _, e := range events {
				if err := w.FoldRaw(w.at, job.KindOf(e), job.AppendEvent(nil, e)); err != nil {
					t.Fatal(err)
				}
				w.at.Position++
			}
		}
	}},
}

// numbered are n jobs that wait, each changed by its number.
func numbered(n int, change func(i int, spec *job.Spec)) []job.Spec {
	specs := make([]job.Spec, n)
	for i := range specs {
		specs[i].Command = "true"
		change(i, &specs[i])
	}
	return specs
}

// world is a state that is lived through.
type world struct {
	*testing.T
	*decide.State
	at job.At
}

func newWorld(t *testing.T) *world {
	w := &world{T: t, State: decide.NewState(), at: job.At{Position: 1, Time: 1e18, Rand: 7, Actor: &job.Actor{}}}
	w.do(decide.StartWorker(w.State, w.at, &job.WorkerStarted{ID: "w", Slots: 1, Shell: true}))
	return w
}

func (w *world) do(events []job.Event, err error) []job.Event {
	if err != nil {
		w.Fatal(err)
	}
	for _, e := range events {
		w.Fold(w.at, e)
		w.at.Position++
	}
	return events
}

func (w *world) enqueue(specs ...job.Spec) { w.do(decide.Enqueue(w.State, w.at, specs, false)) }

// run claims the first job and ends it.
func (w *world) run() {
	run := w.at.Position
	claimed := w.do(decide.Claim(w.State, w.at, 1, scheduler.Lanes{Shell: true}))[0].(job.JobClaimed)
	w.do(decide.Finish(w.State, w.at, decide.Outcome{Job: claimed.Job, Run: run}, 0))
}

// live runs the first job, and enqueues another, so that there are as many as before.
func (w *world) live(next job.Spec) {
	w.run()
	w.enqueue(next)
}

// newQueue is one in memory in which n jobs wait.
func newQueue(t *testing.T, n int) *queue.Queue {
	q, err := queue.NewMemory().Open(t.Context(), queue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() }) // nothing is on a disk
	if _, err := q.EnqueueMany(t.Context(), numbered(n, func(i int, s *job.Spec) { s.ID = fmt.Sprint("job", i) }), queue.EnqueueOptions{}); err != nil {
		t.Fatal(err)
	}
	return q
}
