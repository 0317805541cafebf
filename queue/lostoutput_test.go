package queue_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// TestRepair_SetsTheOutputOfLostRunsAside: a later run has the number of a lost one, and must not add to what that
// printed.
func TestRepair_SetsTheOutputOfLostRunsAside(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	q := open(t, dir)
	enqueue(t, q, job.Spec{ID: "kept", Command: "echo kept"})
	drain(t, q)
	kept := find(t, q, "kept").Run
	segments, err := filepath.Glob(filepath.Join(dir, "log", "0*"))
	if err != nil || len(segments) != 1 {
		t.Fatal(segments, err)
	}
	before, err := os.Stat(segments[0])
	if err != nil {
		t.Fatal(err)
	}
	enqueue(t, q, job.Spec{ID: "lost", Command: "echo lost"})
	drain(t, q)
	lost := find(t, q, "lost").Run
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(segments[0], os.O_RDWR, 0)
	if err == nil {
		_, err = f.WriteAt([]byte("damage"), before.Size()+20)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := queue.Repair(t.Context(), dir, queue.Options{}, nil); err != nil {
		t.Fatal(err)
	}
	q = open(t, dir)
	if text, err := os.ReadFile(q.OutputPath(kept)); string(text) != "kept\n" || err != nil {
		t.Errorf("output that stays: %q, %v", text, err)
	}
	if _, err := q.OpenOutput(lost); err == nil {
		t.Error("the output of the lost run is where that of a later run will be")
	}
	aside, err := filepath.Glob(filepath.Join(dir, "output", "lost", "*.log"))
	if err != nil || len(aside) != 1 {
		t.Fatalf("set aside were %v, %v", aside, err)
	}
	if text, err := os.ReadFile(aside[0]); string(text) != "lost\n" || err != nil {
		t.Errorf("output that was set aside: %q, %v", text, err)
	}
	for i := range 12 { // until a run has that number
		enqueue(t, q, job.Spec{Command: "echo new", ID: string(rune('a' + i))})
		drain(t, q)
	}
	if out, err := q.OpenOutput(lost); err == nil {
		text, err := io.ReadAll(out)
		if out.Close(); string(text) != "new\n" {
			t.Errorf("a later run printed %q, %v", text, err)
		}
	}
}
