package job

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestNames_AreReadBack(t *testing.T) {
	t.Parallel()
	for _, want := range States {
		var got State
		if text, err := json.Marshal(want); err != nil || json.Unmarshal(text, &got) != nil || got != want {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	}
	for _, want := range []OnCrash{CrashRetry, CrashDead} {
		var got OnCrash
		if text, err := json.Marshal(want); err != nil || json.Unmarshal(text, &got) != nil || got != want {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	}
	for _, text := range []string{"", "none", "State(7)", "Pending"} {
		if got, err := ParseState(text); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: got %v, %v, want ErrInvalid", text, got, err)
		}
	}
	if got, want := State(7).String()+Why(77).String()+OnCrash(7).String(), "State(7)Why(77)OnCrash(7)"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestNearest_CountsLettersThatDiffer(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "", 3}, {"", "abc", 3}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"abc", "axc", 1}, {"abcd", "bcde", 2}, {"maxretry", "maxretries", 3}} {
		if got := editDistance(tt.a, tt.b); got != tt.want {
			t.Errorf("%s, %s: got %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}

func TestOf_IsTheJobOfEveryEventThatHasOne(t *testing.T) {
	t.Parallel()
	for _, e := range samples {
		var want Position
		if f := reflect.Indirect(reflect.ValueOf(e)).FieldByName("Job"); f.IsValid() {
			want = Position(f.Uint())
		}
		if got := Of(e); got != want {
			t.Errorf("%v: got %d, want %d", KindOf(e), got, want)
		}
	}
}

func TestParseKind_TakesEveryNameInAnyCase(t *testing.T) {
	t.Parallel()
	for want := range kindNames {
		for _, text := range []string{want.String(), strings.ToLower(want.String()), strings.ToUpper(want.String())} {
			if got, err := ParseKind(text); err != nil || got != want {
				t.Errorf("%s: got %v, %v", text, got, err)
			}
		}
	}
	if got, err := ParseKind(Kind(99).String()); err != nil || got != 99 {
		t.Errorf("got %v, %v", got, err)
	}
	for text, want := range map[string]string{
		"JobEnqued": "did you mean JobEnqueued? the kinds are LogCreated, ",
		"job_died":  "did you mean JobDied?",
		"x":         `no kind of event is called "x": the kinds are LogCreated, LogRepaired`,
		"":          "the kinds are", "Kind(0)": "the kinds are", "Kind(70000)": "the kinds are",
	} {
		if _, err := ParseKind(text); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}
