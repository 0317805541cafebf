package projection_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
	"pgregory.net/rapid"
)

// thousand is a history of 1,000 jobs in several states and queues, over several pages: in the first
// all are dead, in the third all are cancelled.
func thousand() *history {
	h := newHistory()
	worker := h.add(workerStarted("w"))
	queues := []string{"default", "default", "other"}
	for i := range 1000 {
		key := h.add(enqueuedIn(fmt.Sprint("job", i), queues[i%3]))
		switch {
		case 512 <= i && i < 768:
			h.add(&job.JobCancelled{Job: key})
		case i < 300 || i%100 == 99:
			run := h.add(job.JobClaimed{Job: key, Worker: worker})
			h.add(&job.JobDied{Job: key, Run: run, Why: job.WhyRetries, Failure: job.WhyExit})
		case i%7 == 0:
			h.add(&job.JobCancelled{Job: key})
		case i%5 == 0:
			run := h.add(job.JobClaimed{Job: key, Worker: worker})
			h.add(&job.JobFailed{Job: key, Run: run, Why: job.WhyExit, NextAttemptAt: h.at.Time})
		}
	}
	return h
}

// dumb is List without any index.
func dumb(all []job.Job, f projection.Filter) (keys []job.Position) {
	for _, j := range all {
		if (len(f.States) == 0 || slices.Contains(f.States, j.State)) && (f.Queue == "" || f.Queue == j.Spec.Queue) &&
			j.Key > f.After && (f.Before == 0 || j.Key < f.Before) {
			keys = append(keys, j.Key)
		}
	}
	if f.Limit > 0 && len(keys) > f.Limit {
		if f.Newest {
			return keys[len(keys)-f.Limit:]
		}
		return keys[:f.Limit]
	}
	return keys
}

func keysOf(p *projection.Projection, f projection.Filter) (keys []job.Position) {
	for j := range p.List(f) {
		keys = append(keys, j.Key)
	}
	return keys
}

func TestList_AgreesWithLookingAtEveryJob(t *testing.T) {
	t.Parallel()
	h := thousand()
	all := slices.Collect(h.List(projection.Filter{}))
	if len(all) != 1000 {
		t.Fatalf("%d jobs, want 1000", len(all))
	}
	last := all[len(all)-1].Key
	rapid.Check(t, func(t *rapid.T) {
		cursor := rapid.OneOf(rapid.Just(job.Position(0)), rapid.Custom(func(t *rapid.T) job.Position {
			return job.Position(rapid.Uint64Range(0, uint64(last)+2).Draw(t, "position"))
		}), rapid.Just(^job.Position(0)))
		f := projection.Filter{
			States: rapid.SliceOfN(rapid.SampledFrom(append(job.States[:], 0, 200)), 0, 3).Draw(t, "states"),
			Queue:  rapid.SampledFrom([]string{"", "default", "other", "unknown"}).Draw(t, "queue"),
			After:  cursor.Draw(t, "after"),
			Before: cursor.Draw(t, "before"),
			Limit:  rapid.SampledFrom([]int{0, 1, 3, 50, 256, 999, 5000}).Draw(t, "limit"),
			Newest: rapid.Bool().Draw(t, "newest"),
		}
		want := dumb(all, f)
		if got := keysOf(h.Projection, f); !slices.Equal(got, want) {
			t.Fatalf("%+v: %d jobs, want %d", f, len(got), len(want))
		}
		f.Limit = 0
		if got, want := h.Count(f), len(dumb(all, f)); got != want {
			t.Fatalf("Count(%+v) = %d, want %d", f, got, want)
		}
	})
}

func TestList_NewestOfEachStateBeforeAnyJob(t *testing.T) {
	t.Parallel()
	h := thousand()
	all := slices.Collect(h.List(projection.Filter{}))
	for i := 0; i < len(all); i += 13 {
		for _, state := range job.States {
			f := projection.Filter{States: []job.State{state}, Before: all[i].Key, Limit: 3, Newest: true}
			if got, want := keysOf(h.Projection, f), dumb(all, f); !slices.Equal(got, want) {
				t.Fatalf("%+v: jobs %v, want %v", f, got, want)
			}
		}
	}
}

func TestList_CursorGoesThroughAllJobs(t *testing.T) {
	t.Parallel()
	h := thousand()
	var got []job.Position
	f := projection.Filter{States: []job.State{job.Dead}, Limit: 7}
	for page := keysOf(h.Projection, f); len(page) > 0; page = keysOf(h.Projection, f) {
		got = append(got, page...)
		f.After = page[len(page)-1]
	}
	if want := keysOf(h.Projection, projection.Filter{States: f.States}); !slices.Equal(got, want) || len(got) != 305 {
		t.Errorf("%d jobs page by page, %d at once, want 305", len(got), len(want))
	}
}

func TestCounts_ByStateAndQueue(t *testing.T) {
	t.Parallel()
	h := thousand()
	want := map[string]projection.Counts{}
	var total projection.Counts
	for j := range h.List(projection.Filter{}) {
		c := want[j.Spec.Queue]
		c[j.State]++
		want[j.Spec.Queue] = c
		total[j.State]++
	}
	if h.Counts() != total {
		t.Errorf("Counts %v, want %v", h.Counts(), total)
	}
	var names []string
	for q := range h.Queues() {
		name, got := q.Name, q.Counts
		names = append(names, name)
		if got != want[name] {
			t.Errorf("queue %q: %v, want %v", name, got, want[name])
		}
		if n := h.Waiting(name); n != got[job.Pending]+got[job.Failed] {
			t.Errorf("%d jobs wait in queue %q, want %d", n, name, got[job.Pending]+got[job.Failed])
		}
	}
	if !slices.Equal(names, []string{"default", "other"}) || h.Waiting("unknown") != 0 {
		t.Errorf("queues %v", names)
	}
}

func TestQueries_OfWhatIsNotThere(t *testing.T) {
	t.Parallel()
	h := thousand()
	for _, key := range []job.Position{0, 1, 3 /* a claim */, 1 << 40} {
		if _, ok := h.Job(key); ok {
			t.Errorf("there is a job %d", key)
		}
		if _, ok := h.Spec(key); ok {
			t.Errorf("job %d has a spec", key)
		}
		if _, ok := h.Brief(key); ok || h.ID(key) != "" {
			t.Errorf("job %d has a brief", key)
		}
	}
	empty := projection.New()
	if empty.Key("a") != 0 || empty.Count(projection.Filter{}) != 0 || len(keysOf(empty, projection.Filter{Newest: true, Limit: 1})) != 0 {
		t.Error("an empty projection holds jobs")
	}
}

func TestJob_SpecsOfAllSizesReadBack(t *testing.T) {
	t.Parallel()
	h := newHistory()
	sizes := []int{1, 100, 8 << 10, 1, 200 << 10, 50, 9 << 10, 60 << 10, 7 << 10}
	command := func(i, size int) string { return strings.Repeat(string(rune('a'+i%26)), size) }
	for i := range 300 {
		e := enqueued(fmt.Sprint("job", i))
		e.Spec.Command = command(i, sizes[i%len(sizes)])
		h.add(e)
	}
	i := 0
	for j := range h.List(projection.Filter{}) {
		if j.Spec.ID != fmt.Sprint("job", i) || j.Spec.Command != command(i, sizes[i%len(sizes)]) {
			t.Fatalf("job %d is %q with a command of %d bytes", i, j.Spec.ID, len(j.Spec.Command))
		}
		i++
	}
}
