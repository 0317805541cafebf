package main

import (
	"slices"
	"testing"
	"time"

	"github.com/queuectl/queuectl/job"
)

func TestIDsToAwait_IncludeThoseThatExisted(t *testing.T) {
	t.Parallel()
	specs := []job.Spec{{ID: "old"}, {ID: ""}, {ID: "new"}, {ID: ""}, {ID: "older"}}
	added := []job.Job{{Spec: job.Spec{ID: "made1"}}, {Spec: job.Spec{ID: "new"}}, {Spec: job.Spec{ID: "made2"}}}
	want := []string{"old", "made1", "new", "made2", "older"}
	if got := idsToAwait(specs, added); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestSpecFlags_MirrorEveryFieldOfTheSpec(t *testing.T) {
	t.Parallel()
	fields := map[string]any{}
	if err := (&onceFlags{ID: "a", Delay: "90s"}).add(fields, time.Now()); err != nil {
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
		spec.ID != "a" || spec.Delay != 90*time.Second || spec.Priority != -5 || *spec.MaxRetries != 0 || *spec.BackoffBase != 1.5 || spec.OnCrash != job.CrashDead {
		t.Errorf("got %+v", spec)
	}
}
