package cron_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/scheduler/cron"
)

func parse(t rapid.TB, text, zone string) *cron.Schedule {
	t.Helper()
	s, err := cron.Parse(text, zone)
	if err != nil {
		t.Fatalf("Parse(%q, %q): %v", text, zone, err)
	}
	return s
}

// ticks returns the ticks after one moment and not after another.
func ticks(s *cron.Schedule, after, until time.Time) (list []time.Time) {
	for {
		next, ok := s.Next(after, time.Time{})
		if !ok || next.After(until) {
			return list
		}
		list = append(list, next)
		after = next
	}
}

func TestNext_ClassicFields(t *testing.T) {
	t.Parallel()
	after := time.Date(2030, 1, 31, 8, 30, 0, 0, time.UTC) // a Thursday
	for text, want := range map[string]string{
		"* * * * *":        "2030-01-31 08:31:00",
		"*/15 * * * *":     "2030-01-31 08:45:00",
		"30 8 * * *":       "2030-02-01 08:30:00", // not the moment itself
		"0 9-17/4 * * *":   "2030-01-31 09:00:00",
		"0 10/5 * * *":     "2030-01-31 10:00:00",
		"5,35 8 * * *":     "2030-01-31 08:35:00",
		"0 0 * * mon":      "2030-02-04 00:00:00",
		"0 0 * * 7":        "2030-02-03 00:00:00",
		"0 0 * * fri-sun":  "2030-02-01 00:00:00",
		"0 0 * * 5-7":      "2030-02-01 00:00:00",
		"0 0 13 * fri":     "2030-02-01 00:00:00", // of two that are given one is enough
		"0 0 */10 * mon":   "2030-02-11 00:00:00", // but not of one that begins with *
		"0 0 1 FEB,jun *":  "2030-02-01 00:00:00",
		"0 0 29 2 *":       "2032-02-29 00:00:00",
		"0 0 31 4-5 *":     "2030-05-31 00:00:00",
		"*/20 * * * * *":   "2030-01-31 08:30:20",
		"5 30 8 * * *":     "2030-01-31 08:30:05",
		"@hourly":          "2030-01-31 09:00:00",
		"@daily":           "2030-02-01 00:00:00",
		"@midnight":        "2030-02-01 00:00:00",
		"@weekly":          "2030-02-03 00:00:00",
		"@monthly":         "2030-02-01 00:00:00",
		"@yearly":          "2031-01-01 00:00:00",
		"@Annually":        "2031-01-01 00:00:00",
		" 0   9 *  * 1-5 ": "2030-01-31 09:00:00",
		"59 59 23 31 12 *": "2030-12-31 23:59:59",
		"0 12 1-7 * */7":   "2030-02-03 12:00:00", // the first Sunday of a month
	} {
		got, ok := parse(t, text, "UTC").Next(after, time.Time{})
		if !ok || got.Format(time.DateTime) != want {
			t.Errorf("%q after %v: %v, %v; want %s", text, after, got, ok, want)
		}
	}
}

func TestNext_FractionsOfASecondCountAsPast(t *testing.T) {
	t.Parallel()
	s := parse(t, "* * * * * *", "UTC")
	got, _ := s.Next(time.Unix(1e9, 5e8), time.Time{})
	if want := time.Unix(1e9+1, 0); !got.Equal(want) {
		t.Errorf("after half a second: %v, want %v", got, want)
	}
}

// TestNext_ADayThatComesOnceInALifetime: */7 begins with *, so that both days must match.
func TestNext_ADayThatComesOnceInALifetime(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"0 0 29 2 */7":      {"2032-02-29", "2060-02-29", "2088-02-29", "2128-02-29"}, // Sundays
		"0 12 29 2 */6":     {"2032-02-29", "2048-02-29", "2060-02-29", "2076-02-29"}, // and Saturdays
		"0 0 */31 */12 */7": {"2034-01-01", "2040-01-01", "2045-01-01", "2051-01-01"},
	} {
		at := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
		for _, day := range want {
			next, ok := parse(t, text, "UTC").Next(at, time.Time{})
			if !ok || next.Format(time.DateOnly) != day {
				t.Errorf("%q after %v: %v, %v; want %s", text, at, next, ok, day)
			}
			at = next
		}
	}
}

func TestNext_NeverIsSaid(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 31 2 */2"} {
		if got, ok := parse(t, text, "UTC").Next(time.Unix(1.9e9, 0), time.Time{}); ok {
			t.Errorf("%q ticks at %v, want never", text, got)
		}
	}
	if got, ok := parse(t, "* * * * *", "America/New_York").Next(time.Date(2261, 12, 31, 23, 59, 30, 0, time.UTC), time.Time{}); ok {
		t.Errorf("a tick beyond all times: %v", got)
	}
	if got, ok := parse(t, "0 12 * * *", "America/New_York").Next(time.Date(2261, 12, 31, 23, 59, 30, 0, time.UTC), time.Time{}); ok {
		t.Errorf("a tick beyond all times: %v", got)
	}
}

