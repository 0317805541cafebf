package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/internal/gotest"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// recordedTest is a part of the log from its beginning on, as it becomes a Go test.
type recordedTest struct {
	job     string // leave out all others; "" = none
	fold    *queue.Fold
	commits []gotest.Commit
	events  int
	found   bool // the job
}

// writeTest prints the log up to the moment as a Go test.
func (c *logExportCmd) writeTest(ctx context.Context, s *session, to queue.Moment) error {
	last, damage := lastCommit(ctx, s.dir, to)
	if _, damaged := errors.AsType[*eventlog.CorruptError](damage); damage != nil && !(damaged && last.Position > 0) {
		return damage
	}
	trail, err := queue.OpenTrail(s.dir, 1)
	if err != nil {
		return err
	}
	defer trail.Close() // only reads: nothing can be lost
	t := recordedTest{job: c.Job, fold: queue.NewFold()}
	for at := eventlog.Commit(0); at < last.Commit; {
		commit, err := trail.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		at = commit.Commit
		if err := t.take(commit); err != nil {
			return err
		}
	}
	if t.job != "" && !t.found {
		return firstOf(damage, fmt.Errorf("job %q: %w up to position %d", t.job, job.ErrNotFound, last.Position))
	}
	const many = 100_000 // the compiler needs 20 s for them
	if t.events > many {
		s.warn(fmt.Sprintf("the go command needs long to build a test of %d events; --job and --to leave some out", t.events))
	}
	end := gotest.End{Counts: t.fold.Status().Counts, Digest: t.fold.Digest()}
	if err := gotest.Write(s.out, t.commits, end); err != nil {
		return err
	}
	return damage
}

// take adds a commit, without the events of other jobs if only one is wanted.
func (t *recordedTest) take(c queue.Commit) error {
	var own gotest.Commit
	for _, r := range c.Records {
		if t.job != "" && r.ID != t.job && isAboutJob(r.Event) {
			continue
		}
		if err := t.fold.Take(r); err != nil {
			if t.job != "" {
				continue // it tells of jobs that are left out
			}
			return err
		}
		t.found = t.found || r.ID == t.job
		t.events++
		if n := job.Position(len(own.Events)); n > 0 && own.At.Position+n != r.At.Position {
			t.commits = append(t.commits, own)
			own.Events = nil // what stands between is left out
		}
		if len(own.Events) == 0 {
			own.At = r.At
		}
		own.Events = append(own.Events, r.Event)
	}
	if len(own.Events) > 0 {
		t.commits = append(t.commits, own)
	}
	return nil
}

// isAboutJob says that an event is about one job.
func isAboutJob(e job.Event) bool {
	return job.Of(e) != 0 || job.KindOf(e) == job.KindJobEnqueued
}
