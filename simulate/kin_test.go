package simulate_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/simulate"
)

// kinLoad is a mixed load in which many jobs come after others, on all conditions, and may have hooks.
func kinLoad(seed uint64, n int) []loadJob {
	rng := rand.New(rand.NewPCG(seed, 2))
	jobs := mixedLoad(seed, n)
	hook, err := json.Marshal(map[string]any{"kind": "script", "payload": []loadRun{{Takes: time.Second}}})
	if err != nil {
		panic(err)
	}
	for i := range jobs {
		spec := &jobs[i].spec
		for range min(i, rng.IntN(3)) {
			parent := fmt.Sprint("load", i-1-rng.IntN(min(i, 20)))
			if len(spec.After) == 0 || spec.After[0].ID != parent {
				spec.After = append(spec.After, job.Parent{ID: parent, On: []job.AfterOn{job.OnSuccess, job.OnSuccess, job.OnFailure, job.OnAny}[rng.IntN(4)]})
			}
		}
		if spec.After != nil {
			spec.OnParentFailure = job.OnParentFailure(rng.IntN(3))
		}
		if rng.IntN(4) == 0 {
			spec.OnComplete, spec.OnDead = hook, hook
		}
	}
	return jobs
}

// dated gives every second job a deadline that some do not meet, waiting or running.
func dated(jobs []loadJob) []loadJob {
	for i := range jobs {
		if i%2 == 0 {
			jobs[i].spec.DeadlineIn = jobs[i].spec.Delay + time.Duration(i%7+1)*1500*time.Millisecond
		}
	}
	return jobs
}

// What comes after what, hooks and deadlines are part of what was.
func TestRun_OfFamiliesIsTheRecord(t *testing.T) {
	t.Parallel()
	for name, jobs := range map[string][]loadJob{"families": kinLoad(1, 300), "deadlines": dated(mixedLoad(2, 300)), "both": dated(kinLoad(3, 300))} {
		for _, slots := range []int{1, 3} {
			t.Run(fmt.Sprint(name, slots), func(t *testing.T) {
				t.Parallel()
				r := record(live(t, load{jobs: jobs, slots: slots}))
				if got, want := simulated(t, r, simulate.Scenario{}), r.Measures(); got != want {
					t.Errorf("simulated\n%+v\nrecorded\n%+v", got, want)
				}
				if (r.Hooks() > 0) != (name != "deadlines") {
					t.Errorf("%s: %d hooks", name, r.Hooks())
				}
				if name != "deadlines" && r.Measures().Dead < 10 {
					t.Errorf("few jobs die: %+v", r.Measures())
				}
			})
		}
	}
}

// Under other settings the jobs wait for their parents as these then are, and end because of them.
func TestRun_OfFamiliesIsWhatTheQueueThenDoes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		slots    int
		settings map[string]string
	}{
		{4, nil},
		{1, map[string]string{"max_retries": "1"}},
		{2, map[string]string{"backoff_base": "3"}},
	} {
		t.Run(fmt.Sprint(tt.slots, tt.settings), func(t *testing.T) {
			t.Parallel()
			jobs := kinLoad(4, 300)
			for i := range jobs {
				jobs[i].spec.OnComplete, jobs[i].spec.OnDead = nil, nil // they would come at other times
			}
			before := record(live(t, load{jobs: jobs, slots: 2}))
			really := record(live(t, load{jobs: jobs, slots: tt.slots, settings: tt.settings})).Measures()
			got := simulated(t, before, simulate.Scenario{Set: tt.settings, Workers: tt.slots})
			really.Ended, got.Ended = 0, 0 // the records end at different times
			if got.Completed+got.Dead+got.Cancelled != really.Jobs {
				t.Errorf("simulated\n%+v\nreally\n%+v", got, really)
			}
			if tt.settings["max_retries"] == "" && got != really {
				t.Errorf("simulated\n%+v\nreally\n%+v", got, really)
			}
		})
	}
}

func TestRecorder_BeginsAmongFamilies(t *testing.T) {
	t.Parallel()
	log := live(t, load{jobs: dated(kinLoad(5, 200)), slots: 2})
	for from := 0; from < len(log); from += 1 + len(log)/40 {
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

// A run that begins later is ended by its job's deadline.
func TestRun_DeadlinesEndRunsThatBeginLater(t *testing.T) {
	t.Parallel()
	jobs := []loadJob{
		{runs: []loadRun{{Takes: 10 * time.Second}}},
		{spec: job.Spec{DeadlineIn: 12 * time.Second}, runs: []loadRun{{Takes: 5 * time.Second}}},
		{spec: job.Spec{DeadlineIn: 3 * time.Second}, runs: []loadRun{{Takes: time.Second}}},
	}
	before := record(live(t, load{jobs: jobs, slots: 3}))
	really := record(live(t, load{jobs: jobs, slots: 1})).Measures()
	got := simulated(t, before, simulate.Scenario{Workers: 1})
	if got.Ended = really.Ended; got != really || really.Dead != 2 || really.Runs != 2 {
		t.Errorf("simulated\n%+v\nreally\n%+v", got, really)
	}
}
