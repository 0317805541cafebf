package cron

import (
	"math"
	"time"
)

// Times on the wall are Unix seconds as if the zone were UTC.

// period is a time in which a zone's clock is not set.
type period struct {
	end    int64 // Unix seconds; the first that is not in it; math.MaxInt64 if it goes on for ever
	offset int64 // seconds east of UTC
}

// periodAt returns the period that a moment (Unix seconds) is in.
func periodAt(moment int64, zone *time.Location) period {
	t := time.Unix(moment, 0).In(zone)
	_, offset := t.Zone()
	p := period{end: math.MaxInt64, offset: int64(offset)}
	if _, end := t.ZoneBounds(); !end.IsZero() {
		p.end = end.Unix()
	}
	return p
}

// wallOf returns the time on the wall at a moment.
func wallOf(moment int64, zone *time.Location) int64 {
	_, offset := time.Unix(moment, 0).In(zone).Zone()
	return moment + int64(offset)
}

// momentOf returns the first moment at which it is a time on the wall; if that is left out, the moment from
// which the clock goes on.
func momentOf(wall int64, zone *time.Location) int64 {
	const most = 26 * hour // no zone is so far from UTC, nor is a clock set by more
	for from := wall - most; ; {
		p := periodAt(from, zone)
		if moment := wall - p.offset; moment < p.end {
			return max(moment, from)
		}
		from = p.end
	}
}

// Moment returns the moment at which the clock on the wall of a zone shows the date and time of wall, whose own
// zone does not matter: the first, if it does so twice; if it never does, because the clock is set
// forward over it, the moment from which it goes on.
func Moment(wall time.Time, zone *time.Location) time.Time {
	civil := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, time.UTC)
	return time.Unix(momentOf(civil.Unix(), zone), int64(wall.Nanosecond())).In(zone)
}
