package simulate

import (
	"fmt"
	"testing"

	"github.com/queuectl/queuectl/job"
)

// longLog tells a recorder of so many jobs, each with four events on average: one in five fails once.
func longLog(r *Recorder, jobs int) (events int) {
	const worker, second = 1, int64(1e9)
	position, now := job.Position(worker), int64(1)
	take := func(e job.Event) job.Position {
		r.Take(job.At{Position: position, Time: now}, e)
		position++
		return position - 1
	}
	take(&job.WorkerStarted{ID: "w", Slots: 8, Shell: true})
	for i := range jobs {
		now += second / 8
		key := take(&job.JobEnqueued{Spec: job.Spec{ID: fmt.Sprint(i), Queue: "default", Command: ":", MaxRetries: new(uint32(3))}})
		run := take(job.JobClaimed{Job: key, Worker: worker})
		began := now
		now += second / 100
		result := job.Result{Start: began, End: began + second}
		if i%2 == 0 {
			take(&job.JobFailed{Job: key, Run: run, Why: job.WhyExit, Result: result, NextAttemptAt: now + 2*second})
			now += 2 * second
			run = take(job.JobClaimed{Job: key, Worker: worker})
		}
		take(&job.JobCompleted{Job: key, Run: run, Result: result})
	}
	return int(position) - 1
}

func BenchmarkRecorder(b *testing.B) {
	for _, jobs := range []int{2_500, 25_000, 250_000} {
		b.Run(fmt.Sprint(4*jobs), func(b *testing.B) {
			events := 0
			for b.Loop() {
				events += longLog(NewRecorder(0), jobs)
			}
			b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

func BenchmarkRun(b *testing.B) {
	for _, jobs := range []int{2_500, 25_000, 250_000} {
		r := NewRecorder(0)
		events := longLog(r, jobs)
		record := r.Record()
		b.Run(fmt.Sprint(events), func(b *testing.B) {
			for b.Loop() {
				if _, err := Run(record, Scenario{Workers: 8}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(events*b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
