package queue_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
	"github.com/queuectl/queuectl/queue"
)

// TestRun_VerbsAtAnyMomentStrandNothing lets somebody enqueue, cancel, kill, retry and stop at random, while two processes
// work whose workers stop and start again. No two runs of a job may overlap, a job is cancelled in the end exactly if
// somebody was told that it would be, and all others end.
func TestRun_VerbsAtAnyMomentStrandNothing(t *testing.T) {
	t.Parallel()
	live(t, 150, func(t *testing.T, seed uint64) {
		b := &bustle{t: t, seed: seed, random: rand.New(rand.NewPCG(seed, seed)), active: map[string]bool{}}
		b.live()
	})
}

// bustle is a queue on which much goes on at once.
type bustle struct {
	t    *testing.T
	seed uint64

	mu     sync.Mutex
	random *rand.Rand
	active map[string]bool
	over   bool // workers that stop do not start again
}

func (b *bustle) below(n int) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.random.IntN(n)
}

func (b *bustle) milliseconds(most int) time.Duration {
	return time.Duration(b.below(most)) * time.Millisecond
}

func (b *bustle) handle(ctx context.Context, j job.Job) error {
	b.mu.Lock()
	if b.active[j.Spec.ID] {
		b.t.Errorf("seed %d: two runs of %s at once", b.seed, j.Spec.ID)
	}
	b.active[j.Spec.ID] = true
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.active[j.Spec.ID] = false
	}()
	select {
	case <-ctx.Done():
		time.Sleep(b.milliseconds(3))
		if b.below(2) == 0 {
			return ctx.Err()
		}
	case <-time.After(b.milliseconds(200)):
		if b.below(4) == 0 {
			return errors.New("no luck")
		}
	}
	return nil
}

// work runs one worker after the other. Some stop by themselves, gracefully and then at once.
func (b *bustle) work(q *queue.Queue) {
	for over := false; !over; time.Sleep(time.Millisecond) {
		ctx, stop := context.WithCancel(context.Background())
		now := make(chan struct{})
		if b.below(3) == 0 {
			gracefully := b.milliseconds(300)
			time.AfterFunc(gracefully, stop)
			time.AfterFunc(gracefully+b.milliseconds(20), func() { close(now) })
		}
		err := q.Run(ctx, queue.WorkerOptions{
			Slots: 1 + b.below(4), Handlers: map[string]queue.Handler{"k": b.handle}, StopNow: now, UntilEmpty: b.below(2) == 0,
		})
		if err != nil {
			b.t.Errorf("seed %d: a worker ended with %v", b.seed, err)
		}
		stop()
		b.mu.Lock()
		over = b.over
		b.mu.Unlock()
	}
}

// act does something to the queue, and notes what was promised.
func (b *bustle) act(q *queue.Queue, n int, cancelled map[string]bool) {
	ctx := context.Background()
	id := fmt.Sprint("job", b.below(n/4+1))
	switch b.below(8) {
	case 0, 1, 2:
		retries := uint32(b.below(3))
		spec := job.Spec{ID: fmt.Sprint("job", n/4), Kind: "k", MaxRetries: &retries, OnCrash: job.OnCrash(b.below(2))}
		_, _ = q.Enqueue(ctx, spec) // it may be there already
	case 3:
		cancelled[id] = q.Cancel(ctx, id) == nil || cancelled[id]
	case 4, 5:
		_ = q.Kill(ctx, []int{1, 15, 9}[b.below(3)], id) // it may not run
	case 6:
		_ = q.Retry(ctx, false, id) // it may be well
	case 7:
		_, _ = q.RequestStop(ctx, b.below(2) == 0) // a worker may end meanwhile
		time.Sleep(b.milliseconds(300))
	}
	time.Sleep(b.milliseconds(5))
}

func (b *bustle) live() {
	memory, ctx := queue.NewMemory(), context.Background()
	var handles []*queue.Queue
	for range 3 {
		q, err := memory.Open(ctx, queue.Options{})
		if err != nil {
			b.t.Fatal(err)
		}
		defer q.Close()
		handles = append(handles, q)
	}
	var workers sync.WaitGroup
	workers.Go(func() { b.work(handles[0]) })
	workers.Go(func() { b.work(handles[1]) })
	q, cancelled := handles[2], map[string]bool{}
	for n := range 150 {
		b.act(q, n, cancelled)
	}
	b.mu.Lock()
	b.over = true
	b.mu.Unlock()
	stopped := make(chan struct{})
	go func() { workers.Wait(); close(stopped) }()
	for tries := 0; ; tries++ {
		_, _ = q.RequestStop(ctx, false) // one that has just started has to be asked as well
		select {
		case <-stopped:
		case <-time.After(10 * time.Millisecond):
			if tries < 1000 {
				continue
			}
			b.t.Fatalf("seed %d: a worker does not stop", b.seed)
		}
		break
	}
	ctx, cancel := context.WithTimeout(ctx, time.Hour) // which takes no time in the bubble
	defer cancel()
	err := q.Run(ctx, queue.WorkerOptions{Handlers: map[string]queue.Handler{"k": b.handle}, UntilEmpty: true})
	if err != nil || ctx.Err() != nil {
		b.t.Errorf("seed %d: a job is stranded (%v, %v)", b.seed, err, ctx.Err())
	}
	b.check(q, cancelled)
}

func (b *bustle) check(q *queue.Queue, cancelled map[string]bool) {
	ctx := context.Background()
	jobs, err := q.List(ctx, projection.Filter{})
	if err != nil {
		b.t.Fatal(err)
	}
	for _, j := range jobs {
		if !j.State.Ended() || cancelled[j.Spec.ID] != (j.State == job.Cancelled) {
			b.t.Errorf("seed %d: %s is %s; that it would be cancelled was said: %v", b.seed, j.Spec.ID, j.State, cancelled[j.Spec.ID])
		}
	}
	if workers, err := q.Workers(ctx); err != nil || len(workers) > 0 {
		b.t.Errorf("seed %d: %d workers are left (%v)", b.seed, len(workers), err)
	}
}
