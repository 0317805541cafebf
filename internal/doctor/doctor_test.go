package doctor

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
	"github.com/queuectl/queuectl/scheduler/lease"
)

const thisProgram = "queuectl 2.0"

// look looks at a directory, with a second process that is this one: locks belong to open files.
func look(t *testing.T, dir string, change ...func(*Options)) *Diagnosis {
	t.Helper()
	opt := Options{Dir: dir, Now: time.Now(), Program: thisProgram, TryLock: func(_ context.Context, path string) (bool, error) { return TryLock(path) }}
	for _, fn := range change {
		fn(&opt)
	}
	d, err := Look(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// want requires findings of a check, each with a status and a part of its message or hint.
func want(t *testing.T, d *Diagnosis, check string, status Status, part string) {
	t.Helper()
	var seen []string
	for _, f := range d.Findings {
		if f.Check != check {
			continue
		}
		if f.Status == status && strings.Contains(f.Message+" → "+f.Hint, part) {
			return
		}
		seen = append(seen, string(f.Status)+": "+f.Message+" → "+f.Hint)
	}
	t.Errorf("%s: got %q, want %s with %q", check, seen, status, part)
}

// populated makes a queue with a job that has completed, and one that waits.
func populated(t *testing.T, change ...func(*queue.Options)) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "q")
	with(t, dir, func(q *queue.Queue) error {
		for _, id := range []string{"done", "waits"} {
			if _, err := q.Enqueue(t.Context(), job.Spec{ID: id, Kind: id}); err != nil {
				return err
			}
		}
		return q.Run(t.Context(), queue.WorkerOptions{UntilIdle: true, NoShell: true, Handlers: map[string]queue.Handler{
			"done": func(context.Context, job.Job) error { return nil },
		}})
	}, change...)
	return dir
}

func with(t *testing.T, dir string, fn func(*queue.Queue) error, change ...func(*queue.Options)) {
	t.Helper()
	opt := queue.Options{Actor: job.Actor{Program: thisProgram}}
	for _, fn := range change {
		fn(&opt)
	}
	q, err := queue.Open(t.Context(), dir, opt)
	if err == nil {
		if err = fn(q); err == nil {
			err = q.Close()
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// contents are all files of a directory.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			all[path] = "directory"
			return err
		}
		text, err := os.ReadFile(path)
		all[path] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestLook_AtAHealthyQueueChangesNothing(t *testing.T) {
	t.Parallel()
	dir := populated(t)
	before := contents(t, filepath.Dir(dir))
	d := look(t, dir)
	if after := contents(t, filepath.Dir(dir)); !maps.Equal(before, after) {
		t.Errorf("before %v, after %v", slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(after)))
	}
	checks := map[string]bool{}
	for _, f := range d.Findings {
		checks[f.Check] = true
		ground := f.Check == "filesystem" || f.Check == "space" || f.Check == "sync" // those of this machine
		if f.Status != OK && f.Check != "workers" && !ground && !strings.HasPrefix(f.Message, "not looked at here: ") {
			t.Errorf("%+v", f)
		}
		if f.Message == "" || f.Status == Bad && f.Hint == "" {
			t.Errorf("%+v says too little", f)
		}
	}
	want(t, d, "log", OK, "every byte is sound: ")
	want(t, d, "workers", Note, "1 job waits → 'queuectl worker start'")
	want(t, d, "output", OK, "1 job has ended")
	want(t, d, "versions", OK, thisProgram+" alone")
	if len(checks) != 17 || d.Damaged || rank[d.Worst()] >= rank[Bad] {
		t.Errorf("%d checks, damaged %v, worst %s", len(checks), d.Damaged, d.Worst())
	}
}

func TestLook_WhereThereIsNoQueue(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("other/log/FORMAT", "a log of somebody else")
	write("newer/log/FORMAT", "queuectl log\nformat 2\nid 000102030405060708090a0b0c0d0e0f\ncrc c9fc5c3f\n")
	empty := filepath.Join(root, "empty")
	if err := os.Mkdir(empty, 0o700); err != nil {
		t.Fatal(err)
	}
	for path, what := range map[string]struct {
		status Status
		part   string
	}{
		filepath.Join(root, "none", "yet"): {Note, "'queuectl enqueue' makes one"},
		empty:                              {Note, "'queuectl enqueue' makes one"},
		filepath.Join(root, "other"):       {Bad, "not a queue → choose another directory with --dir"},
		filepath.Join(root, "newer"):       {Bad, "→ install the newer queuectl"},
		write("file", ""):                  {Bad, "is not a directory"},
	} {
		d := look(t, path)
		want(t, d, "directory", what.status, what.part)
		for _, f := range d.Findings {
			if f.Check == "log" || f.Check == "workers" || f.Check == "size" {
				t.Errorf("%s: %+v", path, f)
			}
		}
	}
}

func TestLook_AtADamagedLogGoesOn(t *testing.T) {
	t.Parallel()
	dir := populated(t)
	segment := filepath.Join(dir, "log", "00000000000000000001")
	text, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/2] ^= 1
	if err := os.WriteFile(segment, text, 0o600); err != nil {
		t.Fatal(err)
	}
	d := look(t, dir)
	want(t, d, "log", Bad, "log repair")
	want(t, d, "locks", OK, "")
	want(t, d, "size", OK, "log ")
	if !d.Damaged || d.Worst() != Bad {
		t.Errorf("damaged %v, worst %s", d.Damaged, d.Worst())
	}
	if err := os.Remove(segment); err != nil { // all of it is gone
		t.Fatal(err)
	}
	d = look(t, dir)
	want(t, d, "log", Bad, "log repair")
	want(t, d, "workers", OK, ", as far as the log is sound")
	if !d.Damaged {
		t.Error("a log that is gone is not damaged")
	}
}

