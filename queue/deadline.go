package queue

import (
	"time"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/job"
)

// limit returns how long the run may last that begins now: until its timeout or its deadline, whichever comes first.
// 0 = as long as it likes.
func (r *run) limit(now time.Time) time.Duration {
	if r.Deadline.IsZero() {
		return r.Timeout
	}
	const unit = time.Millisecond                                   // it is shown to people
	left := (max(1, r.Deadline.Sub(now)) + unit - 1).Truncate(unit) // never 0, which would be none
	if r.Timeout > 0 {
		left = min(left, r.Timeout)
	}
	return left
}

// expiresNow says that the deadline of a waiting job has come, and that this worker may do something about it.
func (w *worker) expiresNow(g glance) bool {
	return g.dated && g.deadline <= w.q.opt.Now().UnixNano() && w.mayClaim()
}

// expire lets the jobs die whose deadline has come, whatever queues this worker serves. Other workers may have done
// so before. It reports whether there may be more.
func (w *worker) expire() bool {
	var ids []string
	p := w.q.proposal("", func(s *decide.State, at job.At) (events []job.Event, err error) {
		events, err = decide.Expire(s, at)
		ids = idsOf(s, events)
		return events, err
	})
	if !w.append(p) {
		return false
	}
	w.logExpired(ids)
	return len(ids) > 0
}

func (w *worker) logExpired(ids []string) {
	for _, id := range ids {
		w.logger.Warn().Str("job", id).Stringer("why", job.WhyDeadline).Msg("job died")
	}
}

// idsOf returns the ids of the jobs that events are about.
func idsOf(s *decide.State, events []job.Event) []string {
	var ids []string
	for _, e := range events {
		if job.KindOf(e) == job.KindJobDied { // and not its hook
			ids = append(ids, s.Jobs.ID(job.Of(e)))
		}
	}
	return ids
}
