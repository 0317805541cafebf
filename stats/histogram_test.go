package stats

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// values are of any size, and many of them near to each other.
var values = rapid.SliceOfN(rapid.OneOf(
	rapid.Int64Range(-5, 300), rapid.Int64Range(1e9, 1e9+1e7), rapid.Int64(),
), 1, 200)

// TestHistogram_AgreesWithSorting compares quantiles with those of the sorted values.
func TestHistogram_AgreesWithSorting(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		all := values.Draw(t, "values")
		parts := [2]Histogram{}
		for i, v := range all {
			parts[i%2].Add(v)
			all[i] = max(v, 0)
		}
		h := Histogram{}
		h.Merge(&parts[0])
		h.Merge(&parts[1])
		slices.Sort(all)
		if h.Count() != uint64(len(all)) || h.Max() != all[len(all)-1] {
			t.Errorf("count %d and max %d, want %d and %d", h.Count(), h.Max(), len(all), all[len(all)-1])
		}
		for _, q := range []float64{0, 0.5, 0.9, 0.99, 1, rapid.Float64Range(0, 1).Draw(t, "q")} {
			want := all[max(1, int(math.Ceil(q*float64(len(all)))))-1]
			got := h.Quantile(q)
			if off := math.Abs(float64(got) - float64(want)); off > 0.004*float64(want) || want < 256 && off != 0 {
				t.Errorf("quantile %v of %d values: got %d, want %d within 0.4 %%", q, len(all), got, want)
			}
		}
	})
}

func TestHistogram_EmptySaysNothing(t *testing.T) {
	t.Parallel()
	var h Histogram
	h.Merge(&Histogram{})
	if h.Count() != 0 || h.Max() != 0 || h.Quantile(0.5) != 0 {
		t.Errorf("got %d values, max %d, median %d", h.Count(), h.Max(), h.Quantile(0.5))
	}
}

func TestHistogram_HasABoundedNumberOfBuckets(t *testing.T) {
	t.Parallel()
	if got := bucketOf(math.MaxInt64); got >= 7424 {
		t.Errorf("the largest value is in bucket %d", got)
	}
}
