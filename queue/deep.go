package queue

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
)

// SnapshotCheck says what a snapshot file is worth.
type SnapshotCheck struct {
	Path string
	Head eventlog.Head // up to which it says what the events add up to; zero if it cannot be read
	Err  error         // nil = what it says, with the files that it builds on, is what the events add up to
}

// ErrOtherState is in the Err of a SnapshotCheck if a file is sound in itself, and says something else than the
// log.
var ErrOtherState = errors.New("it is not what the events add up to")

// CheckSnapshots folds the whole log of the queue in dir once more, from its base on if it was pruned, and compares what that gives with each
// snapshot file, in order of where they end. It changes nothing. Errors: as [OpenReplay], and what ends the
// reading of the log.
func CheckSnapshots(ctx context.Context, dir string) ([]SnapshotCheck, error) {
	chains, bad, err := eventlog.SnapshotChains(dir)
	if err != nil {
		return nil, err
	}
	defer func() {
		for _, chain := range chains {
			for _, file := range chain {
				file.Close() // only read
			}
		}
	}()
	var checks []SnapshotCheck
	for _, b := range bad {
		checks = append(checks, SnapshotCheck{Path: b.Path, Err: b.Err})
	}
	r, err := OpenReplay(dir)
	if err != nil {
		return nil, err
	}
	defer r.Close() // only read
	for _, chain := range chains {
		file := chain[len(chain)-1]
		check := SnapshotCheck{Path: file.Path(), Head: file.At.Head}
		err := r.To(ctx, Moment{Position: job.Position(file.At.Head.Position)})
		switch {
		case errors.Is(err, ErrAfterLast):
			check.Err = fmt.Errorf("%w: the log ends before it", ErrOtherState)
		case err != nil:
			return checks, err
		case r.head != file.At.Head:
			check.Err = fmt.Errorf("%w: its head is not in the log", ErrOtherState)
		default:
			check.Err = compare(chain, r.Digest())
		}
		checks = append(checks, check)
	}
	return checks, nil
}

// compare says if the files of a chain hold the state with this digest.
func compare(chain []*eventlog.Snapshot, want [sha256.Size]byte) (err error) {
	defer func() {
		cause := recover()
		if failed, ok := cause.(*projection.BaseError); ok {
			err = failed.Err
		} else if cause != nil {
			panic(cause)
		}
	}()
	for _, file := range chain {
		if err := file.Check(); err != nil {
			return err
		}
	}
	s := decide.LoadState(projectionFiles(chain))
	if (View{s}).Digest() != want {
		return ErrOtherState
	}
	return nil
}
