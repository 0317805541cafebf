package queue_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/internal/effort"
	"github.com/queuectl/queuectl/internal/interleave"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
	"github.com/queuectl/queuectl/queue"
)

var simSeeds = effort.New("sim", "seeds", "how many seeds TestSimulation_WorkersRunEachJobOnceAtATime plays")

// TestSimulation_WorkersRunEachJobOnceAtATime plays a history of several processes with workers for each seed. They stop
// before each lock, write and sync of the log, when a handler begins and before it ends, and between what people ask for;
// the seed says who goes on, what fails, who is killed, and when the power is cut. No two runs of a job may overlap, no
// limit may be exceeded, no run may begin before its claim is durable, and what was accepted must come to an end.
func TestSimulation_WorkersRunEachJobOnceAtATime(t *testing.T) {
	t.Parallel()
	seeds, seed := simSeeds.Count(500), simSeeds.Seed(1)
	if testing.Short() {
		seeds = max(1, seeds/10)
	}
	var steps, kills, cuts, runs atomic.Int64
	for n := range seeds {
		if t.Failed() {
			break
		}
		synctest.Test(t, func(t *testing.T) {
			s := newSimQueue(t, seed+uint64(n))
			s.play()
			steps.Add(int64(s.steps))
			kills.Add(int64(s.kills))
			cuts.Add(int64(s.cuts))
			runs.Add(int64(s.begun))
		})
	}
	effort.Report(t, map[string]int{
		"seeds": seeds, "steps": int(steps.Load()), "runs": int(runs.Load()), "kills": int(kills.Load()), "power cuts": int(cuts.Load()),
	})
}

// simQueue is a queue in memory and the processes that use it.
type simQueue struct {
	t      *testing.T
	seed   uint64
	rng    *rand.Rand
	turns  interleave.Schedule
	disk   *interleave.Process // whose steps are those of the log: it does not say of which process they are
	memory *queue.Memory
	group  sync.WaitGroup
	mains  atomic.Int64 // main goroutines of processes that have not ended
	sick   int          // of 1000 steps that can fail, how many do
	sound  atomic.Bool

	steps, kills, cuts, begun int
	trace                     []string

	mu       sync.Mutex
	live     []*simWorker
	all      []*simWorker
	active   map[string]*simWorker // jobs that run, and where
	specs    map[string]job.Spec   // what was asked for
	accepted map[string]bool       // what was acknowledged
	refused  map[string]bool
	asking   int // clients that are not through
}

// simWorker is a process with a worker, or a client.
type simWorker struct {
	*interleave.Process
	q    *queue.Queue
	work bool // a worker, or a client
	dead bool
}

func newSimQueue(t *testing.T, seed uint64) *simQueue {
	s := &simQueue{
		t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 0)), memory: queue.NewMemory(),
		active: map[string]*simWorker{}, specs: map[string]job.Spec{}, accepted: map[string]bool{}, refused: map[string]bool{},
	}
	s.disk = s.turns.Process()
	s.sick = []int{0, 5, 50}[s.rng.IntN(3)]
	return s
}

func (s *simQueue) failf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failLocked(format, args...)
}

func (s *simQueue) failLocked(format string, args ...any) {
	if s.t.Failed() {
		return
	}
	s.t.Errorf("%s\nafter %d steps, the last of which were\n  %s\nagain: go test ./queue -run %s -sim.seed %d -sim.seeds 1",
		fmt.Sprintf(format, args...), s.steps, strings.Join(s.trace[max(0, len(s.trace)-60):], "\n  "), "TestSimulation_WorkersRunEachJobOnceAtATime", s.seed)
}

func (s *simQueue) note(format string, args ...any) {
	s.trace = append(s.trace, fmt.Sprintf("%d: ", s.steps)+fmt.Sprintf(format, args...))
}

