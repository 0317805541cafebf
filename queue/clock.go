package queue

import "time"

// clock notices that the wall clock was set back, by comparing it with the monotonic clock.
type clock struct {
	wall        func() time.Time
	elapsed     func() time.Duration
	lastWall    time.Time
	lastElapsed time.Duration
}

func newClock(opt Options) *clock {
	c := &clock{wall: opt.Now, elapsed: opt.Elapsed}
	c.lastWall, c.lastElapsed = c.wall(), c.elapsed()
	return c
}

// steppedBack returns by how much the wall clock was set back since the last call, 0 if by less than a
// second: that is how slowly a clock that is being corrected may run.
func (c *clock) steppedBack() time.Duration {
	wall, elapsed := c.wall(), c.elapsed()
	back := (elapsed - c.lastElapsed) - wall.Round(0).Sub(c.lastWall.Round(0))
	c.lastWall, c.lastElapsed = wall, elapsed
	if back < time.Second {
		return 0
	}
	return back
}
