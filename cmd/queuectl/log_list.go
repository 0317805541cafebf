package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

type logListCmd struct {
	spanFlags
	eventFlags
	After uint64 `placeholder:"POSITION" help:"Only events after this one."`
	Limit *int   `placeholder:"N" help:"Show N events at most: the newest, or with --after or --from the first."`
	All   bool   `help:"Show all events on a terminal, too."`

	SkipDamage bool `help:"Of a damaged log, show also what is sound behind the damage."`
}

// Help is shown below the usage line.
func (logListCmd) Help() string {
	return `On a terminal: a table of the newest 50 events. Through a pipe: all events as JSON lines. Several
conditions must all be met.

` + momentHelp + `
Times are compared with each event's own: a clock that was set back shows as times out of order.
With a position, reading begins there and not at the beginning of the log. To read on later, give
--from the last position that was seen, plus one.

Examples:

  queuectl log list
  queuectl log list --from 1200 --limit 100
  queuectl log list --from 03:00 --to 04:00 --type JobFailed,JobDied --queue mail
  queuectl log list --type ConfigSet --by ada@engine
  queuectl log list --job job1 -o jsonl
  queuectl log list --skip-damage > rescued.jsonl`
}

// Run lists.
func (c *logListCmd) Run(ctx context.Context, s *session) error {
	limit, err := tableLimit(s, c.Limit, c.All)
	if err != nil {
		return err
	}
	f := c.filter()
	if f.From, f.To, err = c.read(s); err != nil {
		return err
	}
	first := c.After > 0 || c.From != "" // of what is asked for, and not the newest
	if c.After > 0 {
		if c.From != "" {
			return usage("give --from or --after, not both", fmt.Sprintf("--after %d is --from %d", c.After, c.After+1))
		}
		f.From.Position = job.Position(c.After) + 1
	}
	return s.existing(ctx, func(q *queue.Queue) error {
		l := eventList{filter: f, limit: limit, first: first, s: s}
		switch {
		case s.noQueue:
		case c.SkipDamage:
			err = salvage(ctx, s, q, l.add)
		default:
			err = q.ReadFrom(ctx, f.From.Position, l.add)
		}
		return l.finish(err)
	})
}

// salvage passes all sound events to fn, and tells of the gaps between them. It returns the first damage.
func salvage(ctx context.Context, s *session, q *queue.Queue, fn func(queue.Record) error) error {
	var damage error
	err := q.Salvage(ctx, fn, func(g eventlog.Gap) error {
		if damage == nil {
			damage = g.Damage[0]
		}
		err := s.out.Flush() // what comes before the gap
		s.warn(gapWords(g) + " " + damageWords(g.Damage[0]))
		return err
	})
	return firstOf(err, damage)
}

// errEnough ends the reading of the log before its end.
var errEnough = errors.New("enough events")

// eventList prints the events that a filter selects. Lines are printed as the log is read; for a table or a
// document, the events are gathered first.
type eventList struct {
	filter queue.EventFilter
	limit  int  // 0 = all
	first  bool // the first events of those that are selected, and not the newest
	s      *session

	gathered []story
	taken    int // events that were selected
	left     int // of them, those that limit leaves out
}

func (l *eventList) streams() bool {
	return !l.s.asTable() && l.s.format != formatJSON && (l.limit == 0 || l.first)
}

func (l *eventList) add(r queue.Record) error {
	switch {
	case l.filter.Past(r.At.Position):
		return errEnough
	case !l.filter.Match(r):
		return nil
	case l.first && l.limit > 0 && l.taken == l.limit:
		if !l.s.asTable() {
			return errEnough
		}
		l.left++
		return nil
	}
	l.taken++
	e := story{r, r.ID}
	if l.streams() {
		return storyListing(false).print(l.s, []story{e})
	}
	l.gathered = append(l.gathered, e)
	if l.limit > 0 && len(l.gathered) > l.limit {
		l.gathered = l.gathered[1:]
		l.left++
	}
	return nil
}

// finish prints what was gathered, also before an error: what is sound can be read.
func (l *eventList) finish(err error) error {
	if errors.Is(err, errEnough) {
		err = nil
	}
	_, damaged := errors.AsType[*eventlog.CorruptError](err)
	if l.streams() || err != nil && !damaged {
		return err
	}
	if err := storyListing(false).print(l.s, l.gathered); err != nil {
		return err
	}
	if l.left > 0 && l.s.asTable() {
		which := "older"
		if l.first {
			which = "later"
		}
		l.s.hint(fmt.Sprintf("%s not shown; --all shows every event", count(l.left, which+" event")))
	}
	return err
}

// storyListing shows events, all of one job or of many.
func storyListing(ofOneJob bool) listing[story] {
	return listing[story]{
		view:  viewEvent,
		id:    func(e story) string { return fmt.Sprint(e.At.Position) },
		table: storyTable(ofOneJob),
	}
}
