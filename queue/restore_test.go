package queue_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// restoredFrom makes a queue of a backup of the queue in dir.
func restoredFrom(t *testing.T, dir string) (string, eventlog.BackupInfo) {
	t.Helper()
	var b bytes.Buffer
	if _, err := eventlog.Backup(t.Context(), dir, &b, eventlog.BackupOptions{}); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "restored")
	info, err := queue.Restore(t.Context(), queue.Backup{Stream: &b, Name: "b"}, to, queue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return to, info
}

// TestRestore_WhatRanRunsAgain: also while the queue that was backed up still lives, and on its machine.
func TestRestore_WhatRanRunsAgain(t *testing.T) {
	t.Parallel()
	q := open(t, t.TempDir())
	enqueue(t, q, job.Spec{ID: "done", Kind: "quick"}, job.Spec{ID: "running", Kind: "slow"}, job.Spec{ID: "waiting", Kind: "never"})
	started, finish := make(chan struct{}), make(chan struct{})
	ended := make(chan error)
	go func() {
		ended <- q.Run(context.Background(), queue.WorkerOptions{
			UntilIdle: true,
			Handlers: map[string]queue.Handler{
				"quick": func(context.Context, job.Job) error { return nil },
				"slow":  func(context.Context, job.Job) error { close(started); <-finish; return nil },
			},
		})
	}()
	<-started
	dir, info := restoredFrom(t, q.Dir())
	r := open(t, dir)
	if j := find(t, r, "running"); j.State != job.Processing {
		t.Errorf("restored, it is %s", j.State)
	}
	var runs atomic.Int32
	err := r.Run(t.Context(), queue.WorkerOptions{
		UntilIdle: true,
		Handlers:  map[string]queue.Handler{"slow": func(context.Context, job.Job) error { runs.Add(1); return nil }},
	})
	if err != nil || runs.Load() != 1 {
		t.Errorf("the worker of the restored queue ends with %v, after %d runs", err, runs.Load())
	}
	for id, want := range map[string]job.State{"done": job.Completed, "running": job.Completed, "waiting": job.Pending} {
		if j := find(t, r, id); j.State != want {
			t.Errorf("restored, %s is %s, want %s", id, j.State, want)
		}
	}
	if j := find(t, r, "running"); j.Crashes != 1 || j.Runs != 2 {
		t.Errorf("restored, it has %d crashes and %d runs", j.Crashes, j.Runs)
	}
	if j := find(t, q, "running"); j.State != job.Processing {
		t.Errorf("in the queue that was backed up it is %s", j.State)
	}
	close(finish)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if j := find(t, q, "running"); j.State != job.Completed || j.Runs != 1 {
		t.Errorf("in the queue that was backed up it is %s in the end, after %d runs", j.State, j.Runs)
	}
	wantRestored(t, r, info)
}

// wantRestored looks for the one event behind the backup that says so.
func wantRestored(t *testing.T, q *queue.Queue, info eventlog.BackupInfo) {
	t.Helper()
	found := 0
	err := q.Read(t.Context(), func(r queue.Record) error {
		e, ok := r.Event.(job.LogRestored)
		if !ok {
			return nil
		}
		found++
		want := job.LogRestored{Commit: uint64(info.Head.Commit), Head: info.Head.Hash, Backup: info.Time, From: "b"}
		if e != want || r.At.Position != job.Position(info.Head.Position)+1 {
			t.Errorf("event %d is %+v, want %+v", r.At.Position, e, want)
		}
		return nil
	})
	if err != nil || found != 1 {
		t.Errorf("there are %d events, %v", found, err)
	}
}

func TestRestore_TheStateIsThatOfTheBackup(t *testing.T) {
	t.Parallel()
	q := open(t, t.TempDir())
	for range 5 { // a segment each, and more than makes a snapshot
		var specs []job.Spec
		for range 3000 {
			specs = append(specs, job.Spec{Kind: "never", Payload: []byte(`"0123456789012345678901234567890123456789012345678901234567890123456789"`)})
		}
		enqueue(t, q, specs...)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	if did, err := queue.Archive(t.Context(), q.Dir(), eventlog.ArchiveOptions{}); err != nil || did.Segments == 0 {
		t.Fatalf("archived %+v, %v", did, err)
	}
	want := digestOf(t, q.Dir())
	dir, _ := restoredFrom(t, q.Dir())
	if replayed := replayedDigest(t, q.Dir()); replayed != want {
		t.Error("what is archived folds to another state")
	}
	r := open(t, dir)
	jobs := 0
	if counts, err := r.Status(t.Context()); err != nil {
		t.Error(err)
	} else {
		jobs = counts.Counts[job.Pending]
	}
	if jobs != 15000 {
		t.Errorf("restored, there are %d jobs", jobs)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if digestOf(t, dir) != replayedDigest(t, dir) {
		t.Error("restored, a replay gives another state than opening it does")
	}
}

func TestRestore_ABadBackupLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "q")
	_, err := queue.Restore(t.Context(), queue.Backup{Stream: bytes.NewReader([]byte("no"))}, dir, queue.Options{})
	if !errors.Is(err, eventlog.ErrBadBackup) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is there: %v", err)
	}
}