func TestNext_EveryCountsFromTheAnchor(t *testing.T) {
	t.Parallel()
	s := parse(t, "@every 1m30s", "Europe/Zurich")
	anchor := time.Unix(1e9+7, 0)
	for after, want := range map[int64]int64{0: 90, 1: 90, 89: 90, 90: 180, 91: 180, -5: 90, -1e6: 90, 1e6: 1000080} {
		got, ok := s.Next(anchor.Add(time.Duration(after)*time.Second), anchor)
		if !ok || got.Sub(anchor) != time.Duration(want)*time.Second {
			t.Errorf("%d s after the anchor: %v, want %d s", after, got.Sub(anchor), want)
		}
	}
}

func TestParse_Refusals(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                    "empty",
		"   ":                 "empty",
		"* * * *":             "4 fields",
		"* * * * * * *":       "7 fields",
		"60 * * * *":          "0 to 59",
		"* 24 * * *":          "0 to 23",
		"* * 0 * *":           "1 to 31",
		"* * * 13 *":          "1 to 12 or jan to dec",
		"* * * * 8":           "0 to 7 or sun to sat",
		"* * * * funday":      "sun to sat",
		"-5 * * * *":          "0 to 59",
		"+5 * * * *":          "0 to 59",
		"5- * * * *":          "0 to 59",
		"30-10 * * * *":       "write 30-59,0-10",
		"* * * * fri-mon":     "write fri-sat,sun-mon",
		"* * * nov-feb *":     "write nov-dec,jan-feb",
		"*/0 * * * *":         "step",
		"*/-1 * * * *":        "step",
		"*/x * * * *":         "step",
		"*/ * * * *":          "step",
		"1,,2 * * * *":        "0 to 59",
		"1-2-3 * * * *":       "0 to 59",
		"** * * * *":          "0 to 59",
		"? * * * *":           "there is none",
		"0 0 L * *":           "there is none",
		"0 0 * * mon#2":       "there is none",
		"0 0 15W * *":         "there is none",
		"@reboot":             "no time",
		"@fortnightly":        "@weekly",
		"@daily 5":            "must be",
		"@every":              "whole seconds",
		"@every 0s":           "whole seconds",
		"@every 500ms":        "whole seconds",
		"@every 1500ms":       "whole seconds",
		"@every -5m":          "whole seconds",
		"@every 1000000h":     "whole seconds",
		"99999999999 * * * *": "0 to 59",
	} {
		_, err := cron.Parse(text, "UTC")
		if !errors.Is(err, job.ErrInvalid) || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("Parse(%q): %v, want an ErrInvalid that says %q", text, err, want)
		}
	}
	for _, zone := range []string{"", "Europe/Zuerich", "CEST", "../etc/passwd", "Mars"} {
		if _, err := cron.Parse("@daily", zone); !errors.Is(err, job.ErrInvalid) || !strings.Contains(err.Error(), "Europe/Zurich") {
			t.Errorf("zone %q: %v, want a refusal with an example", zone, err)
		}
	}
}

