package job

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"
)

func TestParseHook_Forms(t *testing.T) {
	t.Parallel()
	post := []string{"queuectl", "hook-post", "https://example.com/a?b"}
	for text, want := range map[string]Spec{
		`"echo hi"`:                 {Command: "echo hi"},
		`"https://example.com/a?b"`: {Argv: post},
		`{"url":"https://example.com/a?b","priority":2}`:     {Argv: post, Priority: 2},
		`{"command":"a","deadline":"1h","delay":"1m"}`:       {Command: "a", DeadlineIn: time.Hour, Delay: time.Minute},
		`{"argv":["tell","me"],"queue":"q","env":{"A":"b"}}`: {Argv: []string{"tell", "me"}, Queue: "q", Env: map[string]string{"A": "b"}},
	} {
		if got, err := ParseHook(json.RawMessage(text)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v; want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{
		`5`, `null`, `[]`, `""`, `{}`, `{"id":"a","command":"b"}`, `{"command":"b","on_complete":"c"}`, `{"command":"a","url":"https://b"}`,
		`{"url":"example.com"}`, `{"url":5}`, `{"command":"b","colour":1}`, `{"command":"b","unique_key":"c"}`, `{"command":"b","command":"c"}`,
		`{"command":"b","after":"c"}`, `{"command":"b","deadline":"2030-01-31T08:00:00Z"}`, `{"command":"b","deadline":"1h","delay":"1h"}`,
	} {
		if s, err := ParseHook(json.RawMessage(text)); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: got %+v, %v; want ErrInvalid", text, s, err)
		}
	}
}

func TestPeekHooks_AgreesWithDecode(t *testing.T) { // not parallel: it counts allocations
	plain := string(AppendEvent(nil, &JobEnqueued{Spec: Spec{ID: "a", Command: "b", Env: map[string]string{"A": "b"}}}))
	if n := testing.AllocsPerRun(10, func() {
		if onComplete, onDead := PeekHooks(plain); onComplete != nil || onDead != nil {
			t.Error("a job without hooks has some")
		}
	}); n != 0 {
		t.Errorf("%v allocations for a job without hooks", n)
	}
	onComplete, onDead := PeekHooks(string(AppendEvent(nil, &sampleEnqueued)))
	if string(onComplete) != string(sampleEnqueued.Spec.OnComplete) || string(onDead) != string(sampleEnqueued.Spec.OnDead) {
		t.Errorf("got %s and %s", onComplete, onDead)
	}
}
