package queue

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
)

// Repair makes the damaged queue in dir one that can be changed again: it moves what is damaged, and
// what stands behind damage, to quarantine, and records that in the log. Those events are lost to the
// queue: read what [eventlog.MakePlan] says first. confirm, if not nil, is called with the plan before
// anything is changed, and its error ends the repair. ctx may carry a reason, see [Because].
//
// What the runs that are lost with it printed goes to output/lost: later runs will have their numbers.
//
// When it returns nil, the queue is sound, and the log says what was taken out of it. A queue that is
// sound already is only looked at; a torn tail is cut off and recorded. A worker whose start is among
// what goes ends its commands and itself; others go on with what is left.
func Repair(ctx context.Context, dir string, opt Options, confirm func(*eventlog.Plan) error) (*eventlog.Plan, error) {
	opt.Actor = completeActor(opt.Actor)
	accepted := opt.Actor.User + "@" + opt.Actor.Host
	if reason := reasonOf(ctx); reason != "" {
		accepted += ", because: " + reason
	}
	// While nobody can append: the numbers of lost runs are given again.
	setAside := func(plan *eventlog.Plan) error {
		if confirm != nil {
			if err := confirm(plan); err != nil {
				return err
			}
		}
		return setOutputAside(dir, job.Position(plan.Head.Position))
	}
	pruned, err := prunedBy(ctx, dir)
	if err != nil {
		return nil, err
	}
	plan, err := eventlog.RepairLog(ctx, dir, eventlog.RepairOptions{
		Accepted: accepted, Confirm: setAside, AllowNetworkFS: opt.AllowNetworkFS, OnWait: opt.OnWait,
	})
	if err != nil {
		return plan, err
	}
	opt.NoCreate = true
	q, err := Open(ctx, dir, opt)
	if err != nil {
		return plan, fmt.Errorf("record repair: %w", err)
	}
	for err == nil {
		err = q.change(ctx, func(*decide.State, job.At) ([]job.Event, error) { return nil, errRecordOnly })
	}
	untouched := len(plan.Damage) == 0 && plan.Torn == nil
	if errors.Is(err, errRecordOnly) || untouched && errors.Is(err, eventlog.ErrReadOnly) {
		err = nil // all of them are in the log
	}
	if err == nil && pruned != nil && len(plan.Damage) > 0 {
		err = q.tellPruned(ctx, *pruned)
	}
	if err != nil {
		err = fmt.Errorf("record repair: %w", err)
	}
	return plan, errors.Join(err, q.Close())
}

// tellPruned appends an event that names the base, unless one is there.
func (q *Queue) tellPruned(ctx context.Context, pruned job.ArchivePruned) error {
	there, err := prunedBy(ctx, q.dir)
	if err != nil || there != nil {
		return err
	}
	return q.change(ctx, func(*decide.State, job.At) ([]job.Event, error) { return []job.Event{pruned}, nil })
}

// setOutputAside moves the output of all runs behind a position to output/lost, under names that tell one
// repair's from those of others.
func setOutputAside(dir string, last job.Position) error {
	files, err := outputFiles(dir)
	if err != nil {
		return err
	}
	aside := filepath.Join(dir, "output", "lost")
	for _, f := range files {
		if f.run <= last {
			continue
		}
		if err := os.MkdirAll(aside, 0o700); err != nil {
			return fmt.Errorf("set output aside: %w", err)
		}
		to := filepath.Join(aside, fmt.Sprintf("%d.log", f.run))
		for n := 2; ; n++ {
			if _, err := os.Lstat(to); errors.Is(err, fs.ErrNotExist) {
				break
			}
			to = filepath.Join(aside, fmt.Sprintf("%d-%d.log", f.run, n))
		}
		if err := os.Rename(f.path, to); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("set output aside: %w", err)
		}
	}
	return nil
}
