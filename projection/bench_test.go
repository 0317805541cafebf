package projection_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
)

// benchHistory has n jobs, of which every second one has ended well and one in ten is dead.
func benchHistory(n int) *history {
	h := newHistory()
	worker := h.add(workerStarted("w"))
	for i := range n {
		e := enqueued(fmt.Sprint("job", i))
		e.Spec.Command = strings.Repeat("x", 100)
		key := h.add(e)
		switch {
		case i%2 == 0:
			run := h.add(job.JobClaimed{Job: key, Worker: worker})
			h.add(&job.JobCompleted{Job: key, Run: run, Result: job.Result{Start: 1e18, End: 1e18 + 2e6, OutputSize: 20}})
		case i%10 == 1:
			run := h.add(job.JobClaimed{Job: key, Worker: worker})
			h.add(&job.JobDied{Job: key, Run: run, Why: job.WhyRetries, Failure: job.WhyExit, Result: job.Result{Exit: 1, Tail: "no such file\n"}})
		}
	}
	return h
}

// sized runs a benchmark on histories of a hundred times as many jobs, so that growth shows.
func sized(b *testing.B, run func(b *testing.B, h *history, n int)) {
	for _, n := range []int{1e3, 1e5} {
		h := benchHistory(n)
		b.Run(fmt.Sprintf("jobs=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			run(b, h, n)
		})
	}
}

// BenchmarkFold is the life of a job: three events.
func BenchmarkFold(b *testing.B) {
	sized(b, func(b *testing.B, h *history, _ int) {
		e, i := enqueued(""), 0
		for b.Loop() {
			e.Spec.ID = fmt.Sprint("new", i)
			i++
			key := h.add(e)
			run := h.add(job.JobClaimed{Job: key, Worker: 1})
			h.add(&job.JobCompleted{Job: key, Run: run})
		}
	})
}

// BenchmarkQuery is what commands ask: one job by its id, a page of a list, a page of what is rare, how many there are in
// each state, and which a filter selects. Only the last may grow, with what it selects.
func BenchmarkQuery(b *testing.B) {
	for name, ask := range map[string]func(h *history) bool{
		"job":    func(h *history) bool { _, ok := h.Job(h.Key("job77")); return ok },
		"brief":  func(h *history) bool { _, ok := h.Brief(h.Key("job77")); return ok },
		"counts": func(h *history) bool { c := h.Counts(); return c[job.Completed] > 0 },
		"page":   func(h *history) bool { return listed(h, projection.Filter{Limit: 50}) == 50 },
		"newest": func(h *history) bool { return listed(h, projection.Filter{Limit: 50, Newest: true}) == 50 },
		"dead": func(h *history) bool {
			return listed(h, projection.Filter{States: []job.State{job.Dead}, Limit: 50}) == 50
		},
		"select": func(h *history) bool {
			sel, err := h.Select([]string{"all"}, projection.Filter{}, projection.Filter{States: []job.State{job.Pending}})
			return err == nil && len(sel.Keys) > 0
		},
	} {
		b.Run(name, func(b *testing.B) {
			sized(b, func(b *testing.B, h *history, _ int) {
				for b.Loop() {
					if !ask(h) {
						b.Fatal("not found")
					}
				}
			})
		})
	}
}

func listed(h *history, f projection.Filter) (n int) {
	for range h.List(f) {
		n++
	}
	return n
}

// BenchmarkSave writes a snapshot of everything, into memory.
func BenchmarkSave(b *testing.B) {
	sized(b, func(b *testing.B, h *history, n int) {
		for b.Loop() {
			if err := h.Save(0, &memoryFile{}); err != nil {
				b.Fatal(err)
			}
		}
		perJob(b, n)
	})
}

// BenchmarkLoad opens a snapshot, as every command does, and loads what waits, as workers do. Opening must not grow with
// the number of jobs.
func BenchmarkLoad(b *testing.B) {
	for _, live := range []bool{false, true} {
		b.Run(fmt.Sprintf("live=%v", live), func(b *testing.B) {
			sized(b, func(b *testing.B, h *history, n int) {
				file := &memoryFile{}
				if err := h.Save(0, file); err != nil {
					b.Fatal(err)
				}
				for b.Loop() {
					p := projection.Load([]projection.File{reading{file}})
					if live {
						for range p.LoadLive() {
						}
					}
				}
				perJob(b, n)
			})
		})
	}
}

func perJob(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/job")
}