// fault is asked before each step of the log.
func (s *simQueue) fault(op eventlog.Op) error {
	name := map[eventlog.Op]string{eventlog.OpLock: "lock", eventlog.OpWrite: "write", eventlog.OpSync: "sync"}[op]
	switch s.disk.Stop(name) {
	case interleave.Fail:
		return errors.New("injected: input/output error")
	case interleave.Odd:
		return fmt.Errorf("injected: %w", eventlog.ErrUnknown)
	}
	return nil
}

// enter opens the queue for one more process.
func (s *simQueue) enter(work bool) *simWorker {
	q, err := s.memory.Open(context.Background(), queue.Options{})
	if err != nil {
		s.t.Fatal(err)
	}
	w := &simWorker{Process: s.turns.Process(), q: q, work: work}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live, s.all = append(s.live, w), append(s.all, w)
	return w
}

// start starts the main goroutine of a process.
func (s *simQueue) start(main func()) {
	s.mains.Add(1)
	s.group.Go(func() {
		defer s.mains.Add(-1)
		main()
	})
}

func (s *simQueue) hire() {
	w := s.enter(true)
	opt := queue.WorkerOptions{
		Slots:      1 + s.rng.IntN(3),
		Handlers:   map[string]queue.Handler{"k": func(ctx context.Context, j job.Job) error { return s.handle(ctx, w, j) }},
		UntilEmpty: true,
	}
	s.start(func() {
		for !w.Over() {
			if w.Stop("worker") == interleave.Ended {
				return
			}
			err := w.q.Run(context.Background(), opt)
			if w.Over() {
				return
			}
			if err == nil && s.through() {
				return
			}
			if err != nil && s.sound.Load() {
				s.failf("process %d: run: %v", w.Number(), err)
				return
			}
			time.Sleep(time.Second)
		}
	})
}

// through says that clients ask for nothing more.
func (s *simQueue) through() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asking == 0
}

// handle is a run of a job.
func (s *simQueue) handle(ctx context.Context, w *simWorker, j job.Job) error {
	if w.Stop("handler begins") == interleave.Ended {
		return nil
	}
	s.checkDurable(j)
	s.begin(w, j)
	turn := w.Stop("handler ends")
	if turn == interleave.Ended {
		return nil
	}
	s.mu.Lock()
	delete(s.active, j.Spec.ID)
	s.mu.Unlock()
	switch turn {
	case interleave.Fail:
		return errors.New("no luck")
	case interleave.Odd:
		return queue.Snooze(time.Second)
	}
	return ctx.Err()
}

// checkDurable looks that the claim of a run is durable: who may only read is shown nothing else.
func (s *simQueue) checkDurable(j job.Job) {
	q, err := s.memory.Open(context.Background(), queue.Options{ReadOnly: true})
	if err != nil {
		s.failf("open: %v", err)
		return
	}
	defer q.Close() // only read
	if shown, err := q.Job(context.Background(), j.Spec.ID); err != nil || shown.State != job.Processing || shown.Run != j.Run {
		s.failf("run %d of %s began; of what is durable it is %s, run %d (%v)", j.Run, j.Spec.ID, shown.State, shown.Run, err)
	}
}

// begin notes that a run has begun, which nothing must be against.
func (s *simQueue) begin(w *simWorker, j job.Job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begun++
	if s.active[j.Spec.ID] != nil {
		s.failLocked("two runs of %s at once", j.Spec.ID)
	}
	s.active[j.Spec.ID] = w
	inQueue, withKey := 0, 0
	for id := range s.active {
		other := s.specs[id]
		if other.Queue == j.Spec.Queue {
			inQueue++
		}
		if other.Queue == j.Spec.Queue && other.ConcurrencyKey == j.Spec.ConcurrencyKey {
			withKey++
		}
	}
	if j.Spec.Queue == "two" && inQueue > 2 {
		s.failLocked("%d jobs run at once of a queue that is to run two", inQueue)
	}
	if j.Spec.ConcurrencyKey != "" && withKey > 1 {
		s.failLocked("%d jobs run at once of the key %s", withKey, j.Spec.ConcurrencyKey)
	}
}

