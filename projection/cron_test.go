package projection_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
)

func cronAdded(name string, next time.Time) *job.CronAdded {
	return &job.CronAdded{Next: next.UnixNano(), New: job.Cron{Name: name, Schedule: "@daily", Zone: "UTC", Job: job.Spec{Command: "true", Queue: "q"}}}
}

func TestFold_CronEventsThatDoNotFit(t *testing.T) {
	t.Parallel()
	h := newHistory()
	next := noon.Add(time.Hour)
	key := h.add(cronAdded("a", next))
	paused := h.add(cronAdded("p", next))
	h.add(&job.CronChanged{Cron: paused, Paused: true})
	made := h.add(enqueued("x"))
	at := next.UnixNano()
	for _, e := range []job.Event{
		cronAdded("a", next), cronAdded("", next),
		&job.CronChanged{Cron: 99}, &job.CronChanged{Cron: key, New: &job.Cron{Name: "b"}}, &job.CronChanged{Cron: key, Paused: true, Next: at},
		job.CronRemoved{Cron: 99},
		job.CronTicked{Cron: 99, Tick: at, Skip: job.SkipMissed},
		job.CronTicked{Cron: key, Tick: at, Made: 99},
		job.CronTicked{Cron: key, Tick: at},
		job.CronTicked{Cron: key, Tick: at, Made: made, Skip: job.SkipMissed},
		job.CronTicked{Cron: key, Tick: at - 1, Skip: job.SkipMissed, Next: at + 1},
		job.CronTicked{Cron: key, Tick: at, Skip: job.SkipMissed, Next: at},
		job.CronTicked{Cron: key, Skip: job.SkipMissed, Next: at},
		job.CronTicked{Cron: key, Made: made, Next: at + 1},
		job.CronTicked{Cron: paused, Tick: at, Skip: job.SkipMissed},
	} {
		if h.misfit(t, e) == nil {
			t.Errorf("%+v fits", e)
		}
	}
	h.add(job.CronTicked{Cron: key, Made: made, Next: at})
	h.add(job.CronTicked{Cron: key, Tick: at, Made: made, Next: at + 1})
	h.add(job.CronTicked{Cron: key, Tick: at + 1, Skip: job.SkipOverlap})
	if e, _ := h.Cron("a"); !e.Next.IsZero() || e.Last.UnixNano() != at+1 || e.LastSkip != job.SkipOverlap || !slices.Equal(e.Jobs, []job.Position{made, made}) {
		t.Errorf("the schedule is %+v", e)
	}
}

func TestCron_TheLastJobsAreRemembered(t *testing.T) {
	t.Parallel()
	h := newHistory()
	key := h.add(cronAdded("a", noon))
	var want []job.Position
	for range job.CronJobs + 3 {
		made := h.add(enqueued(fmt.Sprint("j", h.at.Position)))
		h.add(job.CronTicked{Cron: key, Made: made, Next: noon.UnixNano()})
		want = append(want, made)
	}
	if e, _ := h.Cron("a"); !slices.Equal(e.Jobs, want[3:]) {
		t.Errorf("jobs %v, want the last of %v", e.Jobs, want)
	}
}

// TestDueCrons_AgreesWithALookAtAll compares the heap with a list, and the state with what a snapshot makes of it.
func TestDueCrons_AgreesWithALookAtAll(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := newHistory()
		nexts := map[job.Position]time.Time{} // zero = paused
		names := map[job.Position]string{}
		anyKey := func() job.Position {
			keys := []job.Position{}
			for key := range names {
				keys = append(keys, key)
			}
			slices.Sort(keys)
			return rapid.SampledFrom(keys).Draw(t, "key")
		}
		later := func(after time.Time) time.Time {
			return after.Add(time.Duration(rapid.IntRange(1, 30).Draw(t, "later")) * time.Second)
		}
		for range rapid.IntRange(1, 40).Draw(t, "events") {
			what := rapid.IntRange(0, 5).Draw(t, "what")
			switch {
			case what <= 1 || len(names) == 0:
				next := later(noon)
				key := h.at.Position
				h.add(cronAdded(fmt.Sprint("n", key), next))
				nexts[key], names[key] = next, fmt.Sprint("n", key)
			case what == 2:
				key := anyKey()
				h.add(job.CronRemoved{Cron: key})
				delete(nexts, key)
				delete(names, key)
			case what == 3:
				key := anyKey()
				if !nexts[key].IsZero() {
					h.add(&job.CronChanged{Cron: key, Paused: true})
					nexts[key] = time.Time{}
					break
				}
				nexts[key] = later(noon)
				h.add(&job.CronChanged{Cron: key, Next: nexts[key].UnixNano()})
			default:
				key := anyKey()
				if now := nexts[key]; !now.IsZero() {
					nexts[key] = later(now)
					h.add(job.CronTicked{Cron: key, Tick: now.UnixNano(), Skip: job.SkipMissed, Next: nexts[key].UnixNano()})
				}
			}
		}
		now := later(noon)
		file := &memoryFile{}
		if err := h.Save(0, file); err != nil {
			t.Fatal(err)
		}
		loaded := projection.Load([]projection.File{reading{file}})
		if string(loaded.AppendCanonical(nil)) != string(h.AppendCanonical(nil)) {
			t.Fatalf("a snapshot gives another state")
		}
		for _, p := range []*projection.Projection{h.Projection, loaded} {
			want := []job.Position{}
			for key, next := range nexts {
				if !next.IsZero() && !next.After(now) {
					want = append(want, key)
				}
			}
			slices.SortFunc(want, func(a, b job.Position) int {
				if c := nexts[a].Compare(nexts[b]); c != 0 {
					return c
				}
				return int(a) - int(b)
			})
			got := []job.Position{}
			for _, e := range p.DueCrons(now.UnixNano(), 5) {
				got = append(got, e.Key)
			}
			if want = want[:min(5, len(want))]; !slices.Equal(got, want) {
				t.Fatalf("due at %v: %v, want %v", now, got, want)
			}
			n := 0
			for e := range p.Crons() {
				if n++; names[e.Key] != e.Name || !e.Next.Equal(nexts[e.Key]) {
					t.Fatalf("%+v, want the next tick %v", e, nexts[e.Key])
				}
			}
			if n != len(names) {
				t.Fatalf("%d schedules, want %d", n, len(names))
			}
		}
	})
}

// BenchmarkLoad_Schedules measures what schedules cost whoever opens a queue that rests on a snapshot: it must
// grow with their number and no faster.
func BenchmarkLoad_Schedules(b *testing.B) {
	for _, schedules := range []int{1e2, 1e3, 1e4} {
		b.Run(fmt.Sprintf("schedules=%d", schedules), func(b *testing.B) {
			h := newHistory()
			for i := range schedules {
				h.add(cronAdded(fmt.Sprint("c", i), noon.Add(time.Duration(i)*time.Second)))
			}
			file := &memoryFile{}
			if err := h.Save(0, file); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				projection.Load([]projection.File{reading{file}})
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(schedules), "ns/schedule")
		})
	}
}
