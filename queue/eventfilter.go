package queue

import (
	"slices"
	"strconv"
	"strings"

	"github.com/queuectl/queuectl/job"
)

// EventFilter selects events of a log. The zero EventFilter selects all; an event must satisfy everything
// that is set.
type EventFilter struct {
	// From and To are the first and the last moment that are selected; both are included. A position is
	// compared with the event's own, a time with the event's own: clocks step back, so that the events
	// between two times need not follow each other.
	From, To Moment
	Kinds    []job.Kind // any of them; empty = all
	Job      string     // id; every job that had it, should it have been given again
	Queue    string     // of the job that the event is about
	// By is who wrote the event: a user, user@host, a pid, or a program with or without its version.
	By string
}

// Match says whether the filter selects the event. It needs the names that [Queue.Read] and a [Trail] give
// to their records.
func (f *EventFilter) Match(r Record) bool {
	switch {
	case r.At.Position < f.From.Position || f.To.Position != 0 && r.At.Position > f.To.Position:
	case !f.From.Time.IsZero() && r.At.When().Before(f.From.Time):
	case !f.To.Time.IsZero() && r.At.When().After(f.To.Time):
	case len(f.Kinds) > 0 && !slices.Contains(f.Kinds, job.KindOf(r.Event)):
	case f.Job != "" && r.ID != f.Job:
	case f.Queue != "" && r.Queue != f.Queue:
	case f.By != "" && !wroteBy(r.At.Actor, f.By):
	default:
		return true
	}
	return false
}

// Past says that no event from this position on is selected.
func (f *EventFilter) Past(p job.Position) bool { return f.To.Position != 0 && p > f.To.Position }

func wroteBy(a *job.Actor, by string) bool {
	if a == nil {
		return false
	}
	program, _, _ := strings.Cut(a.Program, " ")
	return by == a.User || by == a.User+"@"+a.Host || by == strconv.FormatUint(uint64(a.PID), 10) ||
		by == a.Program || by == program
}
