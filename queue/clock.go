package queue

import (
	"math"
	"time"

	"github.com/queuectl/queuectl/job"
)

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

// clockStep is a step back of the wall clock.
type clockStep struct {
	after job.Position // last one folded before it was noticed
	back  time.Duration
}

// noticeStep lets what waits stay as far away as it was when the wall clock was set back. It comes before
// anything is decided or looked at: what is decided after the step counts from the new time already. What
// another process decided between the step and this moment cannot be told apart.
func (m *machine) noticeStep() {
	m.measure()
	m.tellSteps(math.MaxUint64)
}

// measure notes a step back of the wall clock.
func (m *machine) measure() {
	if m.clock == nil {
		return
	}
	if back := m.clock.steppedBack(); back > 0 {
		m.steps = append(m.steps, clockStep{after: m.state.Jobs.Position(), back: back})
	}
}

// tellSteps tells the timeline of the steps that came before the event at next: each when it was noticed,
// and all again when the log is read again.
func (m *machine) tellSteps(next job.Position) {
	for m.told < len(m.steps) && m.steps[m.told].after < next {
		m.state.Timeline.StepBack(int64(m.steps[m.told].back))
		m.told++
	}
}
