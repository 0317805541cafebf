package queue

import (
	"bytes"
	"cmp"
	"regexp"
	"slices"

	"github.com/queuectl/queuectl/internal/shell"
	"github.com/queuectl/queuectl/job"
)

// mask stands where something was hidden.
const mask = "***"

// redactor hides what must not get into the log.
type redactor struct {
	secrets  []string
	patterns []*regexp.Regexp
}

func newRedactor(patterns string, secrets []string) redactor {
	r := redactor{patterns: job.Patterns(patterns)}
	for _, s := range secrets {
		r.secrets = append(r.secrets, s)
		// Many programs print a value without its line breaks, or one line of it.
		for line := range bytes.Lines([]byte(s)) {
			if line = bytes.TrimRight(line, "\r\n"); len(line) >= leastLine {
				r.secrets = append(r.secrets, string(line))
			}
		}
	}
	return r
}

// leastLine is how long a line of a secret, or what a cut has left of one, must be to be hidden by itself.
const leastLine = 4

// before is how many bytes more than are kept the redactor wants to see in front of them.
func (r redactor) before() int64 {
	most := 0
	for _, s := range r.secrets {
		most = max(most, len(s))
	}
	if len(r.patterns) > 0 {
		const enough = 8 << 10 // of what an expression may match
		most = max(most, enough)
	}
	return int64(most)
}

// text returns a text with masks in it.
func (r redactor) text(s string) string { return string(r.hide([]byte(s), 0)) }

// hide returns the bytes from a place on, with masks for what is hidden. What lies across that place is hidden whole.
func (r redactor) hide(b []byte, from int) []byte {
	var out []byte
	for _, part := range r.parts(b) {
		if part[1] <= from {
			continue
		}
		out = append(out, b[from:max(from, part[0])]...)
		out = append(out, mask...)
		from = part[1]
	}
	return append(out, b[from:]...)
}

// halves returns what is left of a secret that a cut has gone through: its beginning before the line that says so, and
// its end behind it.
func halves(b []byte, line []int, secret string) (parts [][]int) {
	for n := len(secret) - 1; n >= leastLine; n-- {
		if bytes.HasSuffix(b[:line[0]], []byte(secret[:n])) {
			parts = append(parts, []int{line[0] - n, line[0]})
			break
		}
	}
	for n := len(secret) - 1; n >= leastLine; n-- {
		if bytes.HasPrefix(b[line[1]:], []byte(secret[len(secret)-n:])) {
			parts = append(parts, []int{line[1], line[1] + n})
			break
		}
	}
	return parts
}

// parts returns where something is to be hidden: in order, and apart from each other.
func (r redactor) parts(b []byte) [][]int {
	var all [][]int
	for _, s := range r.secrets {
		for at := 0; s != "" && at < len(b); at++ {
			i := bytes.Index(b[at:], []byte(s))
			if i < 0 {
				break
			}
			at += i
			all = append(all, []int{at, at + len(s)})
		}
	}
	for _, re := range r.patterns {
		for _, match := range re.FindAllIndex(b, -1) {
			if match[1] > match[0] {
				all = append(all, match)
			}
		}
	}
	for _, line := range shell.Cuts(b) {
		for _, s := range r.secrets {
			all = append(all, halves(b, line, s)...)
		}
	}
	slices.SortFunc(all, func(x, y []int) int { return cmp.Or(cmp.Compare(x[0], y[0]), cmp.Compare(x[1], y[1])) })
	var apart [][]int
	for _, part := range all {
		if last := len(apart) - 1; last >= 0 && part[0] < apart[last][1] {
			apart[last][1] = max(apart[last][1], part[1])
		} else {
			apart = append(apart, slices.Clone(part))
		}
	}
	return apart
}
