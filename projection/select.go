package projection

import (
	"fmt"
	"slices"
	"strings"

	"github.com/queuectl/queuectl/job"
)

// looksInside says that the filter selects by more than the state and the queue.
func (f *Filter) looksInside() bool {
	return len(f.Tags) > 0 || f.Match != "" || f.Since != 0 || f.Until != 0 || f.Held
}

// selects says whether a job that is between the filter's bounds and in one of its states is selected.
func (f *Filter) selects(j *found) bool {
	switch {
	case f.Queue != "" && j.queue != f.Queue:
		return false
	case f.Held && j.life.flags&held == 0:
		return false
	case f.Since != 0 && j.record.enqueuedAt < f.Since, f.Until != 0 && j.record.enqueuedAt > f.Until:
		return false
	case len(f.Tags) == 0 && f.Match == "":
		return true
	}
	spec := &j.event().Spec
	for name, value := range f.Tags {
		if given, has := spec.Tags[name]; !has || given != value {
			return false
		}
	}
	if f.Match == "" {
		return true
	}
	in := func(text string) bool { return strings.Contains(text, f.Match) }
	return in(spec.ID) || in(spec.Command) || spec.Argv != nil && in(job.Quote(spec.Argv)) || in(spec.Kind) || in(j.lastError)
}

// Selects says whether the filter selects the job with this key.
func (p *Projection) Selects(f *Filter, key job.Position) bool {
	j, known := p.look(key)
	return known && key > f.After && (f.Before == 0 || key < f.Before) &&
		stateSet(f.States).has(j.record.state) && f.selects(&j)
}

// Selection is which jobs a command is about.
type Selection struct {
	Keys []job.Position // each once: in the order in which they were named, or else of enqueue
	// Named says that each was named for itself: by its id, the beginning of one, or as the last. Then a job for
	// which the command is not is a mistake, while of a range or a filter it is just left out.
	Named  bool
	Filter Filter // that they were selected by
}

// Select returns the jobs that any of the words names, and that the filter selects, whose Limit does not count. A
// word is an id; the beginning of one id only; "last", the job that was enqueued last; "all"; or two positions
// with a hyphen between them. No words stand for all jobs. Of ids and their beginnings an id goes first. Where
// jobs are not named but selected, only those of fit are, whose States count if the filter has none, and its Held.
// Errors: job.ErrNotFound, an *AmbiguousError.
//
// It costs as much as what it selects, and O(log n) for each word; but the beginning of an id that somebody chose is
// looked for among all chosen ids in memory, and of a snapshot among those with the same first 8 bytes.
func (p *Projection) Select(words []string, f Filter, fit Filter) (Selection, error) {
	f.Limit, f.Newest = 0, false
	s := Selection{Named: len(words) > 0 && !f.narrows()}
	for _, word := range words {
		if _, _, isRange := job.ParseRange(word); isRange || word == "all" {
			s.Named = false
		}
	}
	if !s.Named {
		f.Held = f.Held || fit.Held
		if len(f.States) == 0 {
			f.States = fit.States
		}
	}
	s.Filter = f
	if len(words) == 0 {
		s.Keys = p.keysOf(f)
		return s, nil
	}
	named, err := p.named(words)
	if err != nil {
		return Selection{}, err
	}
	for i, word := range words {
		from, to, isRange := job.ParseRange(word)
		switch {
		case word == "all":
			s.Keys = p.keysOf(f)
		case isRange:
			s.Keys = append(s.Keys, p.keysOf(f.within(from, to))...)
		case p.Selects(&f, named[i]):
			s.Keys = append(s.Keys, named[i])
		}
	}
	if !s.Named {
		slices.Sort(s.Keys)
	}
	s.Keys = once(s.Keys)
	return s, nil
}

// narrows says that the filter does not select all jobs.
func (f *Filter) narrows() bool {
	return len(f.States) > 0 || f.Queue != "" || f.After != 0 || f.Before != 0 || f.looksInside()
}

// within returns the filter with bounds that it must lie in, too.
func (f Filter) within(from, to job.Position) Filter {
	f.After = max(f.After, from-min(from, 1))
	if f.Before == 0 || to+1 < f.Before {
		f.Before = to + 1
	}
	return f
}

func (p *Projection) keysOf(f Filter) (keys []job.Position) {
	for j := range p.choose(f) {
		keys = append(keys, j.key)
	}
	return keys
}

// once leaves out what was there before.
func once(keys []job.Position) []job.Position {
	seen := make(map[job.Position]bool, len(keys))
	return slices.DeleteFunc(keys, func(key job.Position) bool {
		again := seen[key]
		seen[key] = true
		return again
	})
}

// named returns the keys of the words that name one job each, 0 for others.
func (p *Projection) named(words []string) ([]job.Position, error) {
	keys := make([]job.Position, len(words))
	for i, word := range words {
		if _, _, isRange := job.ParseRange(word); isRange || word == "all" {
			continue
		}
		if keys[i] = p.Key(word); keys[i] != 0 {
			continue
		}
		if word != "last" {
			key, err := p.beginning(word)
			if err != nil {
				return nil, err
			}
			keys[i] = key
			continue
		}
		for j := range p.all(Filter{Newest: true}) {
			keys[i] = j.key
			break
		}
		if keys[i] == 0 {
			return nil, fmt.Errorf("last job: %w", job.ErrNotFound)
		}
	}
	return keys, nil
}

// IDs returns the ids of the jobs with these keys, "" where there is none.
func (p *Projection) IDs(keys []job.Position) []string {
	ids := make([]string, len(keys))
	for i, key := range keys {
		ids[i] = strings.Clone(p.ID(key))
	}
	return ids
}
