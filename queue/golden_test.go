package queue_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
	"github.com/queuectl/queuectl/queue"
)

var writeGolden = flag.Bool("write-golden", false, "write the queue of this release to testdata/golden; one of a release that is out never changes")

// golden holds a queue of each release: a directory with a base, segments and snapshots, packed, and what was
// in it, a JSON object a line. Whoever has pruned a log has nothing but the base of what went: see
// docs/decisions/0009-prune.md.
const (
	golden        = "testdata/golden"
	goldenCurrent = "v1"
)

func TestGolden_QueuesOfEveryReleaseAreRead(t *testing.T) {
	t.Parallel()
	if *writeGolden {
		goldenWrite(t)
	}
	packed, err := filepath.Glob(filepath.Join(golden, "*.tar.gz"))
	if err != nil || len(packed) == 0 {
		t.Fatalf("no golden queues: %v", err)
	}
	for _, path := range packed {
		release := strings.TrimSuffix(path, ".tar.gz")
		want, err := os.ReadFile(release + ".jsonl")
		if err != nil {
			t.Fatal(err)
		}
		for _, without := range []string{"", "snapshot"} { // as it was; and from the base and the log alone
			t.Run(filepath.Base(release)+" without "+without, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				goldenUnpack(t, path, dir)
				if without != "" {
					if err := os.RemoveAll(filepath.Join(dir, without)); err != nil {
						t.Fatal(err)
					}
				}
				goldenCheck(t, dir, string(want))
			})
		}
	}
}

// goldenCheck opens a golden queue, and compares what is in it with what was. Fields that were added since are not looked at.
func goldenCheck(t *testing.T, dir, want string) {
	t.Helper()
	report, err := queue.Verify(t.Context(), dir, eventlog.VerifyOptions{})
	if err != nil || len(report.Damage) > 0 || report.Base == nil || report.Base.Files != 2 {
		t.Fatalf("verify: %+v, %v", report, err)
	}
	q := open(t, dir)
	got, wanted := strings.Split(goldenDump(t, q), "\n"), strings.Split(want, "\n")
	if len(got) != len(wanted) {
		t.Errorf("%d lines, want %d", len(got), len(wanted))
	}
	for i := range min(len(got), len(wanted)) {
		if !goldenHas(t, got[i], wanted[i]) {
			t.Errorf("line %d:\ngot  %s\nwant %s", i+1, got[i], wanted[i])
		}
	}
	enqueue(t, q, job.Spec{ID: "and goes on", Command: "true"})
	if j := find(t, q, "and goes on"); j.State != job.Pending {
		t.Errorf("a new job is %v", j.State)
	}
}

// goldenHas says whether a JSON object has every field of another one.
func goldenHas(t *testing.T, got, want string) bool {
	t.Helper()
	if got == want {
		return true
	}
	var has, wants map[string]any
	if json.Unmarshal([]byte(got), &has) != nil || json.Unmarshal([]byte(want), &wants) != nil {
		return false
	}
	for key, value := range wants {
		if !reflect.DeepEqual(has[key], value) {
			return false
		}
	}
	return true
}

// goldenDump writes the jobs, the settings and the schedules of a queue, a line each.
func goldenDump(t *testing.T, q *queue.Queue) string {
	t.Helper()
	var b strings.Builder
	line := func(v any, err error) {
		t.Helper()
		var text []byte
		if err == nil {
			text, err = json.Marshal(v)
		}
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(text, '\n'))
	}
	jobs, err := q.List(t.Context(), projection.Filter{})
	for _, j := range jobs {
		line(j, err)
	}
	settings, err := q.Config(t.Context())
	for _, s := range settings {
		if s.Value != s.Default {
			line(map[string]string{"setting": s.Key, "value": s.Value}, err)
		}
	}
	crons, err := q.Crons(t.Context())
	for _, c := range crons {
		line(map[string]any{"schedule": c.Name, "next": c.Next}, err)
	}
	infos, err := q.Queues(t.Context())
	for _, i := range infos {
		line(map[string]any{"queue": i.Name, "paused": i.Paused, "concurrency": i.Limits.Concurrency, "rate": i.Limits.Rate}, err)
	}
	return b.String()
}

