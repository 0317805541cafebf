package queuetest

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/queuectl/queuectl/job"
)

// id draws an id that is in use, or one that is not.
func (m *machine) id(t *rapid.T) string {
	ids := []string{"unknown"}
	for _, j := range m.model.jobs {
		ids = append(ids, j.id)
	}
	return rapid.SampledFrom(ids).Draw(t, "id")
}

func (m *machine) spec(t *rapid.T) job.Spec {
	s := job.Spec{
		ID:    rapid.SampledFrom([]string{"", "a", "b", "c", "d", "é \U0001F600", "../x"}).Draw(t, "id"),
		Kind:  rapid.SampledFrom(slices.Sorted(maps.Keys(m.h.Handlers))).Draw(t, "kind"),
		Queue: rapid.SampledFrom(queues).Draw(t, "queue"),
		// One job runs at a time, so that a key holds nothing back: unless somebody who died still had it.
		ConcurrencyKey: rapid.SampledFrom([]string{"", "k"}).Draw(t, "concurrency key"),
		Priority:       rapid.SampledFrom([]int32{0, 0, 0, 1, -1}).Draw(t, "priority"),
		Delay:          rapid.SampledFrom([]time.Duration{0, 0, time.Nanosecond, time.Second, time.Hour}).Draw(t, "delay"),
		OnCrash:        rapid.SampledFrom([]job.OnCrash{job.CrashRetry, job.CrashRetry, job.CrashDead}).Draw(t, "on crash"),
	}
	if rapid.Bool().Draw(t, "own retries") {
		n := rapid.Uint32Range(0, 2).Draw(t, "max retries")
		s.MaxRetries = &n
	}
	if rapid.Bool().Draw(t, "own base") {
		base := rapid.SampledFrom([]float64{1, 1.5, 10, 1e9}).Draw(t, "base")
		s.BackoffBase = &base
	}
	if s.UniqueKey = rapid.SampledFrom([]string{"", "", "one", "two"}).Draw(t, "unique key"); s.UniqueKey != "" {
		s.UniqueScope = rapid.SampledFrom([]job.Scope{job.ScopeActive, job.ScopeWaiting}).Draw(t, "scope")
		s.OnClash = rapid.SampledFrom([]job.OnClash{job.ClashRefuse, job.ClashExisting, job.ClashReplace}).Draw(t, "on clash")
	}
	if m.h.Payload != nil {
		s.Payload = m.h.Payload(t, s.Kind)
	}
	s.OnComplete, s.OnDead = m.hook(t, "on complete"), m.hook(t, "on dead")
	return s
}

// hook draws a hook, which your handlers run as any job of their kinds; mostly there is none.
func (m *machine) hook(t *rapid.T, label string) json.RawMessage {
	if rapid.IntRange(0, 3).Draw(t, label) > 0 {
		return nil
	}
	kind := rapid.SampledFrom(slices.Sorted(maps.Keys(m.h.Handlers))).Draw(t, "kind")
	fields := map[string]any{"kind": kind}
	if m.h.Payload != nil {
		fields["payload"] = json.RawMessage(m.h.Payload(t, kind))
	}
	if rapid.Bool().Draw(t, "own queue") {
		fields["queue"] = "slow"
	}
	raw, err := json.Marshal(fields)
	if err != nil {
		t.Fatalf("the payload of a hook: %v", err)
	}
	return raw
}

// parents lets specs come after jobs that are there, or after those before them. In one command with a job that is to be
// replaced nobody does: its children end behind all that is new.
func (m *machine) parents(t *rapid.T, specs []job.Spec) {
	replaces := func(s job.Spec) bool { return s.OnClash == job.ClashReplace }
	if slices.ContainsFunc(specs, replaces) {
		return
	}
	ids := []string{"unknown"}
	for _, j := range m.model.jobs {
		ids = append(ids, j.id, j.id) // most are known
	}
	for i := range specs {
		s := &specs[i]
		for range rapid.SampledFrom([]int{0, 0, 1, 2}).Draw(t, "parents") {
			id := rapid.SampledFrom(ids).Draw(t, "parent")
			later := func(other job.Spec) bool { return other.ID == id }
			if slices.ContainsFunc(specs[i:], later) || slices.ContainsFunc(s.After, func(p job.Parent) bool { return p.ID == id }) {
				continue
			}
			on := rapid.SampledFrom([]job.AfterOn{job.OnSuccess, job.OnSuccess, job.OnFailure, job.OnAny}).Draw(t, "on")
			s.After = append(s.After, job.Parent{ID: id, On: on})
		}
		if s.After != nil {
			s.OnParentFailure = rapid.SampledFrom([]job.OnParentFailure{job.ParentDead, job.ParentCancel, job.ParentRelease}).Draw(t, "on parent failure")
		}
		if s.ID != "" {
			ids = append(ids, s.ID)
		}
	}
}
