package job

import (
	"encoding/json"
	"math"
	"time"

	"pgregory.net/rapid"
)

// events generates events of every kind as they are after decoding: lists and maps that are empty are
// nil, times are UTC, a queue is never "".
var events = rapid.OneOf(
	asEvent(rapid.Custom(func(t *rapid.T) *JobEnqueued {
		return &JobEnqueued{Spec: specs().Draw(t, "spec"), Due: times.Draw(t, "due")}
	})),
	asEvent(rapid.Custom(func(t *rapid.T) JobClaimed {
		return JobClaimed{Job: positions.Draw(t, "job"), Worker: positions.Draw(t, "worker")}
	})),
	asEvent(rapid.Custom(func(t *rapid.T) *JobCompleted {
		return &JobCompleted{Job: positions.Draw(t, "job"), Run: positions.Draw(t, "run"), Result: results.Draw(t, "result")}
	})),
	asEvent(rapid.Custom(func(t *rapid.T) *JobFailed {
		return &JobFailed{
			Job: positions.Draw(t, "job"), Run: positions.Draw(t, "run"), Why: whys.Draw(t, "why"),
			Result: results.Draw(t, "result"), NextAttemptAt: times.Draw(t, "next"),
		}
	})),
	asEvent(rapid.Custom(func(t *rapid.T) *JobDied {
		return &JobDied{
			Job: positions.Draw(t, "job"), Run: positions.Draw(t, "run"), Why: whys.Draw(t, "why"),
			Failure: whys.Draw(t, "failure"), Result: results.Draw(t, "result"), Parent: positions.Draw(t, "parent"),
		}
	})),
	asEvent(rapid.Custom(func(t *rapid.T) RunLost {
		return RunLost{Job: positions.Draw(t, "job"), Run: positions.Draw(t, "run"), Worker: positions.Draw(t, "worker")}
	})),
	asEvent(rapid.Custom(func(t *rapid.T) RunReturned {
		return RunReturned{
			Job: positions.Draw(t, "job"), Run: positions.Draw(t, "run"), Why: whys.Draw(t, "why"), Due: times.Draw(t, "due"),
		}
	})),
	asEvent(rapid.Custom(func(t *rapid.T) JobRetried {
		return JobRetried{
			DeadlineLifted: rapid.Bool().Draw(t, "deadline lifted"),
			Job:            positions.Draw(t, "job"), From: rapid.SampledFrom(States[:]).Draw(t, "from"), Reset: rapid.Bool().Draw(t, "reset"),
			Due: times.Draw(t, "due"),
		}
	})),
	asEvent(rapid.Custom(func(t *rapid.T) *JobCancelled {
		return &JobCancelled{
			Job: positions.Draw(t, "job"), Run: positions.Draw(t, "run"), Result: results.Draw(t, "result"), Parent: positions.Draw(t, "parent"),
		}
	})),
	asEvent(rapid.Custom(func(t *rapid.T) KillRequested {
		return KillRequested{
			Job: positions.Draw(t, "job"), Run: positions.Draw(t, "run"),
			Signal: rapid.Int32().Draw(t, "signal"), Cancel: rapid.Bool().Draw(t, "cancel"),
		}
	})),
	asEvent(rapid.Custom(func(t *rapid.T) JobHeld { return JobHeld{Job: positions.Draw(t, "job")} })),
	asEvent(rapid.Custom(func(t *rapid.T) JobReleased { return JobReleased{Job: positions.Draw(t, "job")} })),
	asEvent(rapid.Custom(func(t *rapid.T) *JobEdited {
		return &JobEdited{
			Job: positions.Draw(t, "job"), Fields: lists.Draw(t, "fields"),
			Old: JobEnqueued{Spec: specs().Draw(t, "old"), Due: times.Draw(t, "old due")},
			New: JobEnqueued{Spec: specs().Draw(t, "new"), Due: times.Draw(t, "new due")},
		}
	})),
	asEvent(rapid.Custom(func(t *rapid.T) JobsForgotten {
		return JobsForgotten{
			Queue: rapid.String().Draw(t, "queue"), State: rapid.SampledFrom(States[:]).Draw(t, "state"),
			Through: positions.Draw(t, "through"), Jobs: rapid.Uint64().Draw(t, "jobs"),
		}
	})),
	asEvent(rapid.Custom(func(t *rapid.T) *JobsPurged {
		jobs := rapid.SliceOfN(positions, 0, 3).Draw(t, "jobs")
		if len(jobs) == 0 {
			jobs = nil
		}
		return &JobsPurged{Jobs: jobs}
	})),
	asEvent(rapid.Custom(func(t *rapid.T) *WorkerStarted {
		return &WorkerStarted{
			ID: rapid.String().Draw(t, "id"), Slots: rapid.Uint32().Draw(t, "slots"),
			Queues: lists.Draw(t, "queues"), Kinds: lists.Draw(t, "kinds"), Shell: rapid.Bool().Draw(t, "shell"),
		}
	})),
	asEvent(rapid.Custom(func(t *rapid.T) WorkerStopped {
		return WorkerStopped{Worker: positions.Draw(t, "worker"), Why: rapid.String().Draw(t, "why")}
	})),
	asEvent(rapid.Custom(func(t *rapid.T) StopRequested {
		return StopRequested{Worker: positions.Draw(t, "worker"), Now: rapid.Bool().Draw(t, "now")}
	})),
	asEvent(rapid.Custom(func(t *rapid.T) WorkerLost { return WorkerLost{Worker: positions.Draw(t, "worker")} })),
	asEvent(rapid.Custom(func(t *rapid.T) QueuePaused { return QueuePaused{Queue: rapid.String().Draw(t, "queue")} })),
	asEvent(rapid.Custom(func(t *rapid.T) QueueResumed { return QueueResumed{Queue: rapid.String().Draw(t, "queue")} })),
	asEvent(rapid.Custom(func(t *rapid.T) QueueLimited {
		return QueueLimited{
			Queue:       rapid.String().Draw(t, "queue"),
			Concurrency: rapid.Uint32().Draw(t, "concurrency"), Rate: rapid.Uint32().Draw(t, "rate"), Per: durations.Draw(t, "per"),
		}
	})),
	asEvent(rapid.Custom(func(t *rapid.T) *CronAdded {
		return &CronAdded{New: crons().Draw(t, "cron"), Next: times.Draw(t, "next")}
	})),
	asEvent(rapid.Custom(func(t *rapid.T) *CronChanged {
		e := &CronChanged{Cron: positions.Draw(t, "cron"), Paused: rapid.Bool().Draw(t, "paused"), Next: times.Draw(t, "next")}
		if rapid.Bool().Draw(t, "new") {
			e.New = new(crons().Draw(t, "new cron"))
		}
		return e
	})),
	asEvent(rapid.Custom(func(t *rapid.T) CronRemoved { return CronRemoved{Cron: positions.Draw(t, "cron")} })),
	asEvent(rapid.Custom(func(t *rapid.T) CronTicked {
		return CronTicked{
			Cron: positions.Draw(t, "cron"), Tick: times.Draw(t, "tick"), Since: times.Draw(t, "since"),
			Made: positions.Draw(t, "made"), Skip: Skip(rapid.IntRange(0, len(skipNames)-1).Draw(t, "skip")), Next: times.Draw(t, "next"),
		}
	})),
	asEvent(rapid.Custom(func(t *rapid.T) LogCreated {
		return LogCreated{
			LogID:  [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id")),
			Format: rapid.Uint32().Draw(t, "format"), Level: rapid.Uint32().Draw(t, "level"),
		}
	})),
	asEvent(rapid.Custom(func(t *rapid.T) LogRepaired {
		return LogRepaired{
			Segment: rapid.String().Draw(t, "segment"), Offset: rapid.Int64().Draw(t, "offset"), Size: rapid.Int64().Draw(t, "size"),
			CRC: rapid.Uint32().Draw(t, "crc"), Quarantine: rapid.String().Draw(t, "quarantine"), Verdict: rapid.String().Draw(t, "verdict"),
			Accepted: rapid.String().Draw(t, "accepted"), Events: rapid.Uint64().Draw(t, "events"),
			FirstCommit: rapid.Uint64().Draw(t, "first commit"), LastCommit: rapid.Uint64().Draw(t, "last commit"),
			FirstPosition: Position(rapid.Uint64().Draw(t, "first")), LastPosition: Position(rapid.Uint64().Draw(t, "last")),
		}
	})),
	asEvent(rapid.Custom(func(t *rapid.T) ClockStepped {
		return ClockStepped{From: times.Draw(t, "from"), To: times.Draw(t, "to")}
	})),
	asEvent(rapid.Custom(func(t *rapid.T) LogRestored {
		return LogRestored{
			Commit: rapid.Uint64().Draw(t, "commit"), Head: [32]byte(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "head")),
			Backup: times.Draw(t, "backup"), From: rapid.String().Draw(t, "from"),
		}
	})),
	asEvent(rapid.Custom(func(t *rapid.T) ArchivePruned {
		hash := rapid.SliceOfN(rapid.Byte(), 32, 32)
		return ArchivePruned{
			First: rapid.Uint64().Draw(t, "first"), Last: rapid.Uint64().Draw(t, "last"),
			From: Position(rapid.Uint64().Draw(t, "from")), To: Position(rapid.Uint64().Draw(t, "to")),
			Head: [32]byte(hash.Draw(t, "head")), Base: [32]byte(hash.Draw(t, "base")),
		}
	})),
	asEvent(rapid.Custom(func(t *rapid.T) ConfigSet {
		return ConfigSet{Key: rapid.String().Draw(t, "key"), Old: rapid.String().Draw(t, "old"), New: rapid.String().Draw(t, "new")}
	})),
	asEvent(rapid.Custom(func(t *rapid.T) ConfigUnset {
		return ConfigUnset{Key: rapid.String().Draw(t, "key"), Old: rapid.String().Draw(t, "old")}
	})),
)

