package job

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestParseDuration_ReadsWhatFormatDurationWrites(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := validDurations.Draw(t, "duration")
		text := FormatDuration(want)
		if got, err := ParseDuration(text); got != want || err != nil {
			t.Fatalf("%s: got %v, %v, want %v", text, got, err, want)
		}
	})
}

func TestFormatDuration_LeavesOutWhatIsZero(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0", 24 * time.Hour: "24h", 90 * time.Minute: "1h30m", 10 * time.Minute: "10m", 10 * time.Second: "10s",
		time.Hour + time.Second: "1h0m1s", 100 * time.Millisecond: "100ms", 1500 * time.Millisecond: "1.5s", 1: "1ns", MaxDuration: "876000h",
	} {
		if got := FormatDuration(d); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestParseDuration_RefusesOtherTexts(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", ".", "-1", "-1s", "+1", "1e3", "0x10", "NaN", "Inf", "d", "1d2d", "1d24h", "1d-1h", "1dx", "36501d", "1w", "876000h1ns",
		"9999999999999999999999", "1d" + strings.Repeat("0", 100_000) + "d", strings.Repeat("9", 100_000), " 1s", "1 s", "1_0",
	} {
		if got, err := ParseDuration(text); !errors.Is(err, ErrInvalid) || len(err.Error()) > 300 {
			t.Errorf("%.20q: got %v, %v, want ErrInvalid", text, got, err)
		}
	}
}

func TestLastError_SaysHowTheRunEnded(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		why    Why
		result Result
		want   string
	}{
		{WhyExit, Result{Exit: 3, Tail: "no such file\n"}, "Exit 3: no such file"},
		{WhyExit, Result{Exit: 127}, "Exit 127"},
		{WhyExit, Result{Exit: 1, Tail: " \r\n\n\t"}, "Exit 1"},
		{WhySignal, Result{Signal: 9, Tail: "a\n\n\nb \r\n"}, "Signal 9: a\nb"},
		{WhyTimeout, Result{Timeout: 2 * time.Second, Exit: 3, Signal: 15, Tail: "still here"}, "Timeout after 2s: still here"},
		{WhyTimeout, Result{Timeout: 90 * time.Minute}, "Timeout after 1h30m"},
		{WhyNone, Result{}, "Worker lost"},
		{Why(77), Result{Tail: "x"}, "Why(77): x"},
		{WhyExit, Result{Exit: 1, Tail: "10%\r50%\r100%"}, "Exit 1: 10%\n50%\n100%"},
		{WhyExit, Result{Exit: 1, Tail: "\x98\x80cut character \xff"}, "Exit 1: cut character \ufffd"},
	} {
		if got := LastError(tt.why, tt.result); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

func TestLastError_ShowsTheLastLinesOfALongOutput(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 300)
	for _, tt := range []struct{ name, tail, want string }{
		{"all that fits", strings.Repeat("é", 200), strings.Repeat("é", 200)},
		{"whole lines", strings.Repeat("x", 150) + "\n" + strings.Repeat("y", 150), strings.Repeat("y", 150)},
		{"exactly whole lines", "first\n" + strings.Repeat("y", 200), strings.Repeat("y", 200)},
		{"one long line", long, "…" + strings.Repeat("é", 199)},
		{"a long line and a short one", long + "\nend", "…" + strings.Repeat("é", 195) + "\nend"},
	} {
		if got := LastError(WhyExit, Result{Exit: 1, Tail: tt.tail}); got != "Exit 1: "+tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

func TestLastError_IsShortAndValid(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		tail := string(rapid.SliceOf(rapid.SampledFrom([]byte("ab \n\r\xc3\xa9\xf0\x9f\x98\x80\xff"))).Draw(t, "tail"))
		got, _ := strings.CutPrefix(LastError(WhyExit, Result{Tail: strings.Repeat(tail, 20)}), "Exit 0")
		if n := utf8.RuneCountInString(strings.TrimPrefix(got, ": ")); n > 200 || !utf8.ValidString(got) {
			t.Fatalf("%d characters: %q", n, got)
		}
	})
}

func TestState_Transitions(t *testing.T) {
	t.Parallel()
	legal := map[[2]State]string{
		{0, Pending}:            "enqueue",
		{Pending, Processing}:   "claim",
		{Pending, Cancelled}:    "cancel",
		{Processing, Completed}: "success",
		{Processing, Failed}:    "failure",
		{Processing, Dead}:      "the last failure",
		{Processing, Pending}:   "run lost or returned",
		{Processing, Cancelled}: "cancel",
		{Failed, Processing}:    "claim",
		{Failed, Pending}:       "retry",
		{Failed, Cancelled}:     "cancel",
		{Dead, Pending}:         "retry",
	}
	for from := range State(9) {
		for to := range State(9) {
			if _, want := legal[[2]State{from, to}]; from.CanBecome(to) != want {
				t.Errorf("%v to %v: got %t, want %t", from, to, !want, want)
			}
		}
	}
}

func TestState_EveryStateWaitsRunsOrHasEnded(t *testing.T) {
	t.Parallel()
	for _, s := range States {
		if n := b(s.Waiting()) + b(s.Ended()) + b(s == Processing); n != 1 {
			t.Errorf("%v is %d of these", s, n)
		}
		if s.Ended() && s.CanBecome(Processing) {
			t.Errorf("%v can run again", s)
		}
	}
}

func b(v bool) int {
	if v {
		return 1
	}
	return 0
}

func TestNames_AreReadBack(t *testing.T) {
	t.Parallel()
	for _, want := range States {
		var got State
		if text, err := json.Marshal(want); err != nil || json.Unmarshal(text, &got) != nil || got != want {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	}
	for _, want := range []OnCrash{CrashRetry, CrashDead} {
		var got OnCrash
		if text, err := json.Marshal(want); err != nil || json.Unmarshal(text, &got) != nil || got != want {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	}
	for _, text := range []string{"", "none", "State(7)", "Pending"} {
		if got, err := ParseState(text); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: got %v, %v, want ErrInvalid", text, got, err)
		}
	}
	if got, want := State(7).String()+Why(77).String()+OnCrash(7).String(), "State(7)Why(77)OnCrash(7)"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestNearest_CountsLettersThatDiffer(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "", 3}, {"", "abc", 3}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"abc", "axc", 1}, {"abcd", "bcde", 2}, {"maxretry", "maxretries", 3}} {
		if got := editDistance(tt.a, tt.b); got != tt.want {
			t.Errorf("%s, %s: got %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}
