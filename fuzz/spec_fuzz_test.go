package fuzz

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/queuectl/queuectl/job"
)

// FuzzParseSpec parses arbitrary bytes as a job's JSON. What is refused is refused with a position
// or as invalid; what is accepted is valid, keeps its meaning when it is encoded, and is the same
// after the job was printed and parsed again.
func FuzzParseSpec(f *testing.F) {
	for _, text := range []string{
		`{"id":"job1","command":"echo hello","max_retries":3}`,
		`{"id":"j","argv":["make","-j4",""],"command":"make -j4 ''","queue":"q","priority":-1,"run_at":"2030-01-31T09:00:00.5+01:00",` +
			`"timeout":"1m30s","backoff_base":1.5,"backoff_max":90,"backoff_jitter":0.25,"on_crash":"dead","env":{"A":"1"},` +
			`"cwd":"/","stdin":"@in","tags":{"t":"é"},"created_at":"2025-01-31T08:00:00Z","extra":{"a":1},"b":[null,{"c":"<"}]}`,
		`{"kind":"mail","payload":[1,{"a":null}],"delay":"1d12h"}`,
		`{"command":"x","state":"dead","attempts":1,"last_error":null,"max_retry":1}`,
		`{"command":"\ud83d\ude00\\\ud83d"}`, `{"command":"x","command":"y"}`, `{"env":{"A":"","A":""}}`,
		`{"a":{"b":[{"c":[[[[1e999,-0.0,true]]]]}]}}`, `{"timeout":1e-300,"priority":1e3}`, `{`, `[]`, "\ufeff{}", "{\"a\":\"\xff\"}",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		spec, _, err := job.ParseSpec(text)
		if err != nil {
			checkRefusal(t, text, err)
			return
		}
		if err := spec.Validate(); err != nil {
			t.Fatalf("it was accepted, and then: %v", err)
		}
		checkEncoding(t, spec)
		checkPrinted(t, spec)
	})
}

func checkRefusal(t *testing.T, text []byte, err error) {
	t.Helper()
	var bad *job.JSONError
	switch {
	case errors.As(err, &bad):
		if bad.Offset < 0 || bad.Offset > int64(len(text)) || bad.Line < 1 || bad.Column < 1 {
			t.Fatalf("the position is outside of the text: %+v", bad)
		}
		if !strings.Contains(bad.Reason, "found ") {
			t.Fatalf("it does not say what was found: %v", bad)
		}
	case !errors.Is(err, job.ErrInvalid):
		t.Fatalf("neither a JSONError nor ErrInvalid: %v", err)
	}
	if msg := err.Error(); len(msg) > 4<<10 || !utf8.ValidString(msg) || strings.ContainsAny(msg, "\x1b\x00\n") {
		t.Fatalf("not a message for a terminal: %q", msg)
	}
}

// checkEncoding leaves out run_at and delay, which an event holds as the time that follows from
// them.
func checkEncoding(t *testing.T, spec job.Spec) {
	t.Helper()
	want := spec
	want.RunAt, want.Delay = job.Spec{}.RunAt, 0
	if want.Queue == "" {
		want.Queue = job.DefaultQueue
	}
	e, err := job.DecodeEnqueued(string(job.AppendEvent(nil, &job.JobEnqueued{Spec: spec})))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(normal(e.Spec), normal(want)) {
		t.Fatalf("decoded\n%+v\nwant\n%+v", e.Spec, want)
	}
}

func checkPrinted(t *testing.T, spec job.Spec) {
	t.Helper()
	if spec.ID == "" {
		spec.ID = "made" // as the log does: every job has an id
	}
	j := job.Job{Spec: spec, State: job.Pending, CreatedAt: spec.CreatedAt}
	if spec.MaxRetries != nil {
		j.MaxRetries = *spec.MaxRetries
	}
	printed, err := j.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(printed) || bytes.ContainsRune(printed, '\n') {
		t.Fatalf("not one line of JSON: %s", printed)
	}
	if len(printed) > job.MaxSpecSize { // what the system writes comes on top of the largest specs
		return
	}
	again, warnings, err := job.ParseSpec(printed)
	if err != nil || warnings != nil {
		t.Fatalf("printed as %s, and then: %q, %v", printed, warnings, err)
	}
	want := spec
	want.MaxRetries = &j.MaxRetries
	if want.Queue == "" {
		want.Queue = job.DefaultQueue
	}
	if !reflect.DeepEqual(normal(again), normal(want)) {
		t.Fatalf("printed as\n%s\nparsed as\n%+v\nwant\n%+v", printed, again, want)
	}
}

// normal makes no difference between maps that are empty and those that are nil.
func normal(s job.Spec) job.Spec {
	if len(s.Env) == 0 {
		s.Env = nil
	}
	if len(s.Tags) == 0 {
		s.Tags = nil
	}
	return s
}
