package projection_test

import (
	"bytes"
	"testing"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
)

// TestBase_EditedAndPurgedJobsOfOlderFiles: what an older file says of them must not come back.
func TestBase_EditedAndPurgedJobsOfOlderFiles(t *testing.T) {
	t.Parallel()
	lived, cold := newHistory(), newHistory()
	add := func(events ...job.Event) {
		lived.add(events...)
		cold.add(events...)
	}
	var files []projection.File
	save := func(keep int) {
		t.Helper()
		file := &memoryFile{}
		if err := cold.Save(keep, file); err != nil {
			t.Fatal(err)
		}
		files = append(files[:keep:keep], reading{file})
		cold.Projection = projection.Load(files)
		if !bytes.Equal(cold.AppendCanonical(nil), lived.AppendCanonical(nil)) {
			t.Fatalf("after %d files the state is another", len(files))
		}
	}
	dead := func(id string) {
		key := lived.at.Position
		add(enqueued(id), job.JobClaimed{Job: key, Worker: 1}, &job.JobDied{Job: key, Run: key + 1, Why: job.WhyRetries, Failure: job.WhyExit})
	}
	add(workerStarted("w"), enqueued("edited")) // at positions 1 and 2
	dead("purged")                              // 3
	dead("kept")                                // 6
	save(0)
	was, is := enqueuedIn("edited", "default"), enqueuedIn("edited", "mail")
	is.Spec.Command, is.Spec.Priority, is.Due = "false", 7, noon.UnixNano()
	add(job.Edited(2, was, is), &job.JobsPurged{Jobs: []job.Position{3}})
	save(1)
	add(job.JobClaimed{Job: 2, Worker: 1})
	save(2)
	if j, _ := cold.Job(2); j.Spec.Queue != "mail" || j.Spec.Priority != 7 || j.Spec.Command != "false" || cold.Key("edited") != 2 {
		t.Errorf("the edited job is %+v", j)
	}
	if _, known := cold.Job(3); known || cold.Key("purged") != 0 || cold.Counts()[job.Dead] != 1 {
		t.Error("the purged job is there")
	}
	save(1) // of two files one is made
	add(enqueued("purged"))
	save(0)
}

func TestFold_PurgesOnlyDeadJobsOnce(t *testing.T) {
	t.Parallel()
	h := newHistory()
	h.add(workerStarted("w"), enqueued("a"), job.JobClaimed{Job: 2, Worker: 1})
	for _, jobs := range [][]job.Position{{2}, {99}} {
		if h.misfit(t, &job.JobsPurged{Jobs: jobs}) == nil {
			t.Errorf("%v are purged", jobs)
		}
	}
	h.add(&job.JobDied{Job: 2, Run: 3, Why: job.WhyRetries, Failure: job.WhyExit})
	if h.misfit(t, &job.JobsPurged{Jobs: []job.Position{2, 2}}) == nil {
		t.Error("a job is purged twice")
	}
	h.add(&job.JobsPurged{Jobs: []job.Position{2}}, enqueued("a"))
}
