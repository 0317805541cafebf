package main

import (
	"context"
	"errors"
	"io"

	"github.com/queuectl/queuectl/queue"
)

type logFollowCmd struct {
	From string `placeholder:"MOMENT" help:"Begin with the event at this position or time. Default: with the next event that happens."`
	eventFlags
}

// Help is shown below the usage line.
func (logFollowCmd) Help() string {
	return `Every event as it happens, once and in order, until Ctrl-C (exit code 130) or until nobody reads the
output any more. On a terminal a table, otherwise JSON lines. An event is printed when it is
durable.

To go on after a pause or a crash, remember the position of the last line that was dealt with, and give
--from that position plus one: no event is missed and none comes twice. --from 1 begins with the log.

` + momentHelp + `

Examples:

  queuectl log follow
  queuectl log follow --from 1201 | jq -c 'select(.kind == "JobDied")'
  queuectl log follow --type JobFailed,JobDied --queue mail -o jsonl >> failures.jsonl`
}

// Run follows the log. It opens no queue: it needs no state, and is as light after a million events as before.
func (c *logFollowCmd) Run(ctx context.Context, s *session) error {
	f := c.filter()
	var err error
	if f.From, err = readMoment(s, "from", c.From); err != nil {
		return err
	}
	trail, err := queue.OpenTrail(s.dir, f.From.Position)
	if err != nil {
		return err
	}
	defer trail.Close() // only reads: nothing can be lost
	if c.From == "" {
		if _, err := trail.SkipToEnd(ctx); err != nil {
			return err
		}
	}
	feed := eventFeed{s: s}
	if s.format == formatJSON {
		s.format = formatJSONL // a document would never end
	}
	var selected []story
	for {
		commit, err := trail.Next(ctx)
		if errors.Is(err, io.EOF) {
			if err = s.out.Flush(); err == nil && s.out.abandoned() {
				return nil
			}
			if err == nil {
				err = trail.Wait(ctx)
			}
			if err == nil {
				continue
			}
		}
		if err != nil {
			return err
		}
		selected = selected[:0]
		for _, r := range commit.Records {
			if f.Match(r) {
				selected = append(selected, story{r, r.ID})
			}
		}
		if err := feed.print(selected); err != nil {
			return err
		}
	}
}

// eventFeed prints events as they come: as a table whose columns only become wider, or as lines.
type eventFeed struct {
	s      *session
	widths []int // of the columns so far; nil = nothing was printed
}

func (f *eventFeed) print(events []story) error {
	if !f.s.asTable() {
		return storyListing(false).print(f.s, events)
	}
	if len(events) == 0 {
		return nil
	}
	t := storyTable(false)(f.s, events)
	if f.s.out.width > 0 && f.s.out.width < wideTerminal {
		t.drop(storyByColumn) // and not by what is in it, so that all rows have the same columns
	}
	first := f.widths == nil
	if first {
		f.widths = append([]int{0, 0, usualID, usualEvent}, make([]int, len(t.header)-4)...)
	}
	for i, w := range t.widths() {
		f.widths[i] = max(f.widths[i], w)
	}
	if first {
		t.printRow(f.s, f.widths, headerRow(t.header))
	}
	for _, row := range t.rows {
		t.printRow(f.s, f.widths, row)
	}
	return nil
}

const (
	wideTerminal = 110 // columns; in fewer, who wrote an event gives way to what it says
	usualID      = 10  // columns that are enough for most
	usualEvent   = 14
)
