package job

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseDuration_ReadsWhatFormatDurationWrites(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := validDurations.Draw(t, "duration")
		text := FormatDuration(want)
		if got, err := ParseDuration(text); got != want || err != nil {
			t.Fatalf("%s: got %v, %v, want %v", text, got, err, want)
		}
	})
}

func TestFormatDuration_LeavesOutWhatIsZero(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0", 24 * time.Hour: "24h", 90 * time.Minute: "1h30m", 10 * time.Minute: "10m", 10 * time.Second: "10s",
		time.Hour + time.Second: "1h0m1s", 100 * time.Millisecond: "100ms", 1500 * time.Millisecond: "1.5s", 1: "1ns", MaxDuration: "876000h",
	} {
		if got := FormatDuration(d); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestParseDuration_RefusesOtherTexts(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", ".", "-1", "-1s", "+1", "1e3", "0x10", "NaN", "Inf", "d", "1d2d", "1d24h", "1d-1h", "1dx", "36501d", "1w", "876000h1ns",
		"9999999999999999999999", "1d" + strings.Repeat("0", 100_000) + "d", strings.Repeat("9", 100_000), " 1s", "1 s", "1_0",
	} {
		if got, err := ParseDuration(text); !errors.Is(err, ErrInvalid) || len(err.Error()) > 300 {
			t.Errorf("%.20q: got %v, %v, want ErrInvalid", text, got, err)
		}
	}
}
