package decide_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/job"
)

// encodedLog is a log as the engine reads it.
type encodedLog struct {
	kinds  []job.Kind
	events [][]byte
}

func (l *encodedLog) add(e job.Event) job.Position {
	l.kinds = append(l.kinds, job.KindOf(e))
	l.events = append(l.events, job.AppendEvent(nil, e))
	return job.Position(len(l.events))
}

func (l *encodedLog) enqueue(command string) job.Position {
	key := job.Position(len(l.events) + 1)
	return l.add(&job.JobEnqueued{Spec: job.Spec{ID: job.MadeID(key, uint64(key)*31), Command: command, MaxRetries: new(uint32(3))}})
}

func (l *encodedLog) run(key, worker job.Position) {
	run := l.add(job.JobClaimed{Job: key, Worker: worker})
	l.add(&job.JobCompleted{Job: key, Run: run, Result: job.Result{
		Start: 1e18, End: 1e18 + 2e6, CPU: 1e6, MaxRSS: 3 << 20, OutputSize: 20,
	}})
}

// lives returns a log in which jobs are enqueued, claimed and completed, with a backlog of so many.
func lives(jobs, backlog int) *encodedLog {
	l := &encodedLog{}
	worker := l.add(&job.WorkerStarted{ID: "w", Slots: 8, Shell: true})
	command := strings.Repeat("x", 100)
	var waiting []job.Position
	for range backlog {
		waiting = append(waiting, l.enqueue(command))
	}
	for range jobs - backlog {
		waiting = append(waiting, l.enqueue(command))
		l.run(waiting[0], worker)
		waiting = waiting[1:]
	}
	for _, key := range waiting {
		l.run(key, worker)
	}
	return l
}

// BenchmarkReplay measures decode and fold of 100,000 jobs that are enqueued, claimed and completed,
// one by one and with all of them waiting at once. FoldRaw is what the engine does with commits that
// it reads; Fold with decoded events shows what that saves.
func BenchmarkReplay(b *testing.B) {
	const jobs = 100_000
	raw := func(s *decide.State, at job.At, kind job.Kind, data []byte) error { return s.FoldRaw(at, kind, data) }
	decoded := func(s *decide.State, at job.At, kind job.Kind, data []byte) error {
		e, err := job.DecodeEvent(kind, data)
		if err == nil {
			s.Fold(at, e)
		}
		return err
	}
	for _, backlog := range []int{1, jobs} {
		l := lives(jobs, backlog)
		for name, fold := range map[string]func(*decide.State, job.At, job.Kind, []byte) error{"raw": raw, "decoded": decoded} {
			b.Run(fmt.Sprintf("backlog=%d/%s", backlog, name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					s := decide.NewState()
					for i, data := range l.events {
						if err := fold(s, job.At{Position: job.Position(i + 1), Time: 1e18}, l.kinds[i], data); err != nil {
							b.Fatal(err)
						}
					}
				}
				events := float64(len(l.events)) * float64(b.N)
				b.ReportMetric(events/b.Elapsed().Seconds()/1e6, "Mevents/s")
			})
		}
	}
}

// BenchmarkClaimAndFinish measures deciding and folding a claim and an outcome with so many jobs
// waiting: it must hardly grow with their number. A new job keeps the number.
func BenchmarkClaimAndFinish(b *testing.B) {
	for _, waiting := range []int{1e3, 1e5, 1e6} {
		b.Run(fmt.Sprintf("waiting=%d", waiting), func(b *testing.B) {
			s := decide.NewState()
			at := job.At{Position: 1, Time: 1e18}
			do := func(events []job.Event, err error) {
				if err != nil {
					b.Fatal(err)
				}
				for _, e := range events {
					s.Fold(at, e)
					at.Position++
				}
			}
			do(decide.StartWorker(s, at, &job.WorkerStarted{ID: "w", Slots: 1, Shell: true}))
			one := []job.Spec{{Command: "true"}}
			for range waiting {
				do(decide.Enqueue(s, at, one, false))
			}
			b.ReportAllocs()
			b.ResetTimer()
			for b.Loop() {
				events, err := decide.Claim(s, at, 1, all)
				do(events, err)
				do(decide.Finish(s, at, decide.Outcome{Job: events[0].(job.JobClaimed).Job, Run: at.Position - 1}, 0))
				do(decide.Enqueue(s, at, one, false))
			}
		})
	}
}

// BenchmarkEnqueue measures deciding a bulk enqueue: checking, completing, making ids.
func BenchmarkEnqueue(b *testing.B) {
	const n = 100_000
	specs := make([]job.Spec, n)
	for i := range specs {
		specs[i].Command = strings.Repeat("x", 100)
	}
	s := decide.NewState()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decide.Enqueue(s, job.At{Position: 1, Time: 1e18, Rand: 1}, specs, false); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/job")
}

// BenchmarkTick measures deciding and folding the next tick of so many schedules, whose minutes are spread over the
// day: it must grow no faster than the logarithm of their number.
func BenchmarkTick(b *testing.B) {
	for _, schedules := range []int{1e2, 1e3, 1e4} {
		b.Run(fmt.Sprintf("schedules=%d", schedules), func(b *testing.B) {
			s := decide.NewState()
			at := job.At{Position: 1, Time: noon.UnixNano()}
			do := func(events []job.Event, err error) {
				if err != nil {
					b.Fatal(err)
				}
				for _, e := range events {
					s.Fold(at, e)
					at.Position++
				}
			}
			for i := range schedules {
				c := job.Cron{
					Name: fmt.Sprint("c", i), Schedule: fmt.Sprintf("%d %d * * *", i%60, i/60%24), Zone: "Europe/Zurich",
					Missed: job.MissedAll, Job: job.Spec{Command: strings.Repeat("x", 100)},
				}
				do(decide.AddCron(s, at, c, false))
			}
			made := 0
			b.ReportAllocs()
			b.ResetTimer()
			for b.Loop() {
				at.Time, _ = s.Jobs.NextTick()
				events, err := decide.Tick(s, at)
				do(events, err)
				made += len(events) / 2
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(made), "ns/tick")
		})
	}
}
