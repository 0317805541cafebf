package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/queuectl/queuectl/job"
)

// batch is the jobs that one command enqueues.
type batch struct {
	specs []job.Spec
	file  string // where they came from; "" = the command line
	lines []int  // of specs in file, from 1
}

// place names the spec in an error, for the start of a message.
func (b *batch) place(index int) string {
	if b.file == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d: ", b.file, b.lines[index])
}

// readSpec reads the one spec that the command line holds.
func readSpec(s *session, text []byte) (batch, error) {
	var b batch
	err := b.add(s, text, 1)
	return b, err
}

// readFile reads a file of JSON lines or of one JSON array, and checks it as a whole.
func readFile(s *session, path string) (batch, error) {
	b := batch{file: path}
	in := s.stdin
	if path == "-" {
		b.file = "standard input"
	} else {
		f, err := os.Open(path)
		if err != nil {
			return batch{}, unreadable(err)
		}
		defer f.Close() // only read
		in = f
	}
	r := bufio.NewReader(in)
	err := b.read(s, r)
	if err == nil && len(b.specs) == 0 {
		err = invalid(b.file+" holds no jobs", "")
	}
	return b, err
}

func (b *batch) read(s *session, r *bufio.Reader) error {
	array, line, err := startsArray(r)
	switch {
	case err != nil:
		return unreadable(err)
	case array:
		return b.readArray(s, r, line)
	}
	return b.readLines(s, r, line)
}

// unreadable is the failure of a file that cannot be read.
func unreadable(err error) error {
	return &failure{exit: exitUsage, code: "invalid", err: err, hint: "--file names a file of JSON lines, or - for standard input"}
}

// startsArray skips a byte order mark and white space and says what follows, and in which line.
func startsArray(r *bufio.Reader) (array bool, line int, err error) {
	const byteOrderMark = "\xef\xbb\xbf"
	if head, _ := r.Peek(len(byteOrderMark)); string(head) == byteOrderMark {
		_, _ = r.Discard(len(byteOrderMark)) // cannot fail: it was peeked at
	}
	for line = 1; ; {
		c, err := r.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return false, line, nil
		case err != nil:
			return false, line, err
		case c == '\n':
			line++
		case c != ' ' && c != '\t' && c != '\r':
			return c == '[', line, r.UnreadByte()
		}
	}
}

// readLines reads one spec a line. Blank lines are skipped.
func (b *batch) readLines(s *session, r *bufio.Reader, line int) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, job.MaxSpecSize+1<<10)
	for ; lines.Scan(); line++ {
		text := bytes.TrimSpace(lines.Bytes())
		if len(text) == 0 {
			continue
		}
		if err := b.add(s, text, line); err != nil {
			return err
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return invalid(fmt.Sprintf("%s:%d: the line is longer than a spec may be, %s", b.file, line, size(job.MaxSpecSize)), "")
	}
	if lines.Err() != nil {
		return unreadable(lines.Err())
	}
	return nil
}

// readArray reads a JSON array of specs.
func (b *batch) readArray(s *session, r io.Reader, line int) error {
	lines := &lineCounter{r: r, line: line}
	dec := json.NewDecoder(lines)
	if _, err := dec.Token(); err != nil { // the bracket that was seen before
		return err
	}
	for dec.More() {
		var text json.RawMessage
		before := lines.at(dec.InputOffset())
		if err := dec.Decode(&text); err != nil {
			return b.badArray(err, max(before, lines.at(dec.InputOffset())))
		}
		start := dec.InputOffset() - int64(len(text))
		if err := b.add(s, text, lines.at(start)); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil {
		return b.badArray(err, lines.at(dec.InputOffset()))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return invalidJSON(fmt.Sprintf("%s:%d: something follows the array", b.file, lines.at(dec.InputOffset())))
	}
	return nil
}

func (b *batch) badArray(err error, line int) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("the array does not end")
	}
	return invalidJSON(fmt.Sprintf("%s:%d: %v", b.file, line, err))
}

// add parses one spec, which begins in the given line.
func (b *batch) add(s *session, text []byte, line int) error {
	b.lines = append(b.lines, line)
	spec, warnings, err := job.ParseSpec(text)
	if err != nil {
		return b.refused(err, text)
	}
	for _, w := range warnings {
		s.warn(b.place(len(b.specs)) + w)
	}
	b.specs = append(b.specs, spec)
	return nil
}

// refused is the failure of a spec that could not be read.
func (b *batch) refused(err error, text []byte) error {
	bad, isJSON := errors.AsType[*job.JSONError](err)
	switch {
	case !isJSON:
		return &failure{message: "Failed to enqueue: " + b.place(len(b.specs)) + err.Error(), err: err}
	case b.file != "":
		line := b.lines[len(b.lines)-1] + bad.Line - 1
		return invalidJSON(fmt.Sprintf("%s:%d: %s", b.file, line, bad.Reason))
	}
	where := fmt.Sprintf("column %d", bad.Column)
	if bytes.IndexByte(text, '\n') >= 0 {
		where = fmt.Sprintf("line %d, %s", bad.Line, where)
	}
	f := invalidJSON(fmt.Sprintf("%s (%s)", bad.Reason, where))
	f.hint = "shells take quotes away: put the JSON into single quotes, or use flags instead ('queuectl enqueue --help')"
	if !bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		f.hint = "a command needs no JSON: queuectl enqueue -- " + job.Quote([]string{string(text)})
	}
	return f
}

// invalidJSON is the failure of text that is not JSON, in the words of the original program.
func invalidJSON(message string) *failure {
	return &failure{exit: exitUsage, code: "invalid_json", message: "Invalid JSON: " + message}
}

// lineCounter remembers where the lines of what is read through it begin.
type lineCounter struct {
	r      io.Reader
	line   int     // number of the first line
	read   int64   // bytes
	breaks []int64 // offsets of line breaks that at has not passed
}

func (l *lineCounter) Read(p []byte) (n int, err error) {
	n, err = l.r.Read(p)
	for i, c := range p[:n] {
		if c == '\n' {
			l.breaks = append(l.breaks, l.read+int64(i))
		}
	}
	l.read += int64(n)
	return n, err
}

// at returns the line of an offset. Offsets must not decrease from call to call.
func (l *lineCounter) at(offset int64) int {
	for len(l.breaks) > 0 && l.breaks[0] < offset {
		l.breaks = l.breaks[1:]
		l.line++
	}
	return l.line
}