func asEvent[E Event](g *rapid.Generator[E]) *rapid.Generator[Event] {
	return rapid.Map(g, func(e E) Event { return e })
}

var (
	positions = rapid.Map(rapid.OneOf(rapid.Uint64Range(0, 300), rapid.Uint64()), func(v uint64) Position { return Position(v) })
	times     = rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(1.7e18, 1.8e18), rapid.Int64())
	durations = rapid.Map(rapid.Int64(), func(v int64) time.Duration { return time.Duration(v) })
	whys      = rapid.Map(rapid.IntRange(0, len(whyNames)-1), func(v int) Why { return Why(v) })
	lists     = rapid.Map(rapid.SliceOfN(rapid.String(), 0, 4), nilIfEmpty[[]string])
	textMaps  = rapid.Map(rapid.MapOfN(rapid.String(), rapid.String(), 0, 4), nilMap)
	blobs     = rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 300), nilIfEmpty[[]byte])
)

func nilIfEmpty[S ~[]E, E any](s S) S {
	if len(s) == 0 {
		return nil
	}
	return s
}

var results = rapid.Custom(func(t *rapid.T) Result {
	if rapid.IntRange(0, 9).Draw(t, "none") == 0 {
		return Result{}
	}
	return Result{
		Exit: rapid.Int32().Draw(t, "exit"), Signal: rapid.Int32().Draw(t, "signal"),
		Start: times.Draw(t, "start"), End: times.Draw(t, "end"), CPU: durations.Draw(t, "cpu"),
		MaxRSS: rapid.Int64().Draw(t, "rss"), OutputSize: rapid.Int64().Draw(t, "size"),
		Tail: string(blobs.Draw(t, "tail")), LeftBehind: rapid.Bool().Draw(t, "left"), Timeout: durations.Draw(t, "timeout"),
	}
})

