package main

import (
	"bufio"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/queuectl/queuectl/job"
)

func TestStartsArray_SkipsByteOrderMarkAndBlankLines(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text  string
		array bool
		at    spot
		rest  string
	}{
		{"[1]", true, spot{1, 1}, "[1]"},
		{"\xef\xbb\xbf[1]", true, spot{1, 1}, "[1]"},
		{"\r\n\n  [1]", true, spot{3, 3}, "[1]"},
		{"\n{}", false, spot{2, 1}, "{}"},
		{"", false, spot{1, 1}, ""},
		{"\n\n", false, spot{3, 1}, ""},
	} {
		r := bufio.NewReader(strings.NewReader(test.text))
		array, at, err := startsArray(r)
		rest, _ := io.ReadAll(r)
		if err != nil || array != test.array || at != test.at || string(rest) != test.rest {
			t.Errorf("%q: got %v, at %v, rest %q, %v; want %v, at %v, rest %q",
				test.text, array, at, rest, err, test.array, test.at, test.rest)
		}
	}
}

// TestBadJSON_IsNamedByItsPlaceInTheFile: line and column are those of the file, whatever of it was read
// before, and what was expected there is said in the same words for lines and for an array.
func TestBadJSON_IsNamedByItsPlaceInTheFile(t *testing.T) {
	t.Parallel()
	const good = `{"id":"a","command":"true"}`
	long := `{"command":"` + strings.Repeat("x", job.MaxSpecSize)
	for _, test := range []struct{ name, text, want string }{
		{"a line", "  {]", `file:1: found ']', expected a name in "double quotes" (column 4)`},
		{"a later line", good + "\n\n é {]", `file:3: found 'é', expected an object in { } (column 2)`},
		{"an indented line", good + "\r\n\t{]\r\n", `file:2: found ']', expected a name in "double quotes" (column 3)`},
		{"an element", "[\n  {\"id\" 1}]", `file:2: found '1', expected a colon (column 9)`},
		{"an element of several lines", "\n\n [{\n\"id\": \"é\" 1}]", `file:4: found '1', expected a comma or } (column 11)`},
		{"an element behind others", "[" + good + ",\n" + good + ", {]", `file:2: found ']', expected a name in "double quotes" (column 31)`},
		{"no element", "[" + good + ",\n]", `file:2: found ']', expected an object in { } (column 1)`},
		{"a comma first", "[ ,", `file:1: found ',', expected an object in { } (column 3)`},
		{"no comma", "[" + good + "\n" + good + "]", `file:2: found '{', expected a comma or ] (column 1)`},
		{"no end of the array", "[" + good + "\n", "file:2: found the end of the text, expected a comma or ] (column 1)"},
		{"no end of an element", "[{", `file:1: found the end of the text, expected a name in "double quotes" (column 3)`},
		{"only a bracket", "[", "file:1: found the end of the text, expected an object in { } (column 2)"},
		{"more behind the array", "[" + good + "]\n ]", "file:2: found something behind the array, expected nothing more (column 2)"},
		{"no object", "[" + good + ",\n  5]", "file:2: found '5', expected an object in { } (column 3)"},
		{"an unfinished element that is too long", "[\n" + long, "file:2: the element is longer than a spec may be, 256.0 KiB"},
		{"an unfinished line that is too long", "\n" + long + long, "file:2: the line is longer than a spec may be, 256.0 KiB"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := batch{file: "file"}
			err := b.read(newSession(nil, tempFile(t), tempFile(t)), bufio.NewReader(strings.NewReader(test.text)))
			if err == nil {
				t.Fatal("it was accepted")
			}
			if got := strings.TrimPrefix(err.Error(), "Invalid JSON: "); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestReadArray_GivesTheSpecsAndTheirLines(t *testing.T) {
	t.Parallel()
	b := batch{file: "file"}
	text := " [ {\"id\":\"a\",\"command\":\"true\"} ,{\"id\":\"b\",\n\"command\":\"true\"},\r\n\t{\"id\":\"c\",\"command\":\"[{,}]\"} ] \n"
	if err := b.read(newSession(nil, tempFile(t), tempFile(t)), bufio.NewReader(strings.NewReader(text))); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, spec := range b.specs {
		ids = append(ids, spec.ID)
	}
	if !slices.Equal(ids, []string{"a", "b", "c"}) || !slices.Equal(b.lines, []int{1, 1, 3}) {
		t.Errorf("got %v in lines %v", ids, b.lines)
	}
}