// What the package promises about clocks that are set, with the days on which they were. Times are those on
// the wall with the offset from UTC.
func TestNext_WhenTheClockIsSet(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, zone, text string
		from             string // on the wall of the day before, as a UTC time
		hours            int
		want             []string
	}{
		{"left out", "Europe/Zurich", "30 2 * * *", "2026-03-29 00:00", 27, []string{"29 03:00 +02", "30 02:30 +02"}},
		{"left out, several", "Europe/Zurich", "*/20 2 * * *", "2026-03-28 12:00", 20, []string{"29 03:00 +02"}},
		{"left out, and the moment itself", "Europe/Zurich", "0 2,3 * * *", "2026-03-28 12:00", 20, []string{"29 03:00 +02"}},
		{"twice", "Europe/Zurich", "30 2 * * *", "2026-10-24 12:00", 40, []string{"25 02:30 +02", "26 02:30 +01"}},
		{"twice, from within", "Europe/Zurich", "45 2 * * *", "2026-10-25 01:30", 26, []string{"26 02:45 +01"}},
		{"every hour, left out", "Europe/Zurich", "30 * * * *", "2026-03-29 00:00", 3, []string{"29 01:30 +01", "29 03:30 +02", "29 04:30 +02"}},
		{"every hour, twice", "Europe/Zurich", "30 * * * *", "2026-10-24 23:00", 4, []string{"25 01:30 +02", "25 02:30 +02", "25 02:30 +01", "25 03:30 +01"}},
		{"every other hour", "Europe/Zurich", "0 */2 * * *", "2026-03-28 23:30", 4, []string{"29 03:00 +02", "29 04:00 +02"}},
		{"New York", "America/New_York", "0 2 * * *", "2026-03-08 05:30", 26, []string{"08 03:00 -04", "09 02:00 -04"}},
		{"midnight left out", "Africa/Cairo", "@daily", "2026-04-23 20:00", 30, []string{"24 01:00 +03", "25 00:00 +03"}},
		{"midnight twice", "Africa/Cairo", "0 23 * * *", "2026-10-29 12:00", 34, []string{"29 23:00 +03", "30 23:00 +02"}},
		{"half an hour", "Australia/Lord_Howe", "15 2 * * *", "2026-10-03 12:00", 4, []string{"04 02:30 +11"}},
		{"half an hour, twice", "Australia/Lord_Howe", "45 1 * * *", "2026-04-04 12:00", 6, []string{"05 01:45 +11"}},
		{"a whole day left out", "Pacific/Apia", "0 12 * * *", "2011-12-29 20:00", 40, []string{"29 12:00 -10", "31 00:00 +14", "31 12:00 +14"}},
		{"no summer time", "Asia/Tokyo", "30 2 * * *", "2026-03-28 12:00", 24, []string{"29 02:30 +09"}},
	} {
		from, err := time.Parse("2006-01-02 15:04", test.from)
		if err != nil {
			t.Fatal(err)
		}
		zone, err := cron.Zone(test.zone)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, tick := range ticks(parse(t, test.text, test.zone), from, from.Add(time.Duration(test.hours)*time.Hour)) {
			got = append(got, tick.In(zone).Format("02 15:04 -07"))
		}
		if strings.Join(got, ", ") != strings.Join(test.want, ", ") {
			t.Errorf("%s: %q in %s: %q, want %q", test.name, test.text, test.zone, got, test.want)
		}
	}
}

func TestMoment_TimesThatAreLeftOutOrComeTwice(t *testing.T) {
	t.Parallel()
	zone, err := cron.Zone("Europe/Zurich")
	if err != nil {
		t.Fatal(err)
	}
	for wall, want := range map[string]string{
		"2026-03-29 01:59": "2026-03-29T01:59:00+01:00",
		"2026-03-29 02:30": "2026-03-29T03:00:00+02:00",
		"2026-10-25 02:30": "2026-10-25T02:30:00+02:00",
		"2026-10-25 03:00": "2026-10-25T03:00:00+01:00",
	} {
		civil, err := time.Parse("2006-01-02 15:04", wall)
		if err != nil {
			t.Fatal(err)
		}
		if got := cron.Moment(civil, zone).Format(time.RFC3339); got != want {
			t.Errorf("%s: %s, want %s", wall, got, want)
		}
	}
}

// zones have clocks that are set by an hour, by half an hour, at midnight, in the south, not at all, and one
// that left out a day.
var zones = []string{
	"Europe/Zurich", "America/New_York", "America/Sao_Paulo", "Africa/Cairo", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC",
	"Pacific/Apia", "America/Asuncion", "Asia/Beirut", "Pacific/Chatham", "Africa/Casablanca", "Antarctica/Troll", "Europe/Dublin",
}

// fieldTexts draws a field that asks for little or much.
func fieldTexts(from, to int) *rapid.Generator[string] {
	number := rapid.IntRange(from, to)
	return rapid.OneOf(
		rapid.Just("*"),
		rapid.Custom(func(t *rapid.T) string { return fmt.Sprint(number.Draw(t, "n")) }),
		rapid.Custom(func(t *rapid.T) string { return fmt.Sprintf("*/%d", rapid.IntRange(1, to).Draw(t, "step")) }),
		rapid.Custom(func(t *rapid.T) string {
			a, b := number.Draw(t, "a"), number.Draw(t, "b")
			return fmt.Sprintf("%d-%d/%d", min(a, b), max(a, b), rapid.IntRange(1, 7).Draw(t, "step"))
		}),
		rapid.Custom(func(t *rapid.T) string { return fmt.Sprintf("%d,%d", number.Draw(t, "a"), number.Draw(t, "b")) }),
	)
}