// crons generates schedules as they are in an event.
func crons() *rapid.Generator[Cron] {
	return rapid.Custom(func(t *rapid.T) Cron {
		return Cron{
			Name: rapid.String().Draw(t, "name"), Schedule: rapid.String().Draw(t, "schedule"), Zone: rapid.String().Draw(t, "zone"),
			Missed: Missed(rapid.IntRange(0, len(missedNames)-1).Draw(t, "missed")), Overlap: Overlap(rapid.IntRange(0, 1).Draw(t, "overlap")),
			Job: specs().Draw(t, "job"),
		}
	})
}

// specs generates specs as they are in an event: anything that has the right types.
func specs() *rapid.Generator[Spec] {
	return rapid.Custom(func(t *rapid.T) Spec {
		s := Spec{
			ID: rapid.String().Draw(t, "id"), Command: rapid.String().Draw(t, "command"), Argv: lists.Draw(t, "argv"),
			Kind: rapid.String().Draw(t, "kind"), Payload: blobs.Draw(t, "payload"),
			Queue:    rapid.StringN(1, 20, -1).Draw(t, "queue"),
			Priority: rapid.Int32().Draw(t, "priority"),
			Timeout:  rapid.Ptr(durations, true).Draw(t, "timeout"), MaxRetries: rapid.Ptr(rapid.Uint32(), true).Draw(t, "retries"),
			BackoffBase:   rapid.Ptr(rapid.Float64(), true).Draw(t, "base"),
			BackoffMax:    rapid.Ptr(durations, true).Draw(t, "max"),
			BackoffJitter: rapid.Ptr(rapid.Float64(), true).Draw(t, "jitter"),
			OnCrash:       rapid.SampledFrom([]OnCrash{CrashRetry, CrashDead}).Draw(t, "on_crash"),
			UniqueKey:     rapid.String().Draw(t, "unique_key"), UniqueScope: rapid.SampledFrom([]Scope{ScopeActive, ScopeWaiting}).Draw(t, "scope"),
			UniqueFor: time.Duration(rapid.Int64().Draw(t, "unique_for")),
			Backoff:   Backoff(rapid.String().Draw(t, "backoff")),
			RetryOn:   exitCodes.Draw(t, "retry_on"), DeadOn: exitCodes.Draw(t, "dead_on"), SnoozeOn: exitCodes.Draw(t, "snooze_on"),
			Snooze: durations.Draw(t, "snooze"), DeadlineIn: durations.Draw(t, "deadline_in"), SecretEnv: lists.Draw(t, "secret_env"),
			Env: textMaps.Draw(t, "env"), Tags: textMaps.Draw(t, "tags"),
			Cwd: rapid.String().Draw(t, "cwd"), Stdin: rapid.String().Draw(t, "stdin"), Extra: blobs.Draw(t, "extra"),
			ConcurrencyKey: rapid.String().Draw(t, "concurrency key"),
			OnComplete:     blobs.Draw(t, "on_complete"), OnDead: blobs.Draw(t, "on_dead"),
		}
		if s.After = parents.Draw(t, "after"); s.After != nil {
			s.OnParentFailure = rapid.SampledFrom([]OnParentFailure{ParentDead, ParentCancel, ParentRelease}).Draw(t, "on_parent_failure")
		}
		if rapid.Bool().Draw(t, "deadline") {
			s.Deadline = time.Unix(0, rapid.Int64().Draw(t, "deadline at")).UTC()
		}
		if rapid.Bool().Draw(t, "created") {
			s.CreatedAt = time.Unix(0, rapid.Int64().Draw(t, "created_at")).UTC()
		}
		return s
	})
}

