package queuetest_test

import (
	"fmt"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
	"github.com/queuectl/queuectl/queue"
	"github.com/queuectl/queuectl/queuetest"
)

// at is so many seconds after the start of a recorded log.
func at(position job.Position, seconds int64) job.At {
	return job.At{Position: position, Time: queuetest.Start.UnixNano() + seconds*int64(time.Second)}
}

// recorded is a log as 'queuectl log export --go-test' writes it.
var recorded = queuetest.Log{
	{At: at(1, 0), Events: []job.Event{&job.WorkerStarted{ID: "w", Slots: 2, Kinds: []string{"mail"}}}},
	{At: at(2, 0), Events: []job.Event{
		&job.JobEnqueued{Spec: job.Spec{ID: "a", Kind: "mail", Queue: "default"}},
		&job.JobEnqueued{Spec: job.Spec{ID: "b", Kind: "mail", Queue: "default"}},
		job.JobClaimed{Job: 2, Worker: 1},
		job.JobClaimed{Job: 3, Worker: 1},
	}},
	{At: at(6, 1), Events: []job.Event{
		&job.JobFailed{Job: 2, Run: 4, Why: job.WhyError, NextAttemptAt: at(0, 3).Time},
		&job.JobCompleted{Job: 3, Run: 5},
	}},
	{At: at(8, 3), Events: []job.Event{job.JobClaimed{Job: 2, Worker: 1}}},
	{At: at(9, 4), Events: []job.Event{&job.JobDied{Job: 2, Run: 8, Why: job.WhyRetries, Failure: job.WhyError}}},
}

// A recorded log is stepped through event by event, with a clock that shows the time of each: no more jobs run than
// there are slots, and none runs before its time.
func ExampleLog_Records() {
	fold, clock := queue.NewFold(), queuetest.NewClock(queuetest.Start)
	due := map[job.Position]time.Time{}
	for _, r := range recorded.Records() {
		if err := fold.Take(r); err != nil {
			fmt.Println(err)
			return
		}
		clock.Step(r.At.When().Sub(clock.Now()))
		switch e := r.Event.(type) {
		case *job.JobFailed:
			due[e.Job] = time.Unix(0, e.NextAttemptAt)
		case job.JobClaimed:
			if clock.Now().Before(due[e.Job]) {
				fmt.Printf("at %d job %d runs too early\n", r.At.Position, e.Job)
			}
		}
		slots := 0
		for _, w := range fold.Workers() {
			slots += int(w.Slots)
		}
		if n := fold.Count(projection.Filter{States: []job.State{job.Processing}}); n > slots {
			fmt.Printf("at %d, %d jobs run in %d slots\n", r.At.Position, n, slots)
		}
	}
	fmt.Printf("at %d, %v later: all is well\n", fold.Position(), clock.Now().Sub(queuetest.Start))
	// Output:
	// at 9, 4s later: all is well
}

// Somewhere in a log a state is wrong. What led to it is a few events.
func ExampleShrink() {
	dead := func(v queue.View) bool { return v.Status().Counts[job.Dead] > 0 }
	for _, r := range queuetest.Shrink(recorded, dead).Records() {
		fmt.Println(r.At.Position, job.KindOf(r.Event))
	}
	// Output:
	// 1 WorkerStarted
	// 2 JobEnqueued
	// 8 JobClaimed
	// 9 JobDied
}
