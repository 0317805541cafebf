package simulate

import (
	"cmp"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/queuectl/queuectl/job"
)

// happening is an event that gets its position when all are in order.
type happening struct {
	at    int64
	event func() job.Event
	told  *job.Position // where its position goes; nil = nobody needs it
}

// drawLog draws a log. It need not be one that a queue has written: its workers may run more at a time than
// they have slots.
func drawLog(t *rapid.T) (log []happening) {
	second := int64(time.Second)
	seconds := func(most int64, label string) int64 { return rapid.Int64Range(0, most*second).Draw(t, label) }
	add := func(at int64, told *job.Position, event func() job.Event) {
		log = append(log, happening{at: at, told: told, event: event})
	}
	worker, slots := new(job.Position), rapid.Uint32Range(1, 4).Draw(t, "slots")
	add(0, worker, func() job.Event { return &job.WorkerStarted{ID: "w", Slots: slots, Shell: true} })
	for range rapid.IntRange(1, 20).Draw(t, "jobs") {
		now, key := seconds(30, "enqueued"), new(job.Position)
		spec := job.Spec{
			Queue: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "queue"), Command: ":",
			Priority: rapid.Int32Range(0, 1).Draw(t, "priority"), MaxRetries: new(rapid.Uint32Range(0, 3).Draw(t, "retries")),
			ConcurrencyKey: rapid.SampledFrom([]string{"", "", "k"}).Draw(t, "concurrency key"),
			OnCrash:        rapid.SampledFrom([]job.OnCrash{job.CrashRetry, job.CrashDead}).Draw(t, "on crash"),
		}
		var due int64
		if rapid.Bool().Draw(t, "delayed") {
			due = now + 1 + seconds(10, "delay")
		}
		add(now, key, func() job.Event { return &job.JobEnqueued{Spec: spec, Due: due} })
		now = max(now, due)
		for attempts := uint32(0); rapid.IntRange(0, 9).Draw(t, "goes on") > 0; {
			run := new(job.Position)
			now += seconds(3, "wait")
			add(now, run, func() job.Event { return job.JobClaimed{Job: *key, Worker: *worker} })
			began := now
			now += 1 + seconds(5, "run")
			result := job.Result{Start: began, End: now}
			if rapid.Bool().Draw(t, "completes") {
				add(now, nil, func() job.Event { return &job.JobCompleted{Job: *key, Run: *run, Result: result} })
				break
			}
			if attempts++; attempts > *spec.MaxRetries {
				add(now, nil, func() job.Event {
					return &job.JobDied{Job: *key, Run: *run, Why: job.WhyRetries, Failure: job.WhyError, Result: result}
				})
				break
			}
			next := now + seconds(8, "back-off")
			add(now, nil, func() job.Event {
				return &job.JobFailed{Job: *key, Run: *run, Why: job.WhyError, Result: result, NextAttemptAt: next}
			})
			now = next
		}
	}
	for range rapid.IntRange(0, 4).Draw(t, "pauses and limits") {
		name := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "queue")
		e := rapid.SampledFrom([]job.Event{
			job.QueuePaused{Queue: name},
			job.QueueResumed{Queue: name},
			job.QueueResumed{Queue: name},
			job.QueueLimited{Queue: name, Concurrency: 1},
			job.QueueLimited{Queue: name, Rate: 1, Per: time.Second},
			job.QueueLimited{Queue: name},
		}).Draw(t, "what")
		add(seconds(40, "when"), nil, func() job.Event { return e })
	}
	for _, name := range []string{"a", "b"} { // so that everything comes to an end
		add(41*second, nil, func() job.Event { return job.QueueResumed{Queue: name} })
	}
	slices.SortStableFunc(log, func(a, b happening) int { return cmp.Compare(a.at, b.at) })
	return log
}

func recordOf(log []happening, from job.Position) *Record {
	r := NewRecorder(from)
	r.Take(job.At{Position: 1, Time: 1}, job.LogCreated{LogID: [16]byte{1}})
	for i, h := range log {
		at := job.At{Position: job.Position(i + 2), Time: h.at + 1}
		if h.told != nil {
			*h.told = at.Position
		}
		r.Take(at, h.event())
	}
	return r.Record()
}

func drawScenario(t *rapid.T) Scenario {
	s := Scenario{Workers: rapid.IntRange(0, 5).Draw(t, "workers"), Seed: rapid.Uint64().Draw(t, "seed"), Set: map[string]string{}}
	for key, values := range map[string][]string{
		"backoff_base": {"1", "3"}, "max_retries": {"0", "5"}, "timeout": {"2s"}, "queue_max": {"3"}, "backoff_jitter": {"0.5"},
	} {
		if rapid.IntRange(0, 2).Draw(t, key) == 0 {
			s.Set[key] = rapid.SampledFrom(values).Draw(t, key)
		}
	}
	return s
}

