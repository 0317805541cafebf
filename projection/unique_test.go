package projection_test

import (
	"testing"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
)

// TestUnique_OfAJobThatComesBackFromAFile: the file has it among those that are dead.
func TestUnique_OfAJobThatComesBackFromAFile(t *testing.T) {
	t.Parallel()
	h := newHistory()
	e := enqueued("a")
	e.Spec.UniqueKey = "k"
	h.add(workerStarted("w"), e, job.JobClaimed{Job: 2, Worker: 1}, &job.JobDied{Job: 2, Run: 3, Why: job.WhyRetries, Failure: job.WhyExit})
	file := &memoryFile{}
	if err := h.Save(0, file); err != nil {
		t.Fatal(err)
	}
	h.Projection = projection.Load([]projection.File{reading{file}})
	active := func(want int) {
		t.Helper()
		if got := h.ActiveWithKey("k"); len(got) != want || want > 0 && got[0].Key != 2 {
			t.Errorf("%v are active, want %d", got, want)
		}
	}
	active(0)
	h.add(job.JobRetried{Job: 2, From: job.Dead, Reset: true})
	active(1)
	h.add(&job.JobCancelled{Job: 2})
	active(0)
	if last, found := h.LastWithKey("k", 0); found {
		t.Errorf("the cancelled job is said to count: %v", last)
	}
}
