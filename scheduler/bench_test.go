package scheduler

import (
	"fmt"
	"testing"

	"github.com/queuectl/queuectl/job"
)

// BenchmarkTimeline measures what a claim and an enqueue cost together: the first due job goes and a
// new one comes, with so many waiting. The cost may grow with the logarithm of that number only.
func BenchmarkTimeline(b *testing.B) {
	for _, waiting := range []int{1e3, 1e5, 1e6} {
		for _, lanes := range []int{1, 100} {
			b.Run(fmt.Sprintf("waiting=%d/lanes=%d", waiting, lanes), func(b *testing.B) {
				benchmarkTimeline(b, waiting, lanes)
			})
		}
	}
}

func benchmarkTimeline(b *testing.B, waiting, lanes int) {
	queues := make([]string, lanes)
	for i := range queues {
		queues[i] = fmt.Sprintf("queue%d", i)
	}
	tl, key := NewTimeline(), job.Position(0)
	put := func() {
		key += 3 // a job is three events long
		tl.Put(job.Schedule{Key: key, Queue: queues[int(key/3)%lanes]})
	}
	for range waiting {
		put()
	}
	b.ResetTimer()
	for b.Loop() {
		first, _ := tl.Next(0, everything)
		tl.Remove(first)
		put()
	}
}

// BenchmarkBurst measures jobs that become due in one instant, from waiting to taken out.
func BenchmarkBurst(b *testing.B) {
	const n = 10_000
	for b.Loop() {
		tl := NewTimeline()
		for key := range job.Position(n) {
			tl.Put(shell(key+1, 0, 1000))
		}
		if got := len(drain(tl, 1000, everything)); got != n {
			b.Fatal(got)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/job")
}