// ask has a client enqueue jobs, one batch after the other, and cancel a few.
func (s *simQueue) ask(name string, batches int, seed uint64) {
	w := s.enter(false)
	rng := rand.New(rand.NewPCG(seed, 1))
	s.asking++
	s.start(func() {
		defer func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.asking--
		}()
		for batch := range batches {
			if w.Stop("client") == interleave.Ended {
				return
			}
			var specs []job.Spec
			for i := range 1 + rng.IntN(4) {
				spec := job.Spec{ID: fmt.Sprintf("%s-%d-%d", name, batch, i), Kind: "k", Queue: []string{"two", "free"}[rng.IntN(2)]}
				if rng.IntN(2) == 0 {
					spec.ConcurrencyKey = fmt.Sprint("key", rng.IntN(2))
				}
				specs = append(specs, spec)
			}
			s.mu.Lock()
			for _, spec := range specs {
				s.specs[spec.ID] = spec
			}
			s.mu.Unlock()
			_, err := w.q.EnqueueMany(context.Background(), specs, queue.EnqueueOptions{})
			if w.Over() || w.dead {
				return
			}
			s.answer(specs, err)
			if rng.IntN(4) == 0 && err == nil {
				_ = w.q.Cancel(context.Background(), specs[0].ID) // it may run, or have ended
			}
		}
	})
}

func (s *simQueue) answer(specs []job.Spec, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, spec := range specs {
		switch {
		case err == nil:
			s.accepted[spec.ID] = true
		case !errors.Is(err, eventlog.ErrUnknown) && !errors.Is(err, eventlog.ErrClosed):
			s.refused[spec.ID] = true
		}
	}
}

func (s *simQueue) play() {
	first := s.enter(false)
	for name, l := range map[string]job.Limits{"two": {Concurrency: 2}} {
		if _, err := first.q.LimitQueue(s.t.Context(), name, func(own *job.Limits) { *own = l }); err != nil {
			s.t.Fatal(err)
		}
	}
	for key, value := range map[string]string{"backoff_max": "1s", "max_crashes": "1000", "max_retries": "1000"} {
		if _, err := first.q.SetConfig(s.t.Context(), key, value); err != nil {
			s.t.Fatal(err)
		}
	}
	s.memory.Log.Inject(s.fault)
	for i := range 1 + s.rng.IntN(2) {
		s.ask(fmt.Sprint("c", i), 3+s.rng.IntN(4), s.rng.Uint64())
	}
	for range 2 + s.rng.IntN(2) {
		s.hire()
	}
	disasters := s.rng.IntN(5)
	for s.proceed() {
		if disasters > 0 && s.rng.IntN(60) == 0 {
			disasters--
			s.disaster()
		}
	}
	s.finish()
}

// proceed has somebody go one step further. It returns false when all is done.
func (s *simQueue) proceed() bool {
	ready := s.turns.Ready()
	for idle := 0; len(ready) == 0; idle++ {
		if idle == 10_000 {
			s.failf("nothing goes on any more")
		}
		if s.t.Failed() || s.mains.Load() == 0 {
			return false
		}
		time.Sleep(50 * time.Millisecond)
		ready = s.turns.Ready()
	}
	if s.t.Failed() || s.steps > 20_000 {
		s.failf("it does not come to an end")
		return false
	}
	if s.rng.IntN(30) == 0 {
		time.Sleep([]time.Duration{time.Millisecond, 60 * time.Millisecond, 2 * time.Second}[s.rng.IntN(3)])
		return true
	}
	stop := ready[s.rng.IntN(len(ready))]
	turn := interleave.Go
	switch n := s.rng.IntN(1000); {
	case s.steps > 2000: // it is to come to an end
	case stop.At == "handler ends" && n < 200:
		turn = interleave.Fail
	case stop.At == "handler ends" && n < 250:
		turn = interleave.Odd
	case stop.Process == s.disk && n < s.sick:
		turn = []interleave.Turn{interleave.Fail, interleave.Odd}[n%2]
	}
	s.steps++
	s.note("process %d: %s, turn %d", stop.Process.Number(), stop.At, turn)
	s.turns.Give(stop, turn)
	return true
}

