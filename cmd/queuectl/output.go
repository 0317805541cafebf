package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"
)

// format is how data is printed; the zero format is what suits the place that it goes to.
type format string

const (
	formatAuto  format = ""
	formatTable format = "table"
	formatJSON  format = "json"  // one document
	formatJSONL format = "jsonl" // a JSON document a line
)

// machine says that a program will read the output, because it was asked for so.
func (f format) machine() bool { return f == formatJSON || f == formatJSONL }

// wantsJSON says whether JSON was asked for, before the arguments are parsed: for the errors of parsing.
func wantsJSON(args []string) bool {
	want := format(os.Getenv("QUEUECTL_OUTPUT"))
	for i, arg := range args {
		value, long := strings.CutPrefix(arg, "--output=")
		short, isShort := strings.CutPrefix(arg, "-o")
		switch {
		case arg == "--":
			return want.machine()
		case arg == "--json":
			want = formatJSON
		case (arg == "-o" || arg == "--output") && i+1 < len(args):
			want = format(args[i+1])
		case long:
			want = format(value)
		case isShort && short != "":
			want = format(strings.TrimPrefix(short, "="))
		}
	}
	return want.machine()
}

// errNotPrinted is in every error of standard output.
var errNotPrinted = errors.New("cannot print")

// printer writes to standard output.
type printer struct{ f *os.File }

func (p printer) Write(data []byte) (n int, err error) {
	if n, err = p.f.Write(data); err != nil {
		err = fmt.Errorf("%w: %w", errNotPrinted, err)
	}
	return n, err
}

// output is standard output: data only. Writing to it can wait until Flush; its first error is kept, so
// that commands need not look at every line.
type output struct {
	*bufio.Writer
	file     *os.File
	terminal bool
	width    int // columns of the terminal; 0 = not one, or unknown
}

// abandoned says that nobody reads the output any more, as far as that can be told.
func (o *output) abandoned() bool { return abandoned(o.file) }

func newOutput(f *os.File) *output {
	o := &output{Writer: bufio.NewWriter(printer{f}), file: f, terminal: term.IsTerminal(int(f.Fd()))}
	if o.terminal {
		o.width, _, _ = term.GetSize(int(f.Fd())) // an unknown width cuts nothing off
	}
	return o
}

// printf prints a line of words.
func (s *session) printf(format string, args ...any) {
	fmt.Fprintf(s.out, format+"\n", args...)
}

// document prints v as one JSON document: indented for -o json, on a line of its own otherwise.
func (s *session) document(v any) error {
	enc := json.NewEncoder(s.out)
	enc.SetEscapeHTML(false)
	if s.format == formatJSON {
		enc.SetIndent("", "  ")
	}
	return enc.Encode(v)
}

// listing is how a list can be printed.
type listing[T any] struct {
	view  func(T) any    // as JSON
	id    func(T) string // for --quiet
	table func(s *session, items []T) table
}

// asTable says whether print will print a table.
func (s *session) asTable() bool {
	return !s.quiet && (s.format == formatTable || s.format == formatAuto && s.out.terminal)
}

// print prints the items in the form that was asked for: a table on a terminal, JSON lines otherwise.
func (l listing[T]) print(s *session, items []T) error {
	switch {
	case s.quiet:
		for _, item := range items {
			s.printf("%s", l.id(item))
		}
	case s.asTable():
		l.table(s, items).print(s)
	case s.format == formatJSON:
		views := make([]any, 0, len(items)) // [] when empty, never null
		for _, item := range items {
			views = append(views, l.view(item))
		}
		return s.document(views)
	default:
		for _, item := range items {
			if err := s.document(l.view(item)); err != nil {
				return err
			}
		}
	}
	return nil
}
