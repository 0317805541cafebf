package queue_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
	"github.com/queuectl/queuectl/queue"
	"github.com/queuectl/queuectl/queuetest"
)

// digestOf is that of a process that opens the queue now.
func digestOf(t fataler, dir string) [32]byte {
	t.Helper()
	q, err := queue.Open(context.Background(), dir, queue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	sum, err := q.Digest(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// replayedDigest is that of who folds the whole log.
func replayedDigest(t fataler, dir string) [32]byte {
	t.Helper()
	r, err := queue.OpenReplay(dir)
	if err == nil {
		defer r.Close()
		err = r.To(context.Background(), queue.Moment{})
	}
	if err != nil {
		t.Fatal(err)
	}
	return r.Digest()
}

// fataler is a testing.T or a rapid.T.
type fataler interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// TestSnapshot_GivesTheStateOfAFullReplay: whoever opens the queue, with whatever snapshots there are, has the
// state of who has folded all of the log, and of who has lived through it.
func TestSnapshot_GivesTheStateOfAFullReplay(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "snapshot")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		ctx := t.Context()
		clock := queuetest.NewClock(queuetest.Start)
		begin := func() *queue.Queue {
			q, err := queue.Open(ctx, dir, queue.Options{Now: clock.Now, Elapsed: clock.Elapsed})
			if err != nil {
				t.Fatal(err)
			}
			return q
		}
		lived, other := begin(), begin()
		defer func() { lived.Close(); other.Close() }()
		for range rapid.IntRange(3, 12).Draw(t, "acts") {
			q := rapid.SampledFrom([]*queue.Queue{lived, other}).Draw(t, "process")
			switch rapid.SampledFrom([]string{"act", "act", "act", "snapshot", "forget", "reopen"}).Draw(t, "what") {
			case "act":
				act(t, q, clock)
			case "snapshot":
				if _, err := q.Snapshot(ctx); err != nil {
					t.Fatal(err)
				}
			case "forget":
				state := rapid.SampledFrom([]job.State{job.Completed, job.Dead, job.Cancelled}).Draw(t, "state")
				age := time.Duration(rapid.IntRange(0, 5).Draw(t, "age")) * time.Second
				if _, err := q.Forget(ctx, state, clock.Now().Add(-age), false); err != nil {
					t.Fatal(err)
				}
			case "reopen":
				other.Close()
				other = begin()
			}
		}
		want := replayedDigest(t, dir)
		for name, q := range map[string]*queue.Queue{"lived": lived, "other": other} {
			if got, err := q.Digest(ctx); got != want || err != nil {
				t.Fatalf("the state of the process %q is not that of a replay (%v)", name, err)
			}
		}
		if digestOf(t, dir) != want {
			t.Fatal("the state of a process that opens the queue is not that of a replay")
		}
	})
}

