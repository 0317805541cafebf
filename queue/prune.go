package queue

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
)

// Prunable lists the archives of the queue in dir that end before a moment, the oldest first: what [Queue.Prune] can
// remove. The zero Moment is now. Errors: as [eventlog.Archives].
func Prunable(ctx context.Context, dir string, before Moment) ([]eventlog.ArchiveInfo, error) {
	list, err := eventlog.Archives(ctx, dir)
	if err != nil {
		return nil, err
	}
	end := slices.IndexFunc(list, func(a eventlog.ArchiveInfo) bool {
		return before.Position != 0 && job.Position(a.To) >= before.Position ||
			!before.Time.IsZero() && !time.Unix(0, a.Time).Before(before.Time)
	})
	if end < 0 {
		end = len(list)
	}
	return list[:end], nil
}

// Pruned is what [Queue.Prune] removed.
type Pruned struct {
	eventlog.Pruned
	Outputs int // files of output
}

// Prune removes the archives of the log up to the one that ends with the commit through, for good, and records that.
// Jobs stay, whatever their age, and so does what they add up to: see [eventlog.Prune] for how, and what is left after
// an error. Of what was pruned only the last run of a job that is still in the queue can be found, so that what other
// runs printed is removed as well. Nothing does this by itself.
func (q *Queue) Prune(ctx context.Context, through eventlog.Commit) (Pruned, error) {
	if q.dir == "" || q.opt.ReadOnly {
		return Pruned{}, eventlog.ErrReadOnly
	}
	did, err := eventlog.Prune(ctx, q.dir, through, eventlog.PruneOptions{
		AllowNetworkFS: q.opt.AllowNetworkFS,
		Save: func(ctx context.Context, at eventlog.Checkpoint, w *eventlog.SnapshotWriter) error {
			return saveAt(ctx, q.dir, at, w)
		},
		Record: func(p eventlog.Pruned) error {
			return q.change(ctx, func(*decide.State, job.At) ([]job.Event, error) {
				return []job.Event{job.ArchivePruned{
					First: uint64(p.First), Last: uint64(p.Last), From: job.Position(p.From), To: job.Position(p.To),
					Head: p.Hash, Base: p.Base,
				}}, nil
			})
		},
	})
	if err != nil {
		return Pruned{Pruned: did}, err
	}
	outputs, err := q.removeLostOutput(context.WithoutCancel(ctx), job.Position(did.To))
	return Pruned{did, outputs}, err
}

// saveAt writes the state at a place in the log of the queue in dir.
func saveAt(ctx context.Context, dir string, at eventlog.Checkpoint, w projection.Sink) error {
	r, err := openReplay(dir)
	if err != nil {
		return err
	}
	defer r.Close() // only read
	if err := r.To(ctx, Moment{Position: job.Position(at.Head.Position)}); err != nil {
		return err
	}
	if r.head != at.Head {
		return fmt.Errorf("the log has commit %d with hash %v, and its archive says %v", r.head.Commit, r.head.Hash, at.Head.Hash)
	}
	return r.state.Jobs.Save(0, cancelled{ctx, w})
}

// removeLostOutput removes the output of runs up to a position that nothing leads to any more.
func (q *Queue) removeLostOutput(ctx context.Context, last job.Position) (removed int, err error) {
	old, err := outputFiles(q.dir)
	old = slices.DeleteFunc(old, func(f outputFile) bool { return f.run > last })
	if err != nil || len(old) == 0 {
		return 0, err
	}
	beside, err := Open(ctx, q.dir, Options{ReadOnly: true, NoCreate: true, AllowNetworkFS: q.opt.AllowNetworkFS, Now: q.opt.Now})
	if err != nil {
		return 0, err
	}
	kept := map[job.Position]bool{}
	err = beside.view(ctx, func(s *decide.State) {
		for j := range s.Jobs.List(projection.Filter{}) {
			kept[j.Run] = true
		}
	})
	if err = errors.Join(err, beside.Close()); err != nil {
		return 0, err
	}
	for _, f := range old {
		if kept[f.run] {
			continue
		}
		switch err := os.Remove(f.path); {
		case err == nil:
			removed++
		case !errors.Is(err, fs.ErrNotExist):
			return removed, fmt.Errorf("remove output: %w", err)
		}
	}
	return removed, nil
}

// outputFile is what a run printed.
type outputFile struct {
	path string
	run  job.Position
}

// outputFiles lists the output of all runs.
func outputFiles(dir string) (files []outputFile, err error) {
	names, err := fs.Glob(os.DirFS(dir), "output/[0-9]*/*.log")
	if err != nil {
		return nil, fmt.Errorf("list output: %w", err)
	}
	for _, name := range names {
		run, err := strconv.ParseUint(strings.TrimSuffix(path.Base(name), ".log"), 10, 64)
		if err == nil {
			files = append(files, outputFile{filepath.Join(dir, filepath.FromSlash(name)), job.Position(run)})
		}
	}
	return files, nil
}
