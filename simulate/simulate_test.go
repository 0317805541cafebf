package simulate_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
	"github.com/queuectl/queuectl/queue"
	"github.com/queuectl/queuectl/simulate"
)

// record makes the record of a log.
func record(log []queue.Record) *simulate.Record {
	r := simulate.NewRecorder(0)
	for _, e := range log {
		r.Take(e.At, e.Event)
	}
	return r.Record()
}

// mixedLoad is many jobs of all sorts: they come in bursts, take between 0.1 s and 10 s, and one in five
// fails, once, twice or for ever.
func mixedLoad(seed uint64, n int) []loadJob {
	rng := rand.New(rand.NewPCG(seed, 1))
	jobs := make([]loadJob, n)
	for i := range jobs {
		j := &jobs[i]
		if i%10 == 0 {
			j.after = time.Duration(rng.IntN(int(15 * time.Second)))
		}
		j.after += time.Duration(rng.IntN(int(300 * time.Millisecond)))
		if rng.IntN(8) == 0 {
			j.spec.Delay = time.Duration(rng.IntN(int(time.Minute)))
		}
		j.spec.Priority = int32(rng.IntN(6) / 5)
		takes := 100*time.Millisecond + time.Duration(rng.IntN(int(2*time.Second)))
		fails := 0
		if rng.IntN(5) == 0 {
			fails = []int{1, 2, 100}[rng.IntN(3)]
		}
		for range min(fails, 8) {
			j.runs = append(j.runs, loadRun{Takes: takes / 3, Fails: true})
		}
		if fails < 100 {
			j.runs = append(j.runs, loadRun{Takes: takes})
		}
	}
	return jobs
}

func simulated(t *testing.T, r *simulate.Record, s simulate.Scenario) simulate.Measures {
	t.Helper()
	got, err := simulate.Run(r, s)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// In the bubble a claim takes no time, so that the model has no error at all.
func TestRun_OfWhatWasIsTheRecord(t *testing.T) {
	t.Parallel()
	for _, slots := range []int{1, 2, 5} {
		t.Run(fmt.Sprint(slots), func(t *testing.T) {
			t.Parallel()
			r := record(live(t, load{jobs: mixedLoad(1, 300), slots: slots}))
			if got, want := simulated(t, r, simulate.Scenario{}), r.Measures(); got != want {
				t.Errorf("simulated\n%+v\nrecorded\n%+v", got, want)
			}
		})
	}
}

// The same load on the real engine under other settings is what the simulation foretells from the first
// log. No job needs a run that the first log does not have: fewer retries, more slots.
func TestRun_OfOtherSettingsIsWhatTheQueueThenDoes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		slots    int
		settings map[string]string
	}{
		{4, nil},
		{1, map[string]string{"max_retries": "1"}},
		{2, map[string]string{"backoff_base": "3"}},
		{6, map[string]string{"backoff_base": "10", "backoff_max": "20s", "max_retries": "2"}},
		{2, map[string]string{"timeout": "1s"}},
		{1, map[string]string{"queue_max": "40"}},
	} {
		t.Run(fmt.Sprint(tt.slots, tt.settings), func(t *testing.T) {
			t.Parallel()
			jobs := mixedLoad(2, 300)
			before := record(live(t, load{jobs: jobs, slots: 2}))
			really := record(live(t, load{jobs: jobs, slots: tt.slots, settings: tt.settings})).Measures()
			got := simulated(t, before, simulate.Scenario{Set: tt.settings, Workers: tt.slots})
			really.Ended, got.Ended = 0, 0 // the records end at different times
			really.Jobs += got.Refused     // those are in no log
			got.Refused = 0
			if got != really {
				t.Errorf("simulated\n%+v\nreally\n%+v", got, really)
			}
		})
	}
}

