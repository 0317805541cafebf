package queue_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
	"github.com/queuectl/queuectl/queuetest"
)

// limit sets the limits of a queue.
func limit(t *testing.T, q *queue.Queue, name string, l job.Limits) {
	t.Helper()
	info, err := q.LimitQueue(t.Context(), name, func(own *job.Limits) { *own = l })
	if err != nil || info.Limits != l || info.Name != name {
		t.Fatalf("LimitQueue: %+v, %v; want %+v", info, err, l)
	}
}

// TestRun_LimitsHoldForAllProcessesTogether lets three processes with four slots each work at once.
func TestRun_LimitsHoldForAllProcessesTogether(t *testing.T) {
	t.Parallel()
	memory := queue.NewMemory()
	var processes [3]*queue.Queue
	for i := range processes {
		q, err := memory.Open(t.Context(), queue.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = q.Close() })
		processes[i] = q
	}
	limit(t, processes[0], "two", job.Limits{Concurrency: 2})
	limit(t, processes[0], "one", job.Limits{Concurrency: 1})
	var specs []job.Spec
	for i := range 90 {
		s := job.Spec{ID: fmt.Sprint("j", i), Kind: "k", Queue: []string{"two", "one", "free"}[i%3]}
		if i%2 == 0 {
			s.ConcurrencyKey = fmt.Sprint("key", i%4)
		}
		specs = append(specs, s)
	}
	enqueue(t, processes[0], specs...)
	var now, most sync.Map // by queue or key: *atomic.Int64
	count := func(name string, n int64) {
		if name == "" {
			return
		}
		running, _ := now.LoadOrStore(name, new(atomic.Int64))
		highest, _ := most.LoadOrStore(name, new(atomic.Int64))
		if r, h := running.(*atomic.Int64).Add(n), highest.(*atomic.Int64); r > h.Load() {
			h.Store(r)
		}
	}
	handler := func(_ context.Context, j job.Job) error {
		count(j.Spec.Queue, 1)
		count(j.Spec.ConcurrencyKey, 1)
		time.Sleep(time.Millisecond)
		count(j.Spec.ConcurrencyKey, -1)
		count(j.Spec.Queue, -1)
		if j.Attempts == 0 && strings.HasSuffix(j.Spec.ID, "7") {
			return errors.New("try again")
		}
		return nil
	}
	if _, err := processes[0].SetConfig(t.Context(), "backoff_max", "1ms"); err != nil {
		t.Fatal(err)
	}
	var workers sync.WaitGroup
	for _, q := range processes {
		workers.Go(func() {
			err := q.Run(t.Context(), queue.WorkerOptions{Slots: 4, UntilEmpty: true, Handlers: map[string]queue.Handler{"k": handler}})
			if err != nil {
				t.Error(err)
			}
		})
	}
	workers.Wait()
	for name, limit := range map[string]int64{"two": 2, "one": 1, "key0": 1, "key2": 1} {
		highest, ok := most.Load(name)
		if !ok || highest.(*atomic.Int64).Load() > limit {
			t.Errorf("%s: %v jobs ran at once, want at most %d", name, highest, limit)
		}
	}
	for _, s := range specs {
		if got := find(t, processes[1], s.ID).State; got != job.Completed {
			t.Errorf("%s is %s", s.ID, got)
		}
	}
}

