package main

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"

	"github.com/queuectl/queuectl/job"
)

// escapes matches what terminals take for commands: CSI, the strings that ST or BEL ends (OSC, DCS, APC,
// PM, SOS), and any other pair of ESC and a byte. ECMA-48, 8.3.
var escapes = regexp.MustCompile(`(?:\x1b\[|\x{9b})[0-?]*[ -/]*[@-~]|` +
	`(?:\x1b[\]PX^_]|[\x{90}\x{98}\x{9d}-\x{9f}])[^\x07\x1b\x{9c}]*(?:\x07|\x1b\\|\x{9c})?|` +
	`\x1b[ -/]*[0-~]?`)

// plain makes what somebody else wrote fit for a line on a terminal: without escapes, control characters
// and marks that change the direction of text. Line breaks and tabs become spaces.
func plain(text string) string {
	if isPlain(text) {
		return text
	}
	text = escapes.ReplaceAllString(strings.ToValidUTF8(text, "\uFFFD"), "")
	return strings.Map(func(r rune) rune {
		const zeroWidthJoiner = '\u200d' // joins emoji
		switch {
		case r == '\n' || r == '\t' || unicode.Is(unicode.Z, r):
			return ' '
		case unicode.IsPrint(r) || r == zeroWidthJoiner:
			return r
		}
		return -1
	}, text)
}

func isPlain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c >= utf8.RuneSelf || c == 0x7f {
			return false
		}
	}
	return true
}

// colour is the number of an SGR sequence; 0 = as the terminal has it.
type colour int

const (
	red    colour = 31
	green  colour = 32
	yellow colour = 33
	blue   colour = 34
	grey   colour = 90
)

// paint colours the text, if colours are wanted.
func (s *session) paint(c colour, text string) string {
	if c == 0 || !s.outColor {
		return text
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", c, text)
}

func stateColour(state job.State) colour {
	switch state {
	case job.Processing:
		return blue
	case job.Completed:
		return green
	case job.Failed:
		return yellow
	case job.Dead:
		return red
	case job.Cancelled:
		return grey
	}
	return 0
}

// relative says how long ago t was, or how long it is until then: "3m ago", "in 5s".
func relative(now, t time.Time) string {
	switch d := now.Sub(t); {
	case t.IsZero():
		return "-"
	case d >= time.Second:
		return roughly(d) + " ago"
	case d <= -time.Second:
		return "in " + roughly(-d)
	}
	return "now"
}

// roughly prints a duration in its largest unit, rounded down.
func roughly(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= 365*day:
		return fmt.Sprintf("%dy", d/(365*day))
	case d >= 2*day:
		return fmt.Sprintf("%dd", d/day)
	case d >= time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d >= time.Minute:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d >= time.Second:
		return fmt.Sprintf("%ds", d/time.Second)
	}
	return fmt.Sprintf("%dms", d/time.Millisecond)
}

// size prints a number of bytes in the largest unit that leaves at least 1.
func size(bytes int64) string {
	const units = "KMGTPE"
	if bytes < 1<<10 {
		return fmt.Sprintf("%d B", bytes)
	}
	n, unit := float64(bytes)/(1<<10), 0
	for n >= 1<<10 && unit < len(units)-1 {
		n /= 1 << 10
		unit++
	}
	return fmt.Sprintf("%.1f %ciB", n, units[unit])
}

// count prints a number of things: "1 job", "2 jobs".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// commandLine is the job's command as one line for people.
func commandLine(spec job.Spec) string {
	switch {
	case spec.Kind != "":
		return strings.TrimRight(spec.Kind+" "+string(spec.Payload), " ")
	case spec.Argv != nil:
		return job.Quote(spec.Argv)
	}
	return spec.Command
}

// shorten cuts a line to a width in columns.
func shorten(line string, width int) string { return runewidth.Truncate(line, width, "…") }

// duration is a flag's value, written as durations are everywhere: "90s", "7d".
type duration time.Duration

// UnmarshalText reads a duration.
func (d *duration) UnmarshalText(text []byte) error {
	v, err := job.ParseDuration(string(text))
	*d = duration(v)
	return err
}
