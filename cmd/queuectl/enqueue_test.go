package main

import (
	"slices"
	"testing"
	"time"

	"github.com/queuectl/queuectl/job"
)

func TestSpecFlags_MirrorEveryFieldOfTheSpec(t *testing.T) {
	t.Parallel()
	fields := map[string]any{}
	if err := (&onceFlags{ID: "a", Delay: "90s", UniqueKey: "k", UniqueScope: "waiting", OnClash: "replace"}).add(fields, time.Now()); err != nil {
		t.Fatal(err)
	}
	text, err := (&specFlags{
		Queue: "q", Priority: new(int64(-5)), Timeout: "1h", MaxRetries: new(int64(0)),
		BackoffBase: new(1.5), BackoffMax: "2h", BackoffJitter: new(0.5), Env: []string{"A=b=c"}, Cwd: t.TempDir(), Stdin: "text",
		Tag: []string{"x=y"}, OnCrash: "dead",
	}).object([]string{"printf", "%s\n", "a b"}, fields)
	if err != nil {
		t.Fatal(err)
	}
	spec, warnings, err := job.ParseSpec(text)
	if err != nil || len(warnings) > 0 {
		t.Fatalf("%s: %v %v", text, warnings, err)
	}
	if !slices.Equal(spec.Argv, []string{"printf", "%s\n", "a b"}) || spec.Env["A"] != "b=c" || spec.Tags["x"] != "y" ||
		spec.ID != "a" || spec.Delay != 90*time.Second || spec.Priority != -5 || *spec.MaxRetries != 0 || *spec.BackoffBase != 1.5 || spec.OnCrash != job.CrashDead ||
		spec.UniqueKey != "k" || spec.UniqueScope != job.ScopeWaiting || spec.OnClash != job.ClashReplace {
		t.Errorf("got %+v", spec)
	}
}
