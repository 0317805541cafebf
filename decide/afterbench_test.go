package decide_test

import (
	"fmt"
	"testing"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/job"
)

// BenchmarkAfter measures one graph of n jobs: a chain, in which each comes after the one before, and a fan, in which all
// come after the first; enqueued, and then run well, or ended because the first one died.
//
// The time for a job hardly depends on how large its graph is: from 10⁴ to 10⁵ jobs it grows from 3.4–12 µs to 9.5–22 µs,
// once each on 2 shared cores, as it does for jobs without parents, which are found in O(log n) and fall out of the caches.
func BenchmarkAfter(b *testing.B) {
	for _, n := range []int{1e3, 1e4, 1e5} {
		chain, fan := make([]job.Spec, n), make([]job.Spec, n)
		chain[0] = after("0")
		fan[0] = chain[0]
		for i := 1; i < n; i++ {
			chain[i], fan[i] = after(fmt.Sprint(i), chain[i-1].ID), after(fmt.Sprint(i), "0")
		}
		for shape, specs := range map[string][]job.Spec{"chain": chain, "fan": fan} {
			for end, o := range map[string]decide.Outcome{"well": {}, "badly": exit1} {
				b.Run(fmt.Sprintf("%s/%s/jobs=%d", shape, end, n), func(b *testing.B) {
					for b.Loop() {
						playGraph(b, specs, o)
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/job")
				})
			}
		}
	}
}

func playGraph(b *testing.B, specs []job.Spec, o decide.Outcome) {
	s, at := decide.NewState(), job.At{Position: 1, Time: 1e18, Actor: &job.Actor{}}
	do := func(events []job.Event, err error) int {
		if err != nil {
			b.Fatal(err)
		}
		for _, e := range events {
			s.Fold(at, e)
			at.Position++
		}
		return len(events)
	}
	worker := at.Position
	do(decide.StartWorker(s, at, &job.WorkerStarted{ID: "w", Slots: 1, Shell: true}))
	do(decide.Enqueue(s, at, specs, false))
	for {
		events, err := decide.Claim(s, at, worker, all)
		if err != nil {
			break
		}
		do(events, nil)
		o.Job, o.Run = events[0].(job.JobClaimed).Job, at.Position-1
		do(decide.Finish(s, at, o, 0))
		for s.Jobs.AnyFailing() {
			do(decide.Cascade(s, at))
		}
	}
	if c := s.Jobs.Counts(); c[job.Completed]+c[job.Dead] != len(specs) {
		b.Fatalf("%v", c)
	}
}
