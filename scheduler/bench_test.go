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
	b.ReportAllocs()
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

// BenchmarkManyQueues measures a claim, and the shutting and opening of a queue with the end of its run, with so
// many queues in which ten jobs wait. The cost grows with the logarithm of their number: from 10 queues to 1,000
// it less than doubles.
func BenchmarkManyQueues(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("queues=%d", n), func(b *testing.B) {
			tl, key := NewTimeline(), job.Position(0)
			queues := make([]string, n)
			queueOf := map[job.Position]string{}
			put := func(queue string) {
				key++
				queueOf[key] = queue
				tl.Put(job.Schedule{Key: key, Queue: queue, Rank: int64(key)})
			}
			for i := range queues {
				queues[i] = fmt.Sprintf("queue%d", i)
				for range 10 {
					put(queues[i])
				}
			}
			b.ReportAllocs()
			b.ResetTimer()
			for b.Loop() {
				first, _ := tl.Next(0, everything)
				queue := queueOf[first]
				delete(queueOf, first)
				tl.Begin(first, first)
				tl.Shut(queue, never)
				tl.Shut(queue, 0)
				put(queue)
			}
		})
	}
}

// BenchmarkShutQueues measures how long a worker of all queues looks for the time at which it has to wake, with so many
// queues whose rate is used up. It looks at the first of them, and at few others.
func BenchmarkShutQueues(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("queues=%d", n), func(b *testing.B) {
			tl := queuesWithJobs(n)
			for i := range n {
				tl.Shut(fmt.Sprint("queue", i), int64(1+(i*7919)%n))
			}
			for b.Loop() {
				if due, ok := tl.NextDue(everything); due != 1 || !ok {
					b.Fatal(due, ok)
				}
			}
		})
	}
}

// BenchmarkNamedQueues measures a claim of a worker that names so many queues. It grows with their number, since it
// compares their first jobs: 1,000 of them take as long as a system call.
func BenchmarkNamedQueues(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("queues=%d", n), func(b *testing.B) {
			tl := queuesWithJobs(n)
			named := Lanes{Shell: true}
			for i := range n {
				named.Queues = append(named.Queues, fmt.Sprint("queue", i))
			}
			run := job.Position(10 * n)
			for b.Loop() {
				first, _ := tl.Next(0, named)
				run++
				tl.Begin(first, run)
				tl.Put(job.Schedule{Key: run, Queue: named.Queues[int(first)%n], Rank: int64(run)})
			}
		})
	}
}

// queuesWithJobs returns a timeline with so many queues, in each of which ten jobs wait.
func queuesWithJobs(n int) *Timeline {
	tl := NewTimeline()
	for key := range job.Position(10 * n) {
		tl.Put(job.Schedule{Key: key + 1, Queue: fmt.Sprint("queue", int(key+1)%n), Rank: int64(key + 1)})
	}
	return tl
}

// BenchmarkManyKeys measures a claim and the end of its run with so many concurrency keys that jobs wait for.
// From 1,000 keys to 100,000 it grows to one and a half times, by cache misses.
func BenchmarkManyKeys(b *testing.B) {
	for _, n := range []int{1e3, 1e4, 1e5} {
		b.Run(fmt.Sprintf("keys=%d", n), func(b *testing.B) { benchmarkKeys(b, n, n) })
	}
}

// BenchmarkOneKey measures the same with so many jobs that wait for one key. It grows with the logarithm of
// their number, because the strand's heap does: from 1,000 jobs to 100,000 to a little more than twice.
func BenchmarkOneKey(b *testing.B) {
	for _, n := range []int{1e3, 1e4, 1e5} {
		b.Run(fmt.Sprintf("waiting=%d", n), func(b *testing.B) { benchmarkKeys(b, n, 1) })
	}
}

func benchmarkKeys(b *testing.B, waiting, keys int) {
	names := make([]string, keys)
	for i := range names {
		names[i] = fmt.Sprintf("key%d", i)
	}
	tl, key := NewTimeline(), job.Position(0)
	put := func() {
		key++
		tl.Put(job.Schedule{Key: key, Queue: job.DefaultQueue, ConcurrencyKey: names[int(key)%keys], Rank: int64(key)})
	}
	for range waiting {
		put()
	}
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		first, ok := tl.Next(0, everything)
		if !ok {
			b.Fatal("nothing is due")
		}
		tl.Begin(first, first)
		if _, more := tl.Next(0, everything); more == (keys == 1) {
			b.Fatal("the key is not taken alone")
		}
		tl.Free(names[int(first)%keys])
		put()
	}
}