// Runs that no record has are drawn, so that they are right on average only.
func TestRun_WithMoreRetriesDrawsWhatIsNotKnown(t *testing.T) {
	t.Parallel()
	jobs := mixedLoad(3, 500)
	more := map[string]string{"max_retries": "6"}
	before := record(live(t, load{jobs: jobs, slots: 3, settings: map[string]string{"max_retries": "1"}}))
	really := record(live(t, load{jobs: jobs, slots: 3, settings: more})).Measures()
	got := simulated(t, before, simulate.Scenario{Set: more, Workers: 3})
	if before.Measures().Dead <= 2*really.Dead || got.Dead >= before.Measures().Dead {
		t.Errorf("%d are dead: were %d, really %d", got.Dead, before.Measures().Dead, really.Dead)
	}
	if again := simulated(t, before, simulate.Scenario{Set: more, Workers: 3}); got != again {
		t.Errorf("the same seed gives\n%+v\nand then\n%+v", got, again)
	}
	if other := simulated(t, before, simulate.Scenario{Set: more, Workers: 3, Seed: 1}); got == other {
		t.Error("another seed gives the same")
	}
}

// meddler cancels, kills, retries, changes settings, and lets workers come and go.
func meddler(seed uint64) meddling {
	rng := rand.New(rand.NewPCG(seed, 2))
	return func(ctx context.Context, s *site) error {
		q, ids := s.q, s.ids
		if len(ids) == 0 || rng.IntN(3) > 0 {
			return nil
		}
		recent := ids[max(0, len(ids)-1-rng.IntN(10))]
		switch rng.IntN(6) {
		case 0:
			return q.Cancel(ctx, recent)
		case 1:
			return q.Kill(ctx, 15, recent)
		case 2:
			j, err := q.Job(ctx, ids[rng.IntN(len(ids))])
			if err == nil {
				sel := projection.Selection{Keys: []job.Position{j.Key}, Named: true}
				_, err = q.Act(ctx, queue.Retrying(queue.Retries{Keep: j.Key%2 == 0}), sel, nil)
			}
			return err
		case 3:
			_, err := q.SetConfig(ctx, "backoff_base", fmt.Sprint(1+rng.IntN(4)))
			return err
		case 4:
			_, err := q.SetConfig(ctx, "max_retries", fmt.Sprint(rng.IntN(4)))
			return err
		}
		return q.UnsetConfig(ctx, "backoff_base")
	}
}

func TestRun_KeepsWhatPeopleDid(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := record(live(t, load{jobs: mixedLoad(seed, 200), slots: 2, meddle: meddler(seed)}))
			if got, want := simulated(t, r, simulate.Scenario{}), r.Measures(); got != want {
				t.Errorf("simulated\n%+v\nrecorded\n%+v", got, want)
			}
		})
	}
}

// Workers come, are asked to stop, stop by themselves, and die. The first one stays. Which of them runs which
// job is chance in the record, and so is what a death hits.
func TestRun_KeepsTheWorkersThatWere(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 3))
			staff := func(ctx context.Context, s *site) error {
				if rng.IntN(8) > 0 {
					return nil
				}
				newest := s.hired[len(s.hired)-1]
				switch choice := rng.IntN(5); {
				case choice < 2 || len(s.hired) == 1:
					return s.hire(ctx, queue.WorkerOptions{Slots: 1 + rng.IntN(3), UntilEmpty: choice == 1})
				case choice == 2:
					s.memory.Kill(newest.q)
				default:
					_, err := s.q.RequestStop(ctx, choice == 3, newest.id)
					if errors.Is(err, job.ErrNoWorker) {
						return nil // it has stopped already
					}
					return err
				}
				return nil
			}
			r := record(live(t, load{jobs: mixedLoad(seed, 300), slots: 1, meddle: staff}))
			got, want := simulated(t, r, simulate.Scenario{}), r.Measures()
			for _, row := range []struct {
				what           string
				got, want, off float64
			}{
				{"completed", float64(got.Completed), float64(want.Completed), 3},
				{"ended", float64(got.Ended), float64(want.Ended), 3},
				{"runs", float64(got.Runs), float64(want.Runs), 12},
				{"makespan", got.Makespan.Seconds(), want.Makespan.Seconds(), 5},
				{"wait p50", got.Wait.P50.Seconds(), want.Wait.P50.Seconds(), 0.5},
				{"wait p90", got.Wait.P90.Seconds(), want.Wait.P90.Seconds(), 0.5 + want.Wait.P90.Seconds()/5},
				{"utilisation", got.Utilisation, want.Utilisation, 0.01},
				{"slots", got.Slots, want.Slots, 0.1},
			} {
				if math.Abs(row.got-row.want) > row.off {
					t.Errorf("%s: simulated %v, recorded %v", row.what, row.got, row.want)
				}
			}
		})
	}
}

