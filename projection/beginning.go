package projection

import (
	"encoding/binary"
	"fmt"
	"iter"
	"math"
	"slices"
	"sort"
	"strings"

	"github.com/queuectl/queuectl/job"
)

// AmbiguousError says that a text is the beginning of several ids. It wraps job.ErrAmbiguous.
type AmbiguousError struct {
	Prefix     string
	Candidates []string // a few, in order of enqueue
	Total      int      // how many there are
	More       bool     // there are more than Total: they were not counted
}

func (e *AmbiguousError) Error() string {
	list := strings.Join(e.Candidates, ", ")
	if e.Total > len(e.Candidates) {
		list += ", …"
	}
	if e.More {
		return fmt.Sprintf("%q is the beginning of more than %d ids: %s", e.Prefix, e.Total, list)
	}
	return fmt.Sprintf("%q is the beginning of %d ids: %s", e.Prefix, e.Total, list)
}

// Unwrap returns job.ErrAmbiguous.
func (e *AmbiguousError) Unwrap() error { return job.ErrAmbiguous }

// beginning returns the job whose id begins with a text. Errors: job.ErrNotFound, an *AmbiguousError.
func (p *Projection) beginning(text string) (job.Position, error) {
	const (
		counted = 1000
		listed  = 5
	)
	ids := map[job.Position]string{} // a job may be found twice
	for key := range p.keysBeginning(text) {
		if id := p.ID(key); strings.HasPrefix(id, text) {
			ids[key] = strings.Clone(id)
		}
		if len(ids) > counted {
			break
		}
	}
	keys := make([]job.Position, 0, len(ids))
	for key := range ids {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	switch len(keys) {
	case 0:
		return 0, fmt.Errorf("job %q: %w", text, job.ErrNotFound)
	case 1:
		return keys[0], nil
	}
	e := &AmbiguousError{Prefix: text, Total: min(len(keys), counted), More: len(keys) > counted}
	for _, key := range keys[:min(len(keys), listed)] {
		e.Candidates = append(e.Candidates, ids[key])
	}
	return 0, e
}

// keysBeginning yields the keys of all jobs whose ids may begin with a text.
func (p *Projection) keysBeginning(text string) iter.Seq[job.Position] {
	return func(yield func(job.Position) bool) {
		if text == "" {
			return
		}
		if first, last, ok := job.MadeIDRange(text); ok {
			for j := range p.all(Filter{After: first - min(first, 1), Before: last + 1}) { // 0 is no bound
				if strings.HasPrefix(j.head().ID, text) && !yield(j.key) {
					return
				}
			}
		}
		for id, key := range p.chosen {
			if strings.HasPrefix(id, text) && !yield(key) {
				return
			}
		}
		for _, l := range p.base.levels {
			for key := range l.keysBeginning(text) {
				if !yield(key) {
					return
				}
			}
		}
	}
}

// keysBeginning yields the keys of the jobs of a file whose chosen ids may begin with a text.
func (l *level) keysBeginning(text string) iter.Seq[job.Position] {
	section, from, to := uint16(sectionBeginnings), idBeginning(text), uint64(math.MaxUint64)
	if n := len(text); n < beginningSize {
		to = from | to>>(8*n)
	} else {
		to = from
	}
	if l.file.Blocks(section) == 0 { // the file of an older program
		section, from, to = sectionIDs, 0, math.MaxUint64
	}
	return l.keysBetween(section, from, to)
}

const beginningSize = 8

// idBeginning is a number that sorts as the first bytes of an id do.
func idBeginning(id string) uint64 {
	var b [beginningSize]byte
	copy(b[:], id)
	return binary.BigEndian.Uint64(b[:])
}

// keysBetween yields the keys in a section of an index whose numbers are between two, these included, in order.
func (l *level) keysBetween(section uint16, from, to uint64) iter.Seq[job.Position] {
	return func(yield func(job.Position) bool) {
		i := max(0, l.holding(section, from))
		for i > 0 && l.file.First(section, i) == from {
			i-- // others with the same number may be in the block before
		}
		for ; i < l.file.Blocks(section) && l.file.First(section, i) <= to; i++ {
			text := l.read(section, i)
			n := len(text) / indexEntry
			at := sort.Search(n, func(i int) bool { return u64(text[i*indexEntry:]) >= from })
			for ; at < n && u64(text[at*indexEntry:]) <= to; at++ {
				if !yield(job.Position(u64(text[at*indexEntry+8:]))) {
					return
				}
			}
		}
	}
}
