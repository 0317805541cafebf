package queue_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// longLog makes a queue of a few segments with jobs in every state, archives what can be, and returns it and its first
// archive.
func longLog(t *testing.T) (*queue.Queue, eventlog.ArchiveInfo) {
	t.Helper()
	ctx := t.Context()
	q := open(t, t.TempDir())
	enqueue(t, q, job.Spec{ID: "done", Kind: "good"}, job.Spec{ID: "dead", Kind: "bad", MaxRetries: new(uint32(0))}, job.Spec{ID: "early", Kind: "never"})
	enqueue(t, q, job.Spec{ID: "early2", Kind: "never"})
	err := q.Run(ctx, queue.WorkerOptions{UntilIdle: true, Handlers: map[string]queue.Handler{
		"good": func(context.Context, job.Job) error { return nil },
		"bad":  func(context.Context, job.Job) error { return errors.New("no") },
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.SetConfig(ctx, "max_retries", "7"); err != nil {
		t.Fatal(err)
	}
	grow(t, q, "j", 0, 13)
	q = archived(t, q)
	grow(t, q, "j", 13, 15)
	list, err := queue.Prunable(ctx, q.Dir(), queue.Moment{})
	if err != nil || len(list) != 1 {
		t.Fatalf("archives are %+v, %v", list, err)
	}
	return q, list[0]
}

// grow enqueues jobs, about 300 KiB of events for each part.
func grow(t *testing.T, q *queue.Queue, id string, from, to int) {
	t.Helper()
	for part := from; part < to; part++ {
		var specs []job.Spec
		for i := range 800 {
			specs = append(specs, job.Spec{ID: fmt.Sprintf("%s%d-%d", id, part, i), Kind: "bulk", Payload: []byte(`"` + strings.Repeat("x", 250) + `"`)})
		}
		if _, err := q.EnqueueMany(t.Context(), specs, queue.EnqueueOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

// archived opens the queue again, and archives what can be.
func archived(t *testing.T, q *queue.Queue) *queue.Queue {
	t.Helper()
	if err := q.Close(); err != nil { // which seals segments
		t.Fatal(err)
	}
	q = open(t, q.Dir())
	if _, err := queue.Archive(t.Context(), q.Dir(), eventlog.ArchiveOptions{}); err != nil {
		t.Fatal(err)
	}
	return q
}

func TestPrune_StatesAreWhatTheyWere(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	q, archive := longLog(t)
	cut := job.Position(archive.To)
	digests := func(moments ...job.Position) (all [][32]byte) {
		r := replay(t, q)
		for _, p := range moments {
			if err := r.To(ctx, queue.Moment{Position: p}); err != nil {
				t.Fatal(err)
			}
			all = append(all, r.Digest())
		}
		return all
	}
	moments := []job.Position{cut, cut + 1, cut + 700, cut + 2000}
	want := digests(moments...)
	done := find(t, q, "done")
	reached := filepath.Dir(q.OutputPath(done.Run))
	if err := os.MkdirAll(reached, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, run := range []job.Position{1, done.Run, cut + 1} {
		if err := os.MkdirAll(filepath.Dir(q.OutputPath(run)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(q.OutputPath(run), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	did, err := q.Prune(queue.Because(ctx, "test"), archive.Last)
	if err != nil || did.Archives != 1 || did.Outputs != 1 {
		t.Fatalf("got %+v, %v", did, err)
	}
	if got := digests(moments...); !slices.Equal(got, want) {
		t.Error("the states behind the base are not what they were")
	}
	for run, there := range map[job.Position]bool{1: false, done.Run: true, cut + 1: true} {
		if _, err := os.Stat(q.OutputPath(run)); (err == nil) != there {
			t.Errorf("output of run %d: %v", run, err)
		}
	}
	r := replay(t, q)
	if r.Position() != cut || r.Status().Head.Commit != archive.Last {
		t.Errorf("a replay begins at %d, %+v", r.Position(), r.Status().Head)
	}
	early := queue.Moment{Position: cut - 1}
	if err := r.To(ctx, early); !errors.Is(err, eventlog.ErrPruned) || !strings.Contains(err.Error(), fmt.Sprint(cut+1)) {
		t.Errorf("to a moment before it: %v", err)
	}
	for _, m := range []queue.Moment{early, {Time: done.EnqueuedAt}} {
		if at, err := r.Find(ctx, m); !errors.Is(err, eventlog.ErrPruned) {
			t.Errorf("find %v: %+v, %v", m, at, err)
		}
	}
	if at, err := r.Find(ctx, queue.Moment{Position: cut}); err != nil || at.Position != cut || at.Time != archive.Time {
		t.Errorf("find the base: %+v, %v", at, err)
	}

	live := replayedDigest(t, q.Dir())
	if got, err := q.Digest(ctx); err != nil || got != live {
		t.Errorf("who has lived through it has another state, %v", err)
	}
	for _, snapshots := range []bool{true, false} {
		if !snapshots {
			if err := errors.Join(q.Close(), os.RemoveAll(filepath.Join(q.Dir(), "snapshot"))); err != nil { // it may be writing one
				t.Fatal(err)
			}
		}
		if digestOf(t, q.Dir()) != live {
			t.Errorf("with snapshots %v, the state is another", snapshots)
		}
	}
	if report, err := queue.Verify(ctx, q.Dir(), eventlog.VerifyOptions{}); err != nil || len(report.Damage) > 0 || report.Base == nil {
		t.Errorf("verify: %+v, %v", report, err)
	}
}

// A base is made of the one before it, with jobs of every age.
func TestPrune_Again(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	q, archive := longLog(t)
	if _, err := q.Prune(ctx, archive.Last); err != nil {
		t.Fatal(err)
	}
	if err := q.Cancel(ctx, "j0-0"); err != nil {
		t.Fatal(err)
	}
	grow(t, q, "again", 0, 13)
	q = archived(t, q)
	list, err := queue.Prunable(ctx, q.Dir(), queue.Moment{})
	if err != nil || len(list) != 1 || list[0].First != archive.Last+1 {
		t.Fatalf("archives are %+v, %v", list, err)
	}
	r := replay(t, q)
	if err := r.To(ctx, queue.Moment{Position: job.Position(list[0].To)}); err != nil {
		t.Fatal(err)
	}
	want, live := r.Digest(), replayedDigest(t, q.Dir())
	if did, err := q.Prune(ctx, list[0].Last); err != nil || did.First != archive.Last+1 {
		t.Fatalf("got %+v, %v", did, err)
	}
	if r := replay(t, q); r.Digest() != want || r.Position() != job.Position(list[0].To) {
		t.Errorf("the state of the base, at %d, is not what it was", r.Position())
	}
	if err := errors.Join(q.Close(), os.RemoveAll(filepath.Join(q.Dir(), "snapshot"))); err != nil { // it may be writing one
		t.Fatal(err)
	}
	q = open(t, q.Dir())
	for _, id := range []string{"early", "j0-0", "again0-0"} {
		find(t, q, id)
	}
	if report, err := queue.Verify(ctx, q.Dir(), eventlog.VerifyOptions{}); err != nil || len(report.Damage) > 0 || live == want {
		t.Errorf("verify: %+v, %v", report, err)
	}
}

// Jobs that are older than the base live on, and can be told by their names.
func TestPrune_OldJobsLiveOn(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	q, archive := longLog(t)
	if _, err := q.Prune(ctx, archive.Last); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(q.Close(), os.RemoveAll(filepath.Join(q.Dir(), "snapshot"))); err != nil { // it may be writing one
		t.Fatal(err)
	}
	q = open(t, q.Dir())
	if j := find(t, q, "dead"); j.State != job.Dead || !strings.Contains(j.LastError, "no") || j.Spec.Kind != "bad" {
		t.Errorf("dead: got %+v", j)
	}
	if records, err := q.History(ctx, "early"); err != nil || len(records) > 0 {
		t.Errorf("history: %v, %v", records, err)
	}
	// A chain of snapshots stands on its own, also if little has happened since the base.
	report, err := q.Snapshot(ctx)
	for err == nil && report.Busy { // one is being written already
		time.Sleep(time.Millisecond)
		report, err = q.Snapshot(ctx)
	}
	if err != nil || report.Head.Commit <= archive.Last || report.Levels != 1 {
		t.Errorf("snapshot: %+v, %v", report, err)
	}
	ran := ""
	err = q.Run(ctx, queue.WorkerOptions{UntilIdle: true, Handlers: map[string]queue.Handler{
		"never": func(_ context.Context, j job.Job) error {
			if ran == "" {
				ran = j.Spec.ID
			}
			return nil
		},
	}})
	if err != nil || ran != "early" {
		t.Errorf("the first to run is %q, %v", ran, err)
	}
	records, err := q.History(ctx, "early")
	if err != nil || len(records) != 2 || records[0].ID != "early" || job.KindOf(records[1].Event) != job.KindJobCompleted {
		t.Errorf("history: %+v, %v", records, err)
	}
	early2 := find(t, q, "early2").Key
	for how, read := range map[string]func(func(queue.Record) error) error{
		"read": func(fn func(queue.Record) error) error { return q.Read(ctx, fn) },
		"salvage": func(fn func(queue.Record) error) error {
			return q.Salvage(ctx, fn, func(g eventlog.Gap) error { return fmt.Errorf("gap %+v", g) })
		},
	} {
		named := false
		err := read(func(r queue.Record) error {
			if job.Of(r.Event) == early2 {
				named = true
				if r.ID != "early2" || r.Queue != job.DefaultQueue {
					t.Errorf("%s: %+v", how, r)
				}
			}
			return nil
		})
		if err != nil || !named {
			t.Errorf("%s: %v, %v", how, named, err)
		}
	}
	if report, err := q.Snapshot(ctx); err != nil || report.Head.Commit <= archive.Last {
		t.Errorf("snapshot: %+v, %v", report, err)
	}
	files, err := filepath.Glob(filepath.Join(q.Dir(), "snapshot", "0*-0*"))
	if err != nil || len(files) == 0 || !strings.HasPrefix(filepath.Base(files[0]), strings.Repeat("0", 20)+"-") {
		t.Errorf("snapshots are %v, %v", files, err)
	}
	if digestOf(t, q.Dir()) != replayedDigest(t, q.Dir()) {
		t.Error("the state of a snapshot on a base is not that of a replay")
	}
	if checks, err := queue.CheckSnapshots(ctx, q.Dir()); err != nil || len(checks) == 0 || checks[0].Err != nil {
		t.Errorf("checked: %+v, %v", checks, err)
	}
}

// A base that nobody has recorded is no prune: somebody has removed the beginning of the log.
func TestVerify_ABaseThatNoEventNames(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	q, archive := longLog(t)
	_, err := eventlog.Prune(ctx, q.Dir(), archive.Last, eventlog.PruneOptions{
		Save:   func(context.Context, eventlog.Checkpoint, *eventlog.SnapshotWriter) error { return nil },
		Record: func(eventlog.Pruned) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	report, err := queue.Verify(ctx, q.Dir(), eventlog.VerifyOptions{})
	if err != nil || len(report.Damage) != 1 || !strings.Contains(report.Damage[0].Reason, "no event of a prune") {
		t.Errorf("got %+v, %v", report, err)
	}
}

func TestPrunable_EndsBeforeTheMoment(t *testing.T) {
	t.Parallel()
	q, archive := longLog(t)
	for _, tt := range []struct {
		before queue.Moment
		want   int
	}{
		{queue.Moment{}, 1},
		{queue.Moment{Position: job.Position(archive.To)}, 0},
		{queue.Moment{Position: job.Position(archive.To) + 1}, 1},
		{queue.Moment{Time: find(t, q, "done").EnqueuedAt}, 0},
		{queue.Moment{Time: find(t, q, "j13-0").EnqueuedAt}, 1},
	} {
		list, err := queue.Prunable(t.Context(), q.Dir(), tt.before)
		if err != nil || len(list) != tt.want {
			t.Errorf("before %v: %d archives, %v, want %d", tt.before, len(list), err, tt.want)
		}
	}
}

// A repair that takes away the event of a prune does not make a theft of it.
func TestRepair_TellsOfAPruneAgain(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	q, archive := longLog(t)
	dir := q.Dir()
	if _, err := q.Prune(queue.Because(ctx, "of age"), archive.Last); err != nil {
		t.Fatal(err)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	segments, err := filepath.Glob(filepath.Join(dir, "*", strings.Repeat("[0-9]", 20)))
	if err != nil {
		t.Fatal(err)
	}
	segments = slices.DeleteFunc(segments, func(path string) bool { return filepath.Base(filepath.Dir(path)) == "base" })
	first := slices.MinFunc(segments, func(a, b string) int { return strings.Compare(filepath.Base(a), filepath.Base(b)) })
	b, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	b[100] ^= 1
	if err := os.WriteFile(first, b, 0o600); err != nil {
		t.Fatal(err)
	}
	plan, err := queue.Repair(queue.Because(ctx, "as a test"), dir, queue.Options{}, nil)
	if err != nil || len(plan.Damage) == 0 {
		t.Fatalf("repair: %+v, %v", plan, err)
	}
	report, err := queue.Verify(ctx, dir, eventlog.VerifyOptions{})
	if err != nil || len(report.Damage) > 0 || report.Base == nil {
		t.Errorf("verify: %+v, %v", report, err)
	}
}
