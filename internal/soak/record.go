// Package soak keeps what is measured of a program over hours, draws it, and says what has grown that should have
// stayed as it was.
//
// It measures from outside, and knows nothing of what the program does. It is for tests only.
package soak

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"time"
)

// Kind is what a series is about. Each has a panel of the plot.
type Kind uint8

// The kinds.
const (
	Memory      Kind = iota // bytes of a process that it shares with no file
	Descriptors             // open ones of a process
	Disk                    // bytes below a directory
	Files                   // below a directory
	Usually                 // seconds that something took, the median
	AtMost                  // seconds that something took, all but one in a hundred
)

// kinds has what is to be known of each: how it is shown, and how far it may rise.
var kinds = [...]struct {
	title, unit string
	scale       float64 // of the unit

	judged        bool
	soon          bool    // also in a short run: nothing has to fill up first
	factor, slack float64 // it may rise to so many times as much, and so much more
}{
	Memory:      {title: "memory", unit: "MiB", scale: 1 << 20, judged: true, factor: 1.25, slack: 8 << 20},
	Descriptors: {title: "descriptors", scale: 1, judged: true, soon: true, factor: 1, slack: 12},
	Disk:        {title: "disk", unit: "MiB", scale: 1 << 20, judged: true, factor: 1.25, slack: 4 << 20},
	Files:       {title: "files", scale: 1, judged: true, factor: 1.25, slack: 400},
	Usually:     {title: "latency, p50", unit: "ms", scale: 1e-3},
	AtMost:      {title: "latency, p99", unit: "ms", scale: 1e-3},
}

// Series is one thing that is measured over and over.
type Series struct {
	Kind   Kind
	Name   string
	Values []float64 // of each sample; NaN = not known
}

// Record is everything that was measured. The zero value is an empty one. Not safe for concurrent use.
type Record struct {
	Times  []time.Duration // of the samples, since the beginning
	Series []*Series       // in the order in which they were measured first
}

// Begin begins a sample: what is not set in it is not known.
func (r *Record) Begin(at time.Duration) {
	r.Times = append(r.Times, at)
	for _, s := range r.Series {
		s.Values = append(s.Values, math.NaN())
	}
}

// Set says what was measured for the sample that was begun last.
func (r *Record) Set(kind Kind, name string, value float64) {
	i := slices.IndexFunc(r.Series, func(s *Series) bool { return s.Kind == kind && s.Name == name })
	if i < 0 {
		i = len(r.Series)
		s := &Series{Kind: kind, Name: name}
		for range r.Times {
			s.Values = append(s.Values, math.NaN())
		}
		r.Series = append(r.Series, s)
	}
	r.Series[i].Values[len(r.Times)-1] = value
}

// long is how long a run has to be for caches to be full, and for what is removed from time to time to have been.
const long = 2 * time.Minute

// Grown names each series that has risen further than its kind may, from the second quarter of the samples to the last
// one, by their medians. Of a short run only what need not fill up first is judged, and a latency never is: that of a
// machine that others use says nothing.
func (r *Record) Grown() (list []string) {
	n := len(r.Times)
	if n < 8 { // two samples in a quarter: nothing can be said
		return nil
	}
	for _, s := range r.Series {
		kind := kinds[s.Kind]
		if !kind.judged || !kind.soon && r.Times[n-1] < long {
			continue
		}
		before, after := median(s.Values[n/4:n/2]), median(s.Values[n-n/4:])
		if after > kind.factor*before+kind.slack {
			list = append(list, fmt.Sprintf("%s rose from %s to %s", s.title(), s.Kind.show(before), s.Kind.show(after)))
		}
	}
	return list
}

// Medians says of each series what it was in the second quarter of the samples and in the last, for people.
func (r *Record) Medians() (list []string) {
	n := len(r.Times)
	for _, s := range r.Series {
		before, after := median(s.Values[n/4:n/2]), median(s.Values[n-n/4:])
		list = append(list, fmt.Sprintf("%s: %s, then %s", s.title(), s.Kind.show(before), s.Kind.show(after)))
	}
	return list
}

// median returns the one of those that are known; NaN, which is neither less nor more than anything, if none is.
func median(values []float64) float64 {
	known := slices.DeleteFunc(slices.Clone(values), math.IsNaN)
	if len(known) == 0 {
		return math.NaN()
	}
	slices.Sort(known)
	return known[len(known)/2]
}

func (s *Series) title() string { return kinds[s.Kind].title + " of " + s.Name }

// show writes a value with its unit.
func (k Kind) show(value float64) string {
	text := strconv.FormatFloat(value/kinds[k].scale, 'f', 1, 64)
	if unit := kinds[k].unit; unit != "" {
		return text + " " + unit
	}
	return text
}

// CSV writes a line for each sample: bytes, numbers, seconds. What is not known is empty.
func (r *Record) CSV(w io.Writer) error {
	out := csv.NewWriter(w)
	line := []string{"seconds"}
	for _, s := range r.Series {
		line = append(line, s.title())
	}
	_ = out.Write(line) // Flush and Error tell
	for i, at := range r.Times {
		line = append(line[:0], strconv.FormatFloat(at.Seconds(), 'f', 3, 64))
		for _, s := range r.Series {
			text := ""
			if !math.IsNaN(s.Values[i]) {
				text = strconv.FormatFloat(s.Values[i], 'g', -1, 64)
			}
			line = append(line, text)
		}
		_ = out.Write(line)
	}
	out.Flush()
	return out.Error()
}
