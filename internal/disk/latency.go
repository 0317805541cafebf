package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/queuectl/queuectl/internal/file"
)

// Spread sums up how long something took.
type Spread struct {
	N             int
	P50, P99, Max time.Duration
}

// SpreadOf sums up. It sorts the values.
func SpreadOf(values []time.Duration) Spread {
	n := len(values)
	if n == 0 {
		return Spread{}
	}
	slices.Sort(values)
	return Spread{N: n, P50: values[(n-1)*50/100], P99: values[(n-1)*99/100], Max: values[n-1]}
}

// Measure says how often [SyncLatency] syncs.
type Measure struct {
	Syncs int
	Most  time.Duration // it ends earlier when this has passed, after one sync at least
}

// SyncLatency measures how long it takes to append a few hundred bytes to a new file in dir, as a small commit would
// be, and to sync them. The file is removed. The error is that of ctx, or what kept it from writing.
func SyncLatency(ctx context.Context, dir string, m Measure) (s Spread, err error) {
	f, err := os.CreateTemp(dir, ".queuectl-sync-")
	if err != nil {
		return s, fmt.Errorf("measure syncs: %w", err)
	}
	defer func() {
		if e := errors.Join(f.Close(), os.Remove(f.Name())); e != nil && err == nil {
			err = fmt.Errorf("measure syncs: %w", e)
		}
	}()
	const commit = 300 // bytes: one job enqueued
	data := make([]byte, commit)
	begun := time.Now()
	var took []time.Duration
	for range m.Syncs {
		start := time.Now()
		if _, err := f.Write(data); err != nil {
			return s, fmt.Errorf("measure syncs: %w", err)
		}
		if err := file.Datasync(f); err != nil {
			return s, err
		}
		took = append(took, time.Since(start))
		if ctx.Err() != nil || time.Since(begun) > m.Most {
			break
		}
	}
	return SpreadOf(took), ctx.Err()
}
