package job

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseSpec_ReadsEveryField(t *testing.T) {
	t.Parallel()
	got, warnings, err := ParseSpec([]byte(`{
		"id": "job 1/😀", "argv": ["make", "-j4", ""], "queue": "slow", "priority": -3,
		"run_at": "2030-01-31T09:00:00.5+01:00", "timeout": "1m30s", "max_retries": 5,
		"backoff_base": 1.5, "backoff_max": 90, "backoff_jitter": 0.25, "on_crash": "dead",
		"env": {"A": "1", "EMPTY": ""}, "cwd": "/srv", "stdin": "@in", "tags": {"team": "é"},
		"created_at": "2025-01-31T08:00:00Z", "extra": {"colour": "red"}
	}`))
	want := Spec{
		ID: "job 1/😀", Argv: []string{"make", "-j4", ""}, Queue: "slow", Priority: -3,
		RunAt:   time.Date(2030, 1, 31, 8, 0, 0, 5e8, time.UTC),
		Timeout: new(90 * time.Second), MaxRetries: new(uint32(5)), BackoffBase: new(1.5), BackoffMax: new(90 * time.Second),
		BackoffJitter: new(0.25), OnCrash: CrashDead, Env: map[string]string{"A": "1", "EMPTY": ""}, Cwd: "/srv", Stdin: "@in",
		Tags: map[string]string{"team": "é"}, CreatedAt: time.Date(2025, 1, 31, 8, 0, 0, 0, time.UTC),
		Extra: json.RawMessage(`{"colour":"red"}`),
	}
	if err != nil || !reflect.DeepEqual(got, want) || warnings != nil {
		t.Errorf("got  %+v, %q, %v\nwant %+v", got, warnings, err, want)
	}
	got, _, err = ParseSpec([]byte(`{"kind": "mail", "payload": [1, {"a": "<"} ], "delay": 1.5}`))
	want = Spec{Kind: "mail", Payload: json.RawMessage(`[1,{"a":"<"}]`), Delay: 1500 * time.Millisecond}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
	}
}

func TestParseSpec_Values(t *testing.T) {
	t.Parallel()
	seconds := func(s Spec) any { return s.Timeout.Seconds() }
	retries := func(s Spec) any { return *s.MaxRetries }
	for _, tt := range []struct {
		field string
		value func(Spec) any
		want  any
	}{
		{`"timeout":90`, seconds, 90.0},
		{`"timeout":0.25`, seconds, 0.25},
		{`"timeout":"90"`, seconds, 90.0},
		{`"timeout":"2h"`, seconds, 7200.0},
		{`"timeout":"7d"`, seconds, 7 * 86400.0},
		{`"timeout":"1d12h"`, seconds, 36 * 3600.0},
		{`"timeout":0`, seconds, 0.0},
		{`"timeout":"876000h"`, seconds, 876000 * 3600.0},
		{`"timeout":null`, func(s Spec) any { return s.Timeout == nil }, true},
		{`"max_retries":0`, retries, uint32(0)},
		{`"max_retries":3.0`, retries, uint32(3)},
		{`"max_retries":1e3`, retries, uint32(1000)},
		{`"max_retries":1000000000`, retries, uint32(1e9)},
		{`"priority":-2147483648`, func(s Spec) any { return s.Priority }, int32(-1 << 31)},
		{`"backoff_base":1e9`, func(s Spec) any { return *s.BackoffBase }, 1e9},
		{`"id":"../etc/passwd"`, func(s Spec) any { return s.ID }, "../etc/passwd"},
		{`"id":"2024-05-01"`, func(s Spec) any { return s.ID }, "2024-05-01"},
		{`"id":"\ud83d\ude00"`, func(s Spec) any { return s.ID }, "😀"},
		{`"id":"a\\ud83d"`, func(s Spec) any { return s.ID }, `a\ud83d`},
	} {
		s, warnings, err := ParseSpec([]byte(`{"command":"x",` + tt.field + `}`))
		if err != nil || warnings != nil {
			t.Errorf("%s: %q, %v", tt.field, warnings, err)
		} else if got := tt.value(s); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.field, got, tt.want)
		}
	}
}

