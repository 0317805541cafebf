package projection_test

import (
	"slices"
	"testing"
	"time"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
	"github.com/queuectl/queuectl/scheduler"
)

// TestLoadLive_KnowsWhatHoldsJobsBack: who begins with a snapshot keeps to the same limits, keys and turns as who lived
// through it all. Of the jobs, "runs" has the key k and was the last to be taken from queue a.
func TestLoadLive_KnowsWhatHoldsJobsBack(t *testing.T) {
	t.Parallel()
	h := newHistory()
	worker := h.add(&job.WorkerStarted{ID: "w", Slots: 9, Shell: true})
	add := func(id, queue, key string) job.Position {
		e := enqueuedIn(id, queue)
		e.Spec.ConcurrencyKey = key
		return h.add(e)
	}
	runs, free := add("runs", "a", "k"), add("free", "b", "k")
	a, b := add("first", "a", ""), add("turn", "b", "")
	add("paused", "paused", "")
	full := add("full", "full", "")
	add("too many", "full", "")
	slow := add("slow", "slow", "")
	later := add("later", "slow", "")
	h.add(job.QueuePaused{Queue: "paused"}, job.QueueLimited{Queue: "full", Concurrency: 1}, job.QueueLimited{Queue: "slow", Rate: 1, Per: time.Hour})
	for _, key := range []job.Position{full, slow, runs} {
		h.add(job.JobClaimed{Job: key, Worker: worker})
	}
	file := &memoryFile{}
	if err := h.Save(0, file); err != nil {
		t.Fatal(err)
	}
	s := decide.LoadState([]projection.File{reading{file}})
	s.LoadLive()
	now := h.at.Time
	claims := func(lanes scheduler.Lanes) (keys []job.Position) {
		for {
			key, ok := s.Timeline.Next(now, lanes)
			if !ok {
				return keys
			}
			keys = append(keys, key)
			s.Timeline.Remove(key)
		}
	}
	named := scheduler.Lanes{Shell: true, Queues: []string{"a", "b", "paused", "full", "slow"}}
	if got, want := claims(named), []job.Position{b, a}; !slices.Equal(got, want) {
		t.Errorf("jobs %v can be claimed, want %v: in turn, and not %d, whose key is taken", got, want, free)
	}
	if due, ok := s.Timeline.NextDue(named); !ok || due <= now || due > now+int64(time.Hour) {
		t.Errorf("the next is due in %v, %v; want within an hour", time.Duration(due-now), ok)
	}
	s.Timeline.Free("k")
	now += int64(time.Hour)
	if got, want := claims(named), []job.Position{free, later}; !slices.Equal(got, want) {
		t.Errorf("an hour later, with the key free, jobs %v can be claimed, want %v", got, want)
	}
}
