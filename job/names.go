package job

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

var kindNames = map[Kind]string{
	KindLogCreated:    "LogCreated",
	KindLogRepaired:   "LogRepaired",
	KindClockStepped:  "ClockStepped",
	KindLogRestored:   "LogRestored",
	KindArchivePruned: "ArchivePruned",
	KindConfigSet:     "ConfigSet",
	KindConfigUnset:   "ConfigUnset",
	KindJobEnqueued:   "JobEnqueued",
	KindJobClaimed:    "JobClaimed",
	KindJobCompleted:  "JobCompleted",
	KindJobFailed:     "JobFailed",
	KindJobDied:       "JobDied",
	KindRunLost:       "RunLost",
	KindRunReturned:   "RunReturned",
	KindJobRetried:    "JobRetried",
	KindJobCancelled:  "JobCancelled",
	KindKillRequested: "KillRequested",
	KindJobHeld:       "JobHeld",
	KindJobReleased:   "JobReleased",
	KindJobEdited:     "JobEdited",
	KindJobsForgotten: "JobsForgotten",
	KindJobsPurged:    "JobsPurged",
	KindWorkerStarted: "WorkerStarted",
	KindWorkerStopped: "WorkerStopped",
	KindStopRequested: "StopRequested",
	KindWorkerLost:    "WorkerLost",
	KindQueuePaused:   "QueuePaused",
	KindQueueResumed:  "QueueResumed",
	KindQueueLimited:  "QueueLimited",
	KindCronAdded:     "CronAdded",
	KindCronChanged:   "CronChanged",
	KindCronRemoved:   "CronRemoved",
	KindCronTicked:    "CronTicked",
}

// String returns the name of the kind's event, "Kind(99)" for a kind that this program does not know.
func (k Kind) String() string {
	if name, ok := kindNames[k]; ok {
		return name
	}
	return fmt.Sprintf("Kind(%d)", uint16(k))
}

// ParseKind is the inverse of String, except that case does not matter. For any other text it returns an
// error that wraps ErrInvalid and names the kind that was probably meant, or all of them.
func ParseKind(text string) (Kind, error) {
	known := make([]string, 0, len(kindNames))
	for _, k := range slices.Sorted(maps.Keys(kindNames)) {
		if strings.EqualFold(text, kindNames[k]) {
			return k, nil
		}
		known = append(known, kindNames[k])
	}
	var number uint16
	if n, err := fmt.Sscanf(strings.ToLower(text), "kind(%d)", &number); n == 1 && err == nil && number != 0 {
		return Kind(number), nil
	}
	hint := ""
	if near := nearest(text, known); near != "" {
		hint = "did you mean " + near + "? "
	}
	return 0, refusal(fmt.Sprintf("no kind of event is called %s: %sthe kinds are %s", quoted(text), hint, strings.Join(known, ", ")))
}

// UnmarshalText reads a kind's name; see [ParseKind].
func (k *Kind) UnmarshalText(text []byte) (err error) {
	*k, err = ParseKind(string(text))
	return err
}

var whyNames = [...]string{
	WhyNone: "none", WhyExit: "exit", WhySignal: "signal", WhyTimeout: "timeout",
	WhyRetries: "retries", WhyCrashes: "crashes", WhyOnCrash: "on_crash", WhyStop: "stop",
	WhyError: "error", WhyNotStarted: "not_started",
	WhySnooze: "snooze", WhyDependency: "dependency", WhyDeadline: "deadline",
}

func (w Why) String() string {
	if int(w) < len(whyNames) && whyNames[w] != "" {
		return whyNames[w]
	}
	return fmt.Sprintf("Why(%d)", uint8(w))
}

// MarshalText writes the reason's name.
func (w Why) MarshalText() ([]byte, error) { return []byte(w.String()), nil }

var onCrashNames = [...]string{CrashRetry: "retry", CrashDead: "dead"}

func (c OnCrash) String() string {
	if int(c) < len(onCrashNames) {
		return onCrashNames[c]
	}
	return fmt.Sprintf("OnCrash(%d)", uint8(c))
}

// ParseOnCrash is the inverse of String. It returns ErrInvalid, naming the choices, for any other text.
func ParseOnCrash(text string) (OnCrash, error) {
	for c, name := range onCrashNames {
		if name == text {
			return OnCrash(c), nil
		}
	}
	return 0, invalid("on_crash", quoted(text), "retry or dead")
}

// MarshalText writes the choice's name.
func (c OnCrash) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads a choice's name; see [ParseOnCrash].
func (c *OnCrash) UnmarshalText(text []byte) (err error) {
	*c, err = ParseOnCrash(string(text))
	return err
}
