package queue

import (
	"fmt"
	"time"

	"github.com/queuectl/queuectl/job"
)

// Moment is a place in the history: right after the event at Position or, if that is 0, at Time. The zero
// Moment is now.
//
// Clocks step back, so that times do not order the log. At a Time is after the last commit that was not
// made later: a clock that was wrong for a while hides nothing.
type Moment struct {
	Position job.Position
	Time     time.Time
}

// IsZero says that the moment is now.
func (m Moment) IsZero() bool { return m.Position == 0 && m.Time.IsZero() }

// String says which moment it is, for people: "position 1200", "time 2030-01-31T08:00:00Z", "now".
func (m Moment) String() string {
	switch {
	case m.IsZero():
		return "now"
	case m.Position != 0:
		return fmt.Sprintf("position %d", m.Position)
	}
	return "time " + m.Time.UTC().Format(time.RFC3339Nano)
}

// reaches says that a moment that is no position is not before that of an event.
func (m Moment) reaches(at job.At) bool {
	return m.IsZero() || !m.Time.IsZero() && !at.When().After(m.Time)
}
