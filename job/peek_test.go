package job_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/queuectl/queuectl/job"
)

// peekSeeds are encoded JobEnqueued events: one with every field, and one as most are.
func peekSeeds() [][]byte {
	full := &job.JobEnqueued{Due: 7, Spec: job.Spec{
		ID: "full", Argv: []string{"make", "-j4"}, Kind: "mail", Payload: []byte("1"), Queue: "builds", Priority: -3,
		Timeout: new(time.Minute), MaxRetries: new(uint32(9)), BackoffBase: new(1.5), BackoffMax: new(time.Hour),
		BackoffJitter: new(0.25), OnCrash: job.CrashDead,
		After: []job.Parent{{Key: 3}, {Key: 300, On: job.OnAny}}, OnParentFailure: job.ParentCancel, Env: map[string]string{"A": "1"}, Cwd: "/src",
		Stdin: "@in", Tags: map[string]string{"z": ""}, CreatedAt: time.Unix(1e9, 0), Extra: []byte("{}"),
	}}
	plain := &job.JobEnqueued{Spec: job.Spec{ID: "a", Command: "true", MaxRetries: new(uint32)}}
	return [][]byte{job.AppendEvent(nil, full), job.AppendEvent(nil, plain)}
}

// peekAgrees checks that PeekEnqueued and DecodeEnqueued accept the same bytes and read the same.
func peekAgrees(t *testing.T, data string) {
	t.Helper()
	p, peekErr := job.PeekEnqueued(data)
	e, err := job.DecodeEnqueued(data)
	if (peekErr == nil) != (err == nil) || peekErr != nil && !errors.Is(peekErr, job.ErrDecode) {
		t.Fatalf("% x: PeekEnqueued says %v, DecodeEnqueued %v", data, peekErr, err)
	}
	if err != nil {
		return
	}
	retries := uint32(0)
	if e.Spec.MaxRetries != nil {
		retries = *e.Spec.MaxRetries
	}
	want := job.Peek{
		ID: e.Spec.ID, Queue: e.Spec.Queue, Kind: e.Spec.Kind, Priority: e.Spec.Priority,
		Due: e.Due, MaxRetries: retries, OnCrash: e.Spec.OnCrash,
		After: e.Spec.After != nil, OnParent: e.Spec.OnParentFailure, UniqueKey: e.Spec.UniqueKey, ConcurrencyKey: e.Spec.ConcurrencyKey,
	}
	if d := e.Spec.Deadline; !d.IsZero() {
		want.Deadline = d.UnixNano()
	}
	if p != want {
		t.Fatalf("% x: PeekEnqueued reads %+v, want %+v", data, p, want)
	}
	if parents := job.PeekParents(data); !slices.Equal(parents, e.Spec.After) {
		t.Fatalf("% x: PeekParents reads %v, want %v", data, parents, e.Spec.After)
	}
}

func TestPeekEnqueued_AcceptsWhatCanBeDecoded(t *testing.T) {
	t.Parallel()
	for _, seed := range peekSeeds() {
		peekAgrees(t, string(seed))
		for i := range seed {
			peekAgrees(t, string(seed[:i]))
			changed := []byte(string(seed))
			for value := range 256 {
				changed[i] = byte(value)
				peekAgrees(t, string(changed))
			}
		}
	}
}

func FuzzPeekEnqueued(f *testing.F) {
	for _, seed := range peekSeeds() {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) { peekAgrees(t, string(data)) })
}
