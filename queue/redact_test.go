package queue

import (
	"strings"
	"testing"
)

func TestRedactor_HidesWhole(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		secrets        []string
		patterns, text string
		from           int
		want           string
	}{
		{nil, "", "plain", 0, "plain"},
		{[]string{"s3cret"}, "", "a s3cret s3cret.", 0, "a *** ***."},
		{[]string{"abcab"}, "", "abcabcab!", 0, "***!"}, // they overlap
		{[]string{"abc", "bcd"}, "", "abcd", 0, "***"},
		{[]string{"s3cret"}, "", "a s3cret b", 4, "*** b"},
		{[]string{"s3cret"}, "", "s3cret b", 6, " b"},
		{[]string{"line one\nline two\nx"}, "", "x: line two", 0, "x: ***"},
		{nil, "ghp_[a-z]+\nBearer \\S+", "ghp_abc Bearer 12,x y", 0, "*** *** y"},
		{[]string{"b"}, "a.c", "abc b", 1, "*** ***"},
		{[]string{""}, "", "ab", 0, "ab"},
	} {
		if got := string(newRedactor(c.patterns, c.secrets).hide([]byte(c.text), c.from)); got != c.want {
			t.Errorf("%q %q of %q from %d: %q, want %q", c.secrets, c.patterns, c.text, c.from, got, c.want)
		}
	}
	if r := newRedactor("", []string{strings.Repeat("x", 100)}); r.before() < 100 {
		t.Errorf("it sees %d bytes before", r.before())
	}
}
