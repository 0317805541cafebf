package queue

import (
	"context"
	"time"

	"github.com/queuectl/queuectl/decide"
)

const (
	// upkeepEvery is how often a worker looks what may be forgotten, beside doing so after each snapshot.
	upkeepEvery = time.Hour
	// upkeepFirst is when it does so first.
	upkeepFirst = time.Minute
	// upkeepPause is how long it waits after an attempt that failed.
	upkeepPause = 30 * time.Second
)

// keepUp begins, from time to time, with what keeps the queue small and quick to open. It is called by the
// loop.
func (w *worker) keepUp(tail int64) {
	now := w.q.opt.Elapsed()
	if w.q.dir == "" || w.keeping.Load() || w.upkeepFailed.Load() && now < w.upkeepLast+upkeepPause {
		return
	}
	retain := now >= w.upkeepNext
	if !retain && tail < worthASnapshot {
		return
	}
	if w.upkeepLast = now; retain {
		w.upkeepNext = now + upkeepEvery
	}
	w.keeping.Store(true)
	w.goroutines.Go(func() {
		defer w.keeping.Store(false)
		err := w.q.upkeep(w.ctx, retain)
		if w.upkeepFailed.Store(err != nil); err != nil && w.ctx.Err() == nil {
			w.logger.Warn().Err(err).Msg("upkeep failed, and is tried again")
		}
	})
}

// upkeep writes a snapshot if that is worth it and then, or in any case, forgets what the settings say.
func (q *Queue) upkeep(ctx context.Context, retain bool) error {
	seen, err := q.tail(ctx)
	if err != nil {
		return err
	}
	written := false
	if seen >= worthASnapshot {
		report, err := q.snapshot(ctx, worthASnapshot)
		if err != nil {
			return err
		}
		written = report.Files > 0
		// What another process has written in the meantime is as good.
		if err := q.log.Peek(ctx, q.m.looking(func(*decide.State) { q.m.tail = max(0, q.m.tail-seen) })); err != nil {
			return err
		}
	}
	if written || retain {
		return q.retain(ctx)
	}
	return nil
}

// tail returns how many bytes of the log were folded that no snapshot may have.
func (q *Queue) tail(ctx context.Context) (n int64, err error) {
	err = q.log.Peek(ctx, q.m.looking(func(*decide.State) { n = q.m.tail }))
	return n, err
}

// leave writes a snapshot if the next process would have much to fold without. A queue is closed well without
// it, too.
func (q *Queue) leave() {
	if q.dir == "" || q.opt.ReadOnly || q.log.Damage() != nil {
		return
	}
	ctx := context.Background()
	if n, err := q.tail(ctx); err != nil || n < worthASnapshot {
		return
	}
	if _, err := q.snapshot(ctx, worthASnapshot); err != nil {
		q.opt.Logger.Debug().Err(err).Msg("no snapshot written")
	}
}
