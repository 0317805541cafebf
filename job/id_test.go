package job_test

import (
	"cmp"
	"math"
	"strings"
	"testing"

	"github.com/queuectl/queuectl/job"
	"pgregory.net/rapid"
)

// classBounds are positions next to which made ids grow longer.
var classBounds = []uint64{0, 24 << 15, 24<<15 + 6<<25, 24<<15 + 6<<25 + 1<<35, math.MaxUint64}

func drawPosition(t *rapid.T, label string) job.Position {
	near := rapid.SampledFrom(classBounds).Draw(t, label+" bound") + rapid.Uint64Range(0, 4).Draw(t, label+" offset") - 2
	return job.Position(rapid.OneOf(rapid.Just(near), rapid.Uint64(), rapid.Uint64Range(0, 1<<30)).Draw(t, label))
}

func TestMadeID_ReadsBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		key := drawPosition(t, "key")
		id := job.MadeID(key, rapid.Uint64().Draw(t, "random"))
		if got, ok := job.PositionOfMadeID(id); got != key || !ok {
			t.Fatalf("PositionOfMadeID(%q) = %d, %v; want %d, true", id, got, ok, key)
		}
		spec := job.Spec{ID: id, Command: "true"}
		if err := spec.Validate(); err != nil {
			t.Fatalf("a made id is refused: %v", err)
		}
	})
}

func TestMadeID_SortsByPosition(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawPosition(t, "a"), drawPosition(t, "b")
		if a == b {
			return // two ids of one position differ by chance
		}
		idA, idB := job.MadeID(a, rapid.Uint64().Draw(t, "random a")), job.MadeID(b, rapid.Uint64().Draw(t, "random b"))
		if cmp.Compare(idA, idB) != cmp.Compare(a, b) {
			t.Fatalf("%d → %q, %d → %q", a, idA, b, idB)
		}
	})
}

func TestMadeIDRange_HasThePositionsOfABeginning(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		id := job.MadeID(drawPosition(t, "key"), rapid.Uint64().Draw(t, "random"))
		key, _ := job.PositionOfMadeID(id)
		beginning := id[:rapid.IntRange(1, len(id)).Draw(t, "length")]
		first, last, ok := job.MadeIDRange(beginning)
		if !ok || key < first || key > last {
			t.Fatalf("%q: %d to %d, %v, without %d of %q", beginning, first, last, ok, key, id)
		}
		for _, in := range []job.Position{first, last, first + (last-first)/2} {
			if got := job.MadeID(in, 0); len(beginning) <= len(got)-3 && !strings.HasPrefix(got, beginning) {
				t.Fatalf("%q: %d, whose id is %q", beginning, in, got)
			}
		}
		for _, out := range []job.Position{first - 1, last + 1} {
			if got := job.MadeID(out, rapid.Uint64().Draw(t, "other")); (out < first || out > last) && strings.HasPrefix(got, beginning) {
				t.Fatalf("%q: not %d, whose id is %q", beginning, out, got)
			}
		}
	})
	for _, text := range []string{"", "i", "O", "0002000a", "0002!", "é"} {
		if first, last, ok := job.MadeIDRange(text); ok && text != "0002!" {
			t.Errorf("%q: %d to %d", text, first, last)
		}
	}
}

func TestMadeID_IsShort(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		key    job.Position
		random uint64
		want   string
	}{
		{key: 2, random: 0, want: "0002000"},
		{key: 2, random: 1<<15 + 31, want: "000200z"},
		{key: 24<<15 - 1, random: job.MadeIDs - 1, want: "qzzzzzz"},
		{key: 24 << 15, random: 1, want: "r00000001"},
		{key: 24<<15 + 6<<25, random: 1, want: "y0000000001"},
		{key: math.MaxUint64, random: 0, want: "zfzzzzyzsz7zzz000"},
	} {
		if got := job.MadeID(test.key, test.random); got != test.want {
			t.Errorf("MadeID(%d, %d) = %q, want %q", test.key, test.random, got, test.want)
		}
	}
}

func TestPositionOfMadeID_OtherIDsHaveNone(t *testing.T) {
	t.Parallel()
	for _, id := range []string{
		"", "job1", "0002", "000200", "00020000", "000200O", "0002oo0", "i002000", "r000001", "0002 00",
		"é02000", "zzzzzzzzzzzzzz000",
	} {
		if key, ok := job.PositionOfMadeID(id); ok {
			t.Errorf("PositionOfMadeID(%q) = %d", id, key)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.OneOf(rapid.String(), rapid.StringMatching(`[0-9a-z]{7,17}`)).Draw(t, "id")
		if key, ok := job.PositionOfMadeID(id); ok && job.MadeID(key, 0)[:len(id)-3] != id[:len(id)-3] {
			t.Fatalf("%q reads as %d, which is written %q", id, key, job.MadeID(key, 0))
		}
	})
}
