package stats

import "time"

// Span counts what happened from Start on, for the width of its Rates.
type Span struct {
	Start     time.Time
	Events    uint64
	Enqueued  uint64
	Started   uint64 // runs
	Completed uint64
	Failed    uint64 // runs that failed or were lost
}

// rates counts by time, in spans that become wider as the time to cover becomes longer: there are never more
// than spansMost. It is told of times in any order.
type rates struct {
	step  int // index of the width of a span in widths
	spans map[int64]*Span
	low   int64 // index of the first span …
	high  int64 // … and of the last
}

const spansMost = 120

// widths are how wide spans may be. Each is a multiple of the one before it, so that spans can be merged.
var widths = []time.Duration{
	time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second,
	time.Minute, 5 * time.Minute, 10 * time.Minute, 30 * time.Minute,
	time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour,
	day, 7 * day, 28 * day, 364 * day, 3640 * day, // the last covers all times that there are
}

const day = 24 * time.Hour

func (r *rates) width() time.Duration { return widths[r.step] }

// at returns the span of a time in Unix nanoseconds.
func (r *rates) at(t int64) *Span {
	if r.spans == nil {
		r.spans = make(map[int64]*Span)
		r.low = floor(t, int64(r.width()))
		r.high = r.low
	}
	for {
		i := floor(t, int64(r.width()))
		low, high := min(r.low, i), max(r.high, i)
		if high-low >= spansMost {
			r.widen()
			continue
		}
		r.low, r.high = low, high
		if r.spans[i] == nil {
			r.spans[i] = &Span{}
		}
		return r.spans[i]
	}
}

// widen merges spans into those of the next width.
func (r *rates) widen() {
	ratio := int64(widths[r.step+1] / widths[r.step])
	merged := make(map[int64]*Span)
	for i, s := range r.spans {
		wide := floor(i, ratio)
		if merged[wide] == nil {
			merged[wide] = &Span{}
		}
		merged[wide].add(s)
	}
	r.step++
	r.spans, r.low, r.high = merged, floor(r.low, ratio), floor(r.high, ratio)
}

func (s *Span) add(o *Span) {
	s.Events += o.Events
	s.Enqueued += o.Enqueued
	s.Started += o.Started
	s.Completed += o.Completed
	s.Failed += o.Failed
}

// list returns all spans from the first to the last, also those in which nothing happened.
func (r *rates) list() (spans []Span) {
	if r.spans == nil {
		return nil
	}
	for i := r.low; i <= r.high; i++ {
		s := Span{}
		if counted := r.spans[i]; counted != nil {
			s = *counted
		}
		s.Start = time.Unix(i*int64(r.width()/time.Second), 0).UTC()
		spans = append(spans, s)
	}
	return spans
}

// floor divides and rounds down, also what is negative.
func floor(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
