package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/queuectl/queuectl/job"
)

// batch is the jobs that one command enqueues.
type batch struct {
	specs []job.Spec
	file  string // where they came from; "" = the command line
	array bool   // the file is one JSON array
	lines []int  // of specs in file, from 1
}

// spot is a place in a text for people: line and column, in characters, from 1.
type spot struct{ line, column int }

// after returns the place that a text which begins here ends at.
func (at spot) after(text []byte) spot {
	if i := bytes.LastIndexByte(text, '\n'); i >= 0 {
		at, text = spot{at.line + bytes.Count(text, []byte("\n")), 1}, text[i+1:]
	}
	at.column += utf8.RuneCount(text)
	return at
}

// place names the spec in an error, for the start of a message.
func (b *batch) place(index int) string {
	if b.file == "" {
		return ""
	}
	if index < len(b.lines) && b.lines[index] == 0 {
		return "--then: "
	}
	return fmt.Sprintf("%s:%d: ", b.file, b.lines[index])
}

// readSpec reads the one spec that the command line holds.
func readSpec(s *session, text []byte) (batch, error) {
	var b batch
	err := b.add(s, text, spot{1, 1})
	return b, err
}

// readFile reads a file of JSON lines or of one JSON array, and checks it as a whole.
func readFile(s *session, path string) (batch, error) {
	in, name, err := openInput(s, path)
	if err != nil {
		return batch{}, err
	}
	defer in.Close() // only read
	b := batch{file: name}
	err = b.read(s, bufio.NewReader(in))
	if err == nil && len(b.specs) == 0 {
		err = invalid(b.file+" holds no jobs", "")
	}
	return b, err
}

// openInput opens the file that --file names, and says what it is called in errors.
func openInput(s *session, path string) (in io.ReadCloser, name string, err error) {
	if path == "-" {
		return io.NopCloser(s.stdin), "standard input", nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, "", unreadable(err)
	}
	return f, path, nil
}

func (b *batch) read(s *session, r *bufio.Reader) error {
	array, at, err := startsArray(r)
	if err != nil {
		return unreadable(err)
	}
	if b.array = array; !array {
		return b.readLines(s, r, at)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return unreadable(err)
	}
	return b.readArray(s, data, at)
}

// unreadable is the failure of a file that cannot be read.
func unreadable(err error) error {
	return &failure{exit: exitUsage, code: "invalid", err: err, hint: "--file names a file, or - for standard input"}
}

func skipByteOrderMark(r *bufio.Reader) {
	const byteOrderMark = "\xef\xbb\xbf"
	if head, _ := r.Peek(len(byteOrderMark)); string(head) == byteOrderMark {
		_, _ = r.Discard(len(byteOrderMark)) // cannot fail: it was peeked at
	}
}

// startsArray skips a byte order mark and white space and says what follows, and where.
func startsArray(r *bufio.Reader) (array bool, at spot, err error) {
	skipByteOrderMark(r)
	for at = (spot{1, 1}); ; {
		c, err := r.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return false, at, nil
		case err != nil:
			return false, at, err
		case c != '\n' && c != ' ' && c != '\t' && c != '\r':
			return c == '[', at, r.UnreadByte()
		}
		at = at.after([]byte{c})
	}
}

// readLines reads one spec a line, from the place that startsArray has found. Blank lines are skipped.
func (b *batch) readLines(s *session, r io.Reader, at spot) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, job.MaxSpecSize+1<<10)
	for ; lines.Scan(); at = (spot{at.line + 1, 1}) {
		text := bytes.TrimSpace(lines.Bytes())
		if len(text) == 0 {
			continue
		}
		if err := b.add(s, text, at.after(lines.Bytes()[:bytes.Index(lines.Bytes(), text)])); err != nil {
			return err
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return invalid(fmt.Sprintf("%s:%d: the line is longer than a spec may be, %s", b.file, at.line, size(job.MaxSpecSize)), "")
	}
	if lines.Err() != nil {
		return unreadable(lines.Err())
	}
	return nil
}

