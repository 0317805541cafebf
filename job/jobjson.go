package job

import (
	"bytes"
	"encoding/json"
	"time"
)

// jobJSON is a job as people and programs get it. The first nine fields are always there, null when
// there is nothing to say, and so are the numbers that every job has. Of the others those are left out
// that the job does not have or that its author left to the default. Fields are only ever added.
type jobJSON struct {
	ID            string     `json:"id"`
	Command       *string    `json:"command"` // of a job with argv: the words, quoted for reading
	State         State      `json:"state"`
	Attempts      uint32     `json:"attempts"`
	MaxRetries    uint32     `json:"max_retries"`
	CreatedAt     *time.Time `json:"created_at"`
	UpdatedAt     *time.Time `json:"updated_at"`
	NextAttemptAt *time.Time `json:"next_attempt_at"`
	LastError     *string    `json:"last_error"`

	SpecJSON

	Runs        uint32     `json:"runs"`
	Crashes     uint32     `json:"crashes"`
	ExitCode    *int32     `json:"exit_code,omitempty"`
	Signal      int32      `json:"signal,omitempty"`
	Why         Why        `json:"why,omitempty"`
	StartedAt   *time.Time `json:"started_at,omitempty"`
	FinishedAt  *time.Time `json:"finished_at,omitempty"`
	ParentsLeft uint32     `json:"parents_left,omitempty"`
	KillAsked   bool       `json:"kill_asked,omitempty"`
	Held        bool       `json:"held,omitempty"`
	QueuePaused bool       `json:"queue_paused,omitempty"`
	LeftBehind  []int      `json:"left_behind,omitempty"`

	Position   Position   `json:"position"`
	EnqueuedAt *time.Time `json:"enqueued_at,omitempty"`
	Run        Position   `json:"run,omitempty"`
	Worker     Position   `json:"worker,omitempty"`
	CallerDir  string     `json:"caller_dir,omitempty"`
	CallerPath string     `json:"caller_path,omitempty"`
}

// SpecJSON is what JSON has of a spec, wherever one is told: of a job and of an event. It is without what each of them
// tells in its own way: the id, the command as people read it, max_retries and created_at. What the author left to
// the default is left out.
type SpecJSON struct {
	Argv           []string          `json:"argv,omitempty"`
	Kind           string            `json:"kind,omitempty"`
	Payload        json.RawMessage   `json:"payload,omitempty"`
	Queue          string            `json:"queue"`
	Priority       int32             `json:"priority"`
	ConcurrencyKey string            `json:"concurrency_key,omitempty"`
	RunAt          *time.Time        `json:"run_at,omitempty"`
	Delay          string            `json:"delay,omitempty"`
	Deadline       string            `json:"deadline,omitempty"`
	Timeout        string            `json:"timeout,omitempty"`
	Backoff        Backoff           `json:"backoff,omitempty"`
	BackoffBase    *float64          `json:"backoff_base,omitempty"`
	BackoffMax     string            `json:"backoff_max,omitempty"`
	BackoffJitter  *float64          `json:"backoff_jitter,omitempty"`
	OnCrash        OnCrash           `json:"on_crash,omitempty"`
	After          any               `json:"after,omitempty"` // the parents
	AfterOn        any               `json:"after_on,omitempty"`
	OnParent       OnParentFailure   `json:"on_parent_failure,omitempty"`
	RetryOn        ExitCodes         `json:"retry_on,omitempty"`
	DeadOn         ExitCodes         `json:"dead_on,omitempty"`
	SnoozeOn       ExitCodes         `json:"snooze_on,omitempty"`
	Snooze         string            `json:"snooze,omitempty"`
	UniqueKey      string            `json:"unique_key,omitempty"`
	UniqueScope    string            `json:"unique_scope,omitempty"`
	OnClash        string            `json:"on_clash,omitempty"`
	OnComplete     json.RawMessage   `json:"on_complete,omitempty"`
	OnDead         json.RawMessage   `json:"on_dead,omitempty"`
	Env            map[string]string `json:"env,omitempty"`
	SecretEnv      []string          `json:"secret_env,omitempty"`
	Cwd            string            `json:"cwd,omitempty"`
	Stdin          string            `json:"stdin,omitempty"`
	Tags           map[string]string `json:"tags,omitempty"`
	Extra          json.RawMessage   `json:"extra,omitempty"`
}

