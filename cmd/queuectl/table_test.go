package main

import (
	"strings"
	"testing"
)

func TestTable_GivesUpColumnsBeforeItsWords(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		width int
		want  string // the lines, with single spaces
	}{
		{"not a terminal", 0, "ID WHEN BY DETAILS\n1 2030-01-31 08:00:00 ada exit 1, next attempt 1h later\n日本 now bob ok\n"},
		{"wide enough for all", 80, "ID WHEN BY DETAILS\n1 2030-01-31 08:00:00 ada exit 1, next attempt 1h later\n日本 now bob ok\n"},
		{"just wide enough for some words", 56, "ID WHEN BY DETAILS\n1 2030-01-31 08:00:00 ada exit 1, next attempt 1h…\n日本 now bob ok\n"},
		{"too narrow for one column", 55, "ID WHEN DETAILS\n1 2030-01-31 08:00:00 exit 1, next attempt 1h lat…\n日本 now ok\n"},
		{"too narrow for two", 48, "ID DETAILS\n1 exit 1, next attempt 1h later\n日本 ok\n"},
		{"too narrow for anything", 12, "ID DETAI…\n1 exit …\n日本 ok\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			stdout := tempFile(t)
			s := newSession(nil, stdout, stdout)
			s.out.width = test.width
			rows := table{header: []string{"ID", "WHEN", "BY", "DETAILS"}, spare: []string{"BY", "NONE", "WHEN"}}
			rows.add(text("1"), text("2030-01-31 08:00:00"), text("ada"), text("exit 1, next attempt 1h later"))
			rows.add(text("日本"), text("now"), text("bob"), text("ok"))
			rows.print(s)
			if err := s.out.Flush(); err != nil {
				t.Fatal(err)
			}
			got := contents(t, stdout)
			var words strings.Builder
			for line := range strings.Lines(got) {
				words.WriteString(strings.Join(strings.Fields(line), " ") + "\n")
			}
			if words.String() != test.want {
				t.Errorf("got\n%swant\n%s", got, test.want)
			}
		})
	}
}
