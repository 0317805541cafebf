package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

type logListCmd struct {
	After uint64 `placeholder:"POSITION" help:"Only events after this one."`
	Limit *int   `placeholder:"N" help:"Show N events at most: the newest, or with --after the next."`
	All   bool   `help:"Show all events on a terminal, too."`
}

// Help is shown below the usage line.
func (logListCmd) Help() string {
	return `On a terminal: a table of the newest 50 events. Through a pipe: all events as JSON lines.

Examples:

  queuectl log list
  queuectl log list --after 1200 --limit 100
  queuectl log list | jq -c 'select(.kind == "ConfigSet")'`
}

// Run lists.
func (c *logListCmd) Run(ctx context.Context, s *session) error {
	limit, err := tableLimit(s, c.Limit, c.All)
	if err != nil {
		return err
	}
	return s.existing(ctx, func(q *queue.Queue) error {
		if s.noQueue {
			return storyListing(false).print(s, nil)
		}
		return c.list(ctx, s, q, limit)
	})
}

// errEnough ends the reading of the log before its end.
var errEnough = errors.New("enough events")

// list prints at most limit events, 0 = all. Lines are printed as the log is read; for a table or a
// document, the events are gathered first.
func (c *logListCmd) list(ctx context.Context, s *session, q *queue.Queue, limit int) error {
	printed := storyListing(false)
	streams := !s.asTable() && s.format != formatJSON && (limit == 0 || c.After > 0)
	next := limit > 0 && c.After > 0 // the events after that one, and not the newest
	ids := map[job.Position]string{}
	var gathered []story
	taken, left := 0, 0
	err := q.Read(ctx, func(r queue.Record) error {
		e := story{r, idOf(ids, r)}
		switch {
		case uint64(r.At.Position) <= c.After:
			return nil
		case next && taken == limit && s.asTable():
			left++
			return nil
		case next && taken == limit:
			return errEnough
		}
		taken++
		if streams {
			return printed.print(s, []story{e})
		}
		gathered = append(gathered, e)
		if limit > 0 && len(gathered) > limit {
			gathered = gathered[1:]
			left++
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	if streams {
		return err
	}
	if err := printed.print(s, gathered); err != nil {
		return err
	}
	if left > 0 && s.asTable() {
		which := "older"
		if next {
			which = "later"
		}
		s.hint(fmt.Sprintf("%s not shown; --all shows every event", count(left, which+" event")))
	}
	return err
}

// idOf returns the id of the job that the event is about, and learns it if the event makes the job.
func idOf(ids map[job.Position]string, r queue.Record) string {
	if e, ok := r.Event.(*job.JobEnqueued); ok {
		ids[r.At.Position] = e.Spec.ID
		return e.Spec.ID
	}
	return ids[job.Of(r.Event)]
}

// storyListing shows events, all of one job or of many.
func storyListing(ofOneJob bool) listing[story] {
	return listing[story]{
		view:  viewEvent,
		id:    func(e story) string { return fmt.Sprint(e.At.Position) },
		table: storyTable(ofOneJob),
	}
}
