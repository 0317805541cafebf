package queuetest

import (
	"sync"
	"time"
)

// Clock is a clock that moves only when it is told to: a wall clock and a monotonic one, which a test can
// move together or apart. Safe for concurrent use.
type Clock struct {
	mu      sync.Mutex
	wall    time.Time
	elapsed time.Duration
}

// NewClock returns a clock that stands at start.
func NewClock(start time.Time) *Clock { return &Clock{wall: start.Round(0)} }

// Now returns the wall clock's time; pass it as queue.Options.Now.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wall
}

// Elapsed returns the monotonic clock's; pass it as queue.Options.Elapsed.
func (c *Clock) Elapsed() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.elapsed
}

// Advance lets time pass: both clocks move on by d ≥ 0.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wall = c.wall.Add(d)
	c.elapsed += max(d, 0)
}

// Step sets the wall clock by d, forward or back, while no time passes.
func (c *Clock) Step(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wall = c.wall.Add(d)
}
