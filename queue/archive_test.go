package queue_test

import (
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// TestRun_WorkersArchiveWhatTwoSnapshotsHave: no more, and nobody has to ask.
func TestRun_WorkersArchiveWhatTwoSnapshotsHave(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs a run without -short")
	}
	start := time.Now()
	var ahead atomic.Int64
	opt := queue.Options{Elapsed: func() time.Duration { return time.Since(start) + time.Duration(ahead.Load()) }}
	dir := t.TempDir()
	q, err := queue.Open(t.Context(), dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	payload := make([]byte, 140<<10)
	for i := range payload {
		payload[i] = '1' // a number
	}
	segment := func(n int) {
		for range n {
			spec := job.Spec{Kind: "never", Payload: payload}
			enqueue(t, q, spec, spec) // more than a segment takes
		}
	}
	archives := func() []string {
		names, err := filepath.Glob(filepath.Join(dir, "archive", "*.zst"))
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	// Whoever has folded much writes one as well, at the same time.
	snapshot := func() queue.SnapshotReport {
		for {
			r, err := q.Snapshot(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if !r.Busy {
				return r
			}
		}
	}
	segment(40)
	snapshot()
	segment(26)
	first := snapshot()
	if len(archives()) > 0 {
		t.Error("archived without a worker")
	}
	segment(8)
	stop, _, wait := works(t, q, queue.WorkerOptions{})
	for deadline := time.Now().Add(time.Minute); len(archives()) == 0 && time.Now().Before(deadline); {
		snapshot()
		ahead.Add(int64(2 * time.Hour)) // then it looks again what there is to be done
		enqueue(t, q, job.Spec{Kind: "never"})
		time.Sleep(10 * time.Millisecond) // between looks at the condition
	}
	stop()
	if err := wait(); err != nil {
		t.Error(err)
	}
	names := archives()
	if len(names) != 1 {
		t.Fatalf("archives are %v", names)
	}
	if covered, err := eventlog.Covered(dir); err != nil || covered < first.Head.Commit {
		t.Errorf("two snapshots have %d commits, %v, and not %d", covered, err, first.Head.Commit)
	}
	if r, err := eventlog.Verify(t.Context(), dir, eventlog.VerifyOptions{}); err != nil || len(r.Damage) > 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "sealed", "00000000000000000001")); err == nil {
		t.Error("the first segment is there twice")
	}
	if digestOf(t, dir) != replayedDigest(t, dir) {
		t.Error("a replay through the archive gives another state")
	}
}
