package scheduler

import (
	"math"
	"time"

	"github.com/queuectl/queuectl/job"
)

// Policy says how long a job waits between its attempts.
type Policy struct {
	Growth job.Backoff // "" = exponential
	Base   float64     // seconds; below 1 counts as 1
	Limit  time.Duration
	Jitter float64 // 0–1: up to this share is added
}

// Delay returns the delay before the next attempt after the given number of failed attempts (≥ 1), as the growth says,
// at most the limit, plus up to the jitter's share of that. Which part of the jitter is chosen by hash, uniform over all
// numbers. With base 2 and no jitter: exponential 2 s, 4 s, 8 s; linear 2 s, 4 s, 6 s; fixed 2 s, 2 s, 2 s.
//
// It is defined for all arguments. The result is never negative, and at most limit × (1 + jitter) or
// the longest Duration. A jitter outside 0–1 counts as the nearer bound, and what is not a number as the lower one.
func (p Policy) Delay(attempts uint32, hash uint64) time.Duration {
	delay := max(0, p.Limit)
	base := p.Base
	if !(base > 1) { // also what is not a number
		base = 1
	}
	switch p.Growth {
	case "", job.BackoffExponential:
		base = math.Pow(base, float64(attempts)) // +Inf if the power is too large, which is not below any limit
	case job.BackoffLinear:
		base *= float64(attempts)
	case job.BackoffFixed:
	default:
		step, _ := p.Growth.Step(attempts)
		base = step.Seconds()
	}
	if ns := base * float64(time.Second); ns < float64(delay) {
		delay = time.Duration(ns)
	}
	if !(p.Jitter > 0) {
		return delay
	}
	const bits = 53 // of a float64's fraction: share is in [0, 1)
	share := float64(hash>>(64-bits)) / (1 << bits)
	extra := float64(delay) * min(p.Jitter, 1) * share
	if room := math.MaxInt64 - delay; extra >= float64(room) {
		return math.MaxInt64
	}
	return delay + time.Duration(extra)
}
