package queue

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/job"
)

const (
	// sweepEvery is how often a worker looks at the lock of another that has given no hint of its death.
	sweepEvery = 5 * time.Second
	// sweepFilesEvery is how often it removes the lock files that nobody needs any more: those of runs that left
	// processes behind, which have ended since.
	sweepFilesEvery = time.Hour
)

// watchPeers starts a watcher for each of the workers. Those that are dead already count as being
// reclaimed from here on, so that a worker that ends when nothing is left does not leave them.
func (w *worker) watchPeers(peers []job.Worker) {
	for _, p := range peers {
		hint := w.q.leases.watch(w.ctx, p.ID)
		dead := !w.peerLives(p)
		if dead {
			w.countReclaim(+1)
		}
		w.goroutines.Go(func() {
			if dead {
				done := w.reclaim(p)
				w.countReclaim(-1)
				if done {
					return
				}
			}
			w.watchPeer(p, hint)
		})
	}
}

func (w *worker) countReclaim(n int) {
	w.mu.Lock()
	w.reclaiming += n
	w.mu.Unlock()
	w.rouse()
}

func (w *worker) peerLives(p job.Worker) bool {
	alive, err := w.q.leases.alive(p.ID)
	if err != nil {
		w.logger.Warn().Err(err).Str("peer", p.ID).Msg("lock of another worker cannot be looked at")
		return true
	}
	return alive
}

// watchPeer waits for the death of another worker and then puts its jobs back. The hint comes at once;
// the lock is the truth; the sweep is for hints that were missed.
func (w *worker) watchPeer(p job.Worker, hint <-chan struct{}) {
	wait := sweepEvery
	for {
		timer := time.NewTimer(wait)
		select {
		case <-hint: // once: the lock follows within moments, unless the hint was wrong
			hint, wait = nil, time.Millisecond
		case <-timer.C:
			wait = min(2*wait, sweepEvery)
		case <-w.ctx.Done():
			timer.Stop()
			return
		}
		timer.Stop()
		if !w.peerLives(p) && w.reclaim(p) {
			return
		}
	}
}

// reclaim puts back the jobs of a dead worker, each as soon as nothing of its run lives any more. It
// says whether that is done; if not it is to be tried again.
func (w *worker) reclaim(p job.Worker) (done bool) {
	runs, grace, known, err := w.runsOf(p.Key)
	if err != nil || !known {
		return err == nil
	}
	if len(runs) > 0 {
		w.logger.Warn().Str("peer", p.ID).Int("jobs", len(runs)).Msg("worker died: putting its jobs back")
	}
	var group sync.WaitGroup
	for _, r := range runs {
		group.Go(func() { w.reclaimRun(r, grace) })
	}
	group.Wait()
	err = w.q.change(w.ctx, func(s *decide.State, at job.At) ([]job.Event, error) {
		return decide.WorkerLost(s, at, p.Key)
	})
	if err != nil && !errors.Is(err, job.ErrNoWorker) {
		return false
	}
	if err := w.q.leases.forget(p.ID); err != nil {
		w.logger.Warn().Err(err).Str("peer", p.ID).Msg("files of a dead worker not removed")
	}
	w.sweep()
	return true
}

// sweepNow is called by the loop.
func (w *worker) sweepNow() {
	w.swept = w.q.opt.Elapsed()
	w.goroutines.Go(w.sweep)
}

// sweep removes the lock files that dead workers left, except those that somebody may still need: of the
// current runs, and of the workers that the log knows.
func (w *worker) sweep() {
	err := w.q.leases.sweep(func() (runs map[uint64]bool, workers map[string]bool, err error) {
		runs, workers = map[uint64]bool{}, map[string]bool{}
		err = w.q.view(w.ctx, func(s *decide.State) {
			for known := range s.Jobs.Workers() {
				workers[known.ID] = true
				for _, key := range known.Running {
					b, _ := s.Jobs.Brief(key)
					runs[uint64(b.Run)] = true
				}
			}
		})
		return runs, workers, err
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		w.logger.Warn().Err(err).Msg("files of dead workers not removed")
	}
}

// runsOf returns what a worker runs according to the log, and the grace that its commands are given.
func (w *worker) runsOf(worker job.Position) (runs []runRef, grace time.Duration, known bool, err error) {
	err = w.q.view(w.ctx, func(s *decide.State) {
		var dead job.Worker
		dead, known = s.Jobs.Worker(worker)
		grace = s.Jobs.Config().KillGrace
		for _, key := range dead.Running {
			b, _ := s.Jobs.Brief(key)
			runs = append(runs, runRef{job: key, run: b.Run, command: b.Schedule.Kind == ""})
		}
	})
	return runs, grace, known, err
}

type runRef struct {
	job, run job.Position
	command  bool // not a handler, which dies with its process
}

func (w *worker) reclaimRun(r runRef, grace time.Duration) {
	if r.command {
		if err := w.q.leases.endOrphan(w.ctx, r.run, grace); err != nil {
			if !errors.Is(err, context.Canceled) {
				w.logger.Warn().Err(err).Uint64("run", uint64(r.run)).Msg("run of a dead worker has not ended")
			}
			return
		}
	}
	err := w.q.change(w.ctx, func(s *decide.State, at job.At) ([]job.Event, error) {
		return decide.RunLost(s, at, r.job, r.run)
	})
	if err != nil && !errors.Is(err, job.ErrStale) && !errors.Is(err, context.Canceled) {
		w.logger.Warn().Err(err).Uint64("run", uint64(r.run)).Msg("lost run not recorded")
	}
}
