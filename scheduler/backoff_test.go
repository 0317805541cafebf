package scheduler

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/queuectl/queuectl/job"
)

func TestPolicy_DelayGrowsAsItSays(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		growth   job.Backoff
		base     float64
		attempts uint32
		limit    time.Duration
		want     time.Duration
	}{
		{growth: "exponential", base: 3, attempts: 2, limit: time.Hour, want: 9 * time.Second},
		{growth: "linear", base: 3, attempts: 1, limit: time.Hour, want: 3 * time.Second},
		{growth: "linear", base: 3, attempts: 4, limit: time.Hour, want: 12 * time.Second},
		{growth: "linear", base: 1e9, attempts: math.MaxUint32, limit: time.Hour, want: time.Hour},
		{growth: "fixed", base: 3, attempts: 4, limit: time.Hour, want: 3 * time.Second},
		{growth: "1s,10s,1m30s", base: 3, attempts: 1, limit: time.Hour, want: time.Second},
		{growth: "1s,10s,1m30s", base: 3, attempts: 3, limit: time.Hour, want: 90 * time.Second},
		{growth: "1s,10s,1m30s", base: 3, attempts: math.MaxUint32, limit: time.Hour, want: 90 * time.Second},
		{growth: "1s,10s,1m30s", base: 3, attempts: 3, limit: time.Minute, want: time.Minute},
		{growth: "0", base: 3, attempts: 1, limit: time.Minute, want: 0},
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
		p := Policy{Growth: test.growth, Base: test.base, Limit: test.limit}
		if got := p.Delay(test.attempts, 0); got != test.want {
			t.Errorf("%+v.Delay(%d) = %v, want %v", p, test.attempts, got, test.want)
		}
	}
}

func TestPolicy_JitterAddsAShareOfTheDelayThatTheHashChooses(t *testing.T) {
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
		p := Policy{Base: 2, Limit: time.Hour, Jitter: test.jitter}
		if got := p.Delay(2, test.hash); got != test.want {
			t.Errorf("jitter %v, hash %#x: %v, want %v", test.jitter, test.hash, got, test.want)
		}
	}
}

func TestPolicy_NeverOverflowsAndStaysWithinItsBounds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := Policy{
			Growth: rapid.SampledFrom([]job.Backoff{"", "linear", "fixed", "1s,876000h"}).Draw(t, "growth"),
			Base:   rapid.Float64().Draw(t, "base"), Limit: time.Duration(rapid.Int64().Draw(t, "limit")),
		}
		attempts := rapid.Uint32().Draw(t, "attempts")
		plain, limit := p.Delay(attempts, 0), p.Limit
		p.Jitter = rapid.Float64Range(0, 1).Draw(t, "jitter")
		jitter := p.Jitter
		got := p.Delay(attempts, rapid.Uint64().Draw(t, "hash"))
		if plain < 0 || plain > max(0, limit) {
			t.Fatalf("without jitter %v, limit %v", plain, limit)
		}
		if got < plain || float64(got) > float64(plain)*(1+jitter)*(1+1e-12) {
			t.Fatalf("with jitter %v, without %v", got, plain)
		}
	})
}
