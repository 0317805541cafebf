package storm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/internal/disk"
	"github.com/queuectl/queuectl/internal/file"
	"github.com/queuectl/queuectl/job"
)

// Report is what became of a storm.
type Report struct {
	WritersKilled, WorkersKilled, OthersKilled int

	Acknowledged int // enqueues that were answered
	Shown        int // commits that followers were shown, by each of them
	Jobs         int // in the log: a writer may die between its commit and its answer
	Runs         int
	LostRuns     int // of those: their worker was killed
	Events       uint64
	Bytes        int64 // of the log

	Damage     []*eventlog.CorruptError // of the log
	Lost       []string                 // ids that were acknowledged, and commits that readers were shown, and are not in the log
	Unfinished []string                 // jobs that have not completed, and how they are
	Unseen     []string                 // completions that no command has seen
	Overlaps   []Overlap                // two runs of a job at once
	Orphans    []string                 // ids of jobs of which something lives
	Left       []string                 // files of workers and runs that nobody has removed

	Reclaim disk.Spread // from the kill of a worker until a run of it was found lost
	Answer  disk.Spread // of an enqueue
}

// Overlap is a run of a job that began, or ended, when it should not have.
type Overlap struct {
	Job string // id
	Run job.Position
	How string
}

func (o Overlap) String() string { return fmt.Sprintf("%s, run %d: %s", o.Job, o.Run, o.How) }

// Sound says that everything was as it has to be.
func (r *Report) Sound() bool {
	return len(r.Damage)+len(r.Lost)+len(r.Unfinished)+len(r.Unseen)+len(r.Overlaps)+len(r.Orphans)+len(r.Left) == 0
}

// Check compares what is in the log of a storm that is over with what its processes saw. It changes nothing. The error is
// what kept it from its work: damage of the log is in the report, and what is behind it counts as lost.
func (p Place) Check(ctx context.Context, kills []Kill) (*Report, error) {
	h, err := p.hear(newJudge(kills))
	if err != nil {
		return nil, fmt.Errorf("check the storm: %w", err)
	}
	defer h.Close() // only read
	return h.Check(ctx, kills)
}

// compareAnswers looks for everything that was answered in the log.
func (p Place) compareAnswers(g *judge, r *Report) error {
	var took []time.Duration
	err := readLines(p.acknowledged(), 2, func(field []string) error {
		r.Acknowledged++
		if _, there := g.ids[field[0]]; !there {
			r.Lost = append(r.Lost, field[0])
		}
		n, err := strconv.ParseInt(field[1], 10, 64)
		took = append(took, time.Duration(n))
		return err
	})
	r.Answer = disk.SpreadOf(took)
	return err
}

// compareShown looks for every commit that a follower was shown in the log.
func (p Place) compareShown(g *judge, r *Report) error {
	return readLines(p.shown(), 2, func(field []string) error {
		n, err := strconv.ParseUint(field[0], 10, 64)
		r.Shown++
		if hash, there := g.commits[eventlog.Commit(n)]; !there || hash.String() != field[1] {
			r.Lost = append(r.Lost, "commit "+field[0])
		}
		return err
	})
}

// compareSights compares what commands saw with the log.
func (p Place) compareSights(g *judge, r *Report) error {
	ended := map[seenRun]bool{}
	err := readLines(p.seen(), 3, func(field []string) error {
		run, err := strconv.ParseUint(field[2], 10, 64)
		switch field[0] {
		case SawEnd:
			ended[seenRun{field[1], job.Position(run)}] = true
		case SawOverlap:
			r.Overlaps = append(r.Overlaps, Overlap{field[1], job.Position(run), "began while something of another run lived"})
		}
		return err
	})
	r.Unseen = g.unseen(ended)
	return err
}

// lookForOrphans looks whose locks are held: the log says that all runs are over.
func (p Place) lookForOrphans(_ *judge, r *Report) error {
	entries, err := os.ReadDir(p.lock(""))
	if err != nil {
		return err
	}
	for _, e := range entries {
		held, err := p.held(e.Name())
		if err != nil {
			return err
		}
		if held {
			r.Orphans = append(r.Orphans, e.Name())
		}
	}
	return nil
}

// held says that something of a job lives.
func (p Place) held(id string) (bool, error) {
	l, err := file.OpenExistingLock(p.lock(id))
	if err != nil {
		return false, err
	}
	defer l.Close() // only locked
	free, err := l.TryShared()
	return !free, err
}

// lookForFiles looks for what should have been removed with its worker or run.
func (p Place) lookForFiles(_ *judge, r *Report) error {
	for _, folder := range []string{"workers", "runs"} {
		entries, err := os.ReadDir(filepath.Join(p.Queue(), folder))
		if errors.Is(err, fs.ErrNotExist) {
			continue // it is made with the first file
		}
		if err != nil {
			return err
		}
		for _, e := range entries {
			r.Left = append(r.Left, filepath.Join(folder, e.Name()))
		}
	}
	return nil
}

// Settle waits until nothing of any run lives, as the commands of workers that were killed do for a moment, or ctx ends.
func (p Place) Settle(ctx context.Context) error {
	for {
		var r Report
		if err := p.lookForOrphans(nil, &r); err != nil || len(r.Orphans) == 0 {
			return err
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// inOrder yields the jobs in the order in which they were enqueued.
func (g *judge) inOrder() iter.Seq2[job.Position, string] {
	return func(yield func(job.Position, string) bool) {
		for _, key := range slices.Sorted(maps.Keys(g.jobs)) {
			if !yield(key, g.jobs[key].id) {
				return
			}
		}
	}
}