func TestParseSpec_BadJSONSaysWhereAndWhatWasExpected(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text   string
		offset int64
		want   string
	}{
		{``, 0, `line 1, column 1: found the end of the text, expected an object in { }`},
		{"\n \t", 3, `line 2, column 3: found the end of the text, expected an object in { }`},
		{`[]`, 0, `line 1, column 1: found '[', expected an object in { }`},
		{`'{"id":1}'`, 0, `line 1, column 1: found '\'', expected an object in { }`},
		{"\ufeff{}", 0, `line 1, column 1: found a byte order mark, expected an object in { }`},
		{`{`, 1, `line 1, column 2: found the end of the text, expected a name in "double quotes"`},
		{`{id:1}`, 1, `line 1, column 2: found 'i', expected a name in "double quotes"`},
		{`{"é"`, 5, `line 1, column 5: found the end of the text, expected a colon`},
		{`{"id" 1}`, 6, `line 1, column 7: found '1', expected a colon`},
		{`{"id":}`, 6, `line 1, column 7: found '}', expected a value`},
		{`{"id":"a`, 8, `line 1, column 9: found the end of the text, expected the closing "`},
		{`{"id":"a"`, 9, `line 1, column 10: found the end of the text, expected a comma or }`},
		{"{\n \"id\": 1\n \"a\": 2}", 12, `line 3, column 2: found '"', expected a comma or }`},
		{`{"id":"a",}`, 10, `line 1, column 11: found '}', expected a name in "double quotes"`},
		{`{"argv":["a" "b"]}`, 13, `line 1, column 14: found '"', expected a comma or ]`},
		{`{"id":"a"} x`, 11, `line 1, column 12: found 'x', expected nothing more`},
		{`{"id":tru}`, 9, `line 1, column 10: found '}', expected true`},
		{`{"id":-}`, 7, `line 1, column 8: found '}', expected a digit`},
		{`{"id":1.}`, 8, `line 1, column 9: found '}', expected a digit`},
		{`{"id":1e}`, 8, `line 1, column 9: found '}', expected a digit`},
		{`{"id":"\q"}`, 8, `line 1, column 9: found 'q', expected one of`},
		{`{"id":"\u12g4"}`, 11, `line 1, column 12: found 'g', expected four hexadecimal digits`},
		{"{\"id\":\"a\n\"}", 8, `line 1, column 9: found the end of the line, expected the closing "`},
		{"{\"id\":\"a\xff\"}", 8, `line 1, column 9: found bytes that are not UTF-8`},
		{`{"id":"a\ud83d"}`, 8, `line 1, column 9: found half of a surrogate pair`},
		{`{"id":"\\\ude00\ud83d"}`, 9, `line 1, column 10: found half of a surrogate pair`},
		{`{"a":1, "id":1,"a":2}`, 15, `line 1, column 16: found "a" a second time`},
		{`{"env": {"A":"1", "A":"2"}}`, 18, `line 1, column 19: found "A" a second time`},
		{`{"command":"x","extra":{"a":1},"a":2}`, 35, `line 1, column 36: found "a", which is under extra too`},
		{strings.Repeat(`{"a":`, 20_000), 50_000, `line 1, column 50001: found '{', expected fewer levels`},
		{`{"payload":` + strings.Repeat(`[`, 100_000), 10_010, `line 1, column 10011: found '[', expected fewer levels`},
	} {
		spec, _, err := ParseSpec([]byte(tt.text))
		bad, ok := errors.AsType[*JSONError](err)
		if !ok || !reflect.DeepEqual(spec, Spec{}) {
			t.Errorf("%.40q: got %+v, %v, want a JSONError", tt.text, spec, err)
			continue
		}
		if bad.Offset != tt.offset || !strings.HasPrefix(bad.Error(), tt.want) {
			t.Errorf("%.40q:\ngot  %d, %s\nwant %d, %s", tt.text, bad.Offset, bad, tt.offset, tt.want)
		}
		if errors.Is(err, ErrInvalid) {
			t.Errorf("%.40q: is also ErrInvalid", tt.text)
		}
	}
}

