package job

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestConfig_Defaults(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"backoff": "exponential", "backoff_base": "2", "backoff_max": "24h", "backoff_jitter": "0", "max_retries": "3", "max_crashes": "3", "timeout": "0",
		"kill_grace": "10s", "retention_completed": "168h", "retention_dead": "0", "output_tail": "1KiB", "output_max": "64MiB", "queue_max": "0", "redact": "",
	}
	c := DefaultConfig()
	for _, key := range Keys() {
		if got, err := c.Text(key); got != want[key] || err != nil {
			t.Errorf("%s is %s, %v, want %s", key, got, err, want[key])
		}
	}
	if len(Keys()) != len(want) {
		t.Errorf("keys %q, want %d", Keys(), len(want))
	}
}

func TestConfig_SetReturnsTheCanonicalForm(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ key, text, want string }{
		{"backoff_base", "2.50", "2.5"},
		{"backoff_base", "1e9", "1000000000"},
		{"backoff_base", "1", "1"},
		{"backoff_max", "3600", "1h"},
		{"backoff_max", "90m", "1h30m"},
		{"backoff_max", "7d", "168h"},
		{"backoff_max", "876000h", "876000h"},
		{"backoff_jitter", "0.25", "0.25"},
		{"backoff_jitter", "1e-7", "1e-07"},
		{"max_retries", "0", "0"},
		{"max_crashes", "1000000000", "1000000000"},
		{"timeout", "0s", "0"},
		{"timeout", "1500ms", "1.5s"},
		{"kill_grace", "10.0", "10s"},
		{"output_tail", "1048576", "1MiB"},
		{"output_tail", "0", "0"},
		{"output_tail", "1000", "1000"},
		{"output_max", "1 gib", "1GiB"},
		{"output_max", "1.5KiB", "1536"},
		{"output_max", "2MB", "2000000"},
		{"output_max", "1PiB", ""},
		{"output_max", "1024TiB", "1024TiB"},
		{"queue_max", "5", "5"},
		{"redact", "\n\nghp_[A-Za-z0-9]{36}\r\n  \nBearer \\S+\n", "ghp_[A-Za-z0-9]{36}\nBearer \\S+"},
		{"redact", "a(b", ""},
		{"redact", "a)(b", ""},
		{"redact", "^$", ""},
		{"redact", "a*", ""},
		{"redact", `(?<!a)b`, ""},
	} {
		c := DefaultConfig()
		got, err := c.Set(tt.key, tt.text)
		if got != tt.want || (err != nil) != (tt.want == "") {
			t.Errorf("%s %s: got %s, %v, want %s", tt.key, tt.text, got, err, tt.want)
		}
		if text, _ := c.Text(tt.key); tt.want != "" && text != tt.want {
			t.Errorf("%s %s: then it is %s, want %s", tt.key, tt.text, text, tt.want)
		}
	}
}

func TestConfig_BadValueNamesTheRangeAndChangesNothing(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ key, text, want string }{
		{"backoff_base", "0.5", `backoff_base "0.5": must be a number from 1 to 1000000000`},
		{"backoff_base", "NaN", `backoff_base "NaN": must be a number`},
		{"backoff_base", "Inf", `backoff_base "Inf": must be a number`},
		{"backoff_base", "two", `backoff_base "two": must be a number`},
		{"backoff_base", "", `backoff_base "": must be a number`},
		{"backoff_max", "-1s", `backoff_max "-1s": must be a duration from 0 to 876000h`},
		{"backoff_jitter", "1.5", `backoff_jitter "1.5": must be a number from 0 to 1`},
		{"max_retries", "-1", `max_retries "-1": must be a whole number from 0 to 1000000000`},
		{"max_retries", "1000000001", `max_retries "1000000001": must be a whole number`},
		{"max_retries", "3.5", `max_retries "3.5": must be a whole number`},
		{"output_tail", "2MiB", `output_tail "2MiB": must be a size, such as 64MiB, 1KiB or a number of bytes, from 0 to 1MiB`},
		{"output_max", "-1", `output_max "-1": must be a size`},
		{"output_max", "0.5", `output_max "0.5": must be a size`},
		{"output_max", "KiB", `output_max "KiB": must be a size`},
		{"output_max", "1e3", `output_max "1e3": must be a size`},
		{"output_max", "99999999999999999999TiB", `output_max "99999999999999999999TiB": must be a size`},
	} {
		c := DefaultConfig()
		got, err := c.Set(tt.key, tt.text)
		if got != "" || !errors.Is(err, ErrInvalid) || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s %s: got %s, %v, want %s", tt.key, tt.text, got, err, tt.want)
		}
		if c != DefaultConfig() {
			t.Errorf("%s %s: changed to %+v", tt.key, tt.text, c)
		}
	}
}