// MarshalJSON writes the job as one line: id, command, state, attempts, max_retries, created_at,
// updated_at, next_attempt_at and last_error always and in this order (null when absent), then the
// rest of the spec and of what is known, without what is absent. Times are RFC 3339 in UTC, durations
// as by [FormatDuration], and <, > and & stand for themselves (json.Marshal would escape them again:
// use this method or a json.Encoder with SetEscapeHTML(false)). [ParseSpec] reads what it writes.
func (j Job) MarshalJSON() ([]byte, error) {
	s := &j.Spec
	v := jobJSON{
		ID: s.ID, Command: s.commandLine(), State: j.State, Attempts: j.Attempts, MaxRetries: j.MaxRetries,
		CreatedAt: orNull(j.CreatedAt), UpdatedAt: orNull(j.UpdatedAt), NextAttemptAt: orNull(j.NextAttemptAt),

		SpecJSON: s.JSON(),

		Runs: j.Runs, Crashes: j.Crashes, ExitCode: j.Exit, Signal: j.Signal, Why: j.Why,
		StartedAt: orNull(j.StartedAt), FinishedAt: orNull(j.FinishedAt), KillAsked: j.KillAsked, Held: j.Held,
		QueuePaused: j.QueuePaused, ParentsLeft: j.ParentsLeft,
		LeftBehind: j.LeftBehind,

		Position: j.Key, EnqueuedAt: orNull(j.EnqueuedAt), Run: j.Run, Worker: j.Worker,
		CallerDir: j.CallerDir, CallerPath: j.CallerPath,
	}
	if j.LastError != "" {
		v.LastError = &j.LastError
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// JSON returns what JSON has of the spec. It shares the spec's maps and slices.
func (s *Spec) JSON() SpecJSON {
	v := SpecJSON{
		Argv: s.Argv, Kind: s.Kind, Payload: s.Payload, Queue: s.Queue, Priority: s.Priority, ConcurrencyKey: s.ConcurrencyKey,
		RunAt: orNull(s.RunAt), Delay: orNothing(s.Delay), Deadline: s.DeadlineText(), Timeout: orAbsent(s.Timeout),
		Backoff: s.Backoff, BackoffBase: s.BackoffBase, BackoffMax: orAbsent(s.BackoffMax), BackoffJitter: s.BackoffJitter,
		OnCrash: s.OnCrash, OnParent: s.OnParentFailure,
		RetryOn: s.RetryOn, DeadOn: s.DeadOn, SnoozeOn: s.SnoozeOn, Snooze: orNothing(s.Snooze),
		UniqueKey: s.UniqueKey, UniqueScope: s.UniqueScopeText(), OnComplete: s.OnComplete, OnDead: s.OnDead,
		Env: s.Env, SecretEnv: s.SecretEnv, Cwd: s.Cwd, Stdin: s.Stdin, Tags: s.Tags, Extra: s.Extra,
	}
	if v.Queue == "" {
		v.Queue = DefaultQueue
	}
	if s.OnClash != ClashRefuse {
		v.OnClash = s.OnClash.String()
	}
	if names, on := s.afterJSON(); names != nil {
		v.After, v.AfterOn = names, on
	}
	return v
}

// commandLine is the command as people read it, nil for a job of a kind.
func (s *Spec) commandLine() *string {
	switch {
	case s.Argv != nil:
		return new(Quote(s.Argv))
	case s.Command != "":
		return &s.Command
	}
	return nil
}

// DeadlineText returns the deadline as the JSON form has it: a time, or a duration from the enqueue. "" = none.
func (s *Spec) DeadlineText() string {
	switch {
	case !s.Deadline.IsZero():
		return s.Deadline.UTC().Format(time.RFC3339Nano)
	case s.DeadlineIn != 0:
		return FormatDuration(s.DeadlineIn)
	}
	return ""
}

func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return new(t.UTC())
}

func orNothing(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return FormatDuration(d)
}

func orAbsent(d *time.Duration) string {
	if d == nil {
		return ""
	}
	return FormatDuration(*d)
}
