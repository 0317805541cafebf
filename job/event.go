package job

import "time"

// Position is the number of an event in the log: dense, from 1. A job is known inside by the Position
// of its JobEnqueued event, a run by that of its JobClaimed event, a worker by that of its
// WorkerStarted event. 0 = none.
type Position uint64

// At is where and when an event stands in the log: what every event of a commit shares, and its own
// Position. The fold and the rules get it as a value and never read a clock.
type At struct {
	Position Position
	Time     int64  // Unix nanoseconds: the raw wall clock of the process that appended; may step back
	Actor    *Actor // shared by all events of a commit; nil only in tests
	Rand     uint64 // randomness for decisions (made ids); not part of the log, 0 when folding
}

// When returns Time as a UTC time.
func (a At) When() time.Time { return time.Unix(0, a.Time).UTC() }

// Actor is who appended a commit, as the process reports itself, and why.
type Actor struct {
	User, Host string
	PID        uint32
	Program    string // name and version
	Reason     string // --reason; "" = none given
	Dir, Path  string // the caller's working directory and $PATH
}

// Event is a fact that was decided. The list of implementations in this file is the whole catalogue:
// the interface is sealed.
type Event interface {
	kind() Kind
}

// Kind is an event's number in the log. Numbers are never reused.
type Kind uint16

// The kinds. The gaps are left for the kinds of features to come.
const (
	KindLogCreated    Kind = 1
	KindLogRepaired   Kind = 3
	KindClockStepped  Kind = 4
	KindLogRestored   Kind = 5
	KindArchivePruned Kind = 6

	KindConfigSet   Kind = 10
	KindConfigUnset Kind = 11

	KindJobEnqueued   Kind = 20
	KindJobClaimed    Kind = 21
	KindJobCompleted  Kind = 22
	KindJobFailed     Kind = 23
	KindJobDied       Kind = 24
	KindRunLost       Kind = 25
	KindRunReturned   Kind = 26
	KindJobRetried    Kind = 27
	KindJobCancelled  Kind = 28
	KindKillRequested Kind = 29
	KindJobHeld       Kind = 30
	KindJobReleased   Kind = 31
	KindJobEdited     Kind = 32
	KindJobsForgotten Kind = 33
	KindJobsPurged    Kind = 34

	KindWorkerStarted Kind = 40
	KindWorkerStopped Kind = 41
	KindStopRequested Kind = 42
	KindWorkerLost    Kind = 43

	KindQueuePaused  Kind = 50
	KindQueueResumed Kind = 51
	KindQueueLimited Kind = 52

	KindCronAdded   Kind = 60
	KindCronChanged Kind = 61
	KindCronRemoved Kind = 62
	KindCronTicked  Kind = 63
)

// Level is that of the events that this program writes and understands. A kind that the fold must know, or a field that
// decisions rest on, which a released program would pass over, needs the next level. Until the first release there is no
// such program, and level 1 is whatever this one has.
const Level = 1

// LogCreated is the first event of every log.
type LogCreated struct {
	LogID  [16]byte // random; stands for the hash before the first commit
	Format uint32   // of the frames
	Level  uint32   // of the events that the log may have: a program that knows only lower ones refuses it
}

// LogRepaired says that bytes were cut from the log: a torn tail, which nobody had been promised, or one
// piece of what was taken out of a damaged log because somebody accepted the loss.
type LogRepaired struct {
	Segment    string // file name
	Offset     int64  // where the cut began
	Size       int64  // bytes cut
	CRC        uint32 // CRC32C of the cut bytes
	Quarantine string // path below quarantine/ of the file that keeps them
	Verdict    string // why they were cut
	Accepted   string // who accepted the loss; "" = it was a torn tail, and nothing was lost

	// The whole commits among the bytes, and their events; 0 = there are none. Some between the first and
	// the last may be missing.
	FirstCommit, LastCommit     uint64
	FirstPosition, LastPosition Position
	Events                      uint64
}

// ClockStepped says that the wall clock of this commit is more than a second behind the last one's.
type ClockStepped struct{ From, To int64 } // Unix nanoseconds

