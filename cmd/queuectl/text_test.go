package main

import (
	"testing"
	"time"

	"github.com/queuectl/queuectl/job"
)

func TestPlain_StripsWhatATerminalWouldObey(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, text, want string }{
		{"plain text", "echo hello", "echo hello"},
		{"colours", "\x1b[31mred\x1b[0m", "red"},
		{"cursor movement", "a\x1b[2J\x1b[1;1Hb", "ab"},
		{"private mode", "\x1b[?1049hx", "x"},
		{"window title", "\x1b]0;owned\x07x", "x"},
		{"window title, ended by ST", "\x1b]0;owned\x1b\\x", "x"},
		{"link", "\x1b]8;;http://evil\x1b\\text\x1b]8;;\x1b\\", "text"},
		{"unfinished title", "x\x1b]0;owned", "x"},
		{"device control string", "\x1bP1;2q#payload\x1b\\x", "x"},
		{"eight-bit CSI", "\u009b31mred", "red"},
		{"character set", "\x1b(0x", "x"},
		{"reset", "\x1bcx", "x"},
		{"a lone escape", "x\x1b", "x"},
		{"backspaces", "rm\b\bls", "rmls"},
		{"carriage return", "safe\revil", "safeevil"},
		{"bell", "x\a", "x"},
		{"line breaks", "a\nb\tc", "a b c"},
		{"line separators", "a\u2028b\u0085c", "a bc"},
		{"reversed text", "a\u202ecod.exe", "acod.exe"},
		{"isolates", "\u2066a\u2069", "a"},
		{"bytes that are not UTF-8", "a\xff\xfeb", "a\ufffdb"},
		{"emoji", "👩\u200d🚀 ok", "👩\u200d🚀 ok"},
		{"wide characters", "日本語", "日本語"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := plain(test.text); got != test.want {
				t.Errorf("plain(%q) = %q, want %q", test.text, got, test.want)
			}
		})
	}
}

func TestRelative_NamesTheLargestUnit(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 8, 4, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		ago  time.Duration
		want string
	}{
		{0, "now"},
		{999 * time.Millisecond, "now"},
		{time.Second, "1s ago"},
		{59 * time.Second, "59s ago"},
		{time.Minute, "1m ago"},
		{time.Hour - 1, "59m ago"},
		{47 * time.Hour, "47h ago"},
		{48 * time.Hour, "2d ago"},
		{800 * 24 * time.Hour, "2y ago"},
		{-5 * time.Second, "in 5s"},
		{-90 * time.Minute, "in 1h"},
	} {
		if got := relative(now, now.Add(-test.ago)); got != test.want {
			t.Errorf("%v ago: got %q, want %q", test.ago, got, test.want)
		}
	}
	if got := relative(now, time.Time{}); got != "-" {
		t.Errorf("no time: got %q, want a dash", got)
	}
}

func TestSize_KeepsOneDigit(t *testing.T) {
	t.Parallel()
	for bytes, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 64 << 20: "64.0 MiB", 5 << 40: "5.0 TiB",
	} {
		if got := size(bytes); got != want {
			t.Errorf("size(%d) = %q, want %q", bytes, got, want)
		}
	}
}

func TestSpan_KeepsThreeDigits(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0s", 123_456: "123µs", 12_345_678: "12.3ms", 1_234_567_890: "1.23s", 2 * time.Second: "2s", 90 * time.Minute: "1h30m0s",
	} {
		if got := threeDigits(d); got != want {
			t.Errorf("threeDigits(%d) = %q, want %q", d, got, want)
		}
	}
}

func TestCommandLine_CanBeTypedIntoAShell(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		spec job.Spec
		want string
	}{
		{job.Spec{Command: "a && b"}, "a && b"},
		{job.Spec{Argv: []string{"make", "-j4", "test"}}, "make -j4 test"},
		{job.Spec{Argv: []string{"echo", "a b", "", "it's", "$x", "*"}}, `echo 'a b' '' 'it'\''s' '$x' '*'`},
		{job.Spec{Kind: "mail", Payload: []byte(`{"to":"a"}`)}, `mail {"to":"a"}`},
	} {
		if got := commandLine(test.spec); got != test.want {
			t.Errorf("got %s, want %s", got, test.want)
		}
	}
}