// validSpecs generates specs that Validate accepts and that ParseSpec may return: with exactly one
// thing to do, and JSON that is compact.
func validSpecs() *rapid.Generator[Spec] {
	const printable = `[a-zA-Z0-9 _.:/<>&é→😀]`
	return rapid.Custom(func(t *rapid.T) Spec {
		s := Spec{
			ID:       rapid.StringMatching(`[a-z]`+printable+`{0,20}z`).Filter(func(id string) bool { return !isRange(id) }).Draw(t, "id"),
			Queue:    rapid.StringMatching(`[a-zé]{1,10}`).Draw(t, "queue"),
			Priority: rapid.Int32().Draw(t, "priority"),
			OnCrash:  rapid.SampledFrom([]OnCrash{CrashRetry, CrashDead}).Draw(t, "on_crash"),
			Timeout:  rapid.Ptr(validDurations, true).Draw(t, "timeout"), BackoffMax: rapid.Ptr(validDurations, true).Draw(t, "max"),
			MaxRetries:    new(rapid.Uint32Range(0, maxCount).Draw(t, "retries")),
			BackoffBase:   rapid.Ptr(rapid.Float64Range(1, maxBackoffBase), true).Draw(t, "base"),
			BackoffJitter: rapid.Ptr(rapid.Float64Range(0, 1), true).Draw(t, "jitter"),
			Backoff:       rapid.SampledFrom([]Backoff{"", BackoffLinear, BackoffFixed, BackoffExponential, "1s,1m30s,24h", "0"}).Draw(t, "backoff"),
			Env:           nilMap(rapid.MapOfN(rapid.StringMatching(`[A-Z]{1,5}`), freeText, 0, 3).Draw(t, "env")),
			Tags:          nilMap(rapid.MapOfN(rapid.StringMatching(`[a-z]{1,5}`), freeText, 0, 3).Draw(t, "tags")),
			Cwd:           freeText.Draw(t, "cwd"), Stdin: freeText.Filter(func(s string) bool { return s != "@" }).Draw(t, "stdin"),
			CreatedAt:      validTimes.Draw(t, "created_at"),
			RunAt:          validTimes.Draw(t, "run_at"),
			Deadline:       validTimes.Draw(t, "deadline"),
			ConcurrencyKey: rapid.StringMatching(`([a-z]`+printable+`{0,20})?`).Draw(t, "concurrency key"),
		}
		if s.UniqueKey = rapid.StringMatching(`[a-zé :/]{0,20}`).Draw(t, "unique_key"); s.UniqueKey != "" {
			s.OnClash = rapid.SampledFrom([]OnClash{ClashRefuse, ClashExisting, ClashReplace}).Draw(t, "on_clash")
			s.UniqueScope = rapid.SampledFrom([]Scope{ScopeActive, ScopeWaiting}).Draw(t, "scope")
			if s.UniqueScope == ScopeActive {
				s.UniqueFor = validDurations.Draw(t, "unique_for")
			}
		}
		if s.Deadline.IsZero() {
			s.DeadlineIn = validDurations.Draw(t, "deadline_in")
		}
		hooks := rapid.SampledFrom([]json.RawMessage{nil, json.RawMessage(`"echo <hi>"`), json.RawMessage(`{"url":"https://example.com","max_retries":1}`)})
		s.OnComplete, s.OnDead = hooks.Draw(t, "on_complete"), hooks.Draw(t, "on_dead")
		switch rapid.IntRange(0, 2).Draw(t, "work") {
		case 0:
			s.SecretEnv = rapid.SampledFrom([][]string{nil, {"_a1"}, {"x", "y"}}).Draw(t, "secret_env")
			if codes := validCodes.Draw(t, "codes"); rapid.Bool().Draw(t, "retry_on") {
				s.RetryOn = codes
			} else {
				s.DeadOn = codes
			}
			if rapid.Bool().Draw(t, "snooze_on") {
				s.SnoozeOn, s.Snooze = ExitCodes{300, 301}, validDurations.Draw(t, "snooze")
			}
			s.Command = rapid.StringMatching(`[a-z]`+printable+`{0,40}`).Draw(t, "command")
		case 1:
			s.Argv = append([]string{"make"}, rapid.SliceOfN(freeText, 0, 4).Draw(t, "argv")...)
		default:
			s.Kind = rapid.StringMatching(`[a-z]{1,10}`).Draw(t, "kind")
			s.Payload = rapid.SampledFrom([]json.RawMessage{nil, json.RawMessage(`null`), json.RawMessage(`{"a":[1,"<b>"]}`)}).Draw(t, "payload")
		}
		if rapid.Bool().Draw(t, "after") {
			s.After = []Parent{{ID: "one"}, {ID: "é two"}}[:rapid.IntRange(1, 2).Draw(t, "parents")]
			for i := range s.After {
				s.After[i].On = afterOns.Draw(t, "after_on")
			}
			s.OnParentFailure = rapid.SampledFrom([]OnParentFailure{ParentDead, ParentCancel, ParentRelease}).Draw(t, "on_parent_failure")
		}
		if rapid.Bool().Draw(t, "extra") {
			s.Extra = json.RawMessage(`{"colour":"<red>","size":1e3}`)
		}
		return s
	})
}