// watch checks each event of a simulation as it happens: no worker runs more than it has slots for, no job runs
// twice at a time, and no queue and no key exceeds what it may.
func watch(t *rapid.T, m *machine) {
	slots, busy := map[job.Position]int{}, map[job.Position]int{}
	by := map[job.Position]job.Position{}
	last := int64(0)
	specs, running, keys := map[job.Position]job.Spec{}, map[string]int{}, map[string]int{}
	paused, most, each := map[string]bool{}, map[string]int{}, map[string]int64{}
	began, reopened := map[string]int64{}, len(m.record.opened)
	m.told = func(at job.At, e job.Event) {
		if at.Time < last {
			t.Fatalf("%T at %d comes after %d", e, at.Time, last)
		}
		last = at.Time
		switch e := e.(type) {
		case *job.WorkerStarted:
			slots[at.Position] = int(e.Slots)
		case *job.JobEnqueued:
			specs[at.Position] = e.Spec
		case job.QueuePaused:
			paused[e.Queue] = true
		case job.QueueResumed:
			paused[e.Queue] = false
		case job.QueueLimited:
			most[e.Queue], each[e.Queue] = int(e.Concurrency), int64(e.Limits().Interval())
			began[e.Queue] = math.MinInt64 / 2
		case job.JobClaimed:
			if by[e.Job] != 0 {
				t.Fatalf("job %d is claimed while it runs", e.Job)
			}
			by[e.Job] = e.Worker
			s := specs[e.Job]
			q := s.Queue
			running[q]++
			keys[s.ConcurrencyKey]++
			switch {
			case paused[q]:
				t.Fatalf("a job of the paused queue %s is claimed", q)
			case most[q] > 0 && running[q] > most[q]:
				t.Fatalf("%d jobs of queue %s run, most %d", running[q], q, most[q])
			case each[q] > 0 && at.Time-began[q] < each[q]:
				t.Fatalf("a job of queue %s begins %v after another", q, time.Duration(at.Time-began[q]))
			case s.ConcurrencyKey != "" && keys[s.ConcurrencyKey] > 1 && reopened == 0:
				t.Fatalf("%d jobs of key %s run", keys[s.ConcurrencyKey], s.ConcurrencyKey)
			}
			began[q] = at.Time
			if busy[e.Worker]++; busy[e.Worker] > slots[e.Worker] {
				t.Fatalf("worker %d runs %d jobs in %d slots", e.Worker, busy[e.Worker], slots[e.Worker])
			}
		default:
			if key := job.Of(e); key != 0 && by[key] != 0 {
				busy[by[key]]--
				running[specs[key].Queue]--
				keys[specs[key].ConcurrencyKey]--
				delete(by, key)
			}
		}
	}
}

func TestRun_KeepsTheRulesOfTheQueue(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		log := drawLog(t)
		r := recordOf(log, job.Position(rapid.IntRange(0, len(log)).Draw(t, "from")))
		s := drawScenario(t)
		m, err := newMachine(r, s)
		if err != nil {
			return // nothing has ended
		}
		watch(t, m)
		if err := m.run(); err != nil {
			t.Fatal(err)
		}
		got := m.meter.measures(r)
		if got.Jobs != r.measured || got.Completed+got.Dead+got.Cancelled+got.Waiting > got.Jobs {
			t.Fatalf("%d jobs are measured, of %d: %+v", got.Jobs, r.measured, got)
		}
		refused := 0
		for i := range r.jobs {
			if r.jobs[i].ended && m.keys[i] == 0 {
				refused++
			}
		}
		if got.Completed+got.Dead+got.Cancelled+got.Waiting+refused != got.Jobs {
			t.Fatalf("%d of %d jobs are refused, the others: %+v", refused, got.Jobs, got)
		}
		if got.Waiting > 0 || m.left != 0 {
			t.Fatalf("a worker was there and jobs wait: %+v", got)
		}
		if again, err := Run(r, s); err != nil || again != got {
			t.Fatalf("a second time: %+v, %v; want %+v", again, err, got)
		}
	})
}

// Jobs of one priority that do not fail are a queue in the plain sense: with more servers nobody starts
// later. With priorities or retries it need not be so.
func TestRun_MoreWorkersDelayNobody(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 30).Draw(t, "jobs")
		r := NewRecorder(0)
		r.Take(job.At{Position: 1, Time: 1}, &job.WorkerStarted{ID: "w", Slots: 1, Shell: true})
		now := int64(1)
		for i := range n {
			now += rapid.Int64Range(0, 3).Draw(t, "gap")
			r.Take(job.At{Position: job.Position(i + 2), Time: now}, &job.JobEnqueued{
				Spec: job.Spec{Queue: "q", Command: ":"}, Due: now + rapid.Int64Range(0, 5).Draw(t, "delay"),
			})
		}
		position := job.Position(n + 2)
		for i := range n { // one after the other, at the end
			r.Take(job.At{Position: position, Time: now}, job.JobClaimed{Job: job.Position(i + 2), Worker: 1})
			now += rapid.Int64Range(1, 10).Draw(t, "run")
			r.Take(job.At{Position: position + 1, Time: now}, &job.JobCompleted{Job: job.Position(i + 2), Run: position})
			position += 2
		}
		rec := r.Record()
		workers := rapid.IntRange(1, 6).Draw(t, "workers")
		starts := func(workers int) (starts []int64, makespan time.Duration) {
			m, err := newMachine(rec, Scenario{Workers: workers})
			if err != nil {
				t.Fatal(err)
			}
			starts = make([]int64, n)
			m.told = func(at job.At, e job.Event) {
				if e, ok := e.(job.JobClaimed); ok {
					starts[m.numbers[e.Job]] = at.Time
				}
			}
			if err := m.run(); err != nil {
				t.Fatal(err)
			}
			return starts, m.meter.measures(rec).Makespan
		}
		few, long := starts(workers)
		many, short := starts(workers + 1)
		for i := range few {
			if many[i] > few[i] {
				t.Fatalf("job %d starts at %d with %d workers, and at %d with one more", i, few[i], workers, many[i])
			}
		}
		if short > long {
			t.Fatalf("%v with %d workers, %v with one more", long, workers, short)
		}
	})
}
