package cron

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/queuectl/queuectl/job"
)

// named are the schedules that have a name.
var named = map[string]string{
	"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
	"@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}

// field is one of the fields of a schedule.
type field struct {
	name     string
	from, to int
	names    []string // of from, from+1, …
}

var (
	months   = []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}
	weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun"}

	fields = [...]field{
		{"second", 0, 59, nil},
		{"minute", 0, 59, nil},
		{"hour", 0, 23, nil},
		{"day of the month", 1, 31, nil},
		{"month", 1, 12, months},
		{"day of the week", 0, 7, weekdays},
	}
)

const forms = "five fields (minute hour day month weekday), six with seconds in front, @hourly, @daily, @weekly, @monthly, @yearly or @every 90s"

func refused(format string, args ...any) error {
	return fmt.Errorf("schedule: %w: "+format, append([]any{job.ErrInvalid}, args...)...)
}

func parse(text string) (*Schedule, error) {
	words := strings.Fields(text)
	if len(words) == 0 {
		return nil, refused("it is empty: must be %s", forms)
	}
	switch name := strings.ToLower(words[0]); {
	case name == "@every":
		return parseEvery(words[1:])
	case name == "@reboot":
		return nil, refused("@reboot is no time: a service can enqueue when the machine starts")
	case strings.HasPrefix(name, "@") && (named[name] == "" || len(words) > 1):
		return nil, refused("%q: must be %s", text, forms)
	case strings.HasPrefix(name, "@"):
		words = strings.Fields(named[name])
	}
	if len(words) == len(fields)-1 {
		words = append([]string{"0"}, words...)
	}
	if len(words) != len(fields) {
		return nil, refused("%q has %d fields: must be %s", text, len(words), forms)
	}
	var sets [len(fields)]set
	for i, word := range words {
		var err error
		if sets[i], err = fields[i].parse(word); err != nil {
			return nil, err
		}
	}
	s := &Schedule{second: sets[0], minute: sets[1], hour: sets[2], day: sets[3], month: sets[4], weekday: sets[5]}
	if s.weekday.has(7) {
		s.weekday |= 1 << 0
	}
	// As in every cron: a field that begins with * asks for nothing, and of two that ask one is enough.
	s.eitherDay = words[3][0] != '*' && words[5][0] != '*'
	return s, nil
}

func parseEvery(words []string) (*Schedule, error) {
	text := strings.Join(words, " ")
	d, err := job.ParseDuration(text)
	if err != nil || d < time.Second || d%time.Second != 0 {
		return nil, refused("@every %s: must be whole seconds, such as 90s, 15m or 1d12h", text)
	}
	return &Schedule{every: int64(d / time.Second)}, nil
}

// parse reads a list of elements: * or a number or a range from-to, each with or without /step.
func (f *field) parse(text string) (set, error) {
	var all set
	for element := range strings.SplitSeq(text, ",") {
		s, err := f.element(element)
		if err != nil {
			return 0, refused("%s %q: %w", f.name, text, err)
		}
		all |= s
	}
	return all, nil
}

func (f *field) element(text string) (set, error) {
	what, stepText, stepped := strings.Cut(text, "/")
	step := 1
	if stepped {
		var err error
		if step, err = strconv.Atoi(stepText); err != nil || step < 1 || !isDigits(stepText) {
			return 0, fmt.Errorf("the step %q must be a number from 1 on", stepText)
		}
	}
	from, to, err := f.span(what, stepped)
	if err != nil {
		return 0, err
	}
	var s set
	for n := from; n <= to; n += step {
		s |= 1 << n
	}
	return s, nil
}

// span reads what is before a step. A single number with a step means "from there on".
func (f *field) span(text string, stepped bool) (from, to int, err error) {
	if text == "*" {
		return f.from, f.end(), nil
	}
	first, second, isRange := strings.Cut(text, "-")
	if from, err = f.number(first); err != nil {
		return 0, 0, err
	}
	switch {
	case !isRange && stepped:
		return from, max(from, f.end()), nil
	case !isRange:
		return from, from, nil
	}
	if to, err = f.number(second); err != nil {
		return 0, 0, err
	}
	if to == 0 && from > 0 && f.to == 7 {
		to = 7 // fri-sun
	}
	if from > to {
		return 0, 0, fmt.Errorf("%s ends before it begins: write %s-%s,%s-%s", text, first, f.word(f.end()), f.word(f.from), second)
	}
	return from, to, nil
}

// end is the last number that * stands for: Sunday is 0, and 7 is another name for it.
func (f *field) end() int {
	if f.to == 7 {
		return 6
	}
	return f.to
}

// word is how a number of the field is written in a message.
func (f *field) word(n int) string {
	if f.names != nil {
		return f.names[n-f.from]
	}
	return strconv.Itoa(n)
}

func (f *field) number(text string) (int, error) {
	if i := slices.Index(f.names, strings.ToLower(text)); i >= 0 {
		return f.from + i, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || !isDigits(text) || n < f.from || n > f.to {
		want := fmt.Sprintf("must be %d to %d", f.from, f.to)
		if f.names != nil {
			want += fmt.Sprintf(" or %s to %s", f.names[0], f.names[f.end()-f.from])
		}
		if strings.ContainsAny(text, "?LW#~") {
			want += "; of ?, L, W, # and ~ there is none"
		}
		return 0, fmt.Errorf("%q %s", text, want)
	}
	return n, nil
}

func isDigits(text string) bool { return text != "" && strings.Trim(text, "0123456789") == "" }