// Some of the places lie between the request to end a run and its end.
func TestRecorder_BeginsAnywhere(t *testing.T) {
	t.Parallel()
	for _, seed := range []uint64{1, 3, 5, 8, 10} {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			beginAnywhere(t, seed)
		})
	}
}

func beginAnywhere(t *testing.T, seed uint64) {
	log := live(t, load{jobs: mixedLoad(seed, 200), slots: 2, meddle: meddler(seed)})
	for from := 0; from < len(log); from += 1 + len(log)/50 {
		t.Run(fmt.Sprint(from), func(t *testing.T) {
			t.Parallel()
			rec := simulate.NewRecorder(job.Position(from))
			for _, e := range log {
				rec.Take(e.At, e.Event)
			}
			r := rec.Record()
			if r.Measures().Jobs == 0 {
				return
			}
			if got, want := simulated(t, r, simulate.Scenario{}), r.Measures(); got != want {
				t.Errorf("simulated\n%+v\nrecorded\n%+v", got, want)
			}
		})
	}
}

// A job that died before the record began comes with the attempts that a retry has left it.
func TestRecorder_ARetriedJobComesWithItsAttempts(t *testing.T) {
	t.Parallel()
	second := int64(time.Second)
	failed := job.Result{Exit: 1}
	rec := simulate.NewRecorder(7)
	for i, e := range []job.Event{
		job.LogCreated{Format: 1, Level: 1},
		&job.WorkerStarted{ID: "w", Slots: 1, Shell: true},
		&job.JobEnqueued{Spec: job.Spec{ID: "a", Command: "false", Queue: job.DefaultQueue, MaxRetries: new(uint32(1))}},
		job.JobClaimed{Job: 3, Worker: 2},
		&job.JobFailed{Job: 3, Run: 4, Why: job.WhyExit, Result: failed, NextAttemptAt: 6 * second},
		job.JobClaimed{Job: 3, Worker: 2},
		&job.JobDied{Job: 3, Run: 6, Why: job.WhyRetries, Failure: job.WhyExit, Result: failed},
		job.JobRetried{Job: 3, From: job.Dead},
		job.JobClaimed{Job: 3, Worker: 2},
		&job.JobDied{Job: 3, Run: 9, Why: job.WhyRetries, Failure: job.WhyExit, Result: failed},
	} {
		rec.Take(job.At{Position: job.Position(i + 1), Time: int64(i+1) * second}, e)
	}
	if got := simulated(t, rec.Record(), simulate.Scenario{}); got.Runs != 1 || got.Dead != 1 {
		t.Errorf("%+v", got)
	}
}

// A clock that is set back is the time since no commit: the record is as if it had not been.
func TestRecorder_ClockStepsBack(t *testing.T) {
	t.Parallel()
	log := live(t, load{jobs: mixedLoad(7, 100), slots: 2})
	want := record(log).Measures()
	step := len(log) / 2
	for log[step].At.Time != log[step-1].At.Time { // so that no time is lost
		step++
	}
	const back = int64(time.Hour)
	for i := range log[step:] {
		r := &log[step+i]
		r.At.Time -= back
		if e, ok := r.Event.(*job.JobFailed); ok {
			failed := *e
			failed.NextAttemptAt -= back
			r.Event = &failed
		}
		if e, ok := r.Event.(*job.JobEnqueued); ok && e.Due != 0 {
			delayed := *e
			delayed.Due -= back
			r.Event = &delayed
		}
	}
	stepped := record(log)
	if got := stepped.Measures(); got != want {
		t.Errorf("with a step back\n%+v\nwithout\n%+v", got, want)
	}
	if got := simulated(t, stepped, simulate.Scenario{}); got != want {
		t.Errorf("simulated\n%+v\nwant\n%+v", got, want)
	}
}
