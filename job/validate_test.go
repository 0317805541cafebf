package job

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestValidate_IDs(t *testing.T) {
	t.Parallel()
	good := []string{
		"", "job1", "job-1", "2024-05-01", "3-7-", "v1-2", "10", "a-", "a b", "a/b", "../x", "a/../b", "x/..", "a.b", "a=b",
		"é", "日本語", "😀", "All", "lasting", "a@b", "~", "*", `a\b`, `"'`, strings.Repeat("x", 128),
	}
	for _, id := range good {
		if err := (&Spec{ID: id, Command: "x"}).Validate(); err != nil {
			t.Errorf("%q: %v", id, err)
		}
	}
	bad := []string{
		"all", "last", "-x", "@x", "a,b", "3-7", "10-20", "1..5", "a..b", "..", "a/b..c", "5..", "..5",
		"a\nb", "a\tb", "\x00", "\x7f", "\u009b", "a\u202eb", "a\u200db", "\u00a0", "\u2028", "\ue000", "\xff", strings.Repeat("x", 129),
		strings.Repeat("é", 65),
	}
	for _, id := range bad {
		err := (&Spec{ID: id, Command: "x"}).Validate()
		if !errors.Is(err, ErrInvalid) || !strings.HasPrefix(err.Error(), "id ") {
			t.Errorf("%q: got %v, want ErrInvalid that names the id", id, err)
			continue
		}
		for _, r := range err.Error() {
			if !strconv.IsGraphic(r) {
				t.Errorf("%q: the error holds %U", id, r)
			}
		}
	}
}

func TestValidate_RefusesWhatNoQueueWouldAccept(t *testing.T) {
	t.Parallel()
	do := func(change func(*Spec)) Spec {
		s := Spec{Command: "x"}
		change(&s)
		return s
	}
	tags := map[string]string{}
	for i := range MaxTags + 1 {
		tags[strconv.Itoa(i)] = ""
	}
	for _, tt := range []struct {
		spec Spec
		want string
	}{
		{Spec{}, `nothing to do: one of command, argv and kind is required`},
		{Spec{Command: "x", Argv: []string{"x"}, Kind: "x"}, `command and argv and kind: only one of them may be given`},
		{Spec{Command: " \n"}, `command " \n": must be more than blanks`},
		{Spec{Command: "a\x00b"}, `command "a\x00b": must be text without NUL`},
		{Spec{Command: "a\xff"}, `command "a\xff": must be valid UTF-8`},
		{Spec{Argv: []string{}}, `argv []: must be the program and its arguments`},
		{Spec{Argv: []string{""}}, `argv[0] "": must be more than blanks`},
		{Spec{Argv: []string{"x", "\x00"}}, `argv[1] "\x00": must be text without NUL`},
		{Spec{Kind: "send mail"}, `kind "send mail": must be a name without spaces`},
		{Spec{Kind: "x", Payload: json.RawMessage(`{`)}, `payload "{": must be valid JSON`},
		{Spec{Kind: "x", Payload: json.RawMessage{}}, `payload "": must be valid JSON`},
		{Spec{Kind: "x", Payload: json.RawMessage("\"\xff\"")}, `payload "\"\xff\"": must be valid JSON`},
		{do(func(s *Spec) { s.Payload = json.RawMessage(`1`) }), `payload: only a job with a kind has one`},
		{do(func(s *Spec) { s.Queue = "a b" }), `queue "a b": must be a name without spaces`},
		{do(func(s *Spec) { s.Queue = "a,b" }), `queue "a,b": must be 1 to 128 bytes of printable characters with no comma`},
		{do(func(s *Spec) { s.Queue = strings.Repeat("q", 129) }), `queue "` + strings.Repeat("q", 60) + `"…: must be 1 to 128 bytes`},
		{do(func(s *Spec) { s.RunAt, s.Delay = time.Unix(1, 0), 1 }), `run_at and delay: only one of them may be given`},
		{do(func(s *Spec) { s.RunAt = time.Unix(-1, 0).UTC() }), `run_at 1969-12-31T23:59:59Z: must be in the years 1970 to 2261`},
		{do(func(s *Spec) { s.CreatedAt = maxTime }), `created_at 2262-01-01T00:00:00Z: must be in the years 1970 to 2261`},
		{do(func(s *Spec) { s.Delay = -1 }), `delay -1ns: must be a duration from 0 to 876000h`},
		{do(func(s *Spec) { s.Timeout = new(MaxDuration + 1) }), `timeout 876000h0m0.000000001s: must be a duration`},
		{do(func(s *Spec) { s.BackoffMax = new(time.Duration(-1)) }), `backoff_max -1ns: must be a duration`},
		{do(func(s *Spec) { s.MaxRetries = new(uint32(maxCount + 1)) }), `max_retries 1000000001: must be a whole number from 0 to`},
		{do(func(s *Spec) { s.BackoffBase = new(0.5) }), `backoff_base 0.5: must be a number from 1 to 1000000000`},
		{do(func(s *Spec) { s.BackoffBase = new(math.NaN()) }), `backoff_base NaN: must be a number`},
		{do(func(s *Spec) { s.BackoffBase = new(math.Inf(1)) }), `backoff_base +Inf: must be a number`},
		{do(func(s *Spec) { s.BackoffJitter = new(math.NaN()) }), `backoff_jitter NaN: must be a number from 0 to 1`},
		{do(func(s *Spec) { s.OnCrash = 7 }), `on_crash OnCrash(7): must be retry or dead`},
		{do(func(s *Spec) { s.Env = map[string]string{"": "x"} }), `env "": must be a name without =`},
		{do(func(s *Spec) { s.Env = map[string]string{"A=B": "x"} }), `env "A=B": must be a name without =`},
		{do(func(s *Spec) { s.Env = map[string]string{"A\x00": "x"} }), `env "A\x00": must be text without NUL`},
		{do(func(s *Spec) { s.Env = map[string]string{"A": "\x00"} }), `env "A" "\x00": must be text without NUL`},
		{do(func(s *Spec) { s.Tags = tags }), `tags 65 of them: must be at most 64`},
		{do(func(s *Spec) { s.Tags = map[string]string{"a=b": ""} }), `tags "a=b": must be a name without =`},
		{do(func(s *Spec) { s.Tags = map[string]string{"\n": ""} }), `tags "\n": must be 1 to 128 bytes`},
		{do(func(s *Spec) { s.Tags = map[string]string{"a": "\xff"} }), `tags "a" "\xff": must be valid UTF-8`},
		{do(func(s *Spec) { s.Tags = map[string]string{"a": strings.Repeat("x", 1025)} }), `tags "a" "xxx`},
		{do(func(s *Spec) { s.Cwd = "\x00" }), `cwd "\x00": must be text without NUL`},
		{do(func(s *Spec) { s.Stdin = "@" }), `stdin "@": must be text, or @ and the path of a file`},
		{do(func(s *Spec) { s.Stdin = "\xff" }), `stdin "\xff": must be valid UTF-8`},
		{do(func(s *Spec) { s.Extra = json.RawMessage(`[]`) }), `extra "[]": must be a JSON object`},
		{do(func(s *Spec) { s.Extra = json.RawMessage(`{"a"}`) }), `extra "{\"a\"}": must be a JSON object`},
		{do(func(s *Spec) { s.Stdin = strings.Repeat("x", MaxSpecSize) }), `spec of 262152 bytes: must be at most 262144 bytes`},
	} {
		err := tt.spec.Validate()
		if !errors.Is(err, ErrInvalid) || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("got  %v\nwant %s", err, tt.want)
		}
	}
}

