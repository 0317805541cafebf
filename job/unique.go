package job

import (
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"
)

// MaxUniqueKey is how many bytes a unique key may have.
const MaxUniqueKey = 128

// Scope says which jobs with a unique key keep another from being enqueued with it.
type Scope uint8

// The scopes; the zero value is the default. Their numbers are part of the log.
const (
	ScopeActive  Scope = 0 // those that wait or run
	ScopeWaiting Scope = 1 // those that wait: one may run and one wait
)

// OnClash says what becomes of a spec whose unique key a job has.
type OnClash uint8

// The choices; the zero value is the default. They are not in the log: what was decided is.
const (
	ClashRefuse   OnClash = 0 // it is refused
	ClashExisting OnClash = 1 // the job that is there stands for it, and nothing is written
	ClashReplace  OnClash = 2 // the job that is there is cancelled if it waits; one that runs cannot be replaced
)

var onClashNames = [...]string{ClashRefuse: "refuse", ClashExisting: "existing", ClashReplace: "replace"}

func (c OnClash) String() string {
	if int(c) < len(onClashNames) {
		return onClashNames[c]
	}
	return fmt.Sprintf("OnClash(%d)", uint8(c))
}

// ParseOnClash is the inverse of String. It returns ErrInvalid, naming the choices, for any other text.
func ParseOnClash(text string) (OnClash, error) {
	for c, name := range onClashNames {
		if name == text {
			return OnClash(c), nil
		}
	}
	return 0, invalid("on_clash", quoted(text), wantOnClash)
}

const (
	wantOnClash = "refuse, existing or replace"
	wantScope   = "waiting, active, or a duration above 0 such as 90s, 2h, 7d"
)

// parseScope reads a scope: a word, or for how long after the enqueue a key is taken even if no job is active.
func parseScope(text string) (scope Scope, unique time.Duration, err error) {
	switch text {
	case "active":
		return ScopeActive, 0, nil
	case "waiting":
		return ScopeWaiting, 0, nil
	}
	d, err := parseDuration("unique_scope", text)
	if err != nil || d == 0 {
		return 0, 0, invalid("unique_scope", quoted(text), wantScope)
	}
	return ScopeActive, d, nil
}

// UniqueScopeText is what ParseSpec reads as unique_scope; "" = the default.
func (s *Spec) UniqueScopeText() string {
	switch {
	case s.UniqueScope == ScopeWaiting:
		return "waiting"
	case s.UniqueFor != 0:
		return FormatDuration(s.UniqueFor)
	}
	return ""
}

func (s *Spec) checkUnique() error {
	if s.UniqueKey == "" {
		if s.UniqueScope != ScopeActive || s.UniqueFor != 0 || s.OnClash != ClashRefuse {
			return refusal("unique_scope and on_clash: only a job with a unique_key has them")
		}
		return nil
	}
	const want = "1 to 128 bytes of printable characters"
	switch {
	case len(s.UniqueKey) > MaxUniqueKey:
		return invalid("unique_key", quoted(s.UniqueKey), fmt.Sprintf("%s, not %d", want, len(s.UniqueKey)))
	case !utf8.ValidString(s.UniqueKey):
		return invalid("unique_key", quoted(s.UniqueKey), "valid UTF-8")
	case s.UniqueScope > ScopeWaiting, s.UniqueFor != 0 && s.UniqueScope != ScopeActive, s.UniqueFor < 0, s.UniqueFor > MaxDuration:
		return invalid("unique_scope", fmt.Sprintf("%d, %v", s.UniqueScope, s.UniqueFor), wantScope)
	case s.OnClash > ClashReplace:
		return invalid("on_clash", s.OnClash.String(), wantOnClash)
	}
	for _, r := range s.UniqueKey {
		if !unicode.IsPrint(r) {
			return invalid("unique_key", quoted(s.UniqueKey), want)
		}
	}
	return nil
}
