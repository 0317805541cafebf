package job

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

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
