package job

import (
	"encoding/json"
	"time"
)

// Bounds of a spec; see [Spec.Validate].
const (
	MaxSpecSize  = 256 << 10 // bytes of a spec as JSON, and of its encoded form
	MaxIDLength  = 128       // bytes of an id
	MaxNameSize  = 128       // bytes of a queue's, a kind's or a tag's name
	MaxTags      = 64        // tags of a job
	MaxTagLength = 1 << 10   // bytes of a tag's value
	// MaxDuration bounds every duration and delay that a spec or a setting may hold: 100 years.
	MaxDuration = 100 * 365 * 24 * time.Hour
)

// DefaultQueue is the queue of a job that names none.
const DefaultQueue = "default"

// OnCrash says what becomes of a job whose worker died while the job ran.
type OnCrash uint8

// The choices; the zero value is the default. Their numbers are part of the log.
const (
	CrashRetry OnCrash = 0 // due again at once
	CrashDead  OnCrash = 1 // to the dead letter queue: with MaxRetries 0 the job runs at most once
)

// Spec is what its author decides about a job. Exactly one of Command, Argv and Kind is set. Pointers
// are nil when the author said nothing: what then holds is decided by the config, MaxRetries when the
// job is enqueued and all others when a run needs them. A Spec is a value: the queue keeps no
// reference to its maps and slices after a call returns.
//
// All texts are valid UTF-8. The limits are checked by [Spec.Validate].
type Spec struct {
	ID      string          // 1–128 bytes, printable; "" = made by the log
	Command string          // for the shell: /bin/sh -c, on Windows cmd /C
	Argv    []string        // run without a shell
	Kind    string          // for Go handlers: the handler's name
	Payload json.RawMessage // for Go handlers: any JSON; nil = none

	Queue string // "" = "default"
	// ConcurrencyKey names what the job needs for itself: of all jobs with the same key, in all queues, at most
	// one runs at a time. 1–128 bytes, printable; "" = none.
	ConcurrencyKey string
	Priority       int32         // higher first
	RunAt          time.Time     // not before; zero = at once. Excludes Delay
	Delay          time.Duration // not before this long after the enqueue; 0 = at once

	Deadline   time.Time     // no run begins or goes on from then on; zero = none. Excludes DeadlineIn
	DeadlineIn time.Duration // the same, counted from the enqueue; 0 = none

	Timeout       *time.Duration // of one run; 0 = none
	MaxRetries    *uint32        // retries after the first failure; 0–1e9
	Backoff       Backoff        // how the delay between attempts grows; "" = as the setting says
	BackoffBase   *float64       // 1–1e9; delay = base ^ attempts seconds
	BackoffMax    *time.Duration // cap of the delay
	BackoffJitter *float64       // 0–1: up to this share of the delay is added
	OnCrash       OnCrash

	After           []Parent // jobs that have to end first, at most MaxParents; nil = none
	OnParentFailure OnParentFailure

	RetryOn  ExitCodes     // only a failure with one of these is retried; signals and timeouts are. Excludes DeadOn
	DeadOn   ExitCodes     // a failure with one of these is not retried
	SnoozeOn ExitCodes     // a run that ends with one of these counts for nothing: the job waits for Snooze
	Snooze   time.Duration // 0 = DefaultSnooze

	OnComplete json.RawMessage // the hook to enqueue when the job has completed: see ParseHook; nil = none
	OnDead     json.RawMessage // … when it is dead

	Env map[string]string // additions to the worker's environment
	// SecretEnv are names of variables whose values are read when the command starts, and are kept out of the log.
	SecretEnv []string
	Cwd       string            // relative to the directory that enqueue was called from; "" = that one
	Stdin     string            // text for standard input; "@path" = from that file at run time; "" = none
	Tags      map[string]string // at most 64

	// UniqueKey is a name that no two jobs share at a time: which ones count is said by UniqueScope, and by UniqueFor,
	// which lets those count as well that were enqueued so shortly before, unless they were cancelled. What counts is
	// the state of the other jobs when this one is enqueued, whatever they had wished for themselves.
	UniqueKey   string // 1–128 bytes, printable; "" = none
	UniqueScope Scope
	UniqueFor   time.Duration // 0 = none; excludes ScopeWaiting
	OnClash     OnClash       // only for the enqueue: 0 in a job

	CreatedAt time.Time       // kept and shown when given; never used for order
	Extra     json.RawMessage // a JSON object of the fields that queuectl does not know; nil = none
}
