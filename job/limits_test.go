package job

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestLimits_RatesAreReadAndWritten(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Limits{
		"10/s": {Rate: 10, Per: time.Second}, "600/m": {Rate: 600, Per: time.Minute}, "1/h": {Rate: 1, Per: time.Hour},
		"1000000/s": {Rate: 1e6, Per: time.Second}, "none": {},
	} {
		got := Limits{Concurrency: 7, Rate: 3, Per: time.Hour}
		want.Concurrency = 7 // stays as it is
		if err := got.SetRate(text); err != nil || got != want {
			t.Errorf("%q: %+v, %v; want %+v", text, got, err, want)
		}
		if back := got.RateText(); back != text {
			t.Errorf("%q is written as %q", text, back)
		}
		if err := got.Check(); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range []string{"", "0", "10", "10/", "/s", "0/s", "-1/s", "1.5/s", "10/d", "10/sec", "10/S", "1000001/s", "10 /s", "1/s/m", "off"} {
		var l Limits
		if err := l.SetRate(text); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "10/s") || l != (Limits{}) {
			t.Errorf("%q: %+v, %v; want ErrInvalid with an example", text, l, err)
		}
	}
}

func TestLimits_ConcurrencyIsReadAndWritten(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]uint32{"none": 0, "1": 1, "1000000000": 1e9} {
		l := Limits{Concurrency: 5}
		if err := l.SetConcurrency(text); err != nil || l.Concurrency != want {
			t.Errorf("%q: %+v, %v; want %d", text, l, err, want)
		}
		if back := l.ConcurrencyText(); back != text {
			t.Errorf("%q is written as %q", text, back)
		}
	}
	for _, text := range []string{"", "0", "-1", "1.5", "many", "1000000001", "99999999999999999999"} {
		var l Limits
		if err := l.SetConcurrency(text); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v, want ErrInvalid", text, err)
		}
	}
}

func TestLimits_TheIntervalNeverExceedsTheRate(t *testing.T) {
	t.Parallel()
	for _, l := range []Limits{{Rate: 3, Per: time.Second}, {Rate: 7, Per: time.Minute}, {Rate: 1e6, Per: time.Second}, {Rate: 1, Per: time.Hour}} {
		if each := l.Interval(); each*time.Duration(l.Rate) < l.Per || each > l.Per {
			t.Errorf("%+v: %v after each job", l, each)
		}
	}
	if (Limits{}).Interval() != 0 {
		t.Error("no rate has an interval")
	}
	for _, l := range []Limits{{Per: time.Second}, {Rate: 1}, {Rate: 1, Per: time.Minute + 1}, {Concurrency: 2e9}, {Rate: 2e6, Per: time.Second}} {
		if err := l.Check(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%+v: %v, want ErrInvalid", l, err)
		}
	}
}
