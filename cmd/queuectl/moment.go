package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
	"github.com/queuectl/queuectl/scheduler/cron"
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
	if t, ok := parseTime(text); ok {
		return queue.Moment{Time: t}, nil
	}
	if clock, ok := parseTimeOfDay(text); ok {
		return queue.Moment{Time: onDay(now, 0, clock)}, nil
	}
	_, err := strconv.ParseFloat(text, 64) // without a unit
	if ago, bad := job.ParseDuration(strings.TrimSuffix(text, " ago")); bad == nil && err != nil {
		return queue.Moment{Time: now.Add(-ago)}, nil
	}
	return queue.Moment{}, usage(fmt.Sprintf("%s is no moment: it can be %s", given(flag, text), momentForms), "")
}

// comingForms is said where a flag takes a moment to come, and where one is refused.
const comingForms = "a time of day (03:00), a day and time ('2030-01-31 08:00', 2030-01-31T08:00:00Z), or from now on (+90m, +2h, +3d)"

// parseComing reads a moment to come. A time of day is the next one: today's, or tomorrow's if that has passed.
func parseComing(flag, text string, now time.Time) (time.Time, error) {
	if in, ok := strings.CutPrefix(text, "+"); ok {
		if d, err := job.ParseDuration(in); err == nil {
			return now.Add(d), nil
		}
	}
	if clock, ok := parseTimeOfDay(text); ok {
		t := onDay(now, 0, clock)
		if !t.After(now) {
			t = onDay(now, 1, clock)
		}
		return t, nil
	}
	t, ok := parseTime(text)
	switch {
	case ok && t.Before(now):
		return time.Time{}, invalid(given(flag, text)+" has passed", "leave it out, and the job is due at once")
	case ok:
		return t, nil
	}
	hint := ""
	if d, err := job.ParseDuration(text); err == nil && d > 0 {
		hint = fmt.Sprintf("did you mean --%s +%s?", flag, text)
	}
	return time.Time{}, usage(fmt.Sprintf("%s is no time to come: it can be %s", given(flag, text), comingForms), hint)
}

// parseTime reads a day, with or without a time. Without a zone it is by the clock on the wall: of a time that
// comes twice the first, of one that is left out the moment from which the clock goes on.
func parseTime(text string) (time.Time, bool) {
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t, true
	}
	for _, layout := range momentLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return cron.Moment(t, time.Local), true
		}
	}
	return time.Time{}, false
}

// parseTimeOfDay reads a time without a day.
func parseTimeOfDay(text string) (clock time.Time, ok bool) {
	for _, layout := range []string{"15:04", "15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// onDay returns the moment of a time of day, so many days after today.
func onDay(now time.Time, days int, clock time.Time) time.Time {
	year, month, day := now.Local().Date()
	return cron.Moment(time.Date(year, month, day+days, clock.Hour(), clock.Minute(), clock.Second(), 0, time.UTC), time.Local)
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
