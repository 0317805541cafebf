package main

import (
	"strings"
	"testing"
	"time"

	"github.com/queuectl/queuectl/queue"
)

func TestParseMoment_TakesPositionsTimesAndAges(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 31, 9, 30, 0, 0, time.Local)
	local := func(hour, minute, second int) time.Time {
		return time.Date(2030, 1, 31, hour, minute, second, 0, time.Local)
	}
	for text, want := range map[string]queue.Moment{
		"1200":                      {Position: 1200},
		"2030-01-31T08:00:00Z":      {Time: time.Date(2030, 1, 31, 8, 0, 0, 0, time.UTC)},
		"2030-01-31T08:00:00.5Z":    {Time: time.Date(2030, 1, 31, 8, 0, 0, 5e8, time.UTC)},
		"2030-01-31T08:00:00+02:00": {Time: time.Date(2030, 1, 31, 6, 0, 0, 0, time.UTC)},
		"2030-01-31 08:00:07":       {Time: local(8, 0, 7)},
		"2030-01-31T08:00":          {Time: local(8, 0, 0)},
		"2030-01-31":                {Time: local(0, 0, 0)},
		"08:15":                     {Time: local(8, 15, 0)},
		"08:15:09":                  {Time: local(8, 15, 9)},
		"90m":                       {Time: local(8, 0, 0)},
		"2h ago":                    {Time: local(7, 30, 0)},
		"1d":                        {Time: now.Add(-24 * time.Hour)},
	} {
		got, err := parseMoment("at", text, now)
		if err != nil || got.Position != want.Position || !got.Time.Equal(want.Time) {
			t.Errorf("parseMoment(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "0", "1.5", "-5", "yesterday", "25:00", "2030-13-01", "-2h", "08:60"} {
		got, err := parseMoment("at", text, now)
		if err == nil {
			t.Errorf("parseMoment(%q) = %v, want a refusal", text, got)
		} else if !strings.Contains(err.Error(), "--at") {
			t.Errorf("parseMoment(%q): %v; want the flag in it", text, err)
		}
	}
}

func TestParseComing_ATimeOfDayIsTheNextOne(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 31, 9, 30, 0, 0, time.Local)
	on := func(day, hour, minute int) time.Time { return time.Date(2030, 1, day, hour, minute, 0, 0, time.Local) }
	for text, want := range map[string]time.Time{
		"09:31":                on(31, 9, 31),
		"09:30":                on(32, 9, 30),
		"03:00":                on(32, 3, 0),
		"23:59:59":             on(31, 23, 59).Add(59 * time.Second),
		"+90m":                 on(31, 11, 0),
		"+1d12h":               now.Add(36 * time.Hour),
		"+0":                   now,
		"2030-01-31 09:30":     now,
		"2030-02-01":           on(32, 0, 0),
		"2040-01-31T08:00:00Z": time.Date(2040, 1, 31, 8, 0, 0, 0, time.UTC),
	} {
		if got, err := parseComing("at", text, now); err != nil || !got.Equal(want) {
			t.Errorf("parseComing(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "+", "+-2h", "-2h", "2h", "90", "1200", "2030-01-31", "2030-01-31 09:29", "soon", "24:00", "2h ago"} {
		if got, err := parseComing("at", text, now); err == nil || !strings.Contains(err.Error(), "--at") {
			t.Errorf("parseComing(%q) = %v, %v; want a refusal with the flag in it", text, got, err)
		}
	}
}
