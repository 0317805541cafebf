package main

import "testing"

func TestFrame_FitsTheScreen(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text   string
		height int
		want   string
	}{
		{"a\n", 3, "\x1b[Ha\x1b[K\x1b[J"},
		{"a\nb\nc\n", 3, "\x1b[Ha\x1b[K\r\nb\x1b[K\r\nc\x1b[K\x1b[J"},
		{"a\nb\nc\nd\n", 3, "\x1b[Ha\x1b[K\r\nb\x1b[K\r\n… 2 more lines\x1b[K\x1b[J"},
		{"a\nb\n", 1, "\x1b[H… 2 more lines\x1b[K\x1b[J"},
	} {
		if got := frame(test.text, test.height); got != test.want {
			t.Errorf("%q in %d lines: got %q, want %q", test.text, test.height, got, test.want)
		}
	}
}