// nothing is a state that takes in no event.
type nothing struct{}

func (nothing) Fold(*eventlog.Entry) error { return nil }
func (nothing) Reset()                     {}

func TestLook_AtALogOfALaterLevel(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log, err := eventlog.Open(t.Context(), dir, nothing{}, eventlog.Options{
		Create: func(id eventlog.LogID) (eventlog.Meta, []eventlog.Event) {
			created := job.LogCreated{LogID: id, Format: 1, Level: job.Level + 1}
			return eventlog.Meta{}, []eventlog.Event{{Kind: uint16(job.KindLogCreated), Data: job.AppendEvent(nil, created)}}
		},
	})
	if err == nil {
		err = log.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	d := look(t, dir)
	want(t, d, "log", Bad, "→ install the newer queuectl")
	want(t, d, "size", OK, "log ")
	want(t, d, "workers", Note, "not looked at here: the queue could not be opened")
}

func TestLook_AtALargeLogIsOneAtItsEnd(t *testing.T) {
	t.Parallel()
	dir := populated(t)
	v := &visit{opt: Options{Dir: dir, Now: time.Now()}, near: dir, ours: true}
	defer v.close()
	if err := v.log(t.Context()); err != nil {
		t.Fatal(err)
	}
	all := v.survey
	v.survey, v.found = survey{}, Diagnosis{}
	if err := v.newest(t.Context()); err != nil {
		t.Fatal(err)
	}
	want(t, &v.found, "", OK, "events are sound, of ")
	want(t, &v.found, "", OK, "'queuectl log verify' checks every byte")
	if v.survey.events != all.events || v.survey.last != all.last || !maps.Equal(v.survey.programs, all.programs) {
		t.Errorf("got %+v, want %+v", v.survey, all)
	}
}

func TestLook_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Look(ctx, Options{Dir: t.TempDir(), TryLock: func(context.Context, string) (bool, error) {
		cancel()
		return false, nil
	}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestLocks_ThatExcludeNobodyAreBad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, tt := range []struct {
		free   bool
		err    error
		status Status
		part   string
	}{
		{true, nil, Bad, "a second process could take a lock that this one held"},
		{false, nil, Bad, "held by nobody and cannot be taken"},
		{false, errors.New("no second process"), Note, "not looked at here: no second process"},
	} {
		d := look(t, dir, func(o *Options) {
			o.TryLock = func(context.Context, string) (bool, error) { return tt.free, tt.err }
		})
		want(t, d, "locks", tt.status, tt.part)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("it left %v (%v)", left, err)
	}
}

func TestPermissions_SayWhoElseMay(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("needs file modes")
	}
	dir := populated(t)
	for mode, tt := range map[fs.FileMode]struct {
		status Status
		part   string
	}{
		0o700: {OK, "0700, of "},
		0o750: {Warn, "others may read"},
		0o770: {Bad, "others may write to it, and so have commands run"},
	} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		want(t, look(t, dir), "permissions", tt.status, tt.part)
	}
}

func TestWorkers_OtherProgramsAreNamed(t *testing.T) {
	t.Parallel()
	dir := populated(t)
	old := func(o *queue.Options) { o.Actor.Program = "queuectl 1.0" }
	with(t, dir, func(q *queue.Queue) error {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		started, ended := make(chan job.Worker, 1), make(chan error, 1)
		go func() {
			ended <- q.Run(ctx, queue.WorkerOptions{Handlers: map[string]queue.Handler{"none": nil}, NoShell: true, Started: func(w job.Worker) { started <- w }})
		}()
		w := <-started
		d := look(t, dir)
		want(t, d, "versions", Warn, "this is queuectl 2.0, and others work: queuectl 1.0 (worker "+w.ID+") → 'queuectl worker stop --wait'")
		want(t, d, "workers", OK, "1 worker lives")
		stop()
		return <-ended
	}, old)
	want(t, look(t, dir), "versions", Note, "some were written by queuectl 1.0")
}

func TestWorkers_TheDeadAreNamed(t *testing.T) {
	t.Parallel()
	dir := populated(t)
	var copied string
	with(t, dir, func(q *queue.Queue) error {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		started, ended := make(chan job.Worker, 1), make(chan error, 1)
		go func() {
			ended <- q.Run(ctx, queue.WorkerOptions{Handlers: map[string]queue.Handler{"none": nil}, NoShell: true, Started: func(w job.Worker) { started <- w }})
		}()
		<-started
		copied = filepath.Join(t.TempDir(), "q") // where its lock is not held
		if err := os.CopyFS(filepath.Join(copied, "log"), os.DirFS(filepath.Join(dir, "log"))); err != nil {
			return err
		}
		stop()
		return <-ended
	})
	d := look(t, copied)
	want(t, d, "workers", Warn, "has died → 'queuectl worker start'")
	want(t, d, "workers", Note, "no worker lives, and 1 job waits")
}