// readArray reads a JSON array of specs, which begins at the given place.
func (b *batch) readArray(s *session, data []byte, at spot) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	if _, err := dec.Token(); err != nil { // the bracket that was seen before
		return err
	}
	seen := 0 // at is the place of data[seen:]
	moveTo := func(offset int) []byte {
		at, seen = at.after(data[seen:offset]), offset
		return data[offset:]
	}
	rest := moveTo(afterBlanks(data, 1))
	for more := !bytes.HasPrefix(rest, []byte("]")); more; {
		var text json.RawMessage
		if err := dec.Decode(&text); err != nil {
			return b.badElement(rest, at)
		}
		if err := b.add(s, text, at); err != nil {
			return err
		}
		rest = moveTo(afterBlanks(data, seen+len(text)))
		more = bytes.HasPrefix(rest, []byte(","))
		switch {
		case more:
			rest = moveTo(afterBlanks(data, seen+1))
		case len(rest) == 0:
			return b.misplaced("found the end of the text, expected a comma or ]", at)
		case rest[0] != ']':
			r, _ := utf8.DecodeRune(rest)
			return b.misplaced(fmt.Sprintf("found %q, expected a comma or ]", r), at)
		}
	}
	if rest = moveTo(afterBlanks(data, seen+1)); len(rest) > 0 {
		return b.misplaced("found something behind the array, expected nothing more", at)
	}
	return nil
}

// afterBlanks returns the offset of the first byte from the given one on that is no white space.
func afterBlanks(data []byte, offset int) int {
	return len(data) - len(bytes.TrimLeft(data[offset:], " \t\r\n"))
}

// badElement is the failure of what should be a spec, at the start of text, and is not even JSON.
func (b *batch) badElement(text []byte, at spot) error {
	_, _, err := job.ParseSpec(text[:min(len(text), job.MaxSpecSize)])
	bad, ok := errors.AsType[*job.JSONError](err)
	if !ok || len(text) > job.MaxSpecSize && bad.Offset > job.MaxSpecSize-utf8.UTFMax { // not wrong as far as one may look
		return invalid(fmt.Sprintf("%s:%d: the element is longer than a spec may be, %s", b.file, at.line, size(job.MaxSpecSize)), "")
	}
	return b.refused(err, text, at)
}

// misplaced is the failure of something between the elements of the array.
func (b *batch) misplaced(reason string, at spot) error {
	return b.refused(&job.JSONError{Line: 1, Column: 1, Reason: reason}, nil, at)
}

// add parses one spec, which begins at the given place.
func (b *batch) add(s *session, text []byte, at spot) error {
	b.lines = append(b.lines, at.line)
	spec, warnings, err := job.ParseSpec(text)
	if err != nil {
		return b.refused(err, text, at)
	}
	for _, w := range warnings {
		s.warn(b.place(len(b.specs)) + w)
	}
	b.specs = append(b.specs, spec)
	return nil
}

// refused is the failure of a spec, at the given place, that could not be read.
func (b *batch) refused(err error, text []byte, at spot) error {
	bad, isJSON := errors.AsType[*job.JSONError](err)
	if !isJSON {
		return &failure{message: "Failed to enqueue: " + b.place(len(b.specs)) + err.Error(), err: err}
	}
	column := bad.Column
	if bad.Line == 1 {
		column += at.column - 1
	}
	line := at.line + bad.Line - 1
	var f *failure
	switch {
	case b.file != "":
		f = invalidJSON(fmt.Sprintf("%s:%d: %s (column %d)", b.file, line, bad.Reason, column))
		if !b.array {
			f.hint = "a file has a whole job on each line, or is one array in [ ]"
		}
		return f
	case bytes.IndexByte(text, '\n') >= 0:
		f = invalidJSON(fmt.Sprintf("%s (line %d, column %d)", bad.Reason, line, column))
	default:
		f = invalidJSON(fmt.Sprintf("%s (column %d)", bad.Reason, column))
	}
	f.hint = hintAtJSON(string(text))
	return f
}

// hintAtJSON says what to do with an argument that should be a spec and is not JSON.
func hintAtJSON(text string) string {
	const forms = "'queuectl enqueue --help' has an example of each form"
	text = strings.TrimSpace(strings.TrimPrefix(text, "\ufeff"))
	switch {
	case text == "" || strings.HasPrefix(text, "{") && strings.Contains(text, `"`):
		return forms
	case strings.HasPrefix(text, "{"):
		return "shells take quotes away: put the JSON into single quotes, or use flags instead; " + forms
	case strings.HasPrefix(text, "["):
		return "an array of jobs is read from a file or a pipe: queuectl enqueue -f FILE"
	}
	return "a command needs no JSON: queuectl enqueue -- " + job.Quote([]string{text})
}

// invalidJSON is the failure of text that is not JSON, in the words of the original program.
func invalidJSON(message string) *failure {
	return &failure{exit: exitUsage, code: "invalid_json", message: "Invalid JSON: " + message}
}