// asked says that a field, whose numbers begin with first, asks for n; it reads the field in the plainest way.
func asked(text string, first, n int) bool {
	for part := range strings.SplitSeq(text, ",") {
		from, to, step := first, 99, 1
		switch {
		case part == "*":
		case strings.HasPrefix(part, "*/"):
			fmt.Sscanf(part, "*/%d", &step)
		case strings.Contains(part, "-"):
			fmt.Sscanf(part, "%d-%d/%d", &from, &to, &step)
		default:
			fmt.Sscanf(part, "%d", &from)
			to = from
		}
		if n >= from && n <= to && (n-from)%step == 0 {
			return true
		}
	}
	return false
}

// bruteForce goes from minute to minute and looks at the clock on the wall.
func bruteForce(f [5]string, zone *time.Location, after, until time.Time) (list []time.Time) {
	matches := func(wall time.Time) bool {
		day, weekday := asked(f[2], 1, wall.Day()), asked(f[4], 0, int(wall.Weekday()))
		either := f[2][0] != '*' && f[4][0] != '*'
		return asked(f[0], 0, wall.Minute()) && asked(f[1], 0, wall.Hour()) && asked(f[3], 1, int(wall.Month())) &&
			(day && weekday || either && (day || weekday))
	}
	everyHour := true
	for h := range 24 {
		everyHour = everyHour && asked(f[1], 0, h)
	}
	wallOf := func(moment time.Time) time.Time {
		w := moment.In(zone)
		return time.Date(w.Year(), w.Month(), w.Day(), w.Hour(), w.Minute(), 0, 0, time.UTC)
	}
	seen := map[time.Time]bool{}
	start := after.Add(-49 * time.Hour)
	before := wallOf(start.Add(-time.Minute))
	for moment := start; !moment.After(until); moment = moment.Add(time.Minute) {
		wall := wallOf(moment)
		tick := matches(wall) && (everyHour || !seen[wall])
		for left := before.Add(time.Minute); !everyHour && left.Before(wall); left = left.Add(time.Minute) {
			tick = tick || matches(left)
			seen[left] = true
		}
		seen[wall] = true
		before = wall
		if tick && moment.After(after) {
			list = append(list, moment)
		}
	}
	return list
}

func TestNext_AgreesWithASearchMinuteByMinute(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(zones).Draw(t, "zone")
		zone, err := cron.Zone(name)
		if err != nil {
			t.Fatal(err)
		}
		after := time.Unix(rapid.Int64Range(1.25e9, 2.2e9).Draw(t, "after")/60*60, 0)
		if _, set := after.In(zone).ZoneBounds(); !set.IsZero() && rapid.Bool().Draw(t, "near a change") {
			after = set.Truncate(time.Minute).Add(time.Duration(rapid.IntRange(-1500, 100).Draw(t, "minutes before")) * time.Minute)
		}
		f := [5]string{
			fieldTexts(0, 59).Draw(t, "minute"), fieldTexts(0, 23).Draw(t, "hour"),
			rapid.OneOf(rapid.Just("*"), fieldTexts(1, 31)).Draw(t, "day"), rapid.OneOf(rapid.Just("*"), fieldTexts(1, 12)).Draw(t, "month"),
			rapid.OneOf(rapid.Just("*"), fieldTexts(0, 6)).Draw(t, "weekday"),
		}
		text := strings.Join(f[:], " ")
		s := parse(t, text, name)
		until := after.Add(3 * 24 * time.Hour)
		got, want := ticks(s, after, until), bruteForce(f, zone, after, until)
		for i := range max(len(got), len(want)) {
			if i >= len(got) || i >= len(want) || !got[i].Equal(want[i]) {
				t.Fatalf("%q in %s after %v, tick %d:\ngot  %v\nwant %v", text, name, after.In(zone), i, local(got, i, zone), local(want, i, zone))
			}
		}
		last, ok := s.Last(after, until, time.Time{})
		if ok != (len(want) > 0) || ok && !last.Equal(want[len(want)-1]) {
			t.Fatalf("%q in %s: Last(%v, %v) = %v, %v; want the last of %d ticks", text, name, after, until, last, ok, len(want))
		}
	})
}

// local shows the i-th tick and the next one.
func local(list []time.Time, i int, zone *time.Location) (texts []string) {
	for _, t := range list[min(i, len(list)):min(i+2, len(list))] {
		texts = append(texts, t.In(zone).Format("2006-01-02T15:04-0700"))
	}
	return texts
}

func BenchmarkNext(b *testing.B) {
	for _, text := range []string{"* * * * * *", "*/15 * * * *", "30 2 * * *", "0 0 29 2 *", "@every 90s"} {
		s, err := cron.Parse(text, "Europe/Zurich")
		if err != nil {
			b.Fatal(err)
		}
		b.Run(text, func(b *testing.B) {
			at := time.Unix(1.9e9, 0)
			for b.Loop() {
				s.Next(at, time.Time{})
			}
		})
	}
}