func TestValidate_AcceptsTheBounds(t *testing.T) {
	t.Parallel()
	s := Spec{
		Kind: strings.Repeat("k", MaxNameSize), Payload: json.RawMessage(`null`), Queue: strings.Repeat("q", MaxNameSize),
		RunAt: maxTime.Add(-1), CreatedAt: minTime, Timeout: new(MaxDuration), MaxRetries: new(uint32(maxCount)),
		BackoffBase: new(1.0), BackoffJitter: new(1.0), BackoffMax: new(time.Duration(0)),
		Env: map[string]string{"a b": "=\n"}, Tags: map[string]string{"team": strings.Repeat("x", MaxTagLength)}, Extra: json.RawMessage(" {}"),
	}
	if err := s.Validate(); err != nil {
		t.Error(err)
	}
}

// Many short texts take more bytes than their characters.
func TestValidate_EncodedSizeIsBounded(t *testing.T) {
	t.Parallel()
	for _, n := range []int{20_000, 23_000, 25_000, 85_000, 90_000} {
		words, env := Spec{Argv: make([]string, n)}, Spec{Command: "x", Env: map[string]string{}}
		for i := range n {
			words.Argv[i] = "x"
			env.Env[strconv.Itoa(10_000+i)] = ""
		}
		for _, s := range []Spec{words, env} {
			size := len(AppendEvent(nil, &JobEnqueued{Spec: s}))
			if err := s.Validate(); (err != nil) != (size > MaxSpecSize) {
				t.Errorf("%d texts, %d bytes: %v", n, size, err)
			}
		}
	}
}

func TestQuote_GivesWordsThatAShellReadsBack(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		argv []string
		want string
	}{
		{nil, ``},
		{[]string{"make", "-j4", "a/b.c", "A=B", "x@y:z,%+"}, `make -j4 a/b.c A=B x@y:z,%+`},
		{[]string{"A=B", "make"}, `'A=B' make`}, // would be an assignment
		{[]string{"echo", "", "a b", "$HOME", "it's", "~", "*", "é"}, `echo '' 'a b' '$HOME' 'it'\''s' '~' '*' 'é'`},
		{[]string{"echo", "a\nb", `\`, `"`}, "echo 'a\nb' '\\' '\"'"},
	} {
		if got := Quote(tt.argv); got != tt.want {
			t.Errorf("%q: got %s, want %s", tt.argv, got, tt.want)
		}
	}
}
