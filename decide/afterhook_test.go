package decide_test

import (
	"encoding/json"
	"testing"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/job"
)

// A job that dies because of a parent has its hook as well, in the commit that ended the parent.
func TestFinish_TheHookOfAChildThatDies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	worker := w.worker("w1")
	w.must(decide.Enqueue(w.State, w.at, []job.Spec{{ID: "parent", Command: "false", MaxRetries: new(uint32(0))}}, false))
	w.must(decide.Enqueue(w.State, w.at, []job.Spec{{ID: "child", Command: "true", After: []job.Parent{{ID: "parent"}}, OnDead: json.RawMessage(`"echo dead"`)}}, false))
	key, run := w.claim(worker)
	events := w.must(decide.Finish(w.State, w.at, decide.Outcome{Job: key, Run: run, Failure: job.WhyExit, Result: job.Result{Exit: 1}}, 0))
	if len(events) != 3 || w.job("child").State != job.Dead || w.job("child").Why != job.WhyDependency {
		t.Fatalf("got %d events, the child is %+v", len(events), w.job("child"))
	}
	hook, ok := events[2].(*job.JobEnqueued)
	if !ok || hook.Spec.Command != "echo dead" || hook.Spec.Env[job.HookJob] != "child" || w.job(hook.Spec.ID).State != job.Pending {
		t.Errorf("the hook is %+v", events[2])
	}
	w.agree()
}
