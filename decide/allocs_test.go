package decide_test

import (
	"testing"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/job"
)

// TestLife_AllocatesLittle: what is decided and folded for each job of a queue in which many wait. Events are allocated, so is
// what is kept of a job, in pages now and then; nothing is for what else waits. An enqueue takes 5,
// and the race detector one more.
func TestLife_AllocatesLittle(t *testing.T) { // not parallel: it counts what the whole process allocates
	s, at := decide.NewState(), job.At{Position: 1, Time: 1e18, Rand: 7, Actor: &job.Actor{}}
	do := func(events []job.Event, err error) []job.Event {
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			s.Fold(at, e)
			at.Position++
		}
		return events
	}
	do(decide.StartWorker(s, at, &job.WorkerStarted{ID: "w", Slots: 1, Shell: true}))
	one := []job.Spec{{Command: "true"}}
	for range 10_000 {
		do(decide.Enqueue(s, at, one, false))
	}
	var claimed job.JobClaimed
	for _, step := range []struct {
		name string
		most float64
		do   func()
	}{
		{"enqueue", 6, func() { do(decide.Enqueue(s, at, one, false)) }},
		{"claim and outcome", 4, func() {
			run := at.Position
			claimed = do(decide.Claim(s, at, 1, all))[0].(job.JobClaimed)
			do(decide.Finish(s, at, decide.Outcome{Job: claimed.Job, Run: run}, 0))
		}},
	} {
		got := testing.AllocsPerRun(200, step.do)
		t.Logf("%s: %v allocations", step.name, got)
		if got > step.most {
			t.Errorf("%s: %v allocations, want at most %v", step.name, got, step.most)
		}
	}
}

// TestFoldRaw_AllocatesLittle: whoever folds a log decodes only what is kept.
func TestFoldRaw_AllocatesLittle(t *testing.T) { // not parallel: it counts what the whole process allocates
	const jobs = 2_000
	l := lives(jobs, jobs)
	got := testing.AllocsPerRun(5, func() {
		s := decide.NewState()
		for i, data := range l.events {
			if err := s.FoldRaw(job.At{Position: job.Position(i + 1), Time: 1e18}, l.kinds[i], data); err != nil {
				t.Fatal(err)
			}
		}
	}) / float64(len(l.events))
	const most = 0.8
	t.Logf("%.2f allocations", got)
	if got > most {
		t.Errorf("%.2f allocations for an event, want at most %v", got, most)
	}
}
