package fuzz

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/queuectl/queuectl/job"
)

// FuzzDecodeEvent decodes arbitrary bytes as an event of any kind. What decodes must encode to
// bytes that decode to the same again: the encoding of an event is one, however it was first
// written.
func FuzzDecodeEvent(f *testing.F) {
	result := job.Result{
		Exit: 3, Signal: 9, Start: 1.7e18, End: 1.7e18 + 1e9, CPU: time.Second, MaxRSS: 1 << 20, OutputSize: 300,
		Tail: string(bytes.Repeat([]byte("no\n"), 100)), LeftBehind: true, Timeout: time.Second,
	}
	for _, e := range []job.Event{
		job.LogCreated{LogID: [16]byte{1}, Format: 1, Level: 1},
		job.LogRepaired{Segment: "1", Offset: 1, Size: 2, CRC: 3, Quarantine: "q", Verdict: "torn"},
		job.ClockStepped{From: 2, To: 1},
		job.LogRestored{Commit: 300, Head: [32]byte{1}, Backup: 1.7e18, From: "f"},
		job.ArchivePruned{First: 1, Last: 300, From: 1, To: 301, Head: [32]byte{1}, Base: [32]byte{2}},
		job.ConfigSet{Key: "timeout", Old: "0", New: "1m"},
		job.ConfigUnset{Key: "timeout", Old: "1m"},
		&job.JobEnqueued{Due: 1.7e18, Spec: job.Spec{
			ID: "a", Command: "true", Argv: []string{"true", ""}, Kind: "k", Payload: []byte(`{}`), Queue: "q", Priority: -1,
			Timeout: new(time.Second), MaxRetries: new(uint32(0)), BackoffBase: new(2.0), BackoffMax: new(time.Hour),
			BackoffJitter: new(0.5), OnCrash: job.CrashDead, Env: map[string]string{"A": "1", "B": ""}, Cwd: "/", Stdin: "@f",
			Tags: map[string]string{"t": "x"}, CreatedAt: time.Unix(1, 0), Extra: []byte(`{"a":1}`), ConcurrencyKey: "host",
		}},
		job.JobClaimed{Job: 1, Worker: 300},
		&job.JobCompleted{Job: 1, Run: 2, Result: result},
		&job.JobFailed{Job: 1, Run: 2, Why: job.WhyExit, Result: result, NextAttemptAt: 1.7e18},
		&job.JobDied{Job: 1, Run: 2, Why: job.WhyRetries, Failure: job.WhyExit, Result: result},
		job.RunLost{Job: 1, Run: 2, Worker: 3},
		job.RunReturned{Job: 1, Run: 2, Why: job.WhyStop},
		job.JobRetried{Job: 1, From: job.Dead, Reset: true},
		&job.JobCancelled{Job: 1, Run: 2, Result: result},
		job.JobsForgotten{Queue: "mail", State: job.Dead, Through: 9, Jobs: 2},
		job.KillRequested{Job: 1, Run: 2, Signal: 15, Cancel: true},
		&job.WorkerStarted{ID: "w", Slots: 2, Queues: []string{"q"}, Kinds: []string{"k"}, Shell: true},
		job.WorkerStopped{Worker: 1, Why: "signal"},
		job.StopRequested{Worker: 1, Now: true},
		job.WorkerLost{Worker: 1},
		job.QueuePaused{Queue: "mail"},
		job.QueueResumed{Queue: "mail"},
		job.QueueLimited{Queue: "mail", Concurrency: 2, Rate: 10, Per: time.Second},
		&job.CronAdded{Next: 1.7e18, New: job.Cron{
			Name: "n", Schedule: "@daily", Zone: "UTC", Missed: job.MissedAll, Overlap: job.OverlapSkip, Job: job.Spec{Command: "true"},
		}},
		&job.CronChanged{Cron: 1, Paused: true, Next: 1.7e18, New: &job.Cron{Name: "n", Job: job.Spec{Argv: []string{"true"}}}},
		job.CronRemoved{Cron: 1},
		job.CronTicked{Cron: 1, Tick: 1.7e18, Since: 1.6e18, Made: 2, Skip: job.SkipMissed, Next: 1.8e18},
	} {
		f.Add(uint16(job.KindOf(e)), job.AppendEvent(nil, e))
	}
	f.Add(uint16(999), []byte("later"))
	f.Fuzz(func(t *testing.T, number uint16, data []byte) {
		kind := job.Kind(number)
		e, err := job.DecodeEvent(kind, data)
		if kind == job.KindJobEnqueued {
			comparePeek(t, data, err)
		}
		if err != nil {
			if !errors.Is(err, job.ErrDecode) || e != nil {
				t.Fatalf("got %+v and %v, which does not wrap ErrDecode", e, err)
			}
			return
		}
		if got := job.KindOf(e); got != kind {
			t.Fatalf("decoded to a %v, want %v", got, kind)
		}
		once := job.AppendEvent(nil, e)
		again, err := job.DecodeEvent(kind, once)
		if err != nil {
			t.Fatalf("%+v encodes to %x, and then: %v", e, once, err)
		}
		if twice := job.AppendEvent(nil, again); !bytes.Equal(twice, once) {
			t.Fatalf("encoded first to %x and then to %x", once, twice)
		}
	})
}

// comparePeek holds PeekEnqueued to what DecodeEnqueued says of the same bytes: if the one accepts
// them so must the other, because the one decides whether the bytes are kept for the other.
func comparePeek(t *testing.T, data []byte, decodeErr error) {
	t.Helper()
	peek, err := job.PeekEnqueued(string(data))
	if (err == nil) != (decodeErr == nil) {
		t.Fatalf("peek: %v, decode: %v", err, decodeErr)
	}
	if err != nil {
		return
	}
	e, err := job.DecodeEnqueued(string(data))
	if err != nil {
		t.Fatal(err)
	}
	want := job.Peek{
		ID: e.Spec.ID, Queue: e.Spec.Queue, Kind: e.Spec.Kind, Priority: e.Spec.Priority, Due: e.Due, OnCrash: e.Spec.OnCrash,
		UniqueKey: e.Spec.UniqueKey, ConcurrencyKey: e.Spec.ConcurrencyKey,
	}
	if e.Spec.MaxRetries != nil {
		want.MaxRetries = *e.Spec.MaxRetries
	}
	if !reflect.DeepEqual(peek, want) {
		t.Fatalf("peek: %+v, decode: %+v", peek, want)
	}
}
