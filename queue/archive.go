package queue

import (
	"context"
	"math"

	"github.com/queuectl/queuectl/eventlog"
)

// Archive compresses all that is finished of the log of the queue in dir: the oldest segments, in order.
// Whoever reads the log reads on through them. It can be called while others use the queue; see
// [eventlog.Archive]. Workers do it by themselves: see archive.
func Archive(ctx context.Context, dir string, opt eventlog.ArchiveOptions) (eventlog.Archived, error) {
	return eventlog.Archive(ctx, dir, math.MaxUint64, opt)
}

// archive is what workers do from time to time: it makes archives that are full, of what two snapshots have.
// So nobody who opens the queue has to unpack anything, even if a snapshot is bad.
func (q *Queue) archive(ctx context.Context) error {
	covered, err := eventlog.Covered(q.dir)
	if err != nil || covered == 0 {
		return err
	}
	opt := eventlog.ArchiveOptions{Full: true, AllowNetworkFS: q.opt.AllowNetworkFS}
	did, err := eventlog.Archive(ctx, q.dir, covered, opt)
	if did.Archives > 0 {
		q.opt.Logger.Info().Int("segments", did.Segments).Int64("before", did.Before).Int64("after", did.After).Msg("log archived")
	}
	return err
}