// LogRestored says that what comes before it was restored from a backup. The same log may go on
// elsewhere, from Head on in another way.
type LogRestored struct {
	Commit uint64   // the last that is in the backup
	Head   [32]byte // its hash
	Backup int64    // Unix nanoseconds; when the backup was made
	From   string   // file that it was restored from; "" = a stream
}

// ArchivePruned says that the oldest part of the log was removed because somebody asked for it, and that the log
// begins with a base now: what everything up to Last adds up to. It is written before anything is removed.
type ArchivePruned struct {
	First, Last uint64   // commits that were removed
	From, To    Position // their events
	Head        [32]byte // hash of the commit Last, which the next one carries
	Base        [32]byte // SHA-256 of the file of the base
}

// ConfigSet changes a setting. Values are in the canonical form of [Config.Text].
type ConfigSet struct{ Key, Old, New string } // Old "" = it was not set

// ConfigUnset takes a setting back to its default.
type ConfigUnset struct{ Key, Old string }

// JobEnqueued brings a job into being: → pending.
type JobEnqueued struct {
	Spec Spec  // as decided: ID and MaxRetries always set, Delay and RunAt moved into Due, DeadlineIn into Deadline
	Due  int64 // Unix nanoseconds; 0 = at once
}

// JobClaimed begins a run: → processing. Its own Position is the run's number and fencing token.
type JobClaimed struct {
	Job    Position
	Worker Position
}

// Result is how a run ended, as far as the worker saw it.
type Result struct {
	Exit       int32         // exit code; meaningless if Signal ≠ 0 or Timeout
	Signal     int32         // that ended the command; 0 = none
	Start, End int64         // Unix nanoseconds; End is as long after Start as it took, whatever the wall clock did
	CPU        time.Duration // user + system
	MaxRSS     int64         // peak memory, bytes
	OutputSize int64         // bytes of the run's output file
	Tail       string        // end of the output or, for a handler, the error's text; "" for success
	LeftBehind bool          // processes of this run were still alive when its first process ended
	Timeout    time.Duration // that it ran into; 0 = it did not
}

// Why says why a run did not complete, why a job died or why a run was given back.
type Why uint8

// The reasons. Numbers are part of the log.
const (
	WhyNone       Why = 0
	WhyExit       Why = 1  // exit code ≠ 0, or a handler's error
	WhySignal     Why = 2  // ended by a signal
	WhyTimeout    Why = 3  // ran longer than its timeout
	WhyRetries    Why = 4  // died: attempts exceeded max_retries
	WhyCrashes    Why = 5  // died: crashes exceeded max_crashes
	WhyOnCrash    Why = 6  // died: its worker died and on_crash is dead
	WhyStop       Why = 7  // returned: the worker was told to stop now
	WhyError      Why = 8  // a handler returned an error or panicked
	WhyNotStarted Why = 9  // returned: the machine could not start the command
	WhySnooze     Why = 10 // returned: the job asked to be run later
	WhyDependency Why = 11 // died: a job that it comes after ended in another way than it should
	WhyDeadline   Why = 12 // died: its deadline had passed, or would have before its next attempt
)

// JobCompleted ends a run well: → completed.
type JobCompleted struct {
	Job, Run Position
	Result   Result
}

// JobFailed ends a run badly: attempts+1, → failed.
type JobFailed struct {
	Job, Run      Position
	Why           Why // exit, signal, timeout, error
	Result        Result
	NextAttemptAt int64 // Unix nanoseconds, as decided
}

// JobDied moves a job to the dead letter queue: → dead. If Failure is not WhyNone the run failed in
// that way and attempts+1; otherwise it was lost with its worker and crashes+1. Of a job that dies because of
// another one there is no run: nothing is counted.
type JobDied struct {
	Job, Run Position // Run 0 = the job waited
	Why      Why      // retries, crashes, on_crash, exit, deadline, dependency
	Failure  Why      // exit, signal, timeout, error; WhyNone = worker lost, or no run
	Result   Result
	Parent   Position // the job that ended in another way than it should; 0 unless Why is dependency
}

