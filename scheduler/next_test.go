package scheduler

import (
	"cmp"
	"maps"
	"slices"
	"testing"

	"github.com/queuectl/queuectl/job"
	"pgregory.net/rapid"
)

// TestBefore_IsWhatIsTakenFirst takes jobs until it is the turn of one, and compares them with what was
// foretold.
func TestBefore_IsWhatIsTakenFirst(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		tl, now := NewTimeline(), int64(1000)
		keys := map[job.Position]bool{}
		for range rapid.IntRange(1, 30).Draw(t, "jobs") {
			s := drawSchedule(t, now)
			tl.Put(s)
			keys[s.Key] = true
		}
		if rapid.Bool().Draw(t, "look") {
			tl.Next(now-10, everything) // some are ready, though their time is still to come for who asks earlier
			now -= rapid.Int64Range(0, 20).Draw(t, "step back")
		}
		key := rapid.SampledFrom(slices.Sorted(maps.Keys(keys))).Draw(t, "key")
		before := slices.SortedFunc(tl.Before(key, now), func(a, b job.Schedule) int {
			return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.Rank, b.Rank), cmp.Compare(a.Key, b.Key))
		})
		var got, want []job.Position
		for _, s := range before {
			got = append(got, s.Key)
		}
		for next, ok := tl.Next(now, everything); ok && next != key; next, ok = tl.Next(now, everything) {
			want = append(want, next)
			tl.Remove(next)
		}
		if next, ok := tl.Next(now, everything); !ok || next != key { // its time is still to come
			for _, k := range got { // all that were due were taken, also those behind it
				if !slices.Contains(want, k) {
					t.Fatalf("before %d: got %v, of which %d is not due", key, got, k)
				}
			}
			return
		}
		if !slices.Equal(got, want) {
			t.Fatalf("before %d: got %v, want %v", key, got, want)
		}
	})
}

func TestBefore_NamesTheLane(t *testing.T) {
	t.Parallel()
	tl := NewTimeline()
	tl.Put(job.Schedule{Key: 1, Queue: "a", Kind: "mail", Priority: 3, Due: 50})
	tl.Put(shell(2, 0, 60))
	got := slices.Collect(tl.Before(2, 50))
	want := []job.Schedule{{Key: 1, Queue: "a", Kind: "mail", Priority: 3, Rank: 50}}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for _, test := range []struct {
		key job.Position
		now int64
	}{{1, 100}, {2, 49}, {3, 100}} {
		if got := slices.Collect(tl.Before(test.key, test.now)); len(got) > 0 {
			t.Errorf("before %d at %d: got %+v, want none", test.key, test.now, got)
		}
	}
	for range tl.Before(2, 100) {
		break // and no more is asked for
	}
}
