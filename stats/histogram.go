package stats

import (
	"maps"
	"math"
	"math/bits"
	"slices"
)

// Histogram counts values, so that quantiles can be told without keeping them. The zero Histogram is empty.
//
// It counts in buckets that are as wide as one part in 128 of their values: what a quantile says is within
// 0.4 % of a value that was added, and exact below 256. There are no more than 7,424 buckets, however many
// values there are. The largest value is exact.
type Histogram struct {
	counts map[uint16]uint64 // by bucket
	count  uint64
	max    uint64
}

// perOctave is how many buckets there are from a power of two to the next.
const (
	octaveBits = 7
	perOctave  = 1 << octaveBits
)

// bucketOf returns the bucket of a value: those below perOctave have each their own, and from there on each
// octave has perOctave of them.
func bucketOf(v uint64) uint16 {
	if v < perOctave {
		return uint16(v)
	}
	shift := bits.Len64(v) - 1 - octaveBits
	return uint16(shift*perOctave + int(v>>shift))
}

// middle returns the value that stands for a bucket.
func middle(bucket uint16) uint64 {
	if bucket < 2*perOctave {
		return uint64(bucket)
	}
	shift := int(bucket)/perOctave - 1
	low := uint64(int(bucket)%perOctave+perOctave) << shift
	return low + 1<<shift/2
}

// Add counts a value; a negative one counts as 0.
func (h *Histogram) Add(v int64) {
	if h.counts == nil {
		h.counts = make(map[uint16]uint64)
	}
	value := uint64(max(v, 0))
	h.counts[bucketOf(value)]++
	h.count++
	h.max = max(h.max, value)
}

// Merge adds everything that was added to other.
func (h *Histogram) Merge(other *Histogram) {
	if h.counts == nil {
		h.counts = make(map[uint16]uint64)
	}
	for bucket, n := range other.counts {
		h.counts[bucket] += n
	}
	h.count += other.count
	h.max = max(h.max, other.max)
}

// Count returns how many values were added.
func (h *Histogram) Count() uint64 { return h.count }

// Max returns the largest value, 0 if there is none.
func (h *Histogram) Max() int64 { return int64(h.max) }

// Quantile returns the smallest value so that a share q, from 0 to 1, of all values is not larger; 0 if there
// is none.
func (h *Histogram) Quantile(q float64) int64 {
	rank := uint64(max(1, math.Ceil(q*float64(h.count))))
	for _, bucket := range slices.Sorted(maps.Keys(h.counts)) {
		if n := h.counts[bucket]; n < rank {
			rank -= n
			continue
		}
		return int64(min(middle(bucket), h.max))
	}
	return int64(h.max)
}
