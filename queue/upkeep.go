package queue

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
)

const (
	// retainEvery is how often a worker looks what may be forgotten, beside doing so after a snapshot when the jobs
	// that have ended have doubled since: each look is at all of them.
	retainEvery = time.Hour
	// retainFirst is when it does so first.
	retainFirst = time.Minute
	// upkeepRest is how long nothing is done after it: under a steady load, snapshots of 256 KiB each would cost a fifth of
	// the processor.
	upkeepRest = 250 * time.Millisecond
	// upkeepPause is how long nothing is tried after an attempt that failed.
	upkeepPause = 30 * time.Second
)

// keeper keeps the queue small and quick to open, beside everything else: at most one goroutine at a time.
type keeper struct {
	goroutine sync.WaitGroup
	leave     context.CancelFunc
	ctx       context.Context // ends with the Queue

	mu     sync.Mutex
	busy   bool
	closed bool
	rest   time.Duration // until when nothing is done (Options.Elapsed)
	retain time.Duration // when a worker looks next what may be forgotten; 0 = not set yet

	ended int // jobs that the last such look has left; owned by the goroutine
}

func (k *keeper) begin() { k.ctx, k.leave = context.WithCancel(context.Background()) }

// close waits for what is under way; a snapshot is finished, all else comes to an end.
func (k *keeper) close() {
	k.mu.Lock()
	k.closed = true
	k.mu.Unlock()
	k.leave()
	k.goroutine.Wait()
}

// keepUp begins with what is to be done, unless it is under way: a snapshot, if so many bytes of the log are
// worth one; for a worker also what retention asks for and what can be archived, after a snapshot and from time
// to time.
func (q *Queue) keepUp(tail int64, worker bool) {
	if q.dir == "" || q.opt.ReadOnly {
		return
	}
	k, now := &q.keeper, q.opt.Elapsed()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.retain == 0 {
		k.retain = now + retainFirst
	}
	retain := worker && now >= k.retain
	if k.closed || k.busy || tail < worthASnapshot && !retain || now < k.rest {
		return
	}
	if retain {
		k.retain = now + retainEvery
	}
	k.busy = true
	k.goroutine.Go(func() {
		err := q.upkeep(k.ctx, tail, worker, retain)
		if err != nil && k.ctx.Err() == nil {
			q.opt.Logger.Warn().Err(err).Msg("upkeep failed, and is tried again")
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		k.busy, k.rest = false, q.opt.Elapsed()+upkeepRest
		if err != nil {
			k.rest = q.opt.Elapsed() + upkeepPause
		}
	})
}

func (q *Queue) upkeep(ctx context.Context, tail int64, worker, retain bool) error {
	if tail >= worthASnapshot {
		// Who closes the queue meanwhile would only begin with it again.
		if _, err := q.snapshot(context.WithoutCancel(ctx), worthASnapshot); err != nil {
			return err
		}
	}
	if !worker {
		return nil
	}
	if err := q.retainAtTimes(ctx, retain); err != nil {
		return err
	}
	return q.archive(ctx)
}

// retainAtTimes forgets what the settings say if it is time to, or if at least half of the jobs that have ended have done
// so since the last look: so looking costs as much for each job however many there are.
func (q *Queue) retainAtTimes(ctx context.Context, now bool) error {
	if n, err := q.ended(ctx); err != nil || !now && n < 2*q.keeper.ended {
		return err
	}
	if err := q.retain(ctx); err != nil {
		return err
	}
	n, err := q.ended(ctx)
	q.keeper.ended = n
	return err
}

// ended returns how many jobs have ended and are not forgotten.
func (q *Queue) ended(ctx context.Context) (n int, err error) {
	err = q.log.Peek(ctx, q.m.looking(func(s *decide.State) {
		counts := s.Jobs.Counts()
		n = counts[job.Completed] + counts[job.Dead] + counts[job.Cancelled]
	}))
	return n, err
}

// tail returns how many bytes of the log were folded that no snapshot may have.
func (q *Queue) tail(ctx context.Context) (n int64, err error) {
	err = q.log.Peek(ctx, q.m.looking(func(*decide.State) { n = q.m.tail }))
	return n, err
}

// leaveSnapshot writes a snapshot if the next process would have much to fold without. A queue is closed well
// without it, too.
func (q *Queue) leaveSnapshot() {
	if q.dir == "" || q.opt.ReadOnly || q.log.Damage() != nil {
		return
	}
	ctx := context.Background()
	if n, err := q.tail(ctx); err != nil || n < worthASnapshot {
		return
	}
	if _, err := q.snapshot(ctx, worthASnapshot); err != nil && !errors.Is(err, eventlog.ErrReadOnly) {
		q.opt.Logger.Debug().Err(err).Msg("no snapshot written")
	}
}
