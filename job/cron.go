package job

import (
	"fmt"
	"strings"
	"time"
)

// MaxCronName is how many bytes the name of a schedule may have: with the time of a tick behind it, it is an id.
const MaxCronName = 100

// Cron is a schedule as its author gives it: when it ticks, and the job that each tick makes. It is a
// value: the queue keeps no reference to its maps and slices after a call returns.
type Cron struct {
	Name     string // 1–100 bytes, printable, without spaces; no two schedules have the same
	Schedule string // as package scheduler/cron reads it: "30 2 * * *", "@daily", "@every 90s"
	Zone     string // whose clock the schedule goes by: "Europe/Zurich", "UTC", or "Local"
	Missed   Missed
	Overlap  Overlap
	Job      Spec // of each of its jobs: without ID, RunAt and Delay
}

// Missed says what becomes of ticks at which no worker was there. A tick is missed when a worker comes to it more
// than a minute late, or after the next one.
type Missed uint8

// The choices; the zero value is the default. Their numbers are part of the log.
const (
	MissedSkip Missed = 0 // they make no jobs
	MissedOnce Missed = 1 // the last of them makes a job
	MissedAll  Missed = 2 // each of them makes a job
)

// Overlap says what becomes of a tick while a job of the schedule has not ended.
type Overlap uint8

// The choices; the zero value is the default. Their numbers are part of the log.
const (
	OverlapAllow Overlap = 0 // it makes a job all the same
	OverlapSkip  Overlap = 1 // it makes none
)

// Skip says why a tick made no job.
type Skip uint8

// The reasons. Numbers are part of the log.
const (
	SkipNone      Skip = 0 // it made one
	SkipMissed    Skip = 1 // no worker was there in time, and Missed says to skip it
	SkipOverlap   Skip = 2 // an earlier job had not ended, and Overlap says to skip it
	SkipQueueFull Skip = 3 // the queue holds queue_max waiting jobs
	SkipExists    Skip = 4 // there is a job with the id that it would have
	SkipRefused   Skip = 5 // the job was refused for another reason
)

// CronEntry is what a queue knows about a schedule: a copy that its receiver owns.
type CronEntry struct {
	Cron
	Key       Position  // of its CronAdded event
	AddedAt   time.Time // of that event
	ChangedAt time.Time // of the last one that changed the schedule, the pausing included
	Anchor    time.Time // where @every counts from: when the schedule got its present times
	Paused    bool
	Next      time.Time  // its next tick; zero = none: it is paused, or ticks no more
	Last      time.Time  // the last tick that was decided; zero = none yet
	LastSkip  Skip       // why that one made no job
	Jobs      []Position // keys of the last jobs that it made, at most [CronJobs], oldest first
}

// CronJobs is how many of its jobs a schedule remembers.
const CronJobs = 10

// Validate checks everything that can be checked without a queue, but for the schedule and the zone, which
// package scheduler/cron reads. The error wraps ErrInvalid.
func (c *Cron) Validate() error {
	if err := CheckCronName(c.Name); err != nil {
		return err
	}
	switch {
	case c.Missed > MissedAll:
		return invalid("missed", c.Missed.String(), wantMissed)
	case c.Overlap > OverlapSkip:
		return invalid("overlap", c.Overlap.String(), wantOverlap)
	case c.Job.ID != "":
		return refusal("id: the jobs of a schedule get theirs from its name and the time of the tick")
	case len(c.Job.After) > 0:
		return refusal("after: the jobs of a schedule come after nothing but its ticks")
	case !c.Job.RunAt.IsZero(), c.Job.Delay != 0:
		return refusal("run_at and delay: the schedule says when its jobs are due")
	case !c.Job.Deadline.IsZero():
		return refusal("deadline: of the jobs of a schedule it must be a duration, which counts from the enqueue of each")
	}
	if c.Job.UniqueKey != "" {
		return refusal("unique_key: a schedule keeps its jobs apart by overlap")
	}
	return c.Job.Validate()
}

// SameTimes says that two schedules tick at the same times, as far as their definitions say.
func (c *Cron) SameTimes(other *Cron) bool {
	return c.Schedule == other.Schedule && c.Zone == other.Zone
}

// CheckCronName returns an error that wraps ErrInvalid if no schedule can have this name.
func CheckCronName(name string) error {
	if len(name) > MaxCronName {
		return invalid("name", quoted(name), fmt.Sprintf("1 to %d bytes of printable characters, not %d", MaxCronName, len(name)))
	}
	if err := checkWord("name", name); err != nil {
		return err
	}
	if name == "all" || name == "last" || isRange(name) {
		return invalid("name", quoted(name), "something else: all, last, 3-7 and a..b select several")
	}
	return nil
}

// CronTag is the tag that every job of a schedule has, with the schedule's name.
const CronTag = "cron"

// TickID is the id of the job that a schedule's tick makes: the name, and the time in UTC. They sort by it.
func TickID(name string, tick time.Time) string {
	return name + "-" + tick.UTC().Format("20060102T150405Z")
}

var (
	missedNames  = [...]string{MissedSkip: "skip", MissedOnce: "once", MissedAll: "all"}
	overlapNames = [...]string{OverlapAllow: "allow", OverlapSkip: "skip"}
	skipNames    = [...]string{
		SkipNone: "none", SkipMissed: "missed", SkipOverlap: "overlap", SkipQueueFull: "queue_full", SkipExists: "exists",
		SkipRefused: "refused",
	}
	wantMissed  = strings.Join(missedNames[:], ", ")
	wantOverlap = strings.Join(overlapNames[:], " or ")
)

// nameOf returns the name of a number, or the number with its type for one that this program does not know.
func nameOf(names []string, number uint8, typ string) string {
	if int(number) < len(names) {
		return names[number]
	}
	return fmt.Sprintf("%s(%d)", typ, number)
}

func (m Missed) String() string  { return nameOf(missedNames[:], uint8(m), "Missed") }
func (o Overlap) String() string { return nameOf(overlapNames[:], uint8(o), "Overlap") }
func (s Skip) String() string    { return nameOf(skipNames[:], uint8(s), "Skip") }

// MarshalText writes the choice's name.
func (m Missed) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// MarshalText writes the choice's name.
func (o Overlap) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// MarshalText writes the reason's name.
func (s Skip) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a choice's name. Any other text gives an error that wraps ErrInvalid and names the choices.
func (m *Missed) UnmarshalText(text []byte) error {
	for n, name := range missedNames {
		if name == string(text) {
			*m = Missed(n)
			return nil
		}
	}
	return invalid("missed", quoted(string(text)), wantMissed)
}

// UnmarshalText reads a choice's name. Any other text gives an error that wraps ErrInvalid and names the choices.
func (o *Overlap) UnmarshalText(text []byte) error {
	for n, name := range overlapNames {
		if name == string(text) {
			*o = Overlap(n)
			return nil
		}
	}
	return invalid("overlap", quoted(string(text)), wantOverlap)
}