// RunLost says that the worker of a run died and that nothing of the run lives any more:
// crashes+1, → pending, due at once.
type RunLost struct{ Job, Run, Worker Position }

// RunReturned ends a run that counts as neither failure nor crash: → pending.
type RunReturned struct {
	Job, Run Position
	Why      Why   // stop, not started, snooze
	Due      int64 // Unix nanoseconds; 0 = at once
}

// JobRetried brings a dead or failed job back: → pending.
type JobRetried struct {
	Job   Position
	From  State
	Reset bool  // attempts and crashes back to 0
	Due   int64 // Unix nanoseconds; 0 = at once
	// DeadlineLifted says that the job's deadline had passed, and no longer holds.
	DeadlineLifted bool
}

// JobCancelled withdraws a job: → cancelled. Run is the run that was ended for it, 0 if none.
type JobCancelled struct {
	Job, Run Position
	Result   Result // of Run; zero if none
	// Parent is the job that ended in another way than it should, if Job is cancelled because of that; else 0.
	Parent Position
}

// KillRequested asks the worker of a run to end it. If Cancel, the job is cancelled when the run has
// ended, however it ends.
type KillRequested struct {
	Job, Run Position
	Signal   int32 // 15 = TERM, then KILL after the grace; others are sent alone
	Cancel   bool
}

// JobHeld keeps a job from being claimed until it is released. A run that is under way goes on.
type JobHeld struct{ Job Position }

// JobReleased ends a hold: a job that waits is claimed again when its time has come.
type JobReleased struct{ Job Position }

// JobEdited changes what a waiting job says. Only those of Fields count of Old and New, by the names of the Field
// constants; all else in them is left at its zero value. It is due anew if that is among them.
type JobEdited struct {
	Job      Position
	Fields   []string
	Old, New JobEnqueued
}

// JobsForgotten lets jobs leave the state: those of the queue that came into a final state by an event at or
// before Through and are in it still. They stay in the log.
type JobsForgotten struct {
	Queue   string
	State   State
	Through Position
	Jobs    uint64 // how many they are
}

// JobsPurged lets single jobs that have ended leave the state. They stay in the log.
type JobsPurged struct{ Jobs []Position } // ascending, each once

// WorkerStarted makes a worker known. Its own Position is the worker's number.
type WorkerStarted struct {
	ID     string   // random, never reused; the name of its lock file
	Slots  uint32   // runs at a time
	Queues []string // served; empty = all
	Kinds  []string // handlers' names, for Go programs; empty = shell jobs only
	Shell  bool     // serves shell jobs
}

// WorkerStopped says that a worker ended in good order.
type WorkerStopped struct {
	Worker Position
	Why    string // "stop requested", "signal" (ctx ended), "nothing left", "error"
}

// StopRequested asks workers that started before this event to stop.
type StopRequested struct {
	Worker Position // 0 = all
	Now    bool     // end the running commands and give their jobs back
}

// WorkerLost says that a worker's lock was found free: its process is gone.
type WorkerLost struct{ Worker Position }

// QueuePaused keeps the jobs of a queue from being claimed. Running ones go on.
type QueuePaused struct{ Queue string }

// QueueResumed ends what QueuePaused began.
type QueueResumed struct{ Queue string }

// QueueLimited says which limits a queue has from now on: all of them, also those that stay as they were.
type QueueLimited struct {
	Queue       string
	Concurrency uint32        // as in Limits
	Rate        uint32        // …
	Per         time.Duration // …
}

// Limits returns them.
func (e QueueLimited) Limits() Limits {
	return Limits{Concurrency: e.Concurrency, Rate: e.Rate, Per: e.Per}
}

// CronAdded makes a schedule known. Its own Position is the schedule's number. What has the form of an enqueued
// job in it is what each tick enqueues.
type CronAdded struct {
	New  Cron
	Next int64 // its first tick, Unix nanoseconds
}

