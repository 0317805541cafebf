// Package decide holds the rules of the queue: a state, a command and a time give events or a refusal.
// Only here may anything be refused; what was decided is folded without fail.
//
// Every rule is a pure function. It changes nothing: its events have the positions at.Position,
// at.Position+1, … and must be folded with [State.Fold], in this order and before the next rule is
// asked, or be forgotten. Events hold results and not intentions: the time of the next attempt and not
// the formula, the resolved number of retries and not "what the settings say". So a change of the rules
// never changes the past. A rule about several jobs, specs or workers admits all or none, and no event
// without an error means that there is nothing to do.
//
// The rules look at the projection and at the timeline. They read no clock and no random number (both
// come with at), do no I/O, and know nothing of processes and locks: that a worker is dead, or that
// nothing of a run lives any more, is for the caller to make sure of. That caller is package queue.
package decide

import (
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
	"github.com/queuectl/queuectl/scheduler"
	"github.com/queuectl/queuectl/scheduler/cron"
)

// State is what the rules look at: the projection, and the timeline that follows from it, which holds
// exactly the jobs that wait; but see [LoadState]. Not safe for concurrent use.
type State struct {
	Jobs     *projection.Projection
	Timeline *scheduler.Timeline
	timed    bool // the timeline follows

	schedules map[[2]string]*cron.Schedule // that were read, by text and zone
	mostEnded int                          // jobs that a commit ends because of their parents; 0 = maxCascade. Tests set it
}

// NewState returns the state of an empty log.
func NewState() *State {
	return &State{Jobs: projection.New(), Timeline: scheduler.NewTimeline(), timed: true}
}

// LoadState returns the state that the files of a snapshot hold, that of an empty log if there are none; see
// projection.Load. Its timeline is empty and stays so, since only workers need one: before [Claim], and before the
// timeline is asked anything, [State.LoadLive] must be called.
func LoadState(files []projection.File) *State {
	return &State{Jobs: projection.Load(files), Timeline: scheduler.NewTimeline()}
}

// LoadLive brings all jobs that wait or run into memory, and those that wait into the timeline, unless they are there.
// O(n log n).
func (s *State) LoadLive() {
	if s.timed {
		return
	}
	s.timed = true
	for schedule := range s.Jobs.LoadLive() {
		s.Timeline.Put(schedule)
	}
	for b := range s.Jobs.Running() {
		if key := b.Schedule.ConcurrencyKey; key != "" {
			s.Timeline.Take(key)
		}
	}
	for name, run := range s.Jobs.Served() {
		s.Timeline.Served(name, run)
	}
	s.shutAll()
}

// shutAll tells the timeline which queues are shut, and until when.
func (s *State) shutAll() {
	for name := range s.Jobs.Gates() {
		s.Timeline.Shut(name, s.Jobs.Opens(name))
	}
}

// Fold folds a decided event into both. It panics with a *projection.MisfitError if the event does not
// follow from the state.
func (s *State) Fold(at job.At, e job.Event) {
	before := s.Jobs.LastTime()
	s.follow(before, s.Jobs.Fold(at, e))
}

// FoldRaw folds an event as the log has it. It is the faster way, and gives the same state. An error,
// which wraps job.ErrDecode or is a *projection.MisfitError, means that the log does not hold what the
// rules decided; the state is as before. It keeps no reference to data.
func (s *State) FoldRaw(at job.At, kind job.Kind, data []byte) error {
	before := s.Jobs.LastTime()
	change, err := s.Jobs.FoldEncoded(at, kind, data)
	if err != nil {
		return err
	}
	s.follow(before, change)
	return nil
}

// follow tells the timeline what an event has changed. before is when the one before it was written.
func (s *State) follow(before int64, c projection.Change) {
	if !s.timed {
		return
	}
	for _, schedule := range c.Released {
		s.Timeline.Put(schedule)
	}
	switch {
	case c.Job == 0:
	case c.Waiting:
		s.Timeline.Put(c.Schedule)
	case c.Began != 0:
		s.Timeline.Begin(c.Job, c.Began)
	default:
		s.Timeline.Remove(c.Job)
	}
	if c.Freed != "" {
		s.Timeline.Free(c.Freed)
	}
	if c.Gate != "" {
		s.Timeline.Shut(c.Gate, s.Jobs.Opens(c.Gate))
	}
	if s.Jobs.LastTime() < before { // the same moments have other times now
		s.shutAll()
	}
}

// clockSlack is how far the wall clock may fall behind before that is worth an event: corrections of a
// sound clock are smaller.
const clockSlack = int64(1e9)

// Clock returns a ClockStepped event if at.Time is more than a second behind the last commit's time,
// and none otherwise. Whoever appends puts it before the first event of the commit.
//
// It is a record for people. What waits is not moved, since nobody can say when the clock was right:
// a process that has seen its clock being set back tells its own timeline (scheduler.Timeline.StepBack).
func Clock(s *State, at job.At) []job.Event {
	last := s.Jobs.LastTime()
	if s.Jobs.Position() == 0 || last-at.Time <= clockSlack {
		return nil
	}
	return []job.Event{job.ClockStepped{From: last, To: at.Time}}
}
