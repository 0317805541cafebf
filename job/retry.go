package job

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Bounds of what a spec says about its retries.
const (
	MaxBackoffSteps = 64 // delays of a back-off that is a list
	MaxExitCodes    = 64 // in a list
)

// Backoff says how the delay between attempts grows, with n failed attempts: "exponential" is backoff_base ^ n seconds,
// "linear" is backoff_base × n seconds, "fixed" is backoff_base seconds, and a list such as "1s,10s,1m" has the n-th
// delay itself, of which the last one stays. The zero value says nothing.
type Backoff string

// The growths that are no list.
const (
	BackoffExponential Backoff = "exponential"
	BackoffLinear      Backoff = "linear"
	BackoffFixed       Backoff = "fixed"
)

// ParseBackoff reads one of the words, or durations with commas between them, and returns it in canonical form. The
// error wraps ErrInvalid.
func ParseBackoff(text string) (Backoff, error) {
	switch b := Backoff(text); b {
	case BackoffExponential, BackoffLinear, BackoffFixed:
		return b, nil
	}
	var steps []string
	for step := range strings.SplitSeq(text, ",") {
		d, ok := readDuration(strings.TrimSpace(step))
		if !ok || d < 0 || d > MaxDuration {
			return "", invalid("backoff", quoted(text), wantBackoff)
		}
		steps = append(steps, FormatDuration(d))
	}
	if len(steps) > MaxBackoffSteps {
		return "", invalid("backoff", quoted(text), fmt.Sprintf("at most %d durations", MaxBackoffSteps))
	}
	return Backoff(strings.Join(steps, ",")), nil
}

const wantBackoff = "exponential, linear, fixed, or durations with commas between them, such as 1s,10s,1m"

// Step returns the delay after n failed attempts (≥ 1) of a back-off that is a list; ok is false for all others.
func (b Backoff) Step(n uint32) (d time.Duration, ok bool) {
	switch b {
	case "", BackoffExponential, BackoffLinear, BackoffFixed:
		return 0, false
	}
	steps := strings.Split(string(b), ",")
	at := min(uint64(max(n, 1)), uint64(len(steps))) - 1
	return readDuration(steps[at])
}

// ExitCodes are exit codes of commands, ascending, each once. nil says nothing.
type ExitCodes []int32

// Has says that the code is one of them.
func (c ExitCodes) Has(code int32) bool {
	_, found := slices.BinarySearch(c, code)
	return found
}

// tidy brings codes into their order.
func (c ExitCodes) tidy() ExitCodes {
	slices.Sort(c)
	return slices.Compact(c)
}

func (c ExitCodes) check(field string) error {
	if len(c) > MaxExitCodes {
		return invalid(field, strconv.Itoa(len(c))+" of them", "at most "+strconv.Itoa(MaxExitCodes))
	}
	for i, code := range c {
		if code <= 0 || i > 0 && c[i-1] >= code {
			return invalid(field, fmt.Sprint([]int32(c)), wantExitCodes)
		}
	}
	return nil
}

const wantExitCodes = "exit codes greater than 0, ascending, each once"

// checkRetries checks what a spec says about its retries, beside numbers.
func (s *Spec) checkRetries() error {
	if s.Backoff != "" {
		if canonical, err := ParseBackoff(string(s.Backoff)); err != nil || canonical != s.Backoff {
			return invalid("backoff", quoted(string(s.Backoff)), wantBackoff)
		}
	}
	if s.RetryOn != nil && s.DeadOn != nil {
		return refusal("retry_on and dead_on: only one of them may be given")
	}
	if s.Kind != "" && (s.RetryOn != nil || s.DeadOn != nil || s.SnoozeOn != nil) {
		return refusal("retry_on, dead_on and snooze_on: only a command has an exit code")
	}
	if s.Snooze != 0 && s.SnoozeOn == nil {
		return refusal("snooze: it is how long a run waits that ended with one of snooze_on, which is not given")
	}
	for _, list := range [...]struct {
		field string
		codes ExitCodes
	}{{"retry_on", s.RetryOn}, {"dead_on", s.DeadOn}, {"snooze_on", s.SnoozeOn}} {
		if err := list.codes.check(list.field); err != nil {
			return err
		}
	}
	for _, code := range s.SnoozeOn {
		if s.RetryOn.Has(code) || s.DeadOn.Has(code) {
			return refusal(fmt.Sprintf("snooze_on: exit code %d is in another list, too", code))
		}
	}
	return nil
}

// DefaultSnooze is how long a job waits whose command asks for that, if its spec does not say.
const DefaultSnooze = time.Minute
