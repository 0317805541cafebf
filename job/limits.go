package job

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Bounds of a queue's limits.
const (
	MaxConcurrency = 1e9 // jobs at a time
	MaxRate        = 1e6 // jobs in the unit of a rate
)

// Limits are what holds a queue back, in all workers together. The zero value holds nothing back.
type Limits struct {
	Concurrency uint32        // jobs that run at a time; 0 = any number
	Rate        uint32        // jobs that are begun in Per; 0 = any number
	Per         time.Duration // a second, a minute or an hour; 0 if Rate is
}

// Interval is the time after which a rate lets one more job begin, rounded up to a nanosecond, so that the
// rate is never exceeded. 0 = there is no rate.
func (l Limits) Interval() time.Duration {
	if l.Rate == 0 {
		return 0
	}
	return (l.Per + time.Duration(l.Rate) - 1) / time.Duration(l.Rate)
}

// rateUnits are those that a rate is written in.
var rateUnits = []struct {
	name string
	per  time.Duration
}{{"s", time.Second}, {"m", time.Minute}, {"h", time.Hour}}

// SetRate reads a rate: a whole number of jobs and a unit, as in 10/s, 600/m or 5/h; none stands for no rate. 0 is
// refused, since some would mean by it that no job may begin: that is a pause. The error wraps ErrInvalid.
func (l *Limits) SetRate(text string) error {
	if text == "none" {
		l.Rate, l.Per = 0, 0
		return nil
	}
	number, unit, _ := strings.Cut(text, "/")
	n, err := strconv.ParseUint(number, 10, 32)
	for _, u := range rateUnits {
		if u.name == unit && err == nil && n >= 1 && n <= MaxRate {
			l.Rate, l.Per = uint32(n), u.per
			return nil
		}
	}
	return invalid("rate", quoted(text), fmt.Sprintf("jobs in a second, minute or hour, such as 10/s, 600/m or 5/h, with 1 to %d jobs; none takes it away", int(MaxRate)))
}

// SetConcurrency reads how many jobs may run at a time; none stands for any number, and 0 is refused as by
// [Limits.SetRate]. The error wraps ErrInvalid.
func (l *Limits) SetConcurrency(text string) error {
	if text == "none" {
		l.Concurrency = 0
		return nil
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n < 1 || n > MaxConcurrency {
		return invalid("concurrency", quoted(text), wantWhole(1, MaxConcurrency)+"; none takes it away")
	}
	l.Concurrency = uint32(n)
	return nil
}

// RateText writes the rate so that [Limits.SetRate] reads it back.
func (l Limits) RateText() string {
	if l.Rate == 0 {
		return "none"
	}
	for _, u := range rateUnits {
		if u.per == l.Per {
			return fmt.Sprintf("%d/%s", l.Rate, u.name)
		}
	}
	return fmt.Sprintf("%d/%s", l.Rate, FormatDuration(l.Per)) // of a newer program
}

// ConcurrencyText writes how many jobs may run at a time so that [Limits.SetConcurrency] reads it back.
func (l Limits) ConcurrencyText() string {
	if l.Concurrency == 0 {
		return "none"
	}
	return strconv.FormatUint(uint64(l.Concurrency), 10)
}

// Check returns an error that wraps ErrInvalid if no queue can have these limits.
func (l Limits) Check() error {
	var again Limits
	if err := again.SetConcurrency(l.ConcurrencyText()); err != nil {
		return err
	}
	if err := again.SetRate(l.RateText()); err != nil {
		return err
	}
	if again != l {
		return invalid("rate", l.RateText(), "no unit without jobs")
	}
	return nil
}