func TestParseSpec_BadValueNamesFieldValueAndRange(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"id":5}`:                              `id 5: must be a string`,
		`{"id":""}`:                             `id "": must be a text that is not empty`,
		`{"id":["a` + "\u009b" + `"]}`:          `id ["a` + "\ufffd" + `"]: must be a string`,
		`{"command":""}`:                        `command "": must be a text that is not empty`,
		`{"argv":"x"}`:                          `argv "x": must be an array of strings`,
		`{"argv":["x",null]}`:                   `argv[1] null: must be a string`,
		`{"argv":["x",{}]}`:                     `argv[1] {}: must be a string`,
		`{"priority":2147483648}`:               `priority 2147483648: must be a whole number from -2147483648 to 2147483647`,
		`{"priority":0.5}`:                      `priority 0.5: must be a whole number`,
		`{"priority":1e300}`:                    `priority 1e300: must be a whole number`,
		`{"priority":"1"}`:                      `priority "1": must be a whole number`,
		`{"max_retries":-1}`:                    `max_retries -1: must be a whole number from 0 to 1000000000`,
		`{"max_retries":1e999}`:                 `max_retries 1e999: must be a whole number`,
		`{"max_retries":99999999999999999999}`:  `max_retries 99999999999999999999: must be a whole number`,
		`{"max_retries":true}`:                  `max_retries true: must be a whole number`,
		`{"timeout":-1}`:                        `timeout -1: must be a duration from 0 to 876000h`,
		`{"timeout":1e10}`:                      `timeout 1e10: must be a duration`,
		`{"timeout":1e-300}`:                    `timeout 1e-300: must be a duration`,
		`{"timeout":"-2s"}`:                     `timeout "-2s": must be a duration`,
		`{"timeout":"soon"}`:                    `timeout "soon": must be a duration`,
		`{"timeout":"NaN"}`:                     `timeout "NaN": must be a duration`,
		`{"timeout":""}`:                        `timeout "": must be a duration`,
		`{"timeout":[1]}`:                       `timeout [1]: must be a duration`,
		`{"delay":"876001h"}`:                   `delay "876001h": must be a duration`,
		`{"backoff_base":0.99}`:                 `backoff_base 0.99: must be a number from 1 to 1000000000`,
		`{"backoff_base":"2"}`:                  `backoff_base "2": must be a number`,
		`{"backoff_jitter":1.01}`:               `backoff_jitter 1.01: must be a number from 0 to 1`,
		`{"on_crash":"explode"}`:                `on_crash "explode": must be retry or dead`,
		`{"on_crash":1}`:                        `on_crash 1: must be a string`,
		`{"run_at":"tomorrow"}`:                 `run_at "tomorrow": must be an RFC 3339 time`,
		`{"run_at":1700000000}`:                 `run_at 1700000000: must be an RFC 3339 time`,
		`{"run_at":"0001-01-01T00:00:00Z"}`:     `run_at 0001-01-01T00:00:00Z: must be in the years 1970 to 2261`,
		`{"created_at":"2300-01-01T00:00:00Z"}`: `created_at 2300-01-01T00:00:00Z: must be in the years 1970 to 2261`,
		`{"env":[]}`:                            `env []: must be an object of strings`,
		`{"env":{"A":5}}`:                       `env "A" 5: must be a string`,
		`{"tags":{"a":null}}`:                   `tags "a" null: must be a string`,
		`{"extra":5}`:                           `extra 5: must be an object`,
		`{}`:                                    `nothing to do: one of command, argv and kind is required`,
		`{"command":"x","id":"all"}`:            `id "all": must be something else`, // Validate is called
	} {
		_, _, err := ParseSpec([]byte(text))
		if !errors.Is(err, ErrInvalid) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s:\ngot  %v\nwant %s", text, err, want)
		}
	}
}

func TestParseSpec_NearMissIsAnErrorWithTheRightName(t *testing.T) {
	t.Parallel()
	for wrong, right := range map[string]string{
		"max_retry": "max_retries", "maxRetries": "max_retries", "max-retries": "max_retries", "retries": "max_retries",
		"prio": "", "priorty": "priority", "Queue": "queue", "timeout_": "timeout", "time_out": "timeout",
		"backofbase": "backoff_base", "backoff_limit": "", "run-at": "run_at", "runAt": "run_at", "onCrash": "on_crash",
		"tag": "tags", "args": "argv", "ENV": "env", "paylod": "payload", "comment": "", "created_by": "", "user": "", "name": "",
	} {
		_, warnings, err := ParseSpec([]byte(`{"command":"x","` + wrong + `":1}`))
		if right == "" {
			if err != nil || len(warnings) != 1 {
				t.Errorf("%s: got %q, %v, want a warning", wrong, warnings, err)
			}
			continue
		}
		want := "did you mean " + right + "?"
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), wrong) {
			t.Errorf("%s: got %v, want %s", wrong, err, want)
		}
	}
	if _, _, err := ParseSpec([]byte(`{"comand":"x"}`)); err == nil || !strings.Contains(err.Error(), "did you mean command?") {
		t.Errorf("comand: got %v", err)
	}
}

func TestParseSpec_UnknownFieldsAreKeptWithAWarning(t *testing.T) {
	t.Parallel()
	s, warnings, err := ParseSpec([]byte(`{"command":"x", "extra":{"a": 1}, "zoom": [ 1, "<" ], "b": null}`))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(s.Extra), `{"a":1,"zoom":[1,"<"],"b":null}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if want := []string{`unknown fields are kept under extra: "zoom", "b"`}; !slices.Equal(warnings, want) {
		t.Errorf("got %q, want %q", warnings, want)
	}
}

