package job

import "time"

// Job is what a queue answers when it is asked about a job: a copy that its receiver owns.
type Job struct {
	Key        Position // of its JobEnqueued event
	Spec       Spec     // as enqueued, or edited since
	State      State
	Attempts   uint32 // failed attempts since enqueue or the last retry that reset them
	MaxRetries uint32
	Runs       uint32 // every start, never reset
	Crashes    uint32 // runs lost with their worker, since enqueue or the last retry that reset them

	EnqueuedAt    time.Time // of its JobEnqueued event
	CreatedAt     time.Time // Spec.CreatedAt if given, else EnqueuedAt
	UpdatedAt     time.Time // of the last event that changed it
	NextAttemptAt time.Time // failed, or pending with a time: not before; zero = none
	StartedAt     time.Time // of the current or last run; zero = never ran
	FinishedAt    time.Time // when it became completed, dead or cancelled; zero = not yet

	Run         Position // current or last run; 0 = never ran
	Worker      Position // of that run
	Exit        *int32   // exit code of the last ended run; nil if none, or ended by a signal or timeout
	Signal      int32    // that ended the last ended run; 0 = none
	Why         Why      // why it is dead or failed
	ParentsLeft uint32   // parents that have not ended as they should, and that it waits for; 0 = it waits for none
	LastError   string   // "" = none: "Exit 3: …", "Signal 9: …", "Timeout after 2s: …", "Worker lost"
	KillAsked   bool     // its current run was asked to end
	Held        bool     // nobody claims it until it is released
	// QueuePaused says that the job waits, and that its queue is paused.
	QueuePaused bool
	// LeftBehind holds the pids of what its last run left alive, for who prints one job: the log does not know
	// them, and no query fills them in.
	LeftBehind []int

	CallerDir  string // directory and $PATH that enqueue was called with
	CallerPath string
}

// Schedule is what a scheduler needs to know about a waiting job.
type Schedule struct {
	Key            Position
	Queue          string
	Kind           string // "" = a shell job (Command or Argv)
	ConcurrencyKey string // "" = none
	Priority       int32
	Due            int64 // Unix nanoseconds; 0 = at once
	// Rank is when a job that is due at once counts as due among those that are (Unix nanoseconds): when
	// it was enqueued, or might run first, by a clock that never runs backward. It does not delay it.
	Rank int64
}

// Worker is what a queue knows about a worker that has not stopped. Whether its process lives is not
// in the log but in its lock; see scheduler/lease.
type Worker struct {
	Key       Position // of its WorkerStarted event
	ID        string
	Slots     uint32
	Queues    []string
	Kinds     []string
	Shell     bool
	User      string
	Host      string
	PID       uint32
	StartedAt time.Time
	Stopping  bool       // a StopRequested reached it
	StopNow   bool       // … that asked to end the running commands
	Running   []Position // keys of the jobs it runs, in order of their claims
}
