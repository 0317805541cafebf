package main

import (
	"context"
	"errors"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/queue"
)

type logArchiveCmd struct{}

// Help is shown below the usage line.
func (logArchiveCmd) Help() string {
	return `The oldest parts of the log, which nobody writes any more, are compressed into files in the directory
archive, to about a sixth of their size. Nothing is lost by it: every command reads through them, and
'log verify' checks them. The newest parts stay as they are. Workers may go on meanwhile.

Each archive is compared with what it was made of before that is removed. So the disk needs some room
first: about a sixth of what is archived, 12 MiB at a time at most.

Examples:

  queuectl log archive
  queuectl log archive -o json`
}

// archivedView is what was done, as JSON.
type archivedView struct {
	Segments    int    `json:"segments"`
	BytesBefore int64  `json:"bytes_before"`
	BytesAfter  int64  `json:"bytes_after"`
	Files       int    `json:"files"`
	Through     uint64 `json:"archived_through_commit"`
}

// Run archives. It opens no queue: the log is not read for more than that.
func (logArchiveCmd) Run(ctx context.Context, s *session) error {
	did, err := queue.Archive(ctx, s.dir, eventlog.ArchiveOptions{
		AllowNetworkFS: s.allowNetworkFS, Progress: s.progress("Archived"),
	})
	if err == nil || did.Archives > 0 { // what was done before an error stays
		err = firstOf(err, printArchived(s, did))
	}
	if errors.Is(err, eventlog.ErrDiskFull) {
		return &failure{
			exit: exitFailed, code: "disk_full", err: err,
			hint: "nothing is lost: what is not archived stays where it was; free some space and try again",
		}
	}
	return err
}

func printArchived(s *session, did eventlog.Archived) error {
	switch {
	case s.quiet:
	case s.format.machine():
		return s.document(archivedView{did.Segments, did.Before, did.After, did.Archives, uint64(did.Through)})
	case did.Archives == 0:
		s.printf("Nothing to archive.")
	default:
		s.printf("Archived %s in %s: %s became %s", count(did.Segments, "segment"), count(did.Archives, "file"), size(did.Before), size(did.After))
	}
	return nil
}