func TestParseSpec_WhatTheSystemWritesIsIgnored(t *testing.T) {
	t.Parallel()
	s, warnings, err := ParseSpec([]byte(`{"command":"x","state":"pending","attempts":"?","last_error":null,"exit_code":3}`))
	if err != nil || warnings != nil || s.Extra != nil {
		t.Errorf("got %+v, %q, %v", s, warnings, err)
	}
	_, warnings, err = ParseSpec([]byte(`{"command":"x","state":"dead"}`))
	if want := []string{`state "dead" is ignored: a new job is pending`}; err != nil || !slices.Equal(warnings, want) {
		t.Errorf("got %q, %v, want %q", warnings, err, want)
	}
}

func TestParseSpec_SizeIsBounded(t *testing.T) {
	t.Parallel()
	const frame = len(`{"command":""}`)
	if _, _, err := ParseSpec([]byte(`{"command":"` + strings.Repeat("x", MaxSpecSize-frame) + `"}`)); err != nil {
		t.Errorf("the largest spec: %v", err)
	}
	_, _, err := ParseSpec([]byte(`{"command":"` + strings.Repeat("x", MaxSpecSize-frame+1) + `"}`))
	if want := "spec of 262145 bytes: must be at most 262144 bytes"; !errors.Is(err, ErrInvalid) || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// A spec that is all unknown names must not take a time that grows with their square.
func TestParseSpec_ManyUnknownFieldsGiveOneWarning(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString(`{"command":"x"`)
	for i := range 15_000 {
		fmt.Fprintf(&b, `,"f%d":0`, i)
	}
	_, warnings, err := ParseSpec([]byte(b.String() + `}`))
	if err != nil || len(warnings) != 1 || !strings.HasSuffix(warnings[0], "and 14990 more") {
		t.Errorf("got %.200q, %v", warnings, err)
	}
}

func TestParseSpec_PrintedJobCanBeEnqueuedAgain(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := validSpecs().Draw(t, "spec")
		if err := want.Validate(); err != nil {
			t.Fatal(err)
		}
		j := Job{
			Spec: want, MaxRetries: *want.MaxRetries, CreatedAt: want.CreatedAt, State: Pending,
			UpdatedAt: want.CreatedAt, Key: 7, LastError: "Exit 3: <b>", Exit: new(int32(3)), Why: WhyExit, Runs: 1, Run: 8, Worker: 2,
			CallerDir: "/", CallerPath: "/bin", KillAsked: true, Held: true,
		}
		text, err := j.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		got, warnings, err := ParseSpec(text)
		if err != nil || warnings != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%s\ngot  %+v, %q, %v\nwant %+v", text, got, warnings, err, want)
		}
	})
}

func TestParseSpec_CommandBesideArgvMustBeItsQuotedForm(t *testing.T) {
	t.Parallel()
	s, _, err := ParseSpec([]byte(`{"argv":["a b","c"],"command":"'a b' c"}`))
	if want := (Spec{Argv: []string{"a b", "c"}}); err != nil || !reflect.DeepEqual(s, want) {
		t.Errorf("got %+v, %v, want %+v", s, err, want)
	}
	_, _, err = ParseSpec([]byte(`{"argv":["a b","c"],"command":"a b c"}`))
	if want := "command and argv: only one of them may be given"; !errors.Is(err, ErrInvalid) || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
