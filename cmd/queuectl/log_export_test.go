package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
)

// deaf is a State that takes every event.
type deaf struct{}

func (deaf) Fold(*eventlog.Entry) error { return nil }
func (deaf) Reset()                     {}

// writeLog makes a log of the given commits, whatever sense they make.
func writeLog(t *testing.T, dir string, commits ...[]job.Event) {
	t.Helper()
	now := time.Unix(1e9, 0).UnixNano()
	meta := eventlog.Meta{
		User: "ada", Host: "engine", PID: 4711, Program: "queuectl v1", Reason: "because\u2028of \x1b[31m", Dir: "/\xff\xe2\x82x", Path: "/bin",
	}
	log, err := eventlog.Open(t.Context(), dir, deaf{}, eventlog.Options{
		SegmentSize: 8 << 10,
		Now:         func() int64 { now += 1e9 + 7; return now },
		Create: func(id eventlog.LogID) (eventlog.Meta, []eventlog.Event) {
			return meta, rawEvents([]job.Event{job.LogCreated{LogID: id, Format: 1, Level: 1}})
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, events := range commits {
		err := log.Append(t.Context(), &eventlog.Proposal{Meta: meta, Decide: func(eventlog.Turn) ([]eventlog.Event, error) {
			return rawEvents(events), nil
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
}

func rawEvents(events []job.Event) (list []eventlog.Event) {
	for _, e := range events {
		list = append(list, eventlog.Event{Kind: uint16(job.KindOf(e)), Data: job.AppendEvent(nil, e)})
	}
	return list
}

// everyKind has an event of each kind, with and without what can be missing. Its jobs are at the positions
// 2 and 3.
func everyKind() []job.Event {
	r := job.Result{
		Exit: -3, Start: 1e18 + 5, End: 1e18 + 70, CPU: 3*time.Second + 1, MaxRSS: 1 << 40, OutputSize: 9, Tail: "a\x00\u2028\"é",
		LeftBehind: true, Timeout: time.Hour,
	}
	old := job.JobEnqueued{Spec: job.Spec{Argv: []string{"a"}, Queue: "default"}}
	now := job.JobEnqueued{Due: 1_900_000_000_000_000_000, Spec: job.Spec{
		Command: "true", Queue: "mail", Priority: -3, MaxRetries: new(uint32(0)), Timeout: new(time.Minute), Tags: map[string]string{"a": "b"},
	}}
	killed := job.Result{Signal: 9, Start: 1e18, End: 1e18 - 5}
	return []job.Event{
		&job.JobEnqueued{Spec: job.Spec{ID: "plain", Command: "echo é", MaxRetries: new(uint32)}},
		&job.JobEnqueued{Due: 1e18, Spec: job.Spec{
			ID: "full", Argv: []string{"make", ""}, Kind: "mail", Payload: []byte(`{"a":1.0,"b":[],"a":2}`), Queue: "builds", Priority: -3,
			Timeout: new(90 * time.Minute), BackoffBase: new(1.5), BackoffMax: new(time.Duration(0)), BackoffJitter: new(0.25),
			OnCrash: job.CrashDead, UniqueKey: "é", UniqueFor: 90 * time.Minute, Env: map[string]string{"A": "1", "B": ""}, Cwd: "/src", Stdin: "@in", Tags: map[string]string{"z": ""},
			CreatedAt: time.Unix(1e9, 120), Extra: []byte("{}"), ConcurrencyKey: "host 7",
		}},
		job.LogRepaired{Segment: "s", Offset: 1, Size: 2, CRC: 1 << 31, Quarantine: "q", Verdict: "v"},
		job.ClockStepped{From: 1e18, To: -5},
		job.LogRestored{Commit: 7, Head: [32]byte{1, 2, 31: 3}, Backup: 1_900_000_000_123_456_789, From: "/mnt/q.backup"},
		job.LogRestored{Commit: 8},
		job.ArchivePruned{First: 1, Last: 7, From: 1, To: 9, Head: [32]byte{1, 31: 3}, Base: [32]byte{4, 31: 5}},
		job.ConfigSet{Key: "k", New: "n"},
		job.ConfigSet{Key: "k", Old: "o", New: "n"},
		job.ConfigUnset{Key: "k", Old: "o"},
		job.JobClaimed{Job: 2, Worker: 7},
		&job.JobCompleted{Job: 2, Run: 9, Result: job.Result{Start: 1e18, End: 1e18 + 1e9, CPU: 2 * time.Second}}, &job.JobCompleted{Job: 2, Run: 9},
		&job.JobFailed{Job: 3, Run: 9, Why: job.WhyExit, Result: r, NextAttemptAt: 1e18 + 1}, &job.JobDied{Job: 3, Run: 9, Why: job.WhyCrashes},
		&job.JobDied{Job: 3, Run: 9, Why: job.WhyRetries, Failure: job.WhySignal, Result: killed},
		job.RunLost{Job: 2, Run: 9, Worker: 7},
		job.RunReturned{Job: 2, Run: 9, Why: job.WhyNotStarted},
		job.JobRetried{Job: 3, From: job.Dead, Reset: true, Due: 1_900_000_000_000_000_000},
		&job.JobCancelled{Job: 2},
		&job.JobCancelled{Job: 2, Run: 9, Result: r},
		job.KillRequested{Job: 2, Run: 9, Signal: 15, Cancel: true},
		&job.JobEdited{Job: 2, Fields: []string{"command", "argv", "queue", "priority", "due", "max_retries", "timeout", "tags", "new"}, Old: old, New: now},
		job.JobHeld{Job: 2},
		job.JobReleased{Job: 2},
		&job.JobsPurged{Jobs: []job.Position{2, 3, 1 << 40}}, &job.JobsPurged{},
		job.JobsForgotten{Queue: "builds", State: job.Dead, Through: 9, Jobs: 1 << 40},
		&job.WorkerStarted{ID: "w", Slots: 2, Queues: []string{"a", "b"}, Shell: true}, &job.WorkerStarted{ID: "w", Kinds: []string{"k"}},
		job.WorkerStopped{Worker: 7, Why: "signal"},
		job.StopRequested{},
		job.StopRequested{Worker: 7, Now: true},
		job.WorkerLost{Worker: 7},
		job.QueuePaused{Queue: "builds"},
		job.QueueResumed{Queue: "builds"},
		job.QueueLimited{Queue: "builds", Concurrency: 3},
		job.QueueLimited{Queue: "builds", Rate: 600, Per: time.Minute},
		job.QueueLimited{Queue: "builds", Concurrency: 1, Rate: 1, Per: 90 * time.Minute},
		&job.CronAdded{Next: 1e18, New: job.Cron{
			Name: "nightly", Schedule: "30 2 * * *", Zone: "UTC", Missed: job.MissedAll, Overlap: job.OverlapSkip,
			Job: job.Spec{Command: "echo é", Queue: "builds", Timeout: new(time.Minute)},
		}},
		&job.CronChanged{Cron: 7, Paused: true}, &job.CronChanged{Cron: 7, Next: 1e18, New: &job.Cron{Name: "n", Job: job.Spec{Kind: "mail"}}},
		job.CronRemoved{Cron: 7},
		job.CronTicked{Cron: 7, Tick: 1e18, Made: 3, Next: 2e18},
		job.CronTicked{Cron: 7, Tick: 2e18, Since: 1e18, Skip: job.SkipMissed},
		job.Unknown{Number: 99, Data: []byte{1, 2}},
	}
}

// export returns the lines of an export.
func export(t *testing.T, dir string, args ...string) []string {
	t.Helper()
	stdout, stderr := tempFile(t), tempFile(t)
	code := run(append([]string{"--dir", dir, "log", "export"}, args...), nil, stdout, stderr)
	b, err := os.ReadFile(stdout.Name())
	if err != nil {
		t.Fatal(err)
	}
	if code != 0 {
		said, _ := os.ReadFile(stderr.Name())
		t.Fatalf("exit code %d: %s", code, said)
	}
	return slices.Collect(strings.Lines(string(b)))
}

// checkExports has the program in the guides check exports, and returns what it says of each.
func checkExports(t *testing.T, exports ...[]string) (said []string) {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("needs python3")
	}
	args := []string{"-B", filepath.Join(docs, "guides", "check_export.py"), os.DevNull} // with one more, it names them
	dir := t.TempDir()
	for i, lines := range exports {
		path := filepath.Join(dir, fmt.Sprintf("%d.jsonl", i))
		if err := os.WriteFile(path, []byte(strings.Join(lines, "")), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
	}
	var stderr bytes.Buffer
	cmd := exec.Command(python, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != 1 { // the first file is empty
		t.Fatalf("check_export.py: %v: %s", err, stderr.Bytes())
	}
	_, rest, _ := strings.Cut(strings.ReplaceAll(string(out), "\r\n", "\n"), "\n")
	for _, path := range args[3:] {
		_, text, found := strings.Cut(rest, path+":\n")
		if !found {
			t.Fatalf("check_export.py says nothing of %s: %s%s", path, out, stderr.Bytes())
		}
		rest = text
		text, _, _ = strings.Cut(text, filepath.Dir(path))
		said = append(said, text)
	}
	return said
}

// TestExport_IsCheckedByAnotherProgram has every kind of event, and many of those that have most to say, made
// anew by a program in another language.
func TestExport_IsCheckedByAnotherProgram(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	kinds := map[job.Kind]bool{job.KindLogCreated: true}
	for _, e := range everyKind() {
		kinds[job.KindOf(e)] = true
	}
	for k := range job.Kind(100) {
		if !strings.HasPrefix(k.String(), "Kind(") && !kinds[k] {
			t.Errorf("the test has no %v", k)
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	commits := [][]job.Event{everyKind()}
	for range 400 {
		span := func() time.Duration { return time.Duration(rng.Uint64() >> (1 + rng.IntN(63)) / 1e3 * 1e3) }
		commits = append(commits, []job.Event{
			&job.JobEnqueued{Due: int64(span()), Spec: job.Spec{
				ID: "random", Kind: "k", Timeout: new(span() >> 8), BackoffMax: new(span()), BackoffBase: new(rng.Float64() * 100), BackoffJitter: new(float64(rng.IntN(3))),
				CreatedAt: time.Unix(0, int64(span())), Payload: fmt.Appendf(nil, "%v", rng.NormFloat64()),
			}},
			&job.JobFailed{Job: 2, Result: job.Result{Start: int64(span()), End: int64(span()), CPU: span(), Exit: int32(rng.Uint32())}, NextAttemptAt: int64(span())},
		})
	}
	writeLog(t, dir, commits...)
	lines := export(t, dir)
	if len(lines) != 1+1+len(commits) {
		t.Errorf("%d lines", len(lines))
	}
	report, err := eventlog.Verify(t.Context(), dir, eventlog.VerifyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	h := report.Head
	want := fmt.Sprintf("sound: commits 1 to %d of log %v\nbegins after: %v%032d\nhead: commit %[1]d, position %[5]d, sha256 %[6]v\n",
		h.Commit, report.ID, report.ID, 0, h.Position, h.Hash)
	if said := checkExports(t, lines)[0]; said != want {
		t.Errorf("it says %s\nwant %s", said, want)
	}
}

func TestExport_OfAPartIsCheckedFromThere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeLog(t, dir, everyKind(), []job.Event{job.JobClaimed{Job: 2}}, []job.Event{job.JobClaimed{Job: 2}, job.JobClaimed{Job: 3}})
	whole := export(t, dir)
	first := job.Position(2 + len(everyKind()))
	var parts [][]string
	for _, tt := range []struct {
		args []string
		want []string
	}{
		{[]string{"--from", fmt.Sprint(first)}, whole[3:]},
		{[]string{"--from", fmt.Sprint(first - 1), "--to", fmt.Sprint(first)}, whole[2:4]},
		{[]string{"--from", fmt.Sprint(first + 2)}, whole[4:]}, // the second event of the last commit
		{[]string{"--to", "1"}, whole[1:2]},
		{[]string{"--from", "2001-09-09T01:46:42Z", "--to", "2001-09-09T01:46:43Z"}, whole[2:3]},
	} {
		got := export(t, dir, tt.args...)
		if !slices.Equal(got[1:], tt.want) {
			t.Errorf("%q: got %d lines", tt.args, len(got))
		}
		parts = append(parts, got)
	}
	all := checkExports(t, parts...)
	for i, said := range all {
		if !strings.HasPrefix(said, "sound: ") {
			t.Errorf("part %d: %s", i, said)
		}
	}
	if want := "not checked: the ids of jobs that were enqueued before the export, in 3 events"; !strings.Contains(all[0], want) {
		t.Errorf("it says %s, want %s", all[0], want)
	}
}

// TestExport_WhatWasChangedIsCaught changes a sound export in every way that a line, or a part of it, can be.
func TestExport_WhatWasChangedIsCaught(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeLog(t, dir, everyKind()[:2], everyKind(), []job.Event{job.ConfigSet{Key: "k", New: "two"}}, []job.Event{job.JobClaimed{Job: 2}})
	sound := export(t, dir)
	replace := func(line int, old, new string) func([]string) []string {
		return func(lines []string) []string {
			if !strings.Contains(lines[line], old) {
				t.Errorf("line %d has no %s", line, old)
			}
			lines[line] = strings.Replace(lines[line], old, new, 1)
			return lines
		}
	}
	// frame changes the bytes of commit 4, and on demand its hash with them.
	frame := func(lines []string, rehash bool, change func(b []byte) []byte) []string {
		var v struct {
			Frame  []byte
			SHA256 string
		}
		if err := json.Unmarshal([]byte(lines[4]), &v); err != nil {
			t.Fatal(err)
		}
		after := change(v.Frame)
		encode := base64.StdEncoding.EncodeToString
		lines[4] = strings.Replace(lines[4], encode(v.Frame), encode(after), 1)
		if rehash {
			lines[4] = strings.Replace(lines[4], v.SHA256, fmt.Sprintf("%x", sha256.Sum256(after)), 1)
		}
		return lines
	}
	sixForTwo := func(b []byte) []byte { return bytes.Replace(b, []byte("two"), []byte("six"), 1) }
	tests := []struct {
		name   string
		change func(lines []string) []string
		want   string
	}{
		{"nothing", func(l []string) []string { return l }, ""},
		{"data", replace(4, `"new":"two"`, `"new":"six"`), `line 5: commit 4: .events[0].data.new is "six", but its frame says "two"`},
		{"user", replace(3, `"user":"ada"`, `"user":"eve"`), `line 4: commit 3: .actor.user is "eve"`},
		{"reason", replace(3, `"reason":"because`, `"reason":"Because`), "line 4: commit 3: .reason is"},
		{"time", replace(3, `"time":"2001`, `"time":"2002`), "line 4: commit 3: .time is"},
		{"exact time", replace(3, `"time_ns":"1`, `"time_ns":"2`), "line 4: commit 3: .time_ns is"},
		{"kind", replace(5, "JobClaimed", "RunLost"), ".events[0].kind is"},
		{"job", replace(5, `"job":"plain"`, `"job":"other"`), `.events[0].job is "other"`},
		{"spec", replace(3, `"command":"echo é"`, `"command":"echo e"`), ".events[0].data.spec.command is"},
		{"number for null", replace(3, `"due":null`, `"due":0`), ".events[0].data.due is 0"},
		{"true for 1", replace(5, `"worker":0`, `"worker":false`), ".events[0].data.worker is false"},
		{"a field more", replace(4, `"reason":`, `"note":"x","reason":`), "commit 4: .note is not in the frame"},
		{"a field less", replace(4, `"synced_through":3,`, ""), "commit 4: .synced_through is missing"},
		{"a field twice", replace(4, `{"key":"k"`, `{"key":"K","key":"k"`), "commit 4: .events[0].data is"},
		{"hash", replace(4, `"sha256":"`, `"sha256":"0`), "commit 4: .sha256 is"},
		{"prev", replace(4, `"prev":"`, `"prev":"0`), "commit 4: .prev is"},
		{"bytes of an event", func(l []string) []string { return frame(l, false, sixForTwo) }, `line 5: commit 4: .sha256 is`},
		{"bytes and hash", func(l []string) []string { return frame(l, true, sixForTwo) }, `line 5: commit 4: .events[0].data.new is "two"`},
		{"bytes of an event and all that is said of them", func(l []string) []string {
			l = frame(l, true, sixForTwo)
			l[4] = strings.Replace(l[4], `"new":"two"`, `"new":"six"`, 1)
			return l
		}, "line 6: commit 5 does not follow the one before it (hash chain)"},
		{"cut frame", func(l []string) []string {
			return frame(l, true, func(b []byte) []byte { return b[:len(b)-1] })
		}, "line 5: its frame is none"},
		{"no frame", func(l []string) []string {
			return frame(l, true, func([]byte) []byte { return nil })
		}, "line 5: it cannot be read"},
		{"a line deleted", func(l []string) []string { return append(l[:3:3], l[4:]...) }, "line 4: commit 4 stands where 3 must"},
		{"a line twice", func(l []string) []string { return append(l[:4:4], l[3:]...) }, "line 5: commit 3 stands where 4 must"},
		{"two lines swapped", func(l []string) []string { l[3], l[4] = l[4], l[3]; return l }, "line 4: commit 4 stands where 3 must"},
		{"a line of another log", func(l []string) []string {
			other := t.TempDir()
			writeLog(t, other, everyKind()[:2], everyKind())
			l[3] = export(t, other)[3]
			return l
		}, "line 4: commit 3 does not follow the one before it (hash chain)"},
		{"the last line deleted", func(l []string) []string { return l[:len(l)-1] }, "line 5: it ends with commit 4, but its head is commit 5"},
		{"the first line deleted", func(l []string) []string { return l[1:] }, "line 1: it cannot be read"},
		{"the first commit deleted", func(l []string) []string { return append(l[:1:1], l[2:]...) }, "line 2: commit 2 stands where 1 must"},
		{"the head changed", replace(0, `"head":{"commit":5`, `"head":{"commit":4`), "it ends with commit 5, but its head is commit 4"},
		{"the id changed", replace(0, `"log_id":"`, `"log_id":"0`), "line 1: the first line: the log begins otherwise"},
		{"nothing left", func([]string) []string { return nil }, "it is empty"},
	}
	var changed [][]string
	for _, tt := range tests {
		changed = append(changed, tt.change(slices.Clone(sound)))
	}
	for i, said := range checkExports(t, changed...) {
		verdict := "wrong: "
		if tests[i].want == "" {
			verdict = "sound: "
		}
		if !strings.HasPrefix(said, verdict) || !strings.Contains(said, tests[i].want) {
			t.Errorf("%s: it says %s\nwant %s", tests[i].name, said, tests[i].want)
		}
	}
}
