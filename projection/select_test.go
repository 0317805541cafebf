package projection_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
)

func TestSelect_WordsAndFilters(t *testing.T) {
	t.Parallel()
	h := newHistory()
	add := func(id, command, queue string, tags map[string]string) {
		h.add(&job.JobEnqueued{Spec: job.Spec{ID: id, Command: command, Queue: queue, MaxRetries: new(uint32(0)), Tags: tags}})
	}
	add("a1", "make all", "default", map[string]string{"team": "web", "big": "yes"}) // position 1
	add("a10", "make test", "mail", map[string]string{"team": "web"})
	add("a2", "true", "mail", nil)
	add("b", "true", "default", nil)
	h.add(&job.JobCancelled{Job: 3})
	fit := projection.Filter{States: []job.State{job.Pending}}
	for _, test := range []struct {
		name  string
		words []string
		f     projection.Filter
		want  []job.Position
		named bool
	}{
		{"ids in their order, once", []string{"b", "a1", "b"}, projection.Filter{}, []job.Position{4, 1}, true},
		{"an exact match goes first", []string{"a1"}, projection.Filter{}, []job.Position{1}, true},
		{"a beginning", []string{"a10"[:3], "b"}, projection.Filter{}, []job.Position{2, 4}, true},
		{"named, whatever its state", []string{"a2"}, projection.Filter{}, []job.Position{3}, true},
		{"last", []string{"last"}, projection.Filter{}, []job.Position{4}, true},
		{"all that fit", []string{"all"}, projection.Filter{}, []job.Position{1, 2, 4}, false},
		{"no words are all", nil, projection.Filter{}, []job.Position{1, 2, 4}, false},
		{"a range", []string{"2-9"}, projection.Filter{}, []job.Position{2, 4}, false},
		{"a range and an id, in order of enqueue", []string{"4-4", "a1"}, projection.Filter{}, []job.Position{1, 4}, false},
		{"a range within bounds", []string{"1-9"}, projection.Filter{After: 1, Before: 4}, []job.Position{2}, false},
		{"a state of one's own", nil, projection.Filter{States: []job.State{job.Cancelled}}, []job.Position{3}, false},
		{"a queue", nil, projection.Filter{Queue: "mail"}, []job.Position{2}, false},
		{"a named job that the filter does not select", []string{"a1"}, projection.Filter{Queue: "mail"}, nil, false},
		{"tags", nil, projection.Filter{Tags: map[string]string{"team": "web"}}, []job.Position{1, 2}, false},
		{"all of the tags", nil, projection.Filter{Tags: map[string]string{"team": "web", "big": "yes"}}, []job.Position{1}, false},
		{"text", nil, projection.Filter{Match: "make"}, []job.Position{1, 2}, false},
		{"text and queue", nil, projection.Filter{Match: "make", Queue: "mail"}, []job.Position{2}, false},
		{"since", nil, projection.Filter{Since: noon.Add(time.Second).UnixNano()}, []job.Position{2, 4}, false},
		{"until", nil, projection.Filter{Until: noon.Add(time.Second).UnixNano()}, []job.Position{1, 2}, false},
	} {
		got, err := h.Select(test.words, test.f, fit)
		if err != nil || !slices.Equal(got.Keys, test.want) || got.Named != test.named {
			t.Errorf("%s: %v, named %v, %v; want %v, %v", test.name, got.Keys, got.Named, err, test.want, test.named)
		}
		for key := job.Position(1); key < 6 && len(test.words) == 0; key++ {
			if h.Selects(&got.Filter, key) != slices.Contains(test.want, key) {
				t.Errorf("%s: job %d is said to be selected, or not to be", test.name, key)
			}
		}
	}
	var ambiguous *projection.AmbiguousError
	if _, err := h.Select([]string{"b", "a"}, projection.Filter{}, fit); !errors.As(err, &ambiguous) || !errors.Is(err, job.ErrAmbiguous) ||
		!slices.Equal(ambiguous.Candidates, []string{"a1", "a10", "a2"}) || ambiguous.Total != 3 {
		t.Errorf("a: %v", err)
	}
	for _, word := range []string{"c", "", "a100"} {
		if _, err := h.Select([]string{word}, projection.Filter{}, fit); !errors.Is(err, job.ErrNotFound) {
			t.Errorf("%q: %v", word, err)
		}
	}
	if _, err := newHistory().Select([]string{"last"}, projection.Filter{}, fit); !errors.Is(err, job.ErrNotFound) {
		t.Errorf("last of none: %v", err)
	}
}