func TestConfig_UnknownKeyListsTheKeys(t *testing.T) {
	t.Parallel()
	c := DefaultConfig()
	_, setErr := c.Set("backof-base", "2")
	_, textErr := c.Text("backof-base")
	for _, err := range []error{setErr, textErr, c.Unset("backof-base")} {
		want := `config key "backof-base": no such config key: did you mean backoff_base? the keys are backoff, backoff_base, backoff_max,`
		if !errors.Is(err, ErrUnknownKey) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
	if _, err := c.Text("nonsense"); strings.Contains(err.Error(), "did you mean") {
		t.Errorf("a hint for nonsense: %v", err)
	}
}

func TestConfig_UnsetTakesBackToTheDefault(t *testing.T) {
	t.Parallel()
	changed := Config{
		BackoffBase: 3, BackoffMax: time.Hour, BackoffJitter: 1, MaxRetries: 9, MaxCrashes: 9, Timeout: time.Second,
		KillGrace: time.Second, OutputTail: 1, OutputMax: 1, QueueMax: 1,
	}
	for _, key := range Keys() {
		if err := changed.Unset(key); err != nil {
			t.Fatal(err)
		}
	}
	if want := DefaultConfig(); changed != want {
		t.Errorf("got %+v, want %+v", changed, want)
	}
}

// What Text says is what Set understands: events hold it, and the fold sets it.
func TestConfig_TextIsLossless(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := Config{
			Backoff:       rapid.SampledFrom([]Backoff{BackoffExponential, BackoffLinear, BackoffFixed, "1s,1h30m"}).Draw(t, "backoff"),
			BackoffBase:   rapid.Float64Range(1, maxBackoffBase).Draw(t, "base"),
			BackoffMax:    validDurations.Draw(t, "max"),
			BackoffJitter: rapid.Float64Range(0, 1).Draw(t, "jitter"),
			MaxRetries:    rapid.Uint32Range(0, maxCount).Draw(t, "retries"),
			MaxCrashes:    rapid.Uint32Range(0, maxCount).Draw(t, "crashes"),
			Timeout:       validDurations.Draw(t, "timeout"),
			KillGrace:     validDurations.Draw(t, "grace"),
			OutputTail:    rapid.Int64Range(0, maxOutputTail).Draw(t, "tail"),
			OutputMax:     rapid.Int64Range(0, maxOutputSize).Draw(t, "output"),
			QueueMax:      rapid.Uint32Range(0, maxCount).Draw(t, "queue"),
		}
		got := DefaultConfig()
		for _, key := range Keys() {
			text, err := want.Text(key)
			if err != nil {
				t.Fatal(err)
			}
			if canonical, err := got.Set(key, text); err != nil || canonical != text {
				t.Fatalf("%s %s: became %s, %v", key, text, canonical, err)
			}
		}
		if got != want {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	})
}

func TestKeys_AreInTheOrderOfTheirDocumentation(t *testing.T) {
	t.Parallel()
	want := []string{
		"backoff", "backoff_base", "backoff_max", "backoff_jitter", "max_retries", "max_crashes", "timeout", "kill_grace",
		"retention_completed", "retention_dead", "output_tail", "output_max", "queue_max", "redact",
	}
	if got := Keys(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func ExampleConfig_Set() {
	c := DefaultConfig()
	fmt.Println(c.Set("output_max", "1073741824"))
	_, err := c.Set("backoff_base", "0")
	fmt.Println(err)
	// Output:
	// 1GiB <nil>
	// backoff_base "0": must be a number from 1 to 1000000000
}
