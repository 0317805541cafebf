package job

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"
)

func fullJob() Job {
	at := time.Date(2030, 1, 31, 9, 0, 0, 5e8, time.FixedZone("", 3600))
	return Job{
		Key: 7,
		Spec: Spec{
			ID: "job1", Command: "a <b> & c", Argv: []string{"make", "a b"}, Kind: "mail", Payload: json.RawMessage("{\n \"a\": \"<\" }"),
			Queue: "slow", ConcurrencyKey: "host 7", Priority: 1, RunAt: at, Delay: 90 * time.Second,
			Timeout: new(time.Duration(0)), MaxRetries: new(uint32(5)), BackoffBase: new(2.0), BackoffMax: new(24 * time.Hour),
			BackoffJitter: new(0.5), OnCrash: CrashDead, UniqueKey: "k", UniqueFor: time.Hour, OnClash: ClashReplace, OnComplete: json.RawMessage(`"mail <me>"`), OnDead: json.RawMessage(`{"url":"https://example.com"}`), Backoff: "1s,1m", RetryOn: ExitCodes{75}, DeadOn: ExitCodes{2, 3},
			SnoozeOn: ExitCodes{99}, Snooze: time.Hour, Deadline: at,
			After: []Parent{{ID: "p"}, {Key: 4, On: OnAny}}, OnParentFailure: ParentCancel, Env: map[string]string{"B": "2", "A": "1"}, SecretEnv: []string{"T"}, Cwd: "/srv", Stdin: "@in",
			Tags: map[string]string{"t": "x"}, CreatedAt: at, Extra: json.RawMessage(`{"colour":"red"}`),
		},
		State: Failed, Attempts: 2, MaxRetries: 5, Runs: 3, Crashes: 1,
		EnqueuedAt: at, CreatedAt: at, UpdatedAt: at, NextAttemptAt: at.Add(5e8), StartedAt: at, FinishedAt: at,
		Run: 9, Worker: 8, Exit: new(int32(0)), Signal: 9, Why: WhyExit, LastError: "Exit 3: <no>", KillAsked: true, ParentsLeft: 2, Held: true, QueuePaused: true, LeftBehind: []int{4711},
		CallerDir: "/home", CallerPath: "/bin",
	}
}

func TestMarshalJSON_WritesEverythingInOrder(t *testing.T) {
	t.Parallel()
	got, err := fullJob().MarshalJSON()
	const at = `"2030-01-31T08:00:00.5Z"`
	want := `{"id":"job1","command":"make 'a b'","state":"failed","attempts":2,"max_retries":5,"created_at":` + at +
		`,"updated_at":` + at + `,"next_attempt_at":"2030-01-31T08:00:01Z","last_error":"Exit 3: <no>",` +
		`"argv":["make","a b"],"kind":"mail","payload":{"a":"<"},"queue":"slow","priority":1,"concurrency_key":"host 7","run_at":` + at +
		`,"delay":"1m30s","deadline":` + at + `,"timeout":"0","backoff":"1s,1m","backoff_base":2,"backoff_max":"24h","backoff_jitter":0.5,"on_crash":"dead",` +
		`"after":["p","#4"],"after_on":["success","any"],"on_parent_failure":"cancel",` +
		`"retry_on":[75],"dead_on":[2,3],"snooze_on":[99],"snooze":"1h","unique_key":"k","unique_scope":"1h","on_clash":"replace","on_complete":"mail <me>","on_dead":{"url":"https://example.com"},` +
		`"env":{"A":"1","B":"2"},"secret_env":["T"],"cwd":"/srv","stdin":"@in","tags":{"t":"x"},"extra":{"colour":"red"},` +
		`"runs":3,"crashes":1,"exit_code":0,"signal":9,"why":"exit","started_at":` + at + `,"finished_at":` + at +
		`,"parents_left":2,"kill_asked":true,"held":true,"queue_paused":true,"left_behind":[4711],"position":7,"enqueued_at":` + at + `,"run":9,"worker":8,"caller_dir":"/home","caller_path":"/bin"}`
	if err != nil || string(got) != want {
		t.Errorf("%v\ngot  %s\nwant %s", err, got, want)
	}
}

func TestMarshalJSON_WhatIsAbsent(t *testing.T) {
	t.Parallel()
	at := time.Unix(0, 0)
	for _, tt := range []struct {
		job  Job
		want string
	}{
		{
			Job{Spec: Spec{ID: "a", Command: "<b>"}, State: Pending, CreatedAt: at, UpdatedAt: at, Key: 1},
			`{"id":"a","command":"<b>","state":"pending","attempts":0,"max_retries":0,"created_at":"1970-01-01T00:00:00Z",` +
				`"updated_at":"1970-01-01T00:00:00Z","next_attempt_at":null,"last_error":null,` +
				`"queue":"default","priority":0,"runs":0,"crashes":0,"position":1}`,
		},
		{
			Job{Spec: Spec{ID: "a", Kind: "k", Payload: json.RawMessage(`null`)}, State: Dead, Key: 1},
			`{"id":"a","command":null,"state":"dead","attempts":0,"max_retries":0,"created_at":null,` +
				`"updated_at":null,"next_attempt_at":null,"last_error":null,"kind":"k","payload":null,` +
				`"queue":"default","priority":0,"runs":0,"crashes":0,"position":1}`,
		},
	} {
		if got, err := tt.job.MarshalJSON(); err != nil || string(got) != tt.want {
			t.Errorf("%v\ngot  %s\nwant %s", err, got, tt.want)
		}
	}
}

func TestMarshalJSON_EncoderLeavesAngleBracketsAlone(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode([]Job{fullJob()}); err != nil || !bytes.Contains(b.Bytes(), []byte("<no>")) {
		t.Errorf("got %s, %v", b.Bytes(), err)
	}
}

// Whatever a printed job has is either a field of a spec or known to be written by the system.
func TestMarshalJSON_EveryNameIsKnownToParseSpec(t *testing.T) {
	t.Parallel()
	text, err := fullJob().MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	var names map[string]any
	if err := json.Unmarshal(text, &names); err != nil {
		t.Fatal(err)
	}
	for _, name := range writtenFields {
		if _, ok := names[name]; !ok {
			t.Errorf("%s is in writtenFields and not in the job", name)
		}
	}
	for name := range specFields {
		if _, ok := names[name]; !ok {
			t.Errorf("%s is in specFields and not in the job", name)
		}
	}
	if got, want := len(names), len(specFields)+len(writtenFields); got != want {
		t.Errorf("%d names, want %d", got, want)
	}
	for _, name := range writtenFields {
		if _, both := specFields[name]; both {
			t.Errorf("%s is in both lists", name)
		}
	}
}

func ExampleParseSpec() {
	spec, warnings, err := ParseSpec([]byte(`{"id": "thumbs", "argv": ["convert", "in.png", "out.jpg"], "timeout": "90s", "colour": "red"}`))
	fmt.Println(spec.ID, Quote(spec.Argv), *spec.Timeout, err)
	fmt.Println(warnings)

	_, _, err = ParseSpec([]byte(`{"command": "true", "max_retry": 3}`))
	fmt.Println(err)
	// Output:
	// thumbs convert in.png out.jpg 1m30s <nil>
	// [unknown fields are kept under extra: "colour"]
	// unknown field "max_retry": did you mean max_retries? (a field of your own can go under extra)
}
