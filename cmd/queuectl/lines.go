package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/queuectl/queuectl/job"
)

// linesFlags make one job of each line of a text.
type linesFlags struct {
	Lines bool `help:"Add one job for each line of standard input, or of FILE: the line is its command for the shell."`
	Each  bool `help:"Add one job for each line of standard input, or of FILE: the command line behind --, with the line for {}, or at its end."`
}

// perLine says whether one of the flags was given.
func (f linesFlags) perLine() bool { return f.Lines || f.Each }

// lineMark stands for the line in the words of a job.
const lineMark = "{}"

// readPerLine reads the specs that --lines or --each asks for. Job flags hold for all of them.
func (c *enqueueCmd) readPerLine(s *session, fields map[string]any) (batch, error) {
	if err := c.checkPerLine(s); err != nil {
		return batch{}, err
	}
	object, err := c.object([]string{lineMark}, fields) // each line takes the place of this command line
	if err != nil {
		return batch{}, err
	}
	common, err := readSpec(s, object)
	if err != nil {
		return batch{}, err
	}
	spec := common.specs[0]
	in, name, err := openInput(s, c.input())
	if err != nil {
		return batch{}, err
	}
	defer in.Close() // only read
	b := batch{file: name}
	err = b.eachLine(in, func(line string) job.Spec {
		if c.Lines {
			spec.Command, spec.Argv = line, nil
			return spec
		}
		each := spec
		each.ID = strings.ReplaceAll(spec.ID, lineMark, line)
		each.Argv = wordsWith(s.argv, line)
		return each
	})
	return b, err
}

// checkPerLine refuses what does not fit together.
func (c *enqueueCmd) checkPerLine(s *session) error {
	const forms = "'queuectl enqueue --help' has an example of each form"
	switch {
	case c.Lines && c.Each:
		return usage("give --lines or --each, not both", forms)
	case len(c.JSON) > 0 && c.Each && s.argv == nil:
		return usage("a command line goes behind --", "did you mean: queuectl enqueue --each -- "+job.Quote(c.JSON))
	case len(c.JSON) > 0:
		return usage("a job as JSON has no lines: give it without --lines and --each", forms)
	case c.Lines && (s.argv != nil || c.Command != ""):
		return usage("with --lines each line is the command: give none behind -- or with -c", "--each puts the line into a command line")
	case c.Lines && c.ID != "":
		return usage("--id is the id of one job, and --lines adds many", "")
	case c.Each && c.Command != "":
		return usage("--each runs no shell: give its command line behind --, not with -c",
			`if it needs one: queuectl enqueue --each -- sh -c 'gzip <"$1" >"$1.gz"' sh {}`)
	case c.Each && len(s.argv) == 0:
		return usage("--each needs a command line behind --", forms)
	case c.Each && c.ID != "" && !strings.Contains(c.ID, lineMark):
		return usage("--id is the id of one job, and --each adds many", "with {} in it each job has its own: --id "+job.Quote([]string{c.ID + "-" + lineMark}))
	}
	return nil
}

// wordsWith puts the line into the words wherever they have {}, or behind them.
func wordsWith(words []string, line string) []string {
	result := make([]string, len(words), len(words)+1)
	placed := false
	for i, word := range words {
		placed = placed || strings.Contains(word, lineMark)
		result[i] = strings.ReplaceAll(word, lineMark, line)
	}
	if !placed {
		result = append(result, line)
	}
	return result
}

// eachLine adds the spec that makeSpec makes of each line of the text. Lines without a word are skipped. A line
// ends with \n or \r\n; a byte order mark belongs to none.
func (b *batch) eachLine(in io.Reader, makeSpec func(line string) job.Spec) error {
	r := bufio.NewReader(in)
	skipByteOrderMark(r)
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, job.MaxSpecSize+1<<10)
	number := 1
	for ; lines.Scan(); number++ {
		line := lines.Bytes() // without its end, of either kind
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		spec := makeSpec(string(line))
		b.specs, b.lines = append(b.specs, spec), append(b.lines, number)
		if err := spec.Validate(); err != nil {
			return &failure{message: "Failed to enqueue: " + b.place(len(b.specs)-1) + err.Error(), err: err}
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return invalid(fmt.Sprintf("%s:%d: the line is longer than a spec may be, %s", b.file, number, size(job.MaxSpecSize)), "")
	}
	if lines.Err() != nil {
		return unreadable(lines.Err())
	}
	return nil
}
