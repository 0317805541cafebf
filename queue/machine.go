package queue

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/user"
	"runtime/debug"
	"slices"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
)

// machine is the State that the log keeps up to date. Everything in it is owned by the log's goroutine:
// it is touched only in Fold, Reset, a proposal's Decide and a View.
type machine struct {
	state   *decide.State
	author  author            // of the last entry folded
	repairs []eventlog.Repair // of the log, that this process was told of
	workers int               // that run in this process: only they wait for a time
	tail    int64             // bytes of the log that were folded behind the last snapshot that is known of
	clock   *clock            // nil while there are none
	steps   []clockStep       // that were noticed
	told    int               // how many of them the timeline of this state was told of

	files    []*eventlog.Snapshot // that the state rests on
	broken   *eventlog.Snapshot   // one of them that could not be read; nil = none
	brokenBy error
}

// welcome counts a worker that begins here, and dismiss one that has ended.
func (m *machine) welcome(opt Options) {
	if m.workers++; m.workers == 1 {
		m.clock = newClock(opt)
	}
}

func (m *machine) dismiss() {
	if m.workers--; m.workers == 0 {
		m.clock = nil
	}
}

// Fold takes a commit that another process wrote, or an earlier one.
func (m *machine) Fold(e *eventlog.Entry) (err error) {
	m.guard(func() { err = m.fold(e) })
	return err
}

func (m *machine) fold(e *eventlog.Entry) error {
	m.measure()
	m.tail += int64(e.Size)
	at := job.At{Position: job.Position(e.First), Time: e.Time, Actor: m.author.actor(e.Meta)}
	for _, ev := range e.Events {
		if err := ofKnownLevel(ev); err != nil {
			return err
		}
		m.tellSteps(at.Position)
		if err := m.state.FoldRaw(at, job.Kind(ev.Kind), ev.Data); err != nil {
			return fmt.Errorf("fold event %d: %w", at.Position, err)
		}
		at.Position++
	}
	return nil
}

// ofKnownLevel refuses a log whose first event says that it may have events which this program would take for others, or
// pass over.
func ofKnownLevel(ev eventlog.Event) error {
	if job.Kind(ev.Kind) != job.KindLogCreated {
		return nil
	}
	e, _ := job.DecodeEvent(job.KindLogCreated, ev.Data) // the fold says what is wrong with it
	if created, ok := e.(job.LogCreated); ok && created.Level > job.Level {
		return fmt.Errorf("events of level %d, of which %d is known here: %w", created.Level, job.Level, eventlog.ErrNewer)
	}
	return nil
}

// Reset forgets everything that is in the log; it is read again.
func (m *machine) Reset() {
	m.state, m.told, m.tail = decide.LoadState(nil), 0, 0
	m.files, m.broken, m.brokenBy = nil, nil, nil
	if m.workers > 0 || len(m.steps) > 0 { // what waited when the clock was set back must be known
		m.state.LoadLive()
	}
}

// rule is a command with its arguments: what it would add to the log.
type rule func(s *decide.State, at job.At) ([]job.Event, error)

// proposal makes a rule ready for the log. Decided events are folded at once, because the next command
// of the same commit must see them; should the commit fail, the log resets the machine.
func (q *Queue) proposal(reason string, rule rule) *eventlog.Proposal {
	actor := &q.opt.Actor // shared by all commits without a reason, and never changed
	if reason != "" {
		why := *actor
		why.Reason = reason
		actor = &why
	}
	return &eventlog.Proposal{
		Meta: metaOf(actor),
		Decide: func(t eventlog.Turn) ([]eventlog.Event, error) {
			at := job.At{Position: job.Position(t.Position), Time: t.Time, Actor: actor, Rand: rand.Uint64()}
			return q.m.guarded(at, q.log.TakeRepairs(), rule)
		},
	}
}

// guarded is decide; should the state be broken, it is asked again.
func (m *machine) guarded(at job.At, repairs []eventlog.Repair, rule rule) (events []eventlog.Event, err error) {
	err = errBroken // which nobody gets to see
	m.guard(func() { events, err = m.decide(at, repairs, rule) })
	return events, err
}

var errBroken = errors.New("a snapshot file could not be read")

