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
