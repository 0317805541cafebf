package job

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestParseBackoff_IsCanonical(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Backoff{
		"exponential": "exponential", "linear": "linear", "fixed": "fixed",
		"1s, 60s,0.5h": "1s,1m,30m", "90": "1m30s", "0": "0", "1d,7d": "24h,168h",
	} {
		got, err := ParseBackoff(text)
		if err != nil || got != want {
			t.Errorf("%q is %q, %v, want %q", text, got, err, want)
		}
		if again, err := ParseBackoff(string(got)); err != nil || again != got {
			t.Errorf("%q becomes %q, %v", got, again, err)
		}
	}
	for _, text := range []string{"", "quadratic", "1s,", "1s,-1s", "1s 2s", "200y", strings.Repeat("1s,", MaxBackoffSteps) + "1s"} {
		if got, err := ParseBackoff(text); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "backoff") {
			t.Errorf("%.20q is %q, %v, want ErrInvalid", text, got, err)
		}
	}
}

func TestBackoff_StepStaysWithTheLast(t *testing.T) {
	t.Parallel()
	for n, want := range map[uint32]time.Duration{0: time.Second, 1: time.Second, 2: time.Minute, 3: time.Minute, 1<<32 - 1: time.Minute} {
		if got, ok := Backoff("1s,1m").Step(n); !ok || got != want {
			t.Errorf("after %d: %v, %v, want %v", n, got, ok, want)
		}
	}
	for _, b := range []Backoff{"", BackoffExponential, BackoffLinear, BackoffFixed} {
		if got, ok := b.Step(1); ok {
			t.Errorf("%q has a step, %v", b, got)
		}
	}
}

func TestParseSpec_Retries(t *testing.T) {
	t.Parallel()
	s, _, err := ParseSpec([]byte(`{"command":"c","backoff":[1,"1m",3600],"retry_on":[111,75,75],"snooze_on":99,"snooze":"5m"}`))
	if err != nil || s.Backoff != "1s,1m,1h" || len(s.RetryOn) != 2 || !s.RetryOn.Has(75) || !s.RetryOn.Has(111) || s.RetryOn.Has(1) || !s.SnoozeOn.Has(99) || s.Snooze != 5*time.Minute {
		t.Errorf("got %+v, %v", s, err)
	}
	for object, want := range map[string]string{
		`"backoff":"slow"`:                `backoff "slow": must be exponential, linear, fixed, or durations`,
		`"backoff":[]`:                    `backoff []: must be exponential`,
		`"backoff":[true]`:                `backoff true: must be a duration`,
		`"dead_on":[]`:                    `dead_on []: must be at least one exit code`,
		`"dead_on":[0]`:                   `dead_on 0: must be a whole number from 1`,
		`"dead_on":["x"]`:                 `dead_on "x": must be a whole number from 1`,
		`"dead_on":[1],"retry_on":[2]`:    `retry_on and dead_on: only one of them may be given`,
		`"dead_on":[1],"snooze_on":[1,2]`: `snooze_on: exit code 1 is in another list, too`,
		`"snooze":"1m"`:                   `snooze: it is how long a run waits that ended with one of snooze_on`,
	} {
		s, _, err := ParseSpec([]byte(`{"command":"c",` + object + `}`))
		if err == nil {
			err = s.Validate()
		}
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", object, err, want)
		}
	}
	handler := Spec{Kind: "k", DeadOn: ExitCodes{1}}
	if err := handler.Validate(); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "only a command has an exit code") {
		t.Errorf("of a handler: %v", err)
	}
	for _, codes := range []ExitCodes{{2, 1}, {1, 1}, {-1}, make(ExitCodes, MaxExitCodes+1)} {
		s := Spec{Command: "c", DeadOn: codes}
		if err := s.Validate(); !errors.Is(err, ErrInvalid) {
			t.Errorf("codes %v: %v", codes, err)
		}
	}
}
