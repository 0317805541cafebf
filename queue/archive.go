package queue

import (
	"context"
	"math"

	"github.com/queuectl/queuectl/eventlog"
)

// Archive compresses what is finished of the log of the queue in dir, and may be archived: the oldest
// segments, in order. Whoever reads the log reads on through them. It can be called while others use
// the queue; see [eventlog.Archive], and [eventlog.ArchiveOptions.Full] for calling it from time to
// time.
func Archive(ctx context.Context, dir string, opt eventlog.ArchiveOptions) (eventlog.Archived, error) {
	return eventlog.Archive(ctx, dir, archivable, opt)
}

// archivable is the last commit that may be archived. A queue reads its log from the beginning when it
// opens, wherever that is; so it may be any that is sealed.
const archivable eventlog.Commit = math.MaxUint64
