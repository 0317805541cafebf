package storm

import (
	"testing"
	"time"

	"github.com/queuectl/queuectl/job"
)

// history folds events at the positions 1, 2, …, a second apart.
func history(kills []Kill, events ...job.Event) *judge {
	g := newJudge(kills)
	for i, e := range events {
		g.fold(job.At{Position: job.Position(i + 1), Time: time.Unix(int64(i+1), 0).UnixNano(), Actor: &job.Actor{PID: 4711}}, e)
	}
	return g
}

func TestJudge_SeesRunsThatOverlapInTheLog(t *testing.T) {
	t.Parallel()
	enqueued, started := &job.JobEnqueued{Spec: job.Spec{ID: "a"}}, &job.WorkerStarted{ID: "w"}
	claimed := job.JobClaimed{Job: 2, Worker: 1}
	for name, tt := range map[string]struct {
		events []job.Event // after the start of a worker and an enqueue
		want   string
	}{
		"one run":     {[]job.Event{claimed, &job.JobCompleted{Job: 2, Run: 3}}, ""},
		"two in turn": {[]job.Event{claimed, job.RunLost{Job: 2, Run: 3, Worker: 1}, claimed, &job.JobCompleted{Job: 2, Run: 5}}, ""},
		"a retry":     {[]job.Event{claimed, &job.JobFailed{Job: 2, Run: 3}, claimed, &job.JobCompleted{Job: 2, Run: 5}}, ""},
		"given back":  {[]job.Event{claimed, job.RunReturned{Job: 2, Run: 3}, claimed, &job.JobCompleted{Job: 2, Run: 5}}, ""},
		"claimed twice": {
			[]job.Event{claimed, claimed, &job.JobCompleted{Job: 2, Run: 4}},
			"a, run 4: claimed while run 3 was under way",
		},
		"an end of before": {
			[]job.Event{claimed, job.RunLost{Job: 2, Run: 3, Worker: 1}, claimed, &job.JobCompleted{Job: 2, Run: 3}},
			"a, run 3: its end was taken while run 5 was under way",
		},
		"completed twice": {
			[]job.Event{claimed, &job.JobCompleted{Job: 2, Run: 3}, claimed, &job.JobCompleted{Job: 2, Run: 5}},
			"a, run 5: claimed although run 3 had completed it",
		},
		"of nobody": {[]job.Event{job.JobClaimed{Job: 9}}, "#9, run 3: claimed, and nobody has enqueued it"},
	} {
		g := history(nil, append([]job.Event{started, enqueued}, tt.events...)...)
		got := ""
		for _, o := range g.crimes {
			got += o.String()
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

func TestJudge_SaysHowJobsStandThatHaveNotCompleted(t *testing.T) {
	t.Parallel()
	g := history(nil,
		&job.JobEnqueued{Spec: job.Spec{ID: "runs"}}, &job.JobEnqueued{Spec: job.Spec{ID: "waits"}},
		&job.JobEnqueued{Spec: job.Spec{ID: "cancelled"}}, &job.JobEnqueued{Spec: job.Spec{ID: "completed"}},
		job.JobClaimed{Job: 1}, &job.JobCancelled{Job: 3}, job.JobClaimed{Job: 4}, &job.JobCompleted{Job: 4, Run: 7},
	)
	got := g.unfinished(nil)
	if len(got) != 3 || got[0] != "runs: runs still, by the log" || got[1] != "waits: waits" || got[2] != "cancelled: cancelled" {
		t.Errorf("got %q", got)
	}
	if got = g.unfinished(func(id, how string) bool { return id == "waits" || how == "cancelled" }); len(got) != 2 {
		t.Errorf("where some may be cancelled: got %q, want the other two", got)
	}
}

func TestJudge_SeesMoreRunsThanAQueueMayHave(t *testing.T) {
	t.Parallel()
	two := job.QueueLimited{Queue: "narrow", Concurrency: 2}
	a, b, c := &job.JobEnqueued{Spec: job.Spec{ID: "a", Queue: "narrow"}}, &job.JobEnqueued{Spec: job.Spec{ID: "b", Queue: "narrow"}},
		&job.JobEnqueued{Spec: job.Spec{ID: "c", Queue: "narrow"}}
	claim := func(key job.Position) job.Event { return job.JobClaimed{Job: key} }
	for name, tt := range map[string]struct {
		events []job.Event // after the limit at 1 and the jobs at 2, 3, 4
		want   string
	}{
		"two":               {[]job.Event{claim(2), claim(3)}, ""},
		"three":             {[]job.Event{claim(2), claim(3), claim(4)}, "c, run 7: claimed as number 3 of queue narrow, in which 2 may run"},
		"three in turn":     {[]job.Event{claim(2), claim(3), &job.JobCompleted{Job: 2, Run: 5}, claim(4)}, ""},
		"one is lost":       {[]job.Event{claim(2), claim(3), job.RunLost{Job: 3, Run: 6}, claim(4)}, ""},
		"the limit is gone": {[]job.Event{job.QueueLimited{Queue: "narrow"}, claim(2), claim(3), claim(4)}, ""},
	} {
		g, got := history(nil, append([]job.Event{two, a, b, c}, tt.events...)...), ""
		for _, o := range g.crimes {
			got += o.String()
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

func TestJudge_ReclaimsAreCountedFromTheKillOfThatProcess(t *testing.T) {
	t.Parallel()
	at := func(ms int64) time.Time { return time.UnixMilli(ms) }
	kills := []Kill{
		{Role: Worker, PID: 4711, At: at(500)},  // an earlier process with that pid
		{Role: Writer, PID: 4711, At: at(3100)}, // no worker
		{Role: Worker, PID: 815, At: at(3200)},  // another worker
		{Role: Worker, PID: 4711, At: at(3900)}, // this one
		{Role: Worker, PID: 4711, At: at(4500)}, // a later process with that pid
	}
	g := history(kills, &job.WorkerStarted{ID: "w"}, &job.JobEnqueued{Spec: job.Spec{ID: "a"}}, job.JobClaimed{Job: 2, Worker: 1}, job.RunLost{Job: 2, Run: 3, Worker: 1})
	if len(g.reclaims) != 1 || g.reclaims[0] != 100*time.Millisecond {
		t.Errorf("got %v, want 100ms", g.reclaims)
	}
	if g = history(kills[:3], &job.WorkerStarted{ID: "w"}, &job.JobEnqueued{Spec: job.Spec{ID: "a"}}, job.JobClaimed{Job: 2, Worker: 1}, job.RunLost{Job: 2, Run: 3, Worker: 1}); len(g.reclaims) != 0 {
		t.Errorf("of a worker that was killed at the end: got %v", g.reclaims)
	}
}
