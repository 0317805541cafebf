package job

import (
	"errors"
	"strconv"
	"strings"
	"unicode"
)

// Errors that a caller branches on with errors.Is. The error that wraps one of them names the job,
// the field or the value.
var (
	ErrInvalid    = errors.New("invalid value")      // wrong use: a value no queue would accept
	ErrNotFound   = errors.New("no such job")        // no job of that id is known
	ErrExists     = errors.New("job already exists") // a job of that id is known
	ErrWrongState = errors.New("wrong state")        // the job is not in a state that allows this
	ErrStale      = errors.New("run is not current") // an outcome or a loss of a run that was fenced out
	ErrQueueFull  = errors.New("queue is full")      // config queue_max is reached
	ErrNothingDue = errors.New("nothing is due")     // a claim found no job
	ErrNoWorker   = errors.New("no such worker")     // the worker is unknown or has stopped
	ErrNoCron     = errors.New("no such schedule")   // no schedule of that name is there
	ErrCronExists = errors.New("schedule already exists")
	ErrDuplicate  = errors.New("unique key is taken")   // a job has the unique key, in the scope of the new one
	ErrAmbiguous  = errors.New("ambiguous id")          // what should name one job is the beginning of several ids
	ErrUnknownKey = errors.New("no such config key")    // config get, set or unset of a key that does not exist
	ErrDecode     = errors.New("event does not decode") // bytes of an event are not what the schema says
)

// refusal is an ErrInvalid in its own words.
type refusal string

func (r refusal) Error() string { return string(r) }
func (r refusal) Unwrap() error { return ErrInvalid }

// invalid refuses a value: `timeout -5: must be …`.
func invalid(field, got, want string) error {
	return refusal(field + " " + got + ": must be " + want)
}

// quoted prepares a text for an error: escaped, and cut if it is long.
func quoted(text string) string {
	cut, dots := clip(text)
	return strconv.QuoteToGraphic(cut) + dots
}

// printable prepares JSON for an error: it has its own quotes, but may hold what steers a terminal.
func printable(json string) string {
	cut, dots := clip(json)
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, cut) + dots
}

func clip(text string) (cut, dots string) {
	const most = 60
	if len(text) <= most {
		return text, ""
	}
	return strings.ToValidUTF8(text[:most], ""), "…"
}