var (
	afterOns = rapid.SampledFrom([]AfterOn{OnSuccess, OnFailure, OnAny})
	parents  = rapid.Map(rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Parent {
		return Parent{Key: positions.Draw(t, "parent"), On: afterOns.Draw(t, "after_on")}
	}), 0, 4), nilIfEmpty[[]Parent])

	exitCodes  = rapid.Map(rapid.SliceOfN(rapid.Int32(), 0, 4), nilIfEmpty[[]int32])
	validCodes = rapid.Map(rapid.SliceOfN(rapid.Int32Range(1, 255), 0, 4), func(c []int32) ExitCodes { return nilIfEmpty(ExitCodes(c).tidy()) })

	freeText       = rapid.Map(rapid.String(), func(s string) string { return string(removeNUL([]rune(s))) })
	validDurations = rapid.Map(rapid.Int64Range(0, int64(MaxDuration)), func(v int64) time.Duration { return time.Duration(v) })
	validTimes     = rapid.Map(rapid.Int64Range(-1, math.MaxInt64/2), func(v int64) time.Time {
		if v < 0 {
			return time.Time{}
		}
		return time.Unix(0, v).UTC()
	})
)

func removeNUL(text []rune) []rune {
	var kept []rune
	for _, r := range text {
		if r != 0 {
			kept = append(kept, r)
		}
	}
	return kept
}

func nilMap(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	return m
}
