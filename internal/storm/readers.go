package storm

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/queuectl/queuectl/queue"
)

// Follow is what a follower does: it notes each commit of the queue that it is shown, from now on, until ctx ends. What a
// reader was shown may never go away again.
func (p Place) Follow(ctx context.Context) error {
	noted, err := appendTo(p.shown())
	if err != nil {
		return err
	}
	defer noted.Close() // each line is written by itself
	trail, err := queue.OpenTrail(p.Queue(), 0)
	if err != nil {
		return err
	}
	defer trail.Close() // only read
	if _, err := trail.SkipToEnd(ctx); err != nil {
		return unless(ctx, err)
	}
	for {
		commit, err := trail.Next(ctx)
		switch {
		case err == nil:
			_, err = fmt.Fprintf(noted, "%d %s\n", commit.Commit, commit.Hash)
		case errors.Is(err, io.EOF):
			err = trail.Wait(ctx)
		}
		if err != nil {
			return unless(ctx, err)
		}
	}
}

// Save is what a snapshotter does: it writes a snapshot whenever the log has grown, until ctx ends.
func (p Place) Save(ctx context.Context, q *queue.Queue) error {
	for {
		changed := q.Changed()
		if _, err := q.Snapshot(ctx); err != nil {
			return unless(ctx, err)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// unless returns err unless it came of the end of ctx.
func unless(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
