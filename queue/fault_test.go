package queue_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/internal/effort"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
	"github.com/queuectl/queuectl/queue"
)

// TestRun_FailingDiskStartsNothingTwiceAndLosesNoOutcome lets two processes work on a log whose locks, writes and syncs
// fail at random, some of them without saying whether what was written is there. No two runs of a job may overlap, none may
// begin before its claim is durable, each job must end as its last run did, and when the disk is sound again nothing may be
// left over.
func TestRun_FailingDiskStartsNothingTwiceAndLosesNoOutcome(t *testing.T) {
	t.Parallel()
	live(t, 200, func(t *testing.T, seed uint64) { newSickbed(t, seed).live() })
}

var lives = effort.New("live", "histories", "how many random histories to live through in a bubble")

// live plays so many random histories, each in a bubble, until one fails. -live.histories 1 -live.seed N replays one, as
// far as the order of goroutines allows.
func live(t *testing.T, histories int, history func(t *testing.T, seed uint64)) {
	if testing.Short() {
		histories = min(histories, 50)
	}
	seed, done := lives.Seed(0), 0
	for ; done < lives.Count(histories) && !t.Failed(); done++ {
		synctest.Test(t, func(t *testing.T) { history(t, seed+uint64(done)) })
	}
	effort.Report(t, map[string]int{"histories": done})
}

// sickbed is a queue on a disk that fails.
type sickbed struct {
	t      *testing.T
	seed   uint64
	memory *queue.Memory
	until  time.Time // when the disk is sound again

	mu     sync.Mutex
	random *rand.Rand
	rate   int // of 100 steps, how many fail
	active map[string]bool
	runs   map[string]uint32
	good   map[string]bool // whose last run succeeded
}

func newSickbed(t *testing.T, seed uint64) *sickbed {
	random := rand.New(rand.NewPCG(seed, seed))
	return &sickbed{
		t: t, seed: seed, memory: queue.NewMemory(), until: time.Now().Add(20 * time.Second),
		random: random, rate: 2 + random.IntN(30),
		active: map[string]bool{}, runs: map[string]uint32{}, good: map[string]bool{},
	}
}

// choose draws one of the choices.
func choose[T any](s *sickbed, choices ...T) T {
	s.mu.Lock()
	defer s.mu.Unlock()
	return choices[s.random.IntN(len(choices))]
}

func (s *sickbed) open(opt queue.Options) *queue.Queue {
	q, err := s.memory.Open(context.Background(), opt)
	if err != nil {
		s.t.Fatal(err)
	}
	return q
}

// fault makes a step fail.
func (s *sickbed) fault(eventlog.Op) error {
	s.mu.Lock()
	sick := time.Now().Before(s.until) && s.random.IntN(100) < s.rate
	s.mu.Unlock()
	if !sick {
		return nil
	}
	return fmt.Errorf("injected: %w", choose(s, errors.New("input/output error"), eventlog.ErrUnknown, eventlog.ErrDiskFull))
}

// handle is a run of a job. It must not have begun before its claim was durable.
func (s *sickbed) handle(_ context.Context, j job.Job) error {
	id := j.Spec.ID
	durable := s.open(queue.Options{ReadOnly: true}) // who may only read is shown only what is durable
	defer durable.Close()
	if shown, err := durable.Job(context.Background(), id); err != nil || shown.State != job.Processing || shown.Run != j.Run {
		s.t.Errorf("seed %d: run %d of %s began; of what is durable it is %s, run %d (%v)", s.seed, j.Run, id, shown.State, shown.Run, err)
	}
	s.mu.Lock()
	if s.active[id] {
		s.t.Errorf("seed %d: two runs of %s at once", s.seed, id)
	}
	s.active[id] = true
	s.runs[id]++
	s.mu.Unlock()
	time.Sleep(choose(s, 0, 10*time.Millisecond, 20*time.Millisecond))
	err := choose(s, nil, nil, nil, errors.New("no luck"))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active[id] = false
	s.good[id] = err == nil
	return err
}

// work runs workers until one has seen that nothing is left. One that cannot go on is replaced.
func (s *sickbed) work(q *queue.Queue) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour) // which takes no time in the bubble
	defer cancel()
	opt := queue.WorkerOptions{
		Slots: choose(s, 1, 2, 4, 16), Handlers: map[string]queue.Handler{"k": s.handle}, UntilEmpty: true,
	}
	for ctx.Err() == nil && q.Run(ctx, opt) != nil {
		time.Sleep(time.Second)
	}
	if ctx.Err() != nil {
		s.t.Errorf("seed %d: a job is stranded", s.seed)
	}
}

func (s *sickbed) live() {
	first, second := s.open(queue.Options{}), s.open(queue.Options{})
	defer first.Close()
	defer second.Close()
	specs := make([]job.Spec, 30)
	for i := range specs {
		specs[i] = job.Spec{ID: fmt.Sprint("job", i), Kind: "k"}
	}
	if _, err := first.EnqueueMany(context.Background(), specs, queue.EnqueueOptions{}); err != nil {
		s.t.Fatal(err)
	}
	s.memory.Log.Inject(s.fault)
	var group sync.WaitGroup
	group.Go(func() { s.work(first) })
	group.Go(func() { s.work(second) })
	group.Wait()
	time.Sleep(time.Until(s.until))
	last := s.open(queue.Options{}) // which reads the log from its beginning
	defer last.Close()
	s.work(last)
	s.check(last, first, second)
}

func (s *sickbed) check(last *queue.Queue, others ...*queue.Queue) {
	jobs, err := last.List(context.Background(), projection.Filter{})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, j := range jobs {
		// A claim of which nobody knew whether it is there may have been lost with its worker before anything ran.
		if runs := s.runs[j.Spec.ID]; j.Runs < runs || j.Runs > runs+j.Crashes {
			s.t.Errorf("seed %d: %s ran %d times; the log says %d, and %d crashes", s.seed, j.Spec.ID, runs, j.Runs, j.Crashes)
		}
		// One whose outcomes could not be recorded too often is dead whatever they were.
		if good := s.good[j.Spec.ID]; j.Why != job.WhyCrashes && (j.State == job.Completed) != good || !j.State.Ended() {
			s.t.Errorf("seed %d: %s is %s, and that its last run was good is %v", s.seed, j.Spec.ID, j.State, good)
		}
	}
	if workers, err := last.Workers(context.Background()); err != nil || len(workers) > 0 {
		s.t.Errorf("seed %d: %d workers are left (%v)", s.seed, len(workers), err)
	}
	want, err := last.Digest(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	for i, q := range others {
		if got, err := q.Digest(context.Background()); err != nil || got != want {
			s.t.Errorf("seed %d: process %d lived through another state than the log replays (%v)", s.seed, i, err)
		}
	}
}
