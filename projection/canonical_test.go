package projection_test

import (
	"testing"

	"github.com/queuectl/queuectl/job"
)

// TestAppendCanonical_TellsStatesApart changes one fact of a history at a time: every one of them must
// show in the encoding.
func TestAppendCanonical_TellsStatesApart(t *testing.T) {
	t.Parallel()
	// facts are what a history is made of. Zero ones are as in the first history.
	type facts struct {
		log     byte
		setting string
		worker  job.WorkerStarted
		host    string
		dir     string
		command string
		due     int64
		end     job.Event // of the job's run
		after   job.Event
		later   int64
	}
	const worker, key, run = 2, 4, 5
	encode := func(f facts) string {
		h := newHistory()
		h.at.Actor.Host, h.at.Actor.Dir = f.host, f.dir
		e := enqueued("a")
		e.Spec.Command, e.Due = "true"+f.command, f.due
		f.worker.ID += "w"
		h.add(job.LogCreated{LogID: [16]byte{f.log}}, &f.worker, job.ConfigSet{Key: "timeout", New: "1" + f.setting + "s"}, e)
		h.at.Time += f.later
		h.add(job.JobClaimed{Job: key, Worker: worker})
		if f.end == nil {
			f.end = &job.JobFailed{Job: key, Run: run, Why: job.WhyExit, Result: job.Result{Exit: 1}, NextAttemptAt: 9}
		}
		if f.after == nil {
			f.after = job.Unknown{Number: 999}
		}
		h.add(f.end, f.after)
		return string(h.AppendCanonical(nil))
	}
	failed := func(why job.Why, r job.Result, next int64) job.Event {
		return &job.JobFailed{Job: key, Run: run, Why: why, Result: r, NextAttemptAt: next}
	}
	seen := map[string]int{}
	for i, f := range []facts{
		{},
		{log: 1},
		{setting: "0"},
		{worker: job.WorkerStarted{ID: "x"}},
		{worker: job.WorkerStarted{Slots: 3}},
		{worker: job.WorkerStarted{Queues: []string{"q"}}},
		{worker: job.WorkerStarted{Kinds: []string{"q"}}},
		{worker: job.WorkerStarted{Shell: true}},
		{host: "other"},
		{dir: "/elsewhere"},
		{command: " "},
		{due: 5},
		{later: 1},
		{end: failed(job.WhyExit, job.Result{Exit: 2}, 9)},
		{end: failed(job.WhyExit, job.Result{Exit: 1, Tail: "boom"}, 9)},
		{end: failed(job.WhyExit, job.Result{Exit: 1}, 8)},
		{end: failed(job.WhySignal, job.Result{Signal: 9}, 9)},
		{end: failed(job.WhyTimeout, job.Result{Signal: 9}, 9)},
		{end: job.RunLost{Job: key, Run: run, Worker: worker}},
		{end: job.RunReturned{Job: key, Run: run}},
		{end: &job.JobDied{Job: key, Run: run, Why: job.WhyOnCrash}},
		{end: &job.JobDied{Job: key, Run: run, Why: job.WhyCrashes}},
		{end: &job.JobCancelled{Job: key, Run: run}},
		{end: &job.JobCompleted{Job: key, Run: run}},
		{end: job.KillRequested{Job: key, Run: run, Signal: 15}},
		{end: job.KillRequested{Job: key, Run: run, Signal: 9}},
		{end: job.KillRequested{Job: key, Run: run, Signal: 9, Cancel: true}},
		{end: job.KillRequested{Job: key, Run: run, Signal: 9}, after: job.KillRequested{Job: key, Run: run, Signal: 9}},
		{end: job.KillRequested{Job: key, Run: run, Signal: 15}, after: job.KillRequested{Job: key, Run: run, Signal: 9}},
		{after: job.JobRetried{Job: key, From: job.Failed}},
		{after: job.JobRetried{Job: key, From: job.Failed, Reset: true}},
		{after: job.JobClaimed{Job: key, Worker: worker}},
		{after: job.StopRequested{}},
		{after: job.StopRequested{Now: true}},
		{after: job.WorkerStopped{Worker: worker}},
		{after: job.ConfigUnset{Key: "timeout"}},
		{after: &job.WorkerStarted{ID: "second"}},
	} {
		encoded := encode(f)
		if encode(f) != encoded {
			t.Errorf("history %d has two encodings", i)
		}
		if earlier, same := seen[encoded]; same {
			t.Errorf("histories %d and %d have the same encoding", earlier, i)
		}
		seen[encoded] = i
	}
}
