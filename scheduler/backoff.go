package scheduler

import (
	"math"
	"time"
)

// Backoff returns the delay before the next attempt after the given number of failed attempts (≥ 1):
// base ^ attempts seconds, at most limit, plus up to jitter (0–1) of that. Which part of the jitter is
// chosen by hash, uniform over all numbers. With base 2 and no jitter: 2 s, 4 s, 8 s.
//
// It is defined for all arguments. The result is never negative, and at most limit × (1 + jitter) or
// the longest Duration. A base below 1 counts as 1, a jitter outside 0–1 as the nearer bound, and what
// is not a number as the lower one.
func Backoff(base float64, attempts uint32, limit time.Duration, jitter float64, hash uint64) time.Duration {
	delay := max(0, limit)
	if !(base > 1) { // also what is not a number
		base = 1
	}
	// Pow answers +Inf if the power is too large, which is not below any limit.
	if ns := math.Pow(base, float64(attempts)) * float64(time.Second); ns < float64(delay) {
		delay = time.Duration(ns)
	}
	if !(jitter > 0) {
		return delay
	}
	const bits = 53 // of a float64's fraction: share is in [0, 1)
	share := float64(hash>>(64-bits)) / (1 << bits)
	extra := float64(delay) * min(jitter, 1) * share
	if room := math.MaxInt64 - delay; extra >= float64(room) {
		return math.MaxInt64
	}
	return delay + time.Duration(extra)
}