// TestRun_AWorkerSleepsWhileALimitHoldsItsJobs counts how often a worker looks at the clock, which it does each
// time around.
func TestRun_AWorkerSleepsWhileALimitHoldsItsJobs(t *testing.T) {
	t.Parallel()
	for name, hold := range map[string]func(t *testing.T, q *queue.Queue){
		"paused": func(t *testing.T, q *queue.Queue) {
			if _, err := q.PauseQueues(t.Context(), "default"); err != nil {
				t.Fatal(err)
			}
		},
		"rate":        func(t *testing.T, q *queue.Queue) { limit(t, q, "default", job.Limits{Rate: 1, Per: time.Hour}) },
		"concurrency": func(t *testing.T, q *queue.Queue) { limit(t, q, "default", job.Limits{Concurrency: 1}) },
		"key":         func(*testing.T, *queue.Queue) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var looks atomic.Int64
				q, err := queue.NewMemory().Open(t.Context(), queue.Options{Now: func() time.Time {
					looks.Add(1)
					return time.Now()
				}})
				if err != nil {
					t.Fatal(err)
				}
				defer q.Close()
				hold(t, q)
				for range 20 {
					enqueue(t, q, job.Spec{Kind: "k", ConcurrencyKey: "same"})
				}
				ctx, stop := context.WithCancel(t.Context())
				done := make(chan error)
				release := make(chan struct{})
				go func() {
					done <- q.Run(ctx, queue.WorkerOptions{Slots: 4, Handlers: map[string]queue.Handler{"k": func(context.Context, job.Job) error {
						<-release
						return nil
					}}})
				}()
				time.Sleep(10 * time.Second)
				before := looks.Load()
				time.Sleep(100 * time.Second)
				if n := looks.Load() - before; n > 5*100 {
					t.Errorf("it looked %d times in 100 seconds", n)
				}
				close(release)
				stop()
				if err := <-done; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestRun_WakesWhenTheRateAllowsOneMore measures when jobs begin.
func TestRun_WakesWhenTheRateAllowsOneMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, err := queue.NewMemory().Open(t.Context(), queue.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer q.Close()
		limit(t, q, "default", job.Limits{Rate: 4, Per: time.Second})
		for range 12 {
			enqueue(t, q, job.Spec{Kind: "k"})
		}
		start := time.Now()
		var mu sync.Mutex
		var begun []time.Duration
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err = q.Run(ctx, queue.WorkerOptions{Slots: 8, UntilEmpty: true, Handlers: map[string]queue.Handler{"k": func(context.Context, job.Job) error {
			mu.Lock()
			defer mu.Unlock()
			begun = append(begun, time.Since(start))
			return nil
		}}})
		if err != nil {
			t.Fatal(err)
		}
		if len(begun) != 12 {
			t.Errorf("%d jobs have begun, want 12", len(begun))
		}
		for i, at := range begun {
			want := time.Duration(max(0, i-3)) * time.Second / 4
			if at < want || at > want+10*time.Millisecond {
				t.Errorf("job %d began after %v, want %v", i, at, want)
			}
		}
	})
}

func TestQueues_WhatIsPausedOrLimitedIsListed(t *testing.T) {
	t.Parallel()
	q, _ := queuetest.Open(t)
	enqueue(t, q, job.Spec{Kind: "k", Queue: "used"})
	infos, err := q.PauseQueues(t.Context(), "new", "used", "new")
	if err != nil || len(infos) != 3 || !infos[0].Paused || infos[0].Waiting() != 0 || infos[1].Waiting() != 1 {
		t.Fatalf("%+v, %v", infos, err)
	}
	limit(t, q, "slow", job.Limits{Concurrency: 2, Rate: 5, Per: time.Minute})
	names := func() (names []string) {
		infos, err := q.Queues(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, info := range infos {
			names = append(names, fmt.Sprint(info.Name, " ", info.Paused, " ", info.ConcurrencyText(), " ", info.RateText()))
		}
		return names
	}
	if got, want := fmt.Sprint(names()), "[new true none none slow false 2 5/m used true none none]"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if infos, err = q.ResumeQueues(t.Context(), "new", "used"); err != nil || infos[1].Paused {
		t.Errorf("%+v, %v", infos, err)
	}
	limit(t, q, "slow", job.Limits{})
	if got, want := fmt.Sprint(names()), "[used false none none]"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if _, err := q.PauseQueues(t.Context(), "a b"); !errors.Is(err, job.ErrInvalid) {
		t.Errorf("%v, want ErrInvalid", err)
	}
}
