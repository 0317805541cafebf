package queue

import (
	"slices"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/job"
)

// finished says that nothing is left to do for a worker with UntilEmpty or UntilIdle.
func (w *worker) finished(s *decide.State, g glance) bool {
	switch {
	case w.ticksNow(g), w.expiresNow(g):
		return false
	case w.opt.UntilIdle && !g.due, w.opt.UntilEmpty && !w.anyWaits(s):
		return w.nothingRuns(s)
	}
	return false
}

// anyWaits says that a job waits that this worker serves. Of those that wait for parents it counts those that will go on
// by themselves, whoever works on the parents: another worker that ends them may not serve the queue of what comes after.
func (w *worker) anyWaits(s *decide.State) bool {
	if s.Timeline.Waits(w.lanes) {
		return true
	}
	for coming := range s.Jobs.Coming() {
		if w.lanes.Serve(coming.Queue, coming.Kind) {
			return true
		}
	}
	return false
}

// nothingRuns says that no job of the queues that this worker serves runs, in no process.
func (w *worker) nothingRuns(s *decide.State) bool {
	if w.lanes.Queues == nil {
		return s.Jobs.Counts()[job.Processing] == 0
	}
	return !slices.ContainsFunc(w.lanes.Queues, func(name string) bool { return s.Jobs.Queue(name).Counts[job.Processing] > 0 })
}
