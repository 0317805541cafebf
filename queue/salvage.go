package queue

import (
	"context"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/eventlog"
)

// Salvage is Read of a queue that may be damaged: it passes on every sound event, also those behind
// damage, and each gap between them. Behind a gap events are only what they are: no state follows from
// them, and nothing shows that they continue what was before. A queue in memory is never damaged.
func (q *Queue) Salvage(ctx context.Context, fn func(Record) error, gap func(eventlog.Gap) error) error {
	if q.dir == "" {
		return q.Read(ctx, fn)
	}
	if err := q.view(ctx, func(*decide.State) {}); err != nil { // as for Read
		return err
	}
	t := &Trail{names: newNames(q.dir, q.reader)}
	return eventlog.Salvage(ctx, q.dir, func(e *eventlog.Entry) error {
		c, err := t.take(ctx, e)
		if err != nil {
			return err
		}
		for _, r := range c.Records {
			if err := fn(r); err != nil {
				return err
			}
		}
		return nil
	}, gap)
}
