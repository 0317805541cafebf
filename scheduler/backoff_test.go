package scheduler

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestBackoff_DelayIsBaseToThePowerOfAttempts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		base     float64
		attempts uint32
		limit    time.Duration
		want     time.Duration
	}{
		{base: 2, attempts: 1, limit: 24 * time.Hour, want: 2 * time.Second},
		{base: 2, attempts: 2, limit: 24 * time.Hour, want: 4 * time.Second},
		{base: 2, attempts: 3, limit: 24 * time.Hour, want: 8 * time.Second},
		{base: 2, attempts: 17, limit: 24 * time.Hour, want: 24 * time.Hour},
		{base: 1, attempts: 1, limit: time.Hour, want: time.Second},
		{base: 1, attempts: math.MaxUint32, limit: time.Hour, want: time.Second},
		{base: 1.5, attempts: 2, limit: time.Hour, want: 2250 * time.Millisecond},
		{base: 10, attempts: 2, limit: 99 * time.Second, want: 99 * time.Second},
		{base: 10, attempts: 2, limit: 100 * time.Second, want: 100 * time.Second},
		{base: 3, attempts: 5, limit: 0, want: 0},
		{base: 3, attempts: 5, limit: -time.Second, want: 0},
		{base: 2, attempts: math.MaxUint32, limit: time.Hour, want: time.Hour},
		{base: 2, attempts: 1024, limit: math.MaxInt64, want: math.MaxInt64},
		{base: math.MaxFloat64, attempts: 2, limit: time.Hour, want: time.Hour},
		{base: math.Inf(1), attempts: 1, limit: time.Hour, want: time.Hour},
		{base: math.NaN(), attempts: 3, limit: time.Hour, want: time.Second},
		{base: -2, attempts: 2, limit: time.Hour, want: time.Second},
	} {
		if got := Backoff(test.base, test.attempts, test.limit, 0, 0); got != test.want {
			t.Errorf("Backoff(%v, %d, %v) = %v, want %v", test.base, test.attempts, test.limit, got, test.want)
		}
	}
}

func TestBackoff_JitterAddsAShareOfTheDelayThatTheHashChooses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		jitter float64
		hash   uint64
		want   time.Duration
	}{
		{jitter: 0.5, hash: 0, want: 4 * time.Second},
		{jitter: 0.5, hash: 1 << 63, want: 5 * time.Second},
		{jitter: 1, hash: 1 << 63, want: 6 * time.Second},
		{jitter: 1, hash: 3 << 62, want: 7 * time.Second},
		{jitter: 9, hash: 3 << 62, want: 7 * time.Second},
		{jitter: math.NaN(), hash: 3 << 62, want: 4 * time.Second},
		{jitter: -1, hash: 3 << 62, want: 4 * time.Second},
	} {
		if got := Backoff(2, 2, time.Hour, test.jitter, test.hash); got != test.want {
			t.Errorf("jitter %v, hash %#x: %v, want %v", test.jitter, test.hash, got, test.want)
		}
	}
}

func TestBackoff_NeverOverflowsAndStaysWithinItsBounds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		base := rapid.Float64().Draw(t, "base")
		attempts := rapid.Uint32().Draw(t, "attempts")
		limit := time.Duration(rapid.Int64().Draw(t, "limit"))
		jitter := rapid.Float64Range(0, 1).Draw(t, "jitter")
		hash := rapid.Uint64().Draw(t, "hash")
		got := Backoff(base, attempts, limit, jitter, hash)
		plain := Backoff(base, attempts, limit, 0, 0)
		if plain < 0 || plain > max(0, limit) {
			t.Fatalf("without jitter %v, limit %v", plain, limit)
		}
		if got < plain || float64(got) > float64(plain)*(1+jitter)*(1+1e-12) {
			t.Fatalf("with jitter %v, without %v", got, plain)
		}
	})
}
