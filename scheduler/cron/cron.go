// Package cron says when a schedule ticks: a schedule of five fields as crontab(5) has them, of six with
// seconds, by a name (@daily), or at a distance (@every 90s).
//
// A schedule of fields is about the clock on the wall of a zone. Where that clock is set forward or back,
//
//   - a schedule of every hour follows real time: it ticks at every moment at which the clock shows what it
//     asks for, which may be twice for an hour that comes twice, and never for one that is left out;
//   - any other ticks once for each time that it asks for: for a time that comes twice at the first, and for
//     a time that is left out at the moment from which the clock goes on. Several times that are left out
//     together are one tick.
//
// @every knows of no clock on the wall: it follows real time.
//
// Ticks are whole seconds. The package starts nothing, reads no clock, and brings the data of all time zones
// with it, for machines that lack them.
package cron

import (
	"fmt"
	"math/bits"
	"sort"
	"time"
	_ "time/tzdata" // LoadLocation must know the zones on a machine that does not

	"github.com/queuectl/queuectl/job"
)

// Schedule says when something ticks. It does not change, and is safe for concurrent use.
type Schedule struct {
	every int64 // seconds; 0 = by the fields

	second, minute, hour, day, month, weekday set
	eitherDay                                 bool // day and weekday are both given: one of them is enough
	zone                                      *time.Location
}

// set holds small numbers.
type set uint64

func (s set) has(n int) bool { return s>>uint(n)&1 != 0 }

// from returns the least number of the set that is at least n, -1 if there is none.
func (s set) from(n int) int {
	if s >>= uint(n); s == 0 {
		return -1
	}
	return n + bits.TrailingZeros64(uint64(s))
}

const allHours = set(1<<24 - 1)

// Parse reads a schedule and the name of its zone: one of the IANA data base (Europe/Zurich), UTC, or Local for that
// of the machine. Errors wrap job.ErrInvalid and say what is wrong; there is none for a schedule that never
// ticks, of which Next says so.
func Parse(text, zone string) (*Schedule, error) {
	location, err := Zone(zone)
	if err != nil {
		return nil, err
	}
	s, err := parse(text)
	if err != nil {
		return nil, err
	}
	s.zone = location
	return s, nil
}

// Zone returns the zone of this name. The error wraps job.ErrInvalid.
func Zone(name string) (*time.Location, error) {
	if name != "" {
		if zone, err := time.LoadLocation(name); err == nil {
			return zone, nil
		}
	}
	return nil, fmt.Errorf("time zone %q: %w: must be a name such as Europe/Zurich, America/New_York or UTC", name, job.ErrInvalid)
}

// last is the first moment after all ticks (Unix seconds): a job's times end there, too.
var last = time.Date(2262, 1, 1, 0, 0, 0, 0, time.UTC).Unix()

// Next returns the first tick after a moment. anchor is where @every counts from: it ticks a whole number of
// times its distance later. ok is false if there is none before the year 2262.
func (s *Schedule) Next(after, anchor time.Time) (tick time.Time, ok bool) {
	next := s.next(after.Unix(), anchor.Unix())
	if next >= last {
		return time.Time{}, false
	}
	return time.Unix(next, 0).UTC(), true
}

// Last returns the last tick that is after one moment and not after another. ok is false if there is none.
func (s *Schedule) Last(after, until, anchor time.Time) (tick time.Time, ok bool) {
	from, to := after.Unix(), until.Unix()
	if first := s.next(from, anchor.Unix()); first > to || first >= last {
		return time.Time{}, false
	}
	// The first second after which there is no tick any more is that of the last one.
	n := sort.Search(int(to-from), func(i int) bool { return s.next(from+int64(i), anchor.Unix()) > to })
	return time.Unix(from+int64(n), 0).UTC(), true
}

// next returns the first tick after a Unix second, last if there is none.
func (s *Schedule) next(after, anchor int64) int64 {
	switch {
	case s.every > 0 && after < anchor:
		return anchor + s.every
	case s.every > 0:
		return min(last, anchor+((after-anchor)/s.every+1)*s.every)
	case s.hour == allHours:
		return s.nextReal(after)
	}
	return s.nextWall(after)
}

// nextWall is next for times of the wall clock, each of which is one tick.
func (s *Schedule) nextWall(after int64) int64 {
	// moment never decreases as the time on the wall grows, so that the first time with a later moment is it.
	for wall := s.match(wallOf(after, s.zone)); wall < last; wall = s.match(wall) {
		if tick := momentOf(wall, s.zone); tick > after {
			return tick
		}
	}
	return last
}

// nextReal is next for moments at which the wall clock shows what the schedule asks for.
func (s *Schedule) nextReal(after int64) int64 {
	for from := after + 1; from < last; {
		p := periodAt(from, s.zone)
		wall := s.match(from + p.offset - 1)
		if wall >= last {
			return last
		}
		if tick := wall - p.offset; tick < p.end {
			return tick
		}
		from = p.end
	}
	return last
}

const (
	minute = 60
	hour   = 60 * minute
	day    = 24 * hour
)

// match returns the first time after wall that the fields match; last if there is none within 41 years: a 29 of February
// that is a Sunday comes in 2088 and then in 2128, and no two days that are asked for are further apart.
func (s *Schedule) match(wall int64) int64 {
	const enough = 41 * 366 // days
	wall++
	today, rest := wall/day, int(wall%day)
	if rest < 0 {
		return last // before 1970: nothing is asked for there
	}
	for n := today; n <= today+enough && n*day < last; n++ {
		year, month, dayOfMonth := time.Unix(n*day, 0).UTC().Date()
		if !s.month.has(int(month)) {
			n = time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Unix() / day // its last day
			continue
		}
		if !s.matchDay(n, dayOfMonth) {
			continue
		}
		if n > today {
			rest = 0
		}
		if at := s.matchTime(rest); at >= 0 {
			return n*day + int64(at)
		}
	}
	return last
}

// matchDay says that the fields match the n-th day from 1970-01-01 on, if they match its month.
func (s *Schedule) matchDay(n int64, dayOfMonth int) bool {
	byDay, byWeekday := s.day.has(dayOfMonth), s.weekday.has(int((n+4)%7)) // it was a Thursday
	if s.eitherDay {
		return byDay || byWeekday
	}
	return byDay && byWeekday
}

// matchTime returns the first second of the day from the given one on that the fields match, -1 if there is
// none.
func (s *Schedule) matchTime(from int) int {
	h, m, sec := from/hour, from%hour/minute, from%minute
	for h = s.carry(s.hour, h, &m, &sec); h >= 0; h = s.hour.from(h + 1) {
		for m = s.carry(s.minute, m, &sec); m >= 0; m = s.minute.from(m + 1) {
			if found := s.second.from(sec); found >= 0 {
				return h*hour + m*minute + found
			}
			sec = 0
		}
		m, sec = 0, 0
	}
	return -1
}

// carry returns the least number of the set that is at least n; if it is greater, what is smaller begins anew.
func (s *Schedule) carry(of set, n int, smaller ...*int) int {
	found := of.from(n)
	if found != n {
		for _, p := range smaller {
			*p = 0
		}
	}
	return found
}
