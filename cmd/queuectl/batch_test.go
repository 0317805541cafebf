package main

import (
	"bufio"
	"io"
	"strings"
	"testing"
)

func TestStartsArray_SkipsByteOrderMarkAndBlankLines(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text  string
		array bool
		line  int
		rest  string
	}{
		{"[1]", true, 1, "[1]"},
		{"\xef\xbb\xbf[1]", true, 1, "[1]"},
		{"\r\n\n  [1]", true, 3, "[1]"},
		{"\n{}", false, 2, "{}"},
		{"", false, 1, ""},
		{"\n\n", false, 3, ""},
	} {
		r := bufio.NewReader(strings.NewReader(test.text))
		array, line, err := startsArray(r)
		rest, _ := io.ReadAll(r)
		if err != nil || array != test.array || line != test.line || string(rest) != test.rest {
			t.Errorf("%q: got %v, line %d, rest %q, %v; want %v, line %d, rest %q",
				test.text, array, line, rest, err, test.array, test.line, test.rest)
		}
	}
}

func TestLineCounter_FindsLinesOfWhatADecoderRead(t *testing.T) {
	t.Parallel()
	l := &lineCounter{r: strings.NewReader("a\nb\n\nc"), line: 3}
	if _, err := io.ReadAll(l); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		offset int64
		want   int
	}{{0, 3}, {1, 3}, {2, 4}, {4, 5}, {5, 6}, {6, 6}} {
		if got := l.at(test.offset); got != test.want {
			t.Errorf("offset %d is in line %d, want %d", test.offset, got, test.want)
		}
	}
}
