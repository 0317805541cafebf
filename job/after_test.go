package job_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/queuectl/queuectl/job"
)

func TestParseSpec_ReadsParentsAndTheirConditions(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text string
		want []job.Parent
		on   job.OnParentFailure
	}{
		{`"after":"a"`, []job.Parent{{ID: "a"}}, job.ParentDead},
		{`"after":["a","b"]`, []job.Parent{{ID: "a"}, {ID: "b"}}, job.ParentDead},
		{`"after_on":"any","after":["a","b"]`, []job.Parent{{ID: "a", On: job.OnAny}, {ID: "b", On: job.OnAny}}, job.ParentDead},
		{
			`"after":["a","b"],"after_on":["success","failure"],"on_parent_failure":"cancel"`,
			[]job.Parent{{ID: "a"}, {ID: "b", On: job.OnFailure}},
			job.ParentCancel,
		},
		{`"after":["a"],"on_parent_failure":"release"`, []job.Parent{{ID: "a"}}, job.ParentRelease},
	} {
		spec, _, err := job.ParseSpec([]byte(`{"command":"true",` + tt.text + `}`))
		if err != nil || !slices.Equal(spec.After, tt.want) || spec.OnParentFailure != tt.on {
			t.Errorf("%s: %v %v, %v; want %v %v", tt.text, spec.After, spec.OnParentFailure, err, tt.want, tt.on)
		}
	}
}

func TestParseSpec_RefusesParentsThatCannotBe(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`"after":[]`:                                   "at least one id",
		`"after":[""]`:                                 "ids of jobs",
		`"after":3`:                                    "a string",
		`"after":["a","a"]`:                            "each job once",
		`"after":["me"]`:                               "cannot come after itself",
		`"after":["a"],"after_on":"done"`:              "success, failure or any",
		`"after":["a"],"after_on":[]`:                  "one for each",
		`"after":["a"],"after_on":["any","any"]`:       "after_on has 2 words and after 1 ids",
		`"after_on":"any"`:                             "after is not given",
		`"on_parent_failure":"cancel"`:                 "after is not given",
		`"after":["a"],"on_parent_failure":"continue"`: "dead, cancel or release",
	} {
		_, _, err := job.ParseSpec([]byte(`{"id":"me","command":"true",` + text + `}`))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want … %s …", text, err, want)
		}
	}
	many := &job.Spec{Command: "true", After: make([]job.Parent, job.MaxParents+1)}
	if err := many.Validate(); err == nil || !strings.Contains(err.Error(), "at most 20000") {
		t.Errorf("%v", err)
	}
}
