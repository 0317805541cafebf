package simulate

import (
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
)

// Resume begins with a state in place of the events that led to it, which were pruned: call it before anything else.
// What the log said of the runs of these jobs is not known, so that their next ones are drawn like those of others.
func (r *Recorder) Resume(p *projection.Projection) {
	r.record.logID = p.LogID()
	r.meter.move(r.clock.tell(p.LastTime()))
	config := p.Config()
	for _, key := range job.Keys() {
		if text, err := config.Text(key); err == nil && p.IsSet(key) {
			r.setting(key, text)
		}
	}
	for w := range p.Workers() {
		r.started(w.Key, &job.WorkerStarted{ID: w.ID, Slots: w.Slots, Queues: w.Queues, Kinds: w.Kinds, Shell: w.Shell})
		r.workers[w.Key].halted = w.Stopping
	}
	for j := range p.List(projection.Filter{}) {
		if j.State == job.Completed || j.State == job.Cancelled {
			continue // nothing can happen to it any more
		}
		due := int64(0)
		if !j.NextAttemptAt.IsZero() {
			due = j.NextAttemptAt.UnixNano()
		}
		j.Spec.MaxRetries = &j.MaxRetries
		r.enqueued(j.Key, &job.JobEnqueued{Spec: j.Spec, Due: due})
		t := r.live[j.Key]
		t.enqueued = j.EnqueuedAt.UnixNano()
		t.state, t.attempts, t.crashes, t.killed = j.State, j.Attempts, j.Crashes, j.KillAsked
		if j.State == job.Processing {
			t.worker, t.claimed, t.waits = j.Worker, j.StartedAt.UnixNano(), 0
		}
		t.since = max(since(&j), due)
	}
}

// since is when a job might run, first or again: of one that has run and runs now, nothing says it but its start.
func since(j *job.Job) int64 {
	switch {
	case j.Runs == 0 || j.Runs == 1 && j.State == job.Processing:
		return j.EnqueuedAt.UnixNano()
	case j.State == job.Processing:
		return j.StartedAt.UnixNano()
	}
	return j.UpdatedAt.UnixNano()
}
