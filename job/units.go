package job

import (
	"math"
	"strconv"
	"strings"
	"time"
)

const (
	wantDuration = "a duration from 0 to 876000h (100 years), such as 90s, 1h30m, 7d or a number of seconds"
	wantSize     = "a size, such as 64MiB, 1KiB or a number of bytes"
)

// ParseDuration reads a duration as specs, flags and settings have it: a number of seconds ("90",
// "0.5"), or numbers with units ("90s", "1h30m", "7d", "1d12h"), where a day has 24 hours. It is 0 to
// [MaxDuration]; the error wraps ErrInvalid.
func ParseDuration(text string) (time.Duration, error) { return parseDuration("duration", text) }

func parseDuration(field, text string) (time.Duration, error) {
	d, ok := readDuration(text)
	if !ok || d < 0 || d > MaxDuration {
		return 0, invalid(field, quoted(text), wantDuration)
	}
	return d, nil
}

func readDuration(text string) (d time.Duration, ok bool) {
	if seconds, ok := readDecimal(text); ok {
		return inUnits(seconds, time.Second)
	}
	days, rest, found := strings.Cut(text, "d")
	if !found {
		d, err := time.ParseDuration(text)
		return d, err == nil
	}
	n, ok := readDecimal(days)
	if !ok {
		return 0, false
	}
	if d, ok = inUnits(n, 24*time.Hour); !ok || rest == "" {
		return d, ok
	}
	more, err := time.ParseDuration(rest)
	return d + more, err == nil && more >= 0 && more < 24*time.Hour
}

// readDecimal reads digits with at most one point: no sign, exponent, hexadecimal, NaN or infinity.
func readDecimal(text string) (v float64, ok bool) {
	if strings.Trim(text, "0123456789.") != "" {
		return 0, false
	}
	v, err := strconv.ParseFloat(text, 64)
	return v, err == nil
}

// inUnits returns n units to the nanosecond, but never nothing for something: a timeout of 0 is none.
func inUnits(n float64, unit time.Duration) (d time.Duration, ok bool) {
	ns := n * float64(unit)
	if !(ns >= 0 && ns <= float64(MaxDuration)) { // not NaN either
		return 0, false
	}
	return time.Duration(math.Round(ns)), ns == 0 || ns >= 1
}

// FormatDuration writes a duration so that [ParseDuration] reads it back: "0", "90ms", "24h", "1h30m".
func FormatDuration(d time.Duration) string {
	if d == 0 {
		return "0"
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// sizeUnits are in the order in which formatSize tries them. Decimal units are read but not written.
var sizeUnits = []struct {
	name  string
	bytes int64
}{
	{"TiB", 1 << 40},
	{"GiB", 1 << 30},
	{"MiB", 1 << 20},
	{"KiB", 1 << 10},
	{"TB", 1e12},
	{"GB", 1e9},
	{"MB", 1e6},
	{"kB", 1e3},
	{"B", 1},
	{"", 1},
}

// readSize reads a number of bytes with or without a unit, whose case does not matter.
func readSize(text string) (size int64, ok bool) {
	number := strings.TrimRight(text, "kmgtibKMGTIB")
	for _, unit := range sizeUnits {
		if strings.EqualFold(text[len(number):], unit.name) {
			v, ok := readDecimal(strings.TrimRight(number, " "))
			v *= float64(unit.bytes)
			return int64(v), ok && v < 1<<62 && v == math.Trunc(v)
		}
	}
	return 0, false
}

// formatSize writes a size in the largest unit that divides it.
func formatSize(size int64) string {
	for _, unit := range sizeUnits[:4] {
		if size != 0 && size%unit.bytes == 0 {
			return strconv.FormatInt(size/unit.bytes, 10) + unit.name
		}
	}
	return strconv.FormatInt(size, 10)
}
