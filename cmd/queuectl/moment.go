package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// momentForms is said where a flag takes a moment, and where one is refused.
const momentForms = "a position (1200), a time (2030-01-31T08:00:00Z, '2030-01-31 08:00', 2030-01-31, 08:00) or how long ago (90m, 2h, 3d)"

// momentLayouts are the forms of a time without a zone, which is then that of the clock on the wall.
var momentLayouts = []string{
	"2006-01-02 15:04:05.999999999", "2006-01-02T15:04:05.999999999",
	"2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02",
}

// momentHelp says the same in the help of commands that take moments.
const momentHelp = `A moment is a position (1200), a time (2030-01-31T08:00:00Z, '2030-01-31 08:00', 2030-01-31, 08:00) or
how long ago (90m, 2h, 3d).`

// parseMoment reads what follows a flag such as --at, or an argument if flag is "". A time of day is that of today.
func parseMoment(flag, text string, now time.Time) (queue.Moment, error) {
	if n, err := strconv.ParseUint(text, 10, 64); err == nil && n > 0 {
		return queue.Moment{Position: job.Position(n)}, nil
	}
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return queue.Moment{Time: t}, nil
	}
	for _, layout := range momentLayouts {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return queue.Moment{Time: t}, nil
		}
	}
	for _, layout := range []string{"15:04", "15:04:05"} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			year, month, day := now.Local().Date()
			return queue.Moment{Time: time.Date(year, month, day, t.Hour(), t.Minute(), t.Second(), 0, time.Local)}, nil
		}
	}
	_, err := strconv.ParseFloat(text, 64) // without a unit
	if ago, bad := job.ParseDuration(strings.TrimSuffix(text, " ago")); bad == nil && err != nil {
		return queue.Moment{Time: now.Add(-ago)}, nil
	}
	return queue.Moment{}, usage(fmt.Sprintf("%s is no moment: it can be %s", given(flag, text), momentForms), "")
}

// given is a flag with its value as it was typed, or an argument, which has no name.
func given(flag, text string) string {
	if flag == "" {
		return strconv.Quote(text)
	}
	return fmt.Sprintf("--%s %q", flag, text)
}

// asOf says for which moment of the log an answer holds.
func asOf(p job.Position, t time.Time) string {
	if p == 0 {
		return "before the first event"
	}
	return fmt.Sprintf("as of position %d, %s", p, clockTime(t))
}
