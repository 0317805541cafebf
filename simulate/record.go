package simulate

import (
	"math"
	"strings"
	"time"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/scheduler"
)

// Record is what a log says about its jobs and workers, in the form that a simulation needs. It is never
// changed: any number of simulations may run on it. Get one from [Recorder.Record].
//
// Its times are those of a clock that never runs backward: where the wall clock was set back, the time
// between two commits counts as none.
type Record struct {
	logID      [16]byte
	start, end int64 // Unix nanoseconds
	settings   map[string]string
	opened     []opened // jobs that waited or ran at the start, in order of enqueue
	crews      []crew   // those there at the start come first
	there      int      // how many of them were
	script     []op     // in order
	changes    []change // of settings
	edits      []decide.Edit
	held       []job.Event // what held queues back at the start
	steered    []job.Event // what people did to queues later
	jobs       []entrant
	measured   int   // of them, those that ended
	hooks      int   // of them, those that are the hooks of others
	runs       []run // in the order of their ends; those of a job are linked
	pools      pools
	kinds      []string // of jobs, each once
	base       float64  // back-off base that workers had brought with them; 0 = none was seen
	recorded   *meter
}

// Span returns the first and the last moment of the record.
func (r *Record) Span() (start, end time.Time) { return instant(r.start), instant(r.end) }

// Open returns the number of jobs that had not ended when the record did.
func (r *Record) Open() int { return len(r.jobs) - r.measured }

// Hooks returns the number of jobs that were the hooks of others. In a simulation they come when they came, but not
// before their jobs have ended; none is made for a job that ends in another way than it did.
func (r *Record) Hooks() int { return r.hooks }

// Measures returns what really was.
func (r *Record) Measures() Measures { return r.recorded.measures(r) }

func instant(ns int64) time.Time { return time.Unix(0, ns).UTC() }

// entrant is a job of the record. What it would do is left out: nothing is run.
type entrant struct {
	queue, kind string
	key         string // that only one job at a time may have; "" = none
	priority    int32
	maxRetries  uint32
	ownRetries  bool // its author said how many; otherwise the setting did
	onCrash     job.OnCrash
	parents     []kin
	onParent    job.OnParentFailure
	deadline    int64   // 0 = none
	limits      *limits // nil = its author set none
	enqueued    int64
	due         int64  // 0 = at once
	failed      uint32 // attempts that it comes with: it died before the record began, and was retried as it was
	lost        uint32 // … and crashes
	first       int32  // of its whole runs; none = it has none
	ended       bool   // at the end of the record: what became of it is known
}

// limits are what few specs have.
type limits struct {
	timeout, backoffMax        *time.Duration
	backoffBase, backoffJitter *float64
	backoff                    job.Backoff
	retryOn, deadOn            job.ExitCodes
}

// limitsOf returns what a spec says of its runs and retries, nil if that is nothing.
func limitsOf(s *job.Spec) *limits {
	l := limits{
		timeout: s.Timeout, backoffMax: s.BackoffMax, backoffBase: s.BackoffBase, backoffJitter: s.BackoffJitter,
		backoff: s.Backoff, retryOn: s.RetryOn, deadOn: s.DeadOn,
	}
	none := l.timeout == nil && l.backoffMax == nil && l.backoffBase == nil && l.backoffJitter == nil
	if none && l.backoff == "" && l.retryOn == nil && l.deadOn == nil {
		return nil
	}
	l.backoff = job.Backoff(strings.Clone(string(l.backoff))) // it would keep the whole event
	return &l
}

// none is the number of no job, run, worker or step of the script.
const none = -1

// spec returns the job as it is enqueued in a simulation at the given time.
func (e *entrant) spec(id string) job.Spec {
	s := job.Spec{
		ID: id, Queue: e.queue, Kind: e.kind, Priority: e.priority, OnCrash: e.onCrash, ConcurrencyKey: e.key, OnParentFailure: e.onParent,
	}
	for _, p := range e.parents {
		s.After = append(s.After, job.Parent{ID: idOf(p.number), On: p.on})
	}
	if len(s.After) == 0 {
		s.OnParentFailure = job.ParentDead
	}
	if e.deadline != 0 {
		s.Deadline = instant(e.deadline)
	}
	if e.kind == "" {
		s.Command = ":" // a shell job: the lane is what matters
	}
	if e.ownRetries {
		s.MaxRetries = new(e.maxRetries)
	}
	if e.due != 0 {
		s.RunAt = instant(e.due)
	}
	if l := e.limits; l != nil {
		s.Timeout, s.BackoffMax, s.BackoffBase, s.BackoffJitter = l.timeout, l.backoffMax, l.backoffBase, l.backoffJitter
		s.Backoff = l.backoff
		if e.kind == "" {
			s.RetryOn, s.DeadOn = l.retryOn, l.deadOn
		}
	}
	return s
}

// opened is what had become of a job before the start of the record.
type opened struct {
	job               int32
	state             job.State
	attempts, crashes uint32
	since             int64 // when it might run
	due               int64 // 0 = at once
	crew              int32 // that runs it; none = it waits
	claimed           int64
	held              bool
}

// run is a run of the record.
type run struct {
	held    int64         // ns from its claim to the commit of its outcome: the slot was taken that long
	took    int64         // ns that its command or handler took
	why     job.Why       // it failed; WhyNone = it went well
	timeout time.Duration // that it ran into; 0 = it did not
	exit    int32         // code; it means nothing unless why is exit
	next    int32         // of the same job
	cut     cut
}

// cut says what ended a run before its time. How long it would have lasted is not known, but that it lasted
// as long as it did.
type cut uint8

const (
	whole cut = iota // it ended by itself: its length and its outcome are the job's own
	asked            // somebody asked for its end
	lost             // its worker died; nobody knows when
)

// crew is a worker.
type crew struct {
	slots  int
	lanes  scheduler.Lanes
	halted bool // it was asked to stop before the record began
}

// op is a step of the script: what people and machines did, in order.
type op struct {
	at   int64
	what what
	subj int32 // number of the job, the crew or the change of a setting
	keep bool  // a retry leaves attempts and crashes as they are
	wait int64 // ns from a request to end a run to the end of that run, or from a retry to when the job is due; of an edit its number
}

type what uint8

const (
	arrive    what = iota // a job is enqueued
	retry                 // somebody brings a dead or failed job back
	retryDead             // … a dead one
	cancel                // somebody cancels a job, waiting or running
	doom                  // it dies because of a job from before the record
	kill                  // somebody ends a run
	hold                  // somebody holds a job
	release               // somebody releases it
	amend                 // somebody edits it
	set                   // a setting is changed
	steer                 // a queue is paused, resumed or limited
	begin                 // a worker starts
	halt                  // it is asked to stop, and claims nothing more
	giveBack              // it gives back what it runs
	leave                 // it stops
	leaveIdle             // it stops as soon as nothing is left for it
	lose                  // its process dies
)

// change is a setting with its new value, "" = the default.
type change struct{ key, value string }

// later returns the moment that is d after t, or the last one that there is.
func later(t, d int64) int64 {
	if d > 0 && t > math.MaxInt64-d {
		return math.MaxInt64
	}
	return t + d
}
