package queue

import (
	"context"
	"errors"
	"io"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
)

// Backup is what a queue is restored from: see [eventlog.Backup].
type Backup struct {
	Stream io.Reader
	Name   string // of its file, for the record; "" = none
}

// Restore makes the queue in dir of a backup. dir must not exist, or be empty: eventlog.ErrNotEmpty. The
// queue is there wholly, and durable, when Restore returns nil; after an error nothing is there. A backup
// that is not whole, or was changed, is refused with eventlog.ErrBadBackup. See [eventlog.Restore].
//
// The log keeps its id, and says in its next event that it was restored. Jobs that ran when the backup was
// made are run again by the first worker: the workers of then do not live here, even if they still do where
// the backup is from. Of opt, Now, Actor and AllowNetworkFS count.
func Restore(ctx context.Context, from Backup, dir string, opt Options) (eventlog.BackupInfo, error) {
	return eventlog.Restore(ctx, from.Stream, dir, eventlog.RestoreOptions{
		AllowNetworkFS: opt.AllowNetworkFS,
		Finish: func(temp string, info eventlog.BackupInfo) error {
			opt.NoCreate, opt.ReadOnly = true, false
			q, err := Open(ctx, temp, opt)
			if err != nil {
				return err
			}
			err = q.change(ctx, func(*decide.State, job.At) ([]job.Event, error) {
				return []job.Event{job.LogRestored{
					Commit: uint64(info.Head.Commit), Head: info.Head.Hash, Backup: info.Time, From: from.Name,
				}}, nil
			})
			return errors.Join(err, q.Close())
		},
	})
}
