package stats

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestRates_CountEveryTimeInItsSpan has times in any order, and some that no clock should have.
func TestRates_CountEveryTimeInItsSpan(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		times := rapid.SliceOfN(rapid.OneOf(
			rapid.Int64Range(1e18, 1e18+200e9), rapid.Int64Range(1e18, 1e18+1e15), rapid.Int64(),
		), 1, 100).Draw(t, "times")
		if most := rapid.IntRange(0, 2).Draw(t, "kind"); most < 2 {
			times = rapid.SliceOfN(rapid.Int64Range(1e18, 1e18+[]int64{100e9, 1e15}[most]), 1, 100).Draw(t, "near times")
		}
		var r rates
		for _, at := range times {
			r.at(at).Events++
		}
		spans, width := r.list(), r.width()
		if len(spans) > spansMost {
			t.Errorf("%d spans", len(spans))
		}
		want := make([]uint64, len(spans))
		for _, at := range times {
			for i, s := range spans {
				if when := time.Unix(0, at); !when.Before(s.Start) && when.Before(s.Start.Add(width)) {
					want[i]++
					break
				}
			}
		}
		for i, s := range spans {
			if s.Events != want[i] {
				t.Errorf("span %d of %v from %v: got %d, want %d", i, width, s.Start, s.Events, want[i])
			}
			if i > 0 && s.Start.Sub(spans[i-1].Start) != width {
				t.Errorf("span %d begins at %v, the one before at %v", i, s.Start, spans[i-1].Start)
			}
		}
		if spans[0].Events == 0 || spans[len(spans)-1].Events == 0 {
			t.Error("there are empty spans at the ends")
		}
	})
}

func TestRates_WidenWhenTheyMust(t *testing.T) {
	t.Parallel()
	var r rates
	for second := range int64(spansMost) {
		r.at(-second * int64(time.Second))
	}
	if n, width := len(r.list()), r.width(); n != spansMost || width != time.Second {
		t.Errorf("got %d spans of %v", n, width)
	}
	r.at(int64(time.Second))
	if n, width := len(r.list()), r.width(); n != spansMost/5+1 || width != 5*time.Second {
		t.Errorf("got %d spans of %v", n, width)
	}
}

func TestRates_WidthsAreMultiples(t *testing.T) {
	t.Parallel()
	for i := range widths[1:] {
		if widths[i+1]%widths[i] != 0 {
			t.Errorf("%v is no multiple of %v", widths[i+1], widths[i])
		}
	}
	if last := widths[len(widths)-1]; spansMost*last.Hours() < 2*time.Duration(1<<63-1).Hours()+last.Hours() {
		t.Errorf("%d spans of %v do not cover all times", spansMost, last)
	}
}