// assorted makes a queue with jobs in all states, and a snapshot of them in two files.
func assorted(t *testing.T) (dir string, files []string) {
	t.Helper()
	dir = t.TempDir()
	q := open(t, dir)
	none := uint32(0)
	for i := range 4 {
		enqueue(t, q,
			job.Spec{ID: fmt.Sprint("good", i), Kind: "good"}, job.Spec{Kind: "bad", MaxRetries: &none},
			job.Spec{ID: fmt.Sprint("dead", i), Kind: "bad", MaxRetries: &none}, job.Spec{ID: fmt.Sprint("waits", i), Command: "true"},
			job.Spec{ID: fmt.Sprint("fails", i), Kind: "bad", Queue: "mail"}, job.Spec{ID: fmt.Sprint("gone", i), Command: "true"})
		if err := q.Cancel(t.Context(), fmt.Sprint("gone", i)); err != nil {
			t.Fatal(err)
		}
		if err := queuetest.Drain(t.Context(), q, handlers); err != nil {
			t.Fatal(err)
		}
		if i == 2 {
			snapshot(t, q)
		}
	}
	if err := q.Retry(t.Context(), true, "dead0"); err != nil {
		t.Fatal(err)
	}
	snapshot(t, q)
	files, err := filepath.Glob(filepath.Join(dir, "snapshot", "0*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("snapshot files %v, %v", files, err)
	}
	return dir, files
}

func snapshot(t *testing.T, q *queue.Queue) queue.SnapshotReport {
	t.Helper()
	report, err := q.Snapshot(t.Context())
	if err != nil || report.Files != 1 {
		t.Fatalf("snapshot: %+v, %v", report, err)
	}
	return report
}

// answers asks a queue that was just opened what only a state that is right in all its parts knows.
func wantAnswers(t fataler, dir, what string, want [32]byte) {
	t.Helper()
	ctx := context.Background()
	q, err := queue.Open(ctx, dir, queue.Options{})
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	defer q.Close()
	if damage := q.Damage(); damage != nil {
		t.Fatalf("%s: the log is said to be damaged: %v", what, damage)
	}
	if _, err := q.Enqueue(ctx, job.Spec{ID: "dead2", Command: "true"}); !errors.Is(err, job.ErrExists) {
		t.Fatalf("%s: a second job dead2: %v", what, err)
	}
	if jobs, err := q.List(ctx, projection.Filter{States: []job.State{job.Cancelled}, Newest: true, Limit: 2}); err != nil || len(jobs) != 2 || jobs[1].Spec.ID != "gone3" {
		t.Fatalf("%s: the last cancelled jobs are %v, %v", what, jobs, err)
	}
	if got, err := q.Digest(ctx); err != nil || got != want {
		t.Fatalf("%s: another state (%v)", what, err)
	}
}

// TestSnapshot_DamageIsNoReasonToStop flips bits in all parts of a snapshot, and cuts it off in many places. That no
// flip goes unnoticed is tested for every bit in eventlog.
func TestSnapshot_DamageIsNoReasonToStop(t *testing.T) {
	t.Parallel()
	dir, files := assorted(t)
	want := replayedDigest(t, dir)
	wantAnswers(t, dir, "undamaged", want)
	for _, path := range files {
		sound, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		put := func(data []byte) {
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		const header = 128
		for i := 0; i < len(sound); i++ {
			if i > header {
				i += 12 // a prime with it: all bits in turn
			}
			i = min(i, len(sound)-1)
			flipped := bytes.Clone(sound)
			flipped[i] ^= 1 << (i % 8)
			put(flipped)
			wantAnswers(t, dir, fmt.Sprintf("bit %d of byte %d of %s", i%8, i, filepath.Base(path)), want)
		}
		for i := 0; i < len(sound); i += 97 {
			put(sound[:i])
			wantAnswers(t, dir, fmt.Sprintf("%s cut to %d bytes", filepath.Base(path), i), want)
		}
		put(sound)
	}
}

// TestSnapshot_OfAnotherLogIsLeftAlone: also one with the same numbers.
func TestSnapshot_OfAnotherLogIsLeftAlone(t *testing.T) {
	t.Parallel()
	dir, files := assorted(t)
	other, others := assorted(t)
	for i := range files {
		data, err := os.ReadFile(others[i])
		if err == nil {
			err = os.WriteFile(files[i], data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	wantAnswers(t, dir, "with a snapshot of another log", replayedDigest(t, dir))
	if replayedDigest(t, dir) == replayedDigest(t, other) {
		t.Error("the two logs have the same state: nothing was shown")
	}
}

// TestSnapshot_NeverHidesThatTheLogHasLostSomething: a snapshot is a promise that its commits were durable.
func TestSnapshot_NeverHidesThatTheLogHasLostSomething(t *testing.T) {
	t.Parallel()
	dir, _ := assorted(t)
	logs, err := filepath.Glob(filepath.Join(dir, "log", "0*"))
	if err != nil || len(logs) != 1 {
		t.Fatalf("segments %v, %v", logs, err)
	}
	info, err := os.Stat(logs[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Truncate(logs[0], info.Size()/2), os.Remove(filepath.Join(dir, "log", "durable"))); err != nil {
		t.Fatal(err)
	}
	q := open(t, dir)
	var damage *eventlog.CorruptError
	if _, err := q.Enqueue(t.Context(), job.Spec{Command: "true"}); !errors.As(err, &damage) {
		t.Errorf("enqueue into a log that was cut: %v", err)
	}
	if jobs, err := q.List(t.Context(), projection.Filter{}); err != nil || len(jobs) == 0 {
		t.Errorf("the sound part has jobs %v, %v", jobs, err)
	}
}

// TestSnapshot_WorkersAndCallersRestOnIt: what waits is run in its order, and what has ended can be
// brought back.
func TestSnapshot_WorkersAndCallersRestOnIt(t *testing.T) {
	t.Parallel()
	dir, _ := assorted(t)
	q := open(t, dir)
	if err := q.Retry(t.Context(), true, "dead3", "dead1"); err != nil {
		t.Fatal(err)
	}
	var order []string
	note := func(_ context.Context, j job.Job) error {
		order = append(order, j.Spec.ID)
		return nil
	}
	if err := queuetest.Drain(t.Context(), q, map[string]queue.Handler{"bad": note}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"dead0", "dead1", "dead3"}; !slices.Equal(order, want) {
		t.Errorf("run were %v, want %v", order, want)
	}
	if got, want := digestOf(t, dir), replayedDigest(t, dir); got != want {
		t.Error("the states differ afterwards")
	}
	if j := find(t, q, "dead1"); j.State != job.Completed || j.Runs != 2 {
		t.Errorf("dead1 is %v after %d runs", j.State, j.Runs)
	}
}

// TestCheckSnapshots_TellsAnotherStateFromTheLogs, even if it is sound in itself.
func TestCheckSnapshots_TellsAnotherStateFromTheLogs(t *testing.T) {
	t.Parallel()
	dir, files := assorted(t)
	verdicts := func() (sound int, other []error) {
		t.Helper()
		checks, err := queue.CheckSnapshots(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range checks {
			if c.Err == nil {
				sound++
			} else {
				other = append(other, c.Err)
			}
		}
		return sound, other
	}
	if sound, other := verdicts(); sound != len(files) || len(other) > 0 {
		t.Fatalf("%d of %d files are sound, %v", sound, len(files), other)
	}
	q := open(t, dir)
	if _, err := q.SetConfig(t.Context(), "max_retries", "5"); err != nil {
		t.Fatal(err)
	}
	at := lastEntry(t, dir)
	lie := decide.NewState() // in which the last event was another
	err := q.Read(t.Context(), func(r queue.Record) error {
		if set, ok := r.Event.(job.ConfigSet); ok {
			set.New = "6"
			r.Event = set
		}
		lie.Fold(r.At, r.Event)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	room, ok, err := eventlog.LockSnapshots(dir)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	defer room.Close()
	if err := room.Write(eventlog.Head{}, at, func(w *eventlog.SnapshotWriter) error { return lie.Jobs.Save(0, w) }); err != nil {
		t.Fatal(err)
	}
	if _, other := verdicts(); len(other) != 1 || !errors.Is(other[0], queue.ErrOtherState) {
		t.Errorf("the file with another state: %v", other)
	}
}

// lastEntry returns the place behind the last commit.
func lastEntry(t *testing.T, dir string) (at eventlog.Checkpoint) {
	t.Helper()
	r, err := eventlog.NewReader(dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		e, err := r.Next(t.Context())
		if err != nil {
			return at
		}
		at = e.End()
	}
}

// TestClose_LeavesASnapshotOfALongTail, and the levels stay few however often that happens.
func TestClose_LeavesASnapshotOfALongTail(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const rounds = 20
	for i := range rounds {
		q := open(t, dir)
		specs := make([]job.Spec, 2000)
		for n := range specs {
			specs[n] = job.Spec{ID: fmt.Sprintf("j%d.%d", i, n), Command: fmt.Sprintf("echo %0600d", n)}
		}
		enqueue(t, q, specs...)
		if err := q.Close(); err != nil {
			t.Fatal(err)
		}
	}
	files, err := eventlog.Snapshots(dir)
	if err != nil || len(files) == 0 || len(files) > 6 {
		t.Fatalf("%d files after %d rounds, %v", len(files), rounds, err)
	}
	for i, f := range files {
		if err := f.Check(); err != nil {
			t.Error(err)
		}
		if i > 0 && f.Size() > files[i-1].Size() {
			t.Errorf("file %d has %d bytes, the one before only %d", i, f.Size(), files[i-1].Size())
		}
		f.Close()
	}
	if got, want := digestOf(t, dir), replayedDigest(t, dir); got != want {
		t.Error("the state from the snapshot is another")
	}
}
