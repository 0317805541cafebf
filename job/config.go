package job

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Config holds the settings in force. The zero Config is not valid; start from [DefaultConfig]. It is
// a value: copies are independent.
type Config struct {
	Backoff       Backoff       // backoff: how the delay between attempts grows
	BackoffBase   float64       // backoff_base: delay = base ^ attempts seconds; 1–1e9
	BackoffMax    time.Duration // backoff_max: cap of that delay
	BackoffJitter float64       // backoff_jitter: up to this share of the delay is added; 0–1
	MaxRetries    uint32        // max_retries: for jobs that say nothing; 0–1e9
	MaxCrashes    uint32        // max_crashes: a job is dead when its crashes exceed this; 0–1e9
	Timeout       time.Duration // timeout: of one run; 0 = none
	KillGrace     time.Duration // kill_grace: between TERM and KILL
	OutputTail    int64         // output_tail: bytes of output kept in the log for a failed run; 0–1 MiB
	OutputMax     int64         // output_max: bytes of output kept on disk for a run; 0 = no limit
	// retention_completed, retention_dead: how long jobs that have ended stay in the state (completed and
	// cancelled ones; dead ones); 0 = for ever. They stay in the log.
	RetentionCompleted time.Duration
	RetentionDead      time.Duration
	QueueMax           uint32 // queue_max: waiting jobs that a queue may hold; 0 = no limit; 0–1e9
	Redact             string // redact: regular expressions, one a line, of what is kept out of the log; "" = none
}

// DefaultConfig returns the settings of a new queue.
func DefaultConfig() Config {
	return Config{
		Backoff:            BackoffExponential,
		BackoffBase:        2,
		BackoffMax:         24 * time.Hour,
		MaxRetries:         3,
		MaxCrashes:         3,
		KillGrace:          10 * time.Second,
		RetentionCompleted: 7 * 24 * time.Hour,
		OutputTail:         1 << 10,
		OutputMax:          64 << 20,
	}
}

// Bounds of settings and of the numbers in a spec.
const (
	maxCount       = 1_000_000_000 // of retries, crashes, jobs: for ever, and yet far from overflow
	maxBackoffBase = 1e9
	maxOutputTail  = 1 << 20
	maxOutputSize  = 1 << 50
)

// settings is every config key, in the order in which people are shown them.
var settings = []setting{
	{
		key: "backoff",
		set: func(c *Config, text string) error {
			b, err := ParseBackoff(text)
			if err == nil {
				c.Backoff = b
			}
			return err
		},
		text: func(c *Config) string { return string(c.Backoff) },
	},
	realSetting("backoff_base", 1, maxBackoffBase, func(c *Config) *float64 { return &c.BackoffBase }),
	durationSetting("backoff_max", func(c *Config) *time.Duration { return &c.BackoffMax }),
	realSetting("backoff_jitter", 0, 1, func(c *Config) *float64 { return &c.BackoffJitter }),
	countSetting("max_retries", func(c *Config) *uint32 { return &c.MaxRetries }),
	countSetting("max_crashes", func(c *Config) *uint32 { return &c.MaxCrashes }),
	durationSetting("timeout", func(c *Config) *time.Duration { return &c.Timeout }),
	durationSetting("kill_grace", func(c *Config) *time.Duration { return &c.KillGrace }),
	durationSetting("retention_completed", func(c *Config) *time.Duration { return &c.RetentionCompleted }),
	durationSetting("retention_dead", func(c *Config) *time.Duration { return &c.RetentionDead }),
	sizeSetting("output_tail", maxOutputTail, func(c *Config) *int64 { return &c.OutputTail }),
	sizeSetting("output_max", maxOutputSize, func(c *Config) *int64 { return &c.OutputMax }),
	countSetting("queue_max", func(c *Config) *uint32 { return &c.QueueMax }),
	{
		key: "redact",
		set: func(c *Config, text string) error {
			canonical, err := readPatterns(text)
			if err == nil {
				c.Redact = canonical
			}
			return err
		},
		text: func(c *Config) string { return c.Redact },
	},
}