func TestRuns_WhatIsLeftIsSaid(t *testing.T) {
	t.Parallel()
	dir := populated(t)
	held, err := lease.HoldRun(dir, 900)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Release()
	stale, err := lease.HoldRun(dir, 901)
	if err == nil {
		err = stale.Abandon()
	}
	if err != nil {
		t.Fatal(err)
	}
	d := look(t, dir)
	want(t, d, "runs", Note, "left processes behind that live: run 900")
	want(t, d, "runs", Note, "1 lock file of a run that is over")
}

func TestClock_ThatWasSetBack(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 31, 8, 0, 0, 0, time.UTC)
	clock := now.Add(time.Hour)
	at := func(o *queue.Options) { o.Now = func() time.Time { return clock } }
	looking := func(when time.Time) func(*Options) { return func(o *Options) { o.Now = when } }
	dir := populated(t, at)
	want(t, look(t, dir, looking(now)), "clock", Warn, "the newest event is 1h0m0s ahead of it")
	want(t, look(t, dir, looking(clock)), "clock", OK, "never set back")
	clock = now
	with(t, dir, func(q *queue.Queue) error {
		_, err := q.Enqueue(t.Context(), job.Spec{ID: "later", Kind: "none"})
		return err
	}, at)
	want(t, look(t, dir, looking(now.Add(time.Minute))), "clock", Warn, "set back 1 time, the last time by 1h0m0s at 2030-01-31 08:00:00")
	want(t, look(t, dir, looking(now.Add(48*time.Hour))), "clock", Note, "set back 1 time")
}

func TestGrowth_SaysWhatWouldGo(t *testing.T) {
	t.Parallel()
	dir := populated(t)
	printed := filepath.Join(dir, "output", "000000", "4.log")
	if err := errors.Join(os.MkdirAll(filepath.Dir(printed), 0o700), os.WriteFile(printed, []byte("hello"), 0o600)); err != nil {
		t.Fatal(err)
	}
	want(t, look(t, dir), "output", OK, "5 B in 1 file; 1 job has ended")
	if err := os.Truncate(printed, 300<<20); err != nil { // which takes no space
		t.Fatal(err)
	}
	d := look(t, dir)
	want(t, d, "output", Note, "300.0 MiB in 1 file; 1 job has ended, and can leave the queue with what it printed → 'queuectl clean --dry-run'")
	want(t, d, "size", OK, "output 300.0 MiB")

	v := &visit{opt: Options{Dir: dir}, near: dir, ours: true, bytes: &sizes{sealed: 33 << 20, archives: 12}}
	if err := v.archive(t.Context()); err != nil {
		t.Fatal(err)
	}
	want(t, &v.found, "", Note, "33.0 MiB of the log could be compressed, to about a sixth → 'queuectl log archive'")
}

func TestQuarantineAndSnapshots_AreLookedInto(t *testing.T) {
	t.Parallel()
	dir := populated(t)
	with(t, dir, func(q *queue.Queue) error {
		_, err := q.Snapshot(t.Context())
		return err
	})
	want(t, look(t, dir), "snapshots", OK, "1 file, ")
	files, err := filepath.Glob(filepath.Join(dir, "snapshot", "0*"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	cut := filepath.Join(dir, "quarantine", "00000000000000000001-120")
	err = errors.Join(os.Truncate(files[0], 100), os.MkdirAll(filepath.Dir(cut), 0o700), os.WriteFile(cut, []byte("torn"), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	d := look(t, dir)
	want(t, d, "snapshots", Warn, "cannot be used")
	want(t, d, "quarantine", Note, "1 file, 4 B: what was cut off the log → 'queuectl log list --type LogRepaired'")
}

func TestWorst_IsTheWorst(t *testing.T) {
	t.Parallel()
	d := &Diagnosis{}
	for _, s := range []Status{OK, Note, Warn, Bad} {
		d.Findings = append(d.Findings, Finding{Status: OK}, Finding{Status: s}, Finding{Status: Note})
		if got := d.Worst(); got != s && s != OK {
			t.Errorf("got %s, want %s", got, s)
		}
	}
}

func TestWords_AreShort(t *testing.T) {
	t.Parallel()
	for bytes, text := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 300 << 20: "300.0 MiB", -1: "0 B"} {
		if got := words(bytes); got != text {
			t.Errorf("%d: got %s, want %s", bytes, got, text)
		}
	}
	for d, text := range map[time.Duration]string{0: "0s", 7: "7ns", 1234567: "1.23ms", 123456789: "123ms"} {
		if got := round(d).String(); got != text {
			t.Errorf("%d: got %s, want %s", d, got, text)
		}
	}
}