// disaster kills a process, or all of them by cutting the power.
func (s *simQueue) disaster() {
	s.turns.Ready() // what goes on has come to its next stop
	victims := slices.Clone(s.live)
	if s.rng.IntN(4) > 0 {
		victims = []*simWorker{victims[s.rng.IntN(len(victims))]}
		s.kills++
		s.note("process %d is killed", victims[0].Number())
	} else {
		s.cuts++
		s.note("the power is cut")
		s.memory.Log.PowerCut(s.rng.IntN(3))
	}
	for _, w := range victims {
		s.bury(w)
		if w.work {
			s.hire()
		}
	}
}

// bury kills a process. What runs in it runs no longer.
func (s *simQueue) bury(w *simWorker) {
	s.group.Go(func() { s.memory.Kill(w.q) }) // it waits for those that have stopped in the log
	s.mu.Lock()
	w.dead = true
	s.live = slices.DeleteFunc(s.live, func(other *simWorker) bool { return other == w })
	for id, in := range s.active {
		if in == w {
			delete(s.active, id)
		}
	}
	s.mu.Unlock()
	w.End() // its handlers return to nobody
}

// finish lets a last worker do what is left on a sound disk, and looks at what has become of all jobs.
func (s *simQueue) finish() {
	s.disk.End()
	s.memory.Log.Inject(nil)
	defer func() {
		for _, w := range s.all {
			w.End()
			_ = w.q.Close() // it may be dead
		}
		s.group.Wait()
	}()
	if s.t.Failed() {
		return
	}
	s.sound.Store(true)
	last := s.enter(true)
	opt := queue.WorkerOptions{UntilEmpty: true, Handlers: map[string]queue.Handler{"k": func(context.Context, job.Job) error { return nil }}}
	if err := last.q.Run(context.Background(), opt); err != nil {
		s.failf("the last worker: %v", err)
		return
	}
	s.check(last.q)
}

func (s *simQueue) check(q *queue.Queue) {
	jobs, err := q.List(context.Background(), projection.Filter{})
	if err != nil {
		s.failf("list: %v", err)
		return
	}
	there := map[string]job.State{}
	for _, j := range jobs {
		there[j.Spec.ID] = j.State
		if !j.State.Ended() || j.State == job.Dead {
			s.failf("%s is %s: %s", j.Spec.ID, j.State, j.LastError)
		}
	}
	for id := range s.specs {
		if s.accepted[id] && there[id] == 0 {
			s.failf("%s was accepted, and is not there", id)
		}
		if s.refused[id] && there[id] != 0 {
			s.failf("%s was refused, and is there", id)
		}
	}
	if workers, err := q.Workers(context.Background()); err != nil || len(workers) > 0 {
		s.failf("%d workers are left (%v)", len(workers), err)
	}
	want, err := q.Digest(context.Background())
	if err != nil {
		s.failf("digest: %v", err)
	}
	for _, w := range s.live {
		if got, err := w.q.Digest(context.Background()); err != nil || got != want {
			s.failf("process %d lived through another state than the last one (%v)", w.Number(), err)
		}
	}
	replayed, err := s.memory.Open(context.Background(), queue.Options{})
	if err != nil {
		s.failf("open: %v", err)
		return
	}
	defer replayed.Close() // only read
	if got, err := replayed.Digest(context.Background()); err != nil || got != want {
		s.failf("the log replays to another state (%v)", err)
	}
}
