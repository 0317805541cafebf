package main

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// reasonCodes returns the codes of package queue, from its source: why a job is where it is, and what is told of
// how it came there.
func reasonCodes(t *testing.T) (codes []queue.Code) {
	t.Helper()
	source, err := os.ReadFile("../../queue/explain.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`Code\w+ +Code = "([a-z_]+)"`).FindAllSubmatch(source, -1) {
		codes = append(codes, queue.Code(m[1]))
	}
	if len(codes) < 15 {
		t.Fatalf("found the codes %v only: this test does not see them", codes)
	}
	return codes
}

func TestReasonWords_AreThereForEveryCode(t *testing.T) {
	t.Parallel()
	s := newSession(os.Stdin, os.Stdout, os.Stderr)
	e := queue.Explanation{Job: job.Job{Spec: job.Spec{ID: "a", Command: "true"}, FinishedAt: time.Unix(1, 0), Crashes: 4}}
	told := []queue.Code{queue.CodeFailed, queue.CodeLost, queue.CodeReturned, queue.CodeRetried, queue.CodeEdited} // as events
	for _, code := range reasonCodes(t) {
		if slices.Contains(told, code) {
			continue
		}
		if words := reasonWords(s, &e, &queue.Reason{Code: code}); words == string(code) || words == "" {
			t.Errorf("%s has no words", code)
		}
	}
}

func TestReference_NamesEveryReason(t *testing.T) {
	t.Parallel()
	text := page(t, "json.md")
	for _, code := range reasonCodes(t) {
		if !strings.Contains(text, fmt.Sprintf("| `%s` |", code)) {
			t.Errorf("docs/reference/json.md has no row for %s", code)
		}
	}
}

// TestReference_NamesEveryFieldAboutThePast looks at the JSON of the types themselves.
func TestReference_NamesEveryFieldAboutThePast(t *testing.T) {
	t.Parallel()
	text := page(t, "json.md")
	for _, view := range []any{attemptView{}, explanationView{}, reasonView{}, diffView{}} {
		fields := reflect.TypeOf(view)
		for i := range fields.NumField() {
			if name := fields.Field(i).Tag.Get("json"); !strings.Contains(text, "`"+name+"`") {
				t.Errorf("docs/reference/json.md does not explain %s of %T", name, view)
			}
		}
	}
}

func TestWrap_BreaksBetweenWords(t *testing.T) {
	t.Parallel()
	const line = "it was running when its worker died; the next worker to look puts it back"
	for width, want := range map[int][]string{
		0: {line}, 19: {line}, 200: {line},
		40: {"it was running when its worker died; the", "  next worker to look puts it back"},
		20: {"it was running when", "  its worker died;", "  the next worker to", "  look puts it back"},
	} {
		if got := wrap(line, width); !slices.Equal(got, want) {
			t.Errorf("at %d columns: got %q, want %q", width, got, want)
		}
	}
	if got := wrap("a-word-that-is-longer-than-a-line here", 20); !slices.Equal(got, []string{"a-word-that-is-longer-than-a-line", "  here"}) {
		t.Errorf("a long word: got %q", got)
	}
}