// goldenWrite makes the golden queue of this release.
func goldenWrite(t *testing.T) {
	dir, kept := t.TempDir(), t.TempDir()
	clock := time.Date(2030, 1, 31, 8, 0, 0, 0, time.UTC)
	opt := queue.Options{
		Now:   func() time.Time { clock = clock.Add(time.Millisecond); return clock },
		Actor: job.Actor{User: "ada", Host: "loom", PID: 42, Program: "queuectl 1.0"},
	}
	q, err := queue.Open(t.Context(), dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err = q.SetConfig(t.Context(), "max_retries", "7")
	must(err)
	_, err = q.LimitQueue(t.Context(), "narrow", func(l *job.Limits) { l.Concurrency, l.Rate, l.Per = 2, 5, time.Hour })
	must(err)
	_, err = q.PauseQueues(t.Context(), "later")
	must(err)
	_, err = q.AddCron(t.Context(), goldenCron(), false)
	must(err)
	enqueue(t, q, goldenSpecs()...)
	must(q.Hold(t.Context(), "held"))
	must(q.Cancel(t.Context(), "cancelled"))
	handlers := map[string]queue.Handler{
		"good": func(context.Context, job.Job) error { return nil },
		"bad":  func(context.Context, job.Job) error { return errors.New("no luck") },
		// While it runs, the log is pruned and saved, so that there is a job that runs in the base.
		"slow": func(context.Context, job.Job) error {
			goldenPrune(t, dir, opt)
			return os.CopyFS(kept, os.DirFS(dir))
		},
	}
	must(q.Run(t.Context(), queue.WorkerOptions{UntilIdle: true, Handlers: handlers, Queues: []string{"default"}}))
	must(q.Close())
	for _, gone := range []string{"workers", "runs", "output"} { // of this machine
		must(os.RemoveAll(filepath.Join(kept, gone)))
	}
	must(os.MkdirAll(golden, 0o777))
	goldenPack(t, kept, filepath.Join(golden, goldenCurrent+".tar.gz"))
	read, err := queue.Open(t.Context(), kept, queue.Options{ReadOnly: true})
	must(err)
	must(os.WriteFile(filepath.Join(golden, goldenCurrent+".jsonl"), []byte(goldenDump(t, read)), 0o666))
	must(read.Close())
}

// goldenPrune fills segments, archives and prunes them, and leaves a snapshot and a few jobs behind the base.
func goldenPrune(t *testing.T, dir string, opt queue.Options) {
	q, err := queue.Open(t.Context(), dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for i := range 300 { // enough for an archive; packed, they are small
		ids = append(ids, fmt.Sprint("bulk", i))
		enqueue(t, q, job.Spec{ID: ids[i], Kind: "bulk", Payload: json.RawMessage(`"` + strings.Repeat("x", 16<<10) + `"`)})
	}
	err = q.Close() // which seals segments
	if err == nil {
		if _, err = queue.Archive(t.Context(), dir, eventlog.ArchiveOptions{}); err == nil {
			q, err = queue.Open(t.Context(), dir, opt)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close() // everything is durable
	if err := q.Cancel(t.Context(), ids...); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Forget(t.Context(), job.Cancelled, opt.Now().Add(time.Hour), false); err != nil {
		t.Fatal(err)
	}
	list, err := queue.Prunable(t.Context(), dir, queue.Moment{})
	if err != nil || len(list) == 0 {
		t.Fatalf("archives are %+v, %v", list, err)
	}
	if _, err := q.Prune(queue.Because(t.Context(), "golden"), list[0].Last); err != nil {
		t.Fatal(err)
	}
	enqueue(t, q, job.Spec{ID: "behind the base", Command: "true"})
	if _, err := q.Snapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
	enqueue(t, q, job.Spec{ID: "behind the snapshot", Command: "true"})
}

func goldenPack(t *testing.T, dir, path string) {
	t.Helper()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	w := tar.NewWriter(z)
	err := w.AddFS(os.DirFS(dir))
	if err = errors.Join(err, w.Close(), z.Close()); err == nil {
		err = os.WriteFile(path, packed.Bytes(), 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func goldenUnpack(t *testing.T, path, dir string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() // only read
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil || !fs.ValidPath(strings.TrimSuffix(h.Name, "/")) {
			t.Fatalf("%v: %v", h, err)
		}
		to := filepath.Join(dir, filepath.FromSlash(h.Name))
		if h.Typeflag == tar.TypeDir {
			err = os.MkdirAll(to, 0o700)
		} else {
			var data []byte
			if data, err = io.ReadAll(r); err == nil {
				err = errors.Join(os.MkdirAll(filepath.Dir(to), 0o700), os.WriteFile(to, data, 0o600))
			}
		}
		if err != nil {
			t.Fatal(fmt.Errorf("unpack: %w", err))
		}
	}
}

// goldenSpecs are jobs of every kind, with every field of a spec.
func goldenSpecs() []job.Spec {
	specs := []job.Spec{
		{ID: "completed", Kind: "good", Payload: json.RawMessage(`{"n":1}`)},
		{ID: "dead", Kind: "bad", MaxRetries: new(uint32), OnDead: json.RawMessage(`{"kind":"hook"}`)},
		{ID: "failed", Kind: "bad", Backoff: "1h,2h"},
		{ID: "waits", Command: "true", Queue: "later"},
		{ID: "held", Argv: []string{"echo", "a b", ""}, Queue: "narrow", Priority: -3},
		{ID: "cancelled", Command: "true", Queue: "narrow"},
		{ID: "tomorrow", Command: "true", RunAt: time.Date(2030, 2, 1, 0, 0, 0, 5, time.UTC)},
		{ID: "in a while", Command: "true", Delay: 30 * time.Hour, Deadline: time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC)},
		{ID: "é \U0001F600", Command: "printf '\\033[31m'", Queue: "later", Tags: map[string]string{"a": "1", "long": strings.Repeat("x", 300)}},
		{
			ID: "everything", Command: "make all", Queue: "later", ConcurrencyKey: "key", Priority: 7, DeadlineIn: 400 * time.Hour,
			Timeout: new(time.Minute), MaxRetries: new(uint32(9)), BackoffBase: new(1.5), BackoffMax: new(time.Hour), BackoffJitter: new(0.25),
			OnCrash: job.CrashDead, RetryOn: job.ExitCodes{1, 75}, SnoozeOn: job.ExitCodes{99}, Snooze: time.Hour,
			OnComplete: json.RawMessage(`{"command":"echo done"}`), Env: map[string]string{"A": "b"}, SecretEnv: []string{"TOKEN"},
			Cwd: "/tmp", Stdin: "hello", UniqueKey: "only one", UniqueScope: job.ScopeWaiting,
			CreatedAt: time.Date(2029, 1, 1, 0, 0, 0, 0, time.UTC), Extra: json.RawMessage(`{"x":[1,2]}`),
		},
		{ID: "child", Command: "true", After: []job.Parent{{ID: "waits"}, {ID: "completed"}}, OnParentFailure: job.ParentCancel},
		{ID: "running", Kind: "slow", Priority: -100},
	}
	return specs
}

func goldenCron() job.Cron {
	return job.Cron{Name: "nightly", Schedule: "30 2 * * *", Zone: "UTC", Job: job.Spec{Command: "true", Queue: "later"}}
}