// decide asks the rule, and puts before its events what nobody asked for but everyone should know: a
// tail that was cut, a clock that stepped back.
func (m *machine) decide(at job.At, repairs []eventlog.Repair, rule rule) ([]eventlog.Event, error) {
	m.noticeStep()
	m.noticeRepairs(repairs)
	events := m.unrecorded()
	repaired := len(events)
	events = append(events, decide.Clock(m.state, at)...)
	first := at.Position
	at.Position += job.Position(len(events))
	decided, err := rule(m.state, at)
	if errors.Is(err, errRecordOnly) && repaired > 0 {
		err = nil
	} else if err != nil || len(decided) == 0 {
		return nil, err
	}
	if len(events) == 0 {
		events = decided // as almost always
	} else {
		events = append(events, decided...)
	}
	encoded, size := encode(events)
	if size > eventlog.MaxFrame-maxMetaSize || len(events) > eventlog.MaxEvents {
		return nil, fmt.Errorf("%d events of %d bytes: %w", len(events), size, eventlog.ErrTooLarge)
	}
	at.Position = first
	for _, e := range events {
		m.state.Fold(at, e)
		at.Position++
	}
	m.tail += int64(size)
	return encoded, nil
}

// errRecordOnly is what a rule returns that asks for nothing but for what everyone should know.
var errRecordOnly = errors.New("no repair is to be recorded")

// noticeRepairs keeps them until they are in the log, which may take more than one command.
func (m *machine) noticeRepairs(repairs []eventlog.Repair) {
	for _, r := range repairs {
		known := func(other eventlog.Repair) bool { return other.Quarantine == r.Quarantine }
		if !slices.ContainsFunc(m.repairs, known) {
			m.repairs = append(m.repairs, r)
		}
	}
}

// mostRepairs is how many repairs one command records, so that a repair of many pieces does not make a
// commit that is too large.
const mostRepairs = 1000

// unrecorded returns events of the repairs that the log does not have yet, or of some of them.
func (m *machine) unrecorded() (events []job.Event) {
	for _, r := range m.repairs {
		if m.state.Jobs.Repaired(r.Quarantine) || len(events) == mostRepairs {
			continue
		}
		events = append(events, job.LogRepaired{
			Segment: r.Segment, Offset: r.Offset, Size: r.Size, CRC: r.CRC,
			Quarantine: r.Quarantine, Verdict: r.Verdict, Accepted: r.Accepted,
			FirstCommit: uint64(r.Frames.FirstCommit), LastCommit: uint64(r.Frames.LastCommit),
			FirstPosition: job.Position(r.Frames.FirstPosition), LastPosition: job.Position(r.Frames.LastPosition),
			Events: r.Frames.Events,
		})
	}
	return events
}

// maxMetaSize leaves room in a frame for what is not events.
const maxMetaSize = 1 << 20

// encode returns the events as the log takes them, and how many bytes they need in a frame at most.
func encode(events []job.Event) (encoded []eventlog.Event, size int) {
	const (
		perEvent = 8   // kind and length
		usual    = 160 // bytes of an event; if buf grows, the slices of the old one stay as they are
	)
	encoded = make([]eventlog.Event, len(events))
	buf := make([]byte, 0, usual*len(events))
	for i, e := range events {
		start := len(buf)
		buf = job.AppendEvent(buf, e)
		encoded[i] = eventlog.Event{Kind: uint16(job.KindOf(e)), Data: buf[start:len(buf):len(buf)]}
	}
	return encoded, len(buf) + perEvent*len(events)
}

func metaOf(a *job.Actor) eventlog.Meta {
	return eventlog.Meta{
		User: a.User, Host: a.Host, PID: a.PID, Program: a.Program,
		Reason: a.Reason, Dir: a.Dir, Path: a.Path,
	}
}

// author makes actors of what entries say of who wrote them. Entries in a row mostly share theirs, and so do
// the actors.
type author struct {
	meta *eventlog.Meta // of the last entry …
	who  *job.Actor     // … and what it became
}

func (a *author) actor(m *eventlog.Meta) *job.Actor {
	if m != a.meta {
		a.meta, a.who = m, &job.Actor{
			User: m.User, Host: m.Host, PID: m.PID, Program: m.Program,
			Reason: m.Reason, Dir: m.Dir, Path: m.Path,
		}
	}
	return a.who
}

// completeActor fills what was not given with what the system says. What it does not say stays empty.
func completeActor(a job.Actor) job.Actor {
	if a.User == "" {
		if u, err := user.Current(); err == nil {
			a.User = u.Username
		}
	}
	if a.Host == "" {
		a.Host, _ = os.Hostname()
	}
	if a.PID == 0 {
		a.PID = uint32(os.Getpid())
	}
	if a.Program == "" {
		a.Program = "unknown"
		if info, ok := debug.ReadBuildInfo(); ok {
			a.Program = info.Path
		}
	}
	return a
}