// setting is one config key. Its text is canonical: set gives the same value for it.
type setting struct {
	key  string
	set  func(c *Config, text string) error
	text func(c *Config) string
}

// Keys lists the config keys in the order in which people are shown them.
func Keys() []string {
	keys := make([]string, len(settings))
	for i, s := range settings {
		keys[i] = s.key
	}
	return keys
}

// Set changes the setting named key to what text says: a number, a duration (see [ParseDuration]) or
// a size ("64MiB", "1kB", a number of bytes). It returns the canonical form, which is what
// [Config.Text] then returns. After an error, which wraps ErrUnknownKey or ErrInvalid and names the
// range, nothing is changed.
func (c *Config) Set(key, text string) (canonical string, err error) {
	s, err := findSetting(key)
	if err != nil {
		return "", err
	}
	if err := s.set(c, text); err != nil {
		return "", err
	}
	return s.text(c), nil
}

// Text returns the canonical text of the setting named key, or ErrUnknownKey.
func (c *Config) Text(key string) (string, error) {
	s, err := findSetting(key)
	if err != nil {
		return "", err
	}
	return s.text(c), nil
}

// Unset takes the setting named key back to its default, or returns ErrUnknownKey.
func (c *Config) Unset(key string) error {
	s, err := findSetting(key)
	if err != nil {
		return err
	}
	defaults := DefaultConfig()
	return s.set(c, s.text(&defaults))
}

func findSetting(key string) (setting, error) {
	for _, s := range settings {
		if s.key == key {
			return s, nil
		}
	}
	hint := ""
	if near := nearest(key, Keys()); near != "" {
		hint = "did you mean " + near + "? "
	}
	return setting{}, fmt.Errorf("config key %s: %w: %sthe keys are %s",
		quoted(key), ErrUnknownKey, hint, strings.Join(Keys(), ", "))
}

func realSetting(key string, from, to float64, field func(*Config) *float64) setting {
	return setting{
		key: key,
		set: func(c *Config, text string) error {
			v, err := strconv.ParseFloat(text, 64)
			if err != nil || !inRange(v, from, to) {
				return invalid(key, quoted(text), wantReal(from, to))
			}
			*field(c) = v
			return nil
		},
		text: func(c *Config) string { return formatReal(*field(c)) },
	}
}

func countSetting(key string, field func(*Config) *uint32) setting {
	return setting{
		key: key,
		set: func(c *Config, text string) error {
			v, err := strconv.ParseUint(text, 10, 64)
			if err != nil || v > maxCount {
				return invalid(key, quoted(text), wantWhole(0, maxCount))
			}
			*field(c) = uint32(v)
			return nil
		},
		text: func(c *Config) string { return strconv.FormatUint(uint64(*field(c)), 10) },
	}
}

func durationSetting(key string, field func(*Config) *time.Duration) setting {
	return setting{
		key: key,
		set: func(c *Config, text string) error {
			v, err := parseDuration(key, text)
			if err != nil {
				return err
			}
			*field(c) = v
			return nil
		},
		text: func(c *Config) string { return FormatDuration(*field(c)) },
	}
}

func sizeSetting(key string, most int64, field func(*Config) *int64) setting {
	return setting{
		key: key,
		set: func(c *Config, text string) error {
			v, ok := readSize(text)
			if !ok || v > most {
				return invalid(key, quoted(text), wantSize+", from 0 to "+formatSize(most))
			}
			*field(c) = v
			return nil
		},
		text: func(c *Config) string { return formatSize(*field(c)) },
	}
}

// inRange is false for NaN.
func inRange(v, from, to float64) bool { return v >= from && v <= to }

func wantReal(from, to float64) string {
	return "a number from " + formatReal(from) + " to " + formatReal(to)
}

func wantWhole(from, to int64) string {
	return fmt.Sprintf("a whole number from %d to %d", from, to)
}

func formatReal(v float64) string {
	if math.Trunc(v) == v {
		return strconv.FormatFloat(v, 'f', -1, 64) // 1000000000 and not 1e+09
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}
