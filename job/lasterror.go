package job

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// lastErrorTail is how many characters of the output a last_error shows.
const lastErrorTail = 200

// LastError says how a run failed, in the words that a job's last_error has: "Exit 3: " and the last
// lines of the output, "Signal 9: …", "Timeout after 2s: …", "Error: …" for a handler, or "Worker lost" for WhyNone. why is how
// the run itself ended: of a JobDied event its Failure and not its Why.
func LastError(why Why, r Result) string {
	var head string
	switch why {
	case WhyNone:
		return "Worker lost"
	case WhySignal:
		head = fmt.Sprintf("Signal %d", r.Signal)
	case WhyTimeout:
		head = "Timeout after " + FormatDuration(r.Timeout)
	case WhyExit:
		head = fmt.Sprintf("Exit %d", r.Exit)
	case WhyError:
		head = "Error"
	default: // of a newer program
		head = why.String()
	}
	if tail := lastLines(r.Tail, lastErrorTail); tail != "" {
		return head + ": " + tail
	}
	return head
}

// lastLines returns the end of a text without blank lines, at most this many characters of it. It
// begins with a whole line, if that leaves at least half of what there is room for.
func lastLines(text string, most int) string {
	for i := 0; i < utf8.UTFMax && text != "" && !utf8.RuneStart(text[0]); i++ {
		text = text[1:] // the rest of a character that was cut
	}
	// A carriage return begins a line too: progress bars write nothing else.
	var lines []string
	for line := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\n' || r == '\r' }) {
		if line = strings.TrimRight(line, " \t"); line != "" {
			lines = append(lines, strings.ToValidUTF8(line, "\ufffd"))
		}
	}
	runes := []rune(strings.Join(lines, "\n"))
	if len(runes) <= most {
		return string(runes)
	}
	kept := string(runes[len(runes)-most:])
	if runes[len(runes)-most-1] == '\n' {
		return kept
	}
	if _, whole, found := strings.Cut(kept, "\n"); found && utf8.RuneCountInString(whole) >= most/2 {
		return whole
	}
	return "…" + string(runes[len(runes)-most+1:])
}