// CronChanged changes a schedule: it is paused or goes on, or it has a new definition.
type CronChanged struct {
	Cron   Position
	Paused bool  // from now on
	Next   int64 // its next tick, Unix nanoseconds; 0 = none: it is paused
	New    *Cron // nil = as before
}

// CronRemoved ends a schedule. Its jobs stay.
type CronRemoved struct{ Cron Position }

// CronTicked says what became of a tick: the job that it made, or why it made none.
type CronTicked struct {
	Cron  Position
	Tick  int64    // Unix nanoseconds; 0 = it is none: somebody asked for a job
	Since int64    // if several ticks made no job for one reason: the first of them, and Tick is the last; else 0
	Made  Position // key of the job; 0 = none
	Skip  Skip     // if Made is 0
	Next  int64    // the next tick, as decided; 0 = there is none any more, or it is paused
}

// Unknown is an event of a kind that this program does not know: kept, shown, and skipped by the fold.
type Unknown struct {
	Number Kind
	Data   []byte
}

func (LogCreated) kind() Kind     { return KindLogCreated }
func (LogRepaired) kind() Kind    { return KindLogRepaired }
func (LogRestored) kind() Kind    { return KindLogRestored }
func (ArchivePruned) kind() Kind  { return KindArchivePruned }
func (ClockStepped) kind() Kind   { return KindClockStepped }
func (ConfigSet) kind() Kind      { return KindConfigSet }
func (ConfigUnset) kind() Kind    { return KindConfigUnset }
func (*JobEnqueued) kind() Kind   { return KindJobEnqueued }
func (JobClaimed) kind() Kind     { return KindJobClaimed }
func (*JobCompleted) kind() Kind  { return KindJobCompleted }
func (*JobFailed) kind() Kind     { return KindJobFailed }
func (*JobDied) kind() Kind       { return KindJobDied }
func (RunLost) kind() Kind        { return KindRunLost }
func (RunReturned) kind() Kind    { return KindRunReturned }
func (JobRetried) kind() Kind     { return KindJobRetried }
func (*JobCancelled) kind() Kind  { return KindJobCancelled }
func (KillRequested) kind() Kind  { return KindKillRequested }
func (JobHeld) kind() Kind        { return KindJobHeld }
func (JobReleased) kind() Kind    { return KindJobReleased }
func (*JobEdited) kind() Kind     { return KindJobEdited }
func (JobsForgotten) kind() Kind  { return KindJobsForgotten }
func (*JobsPurged) kind() Kind    { return KindJobsPurged }
func (*WorkerStarted) kind() Kind { return KindWorkerStarted }
func (WorkerStopped) kind() Kind  { return KindWorkerStopped }
func (StopRequested) kind() Kind  { return KindStopRequested }
func (WorkerLost) kind() Kind     { return KindWorkerLost }
func (QueuePaused) kind() Kind    { return KindQueuePaused }
func (QueueResumed) kind() Kind   { return KindQueueResumed }
func (QueueLimited) kind() Kind   { return KindQueueLimited }

func (*CronAdded) kind() Kind   { return KindCronAdded }
func (*CronChanged) kind() Kind { return KindCronChanged }
func (CronRemoved) kind() Kind  { return KindCronRemoved }
func (CronTicked) kind() Kind   { return KindCronTicked }
func (u Unknown) kind() Kind    { return u.Number }

// KindOf returns the event's number in the log.
func KindOf(e Event) Kind { return e.kind() }

// Of returns the key of the job that e is about, 0 if it is about none. For a JobEnqueued it is 0 too:
// there the event's own Position is the key.
func Of(e Event) Position {
	switch e := e.(type) {
	case JobClaimed:
		return e.Job
	case *JobCompleted:
		return e.Job
	case *JobFailed:
		return e.Job
	case *JobDied:
		return e.Job
	case RunLost:
		return e.Job
	case RunReturned:
		return e.Job
	case JobRetried:
		return e.Job
	case *JobCancelled:
		return e.Job
	case KillRequested:
		return e.Job
	case JobHeld:
		return e.Job
	case JobReleased:
		return e.Job
	case *JobEdited:
		return e.Job
	}
	return 0
}
