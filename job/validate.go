package job

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Validate checks everything that can be checked without a queue. The error wraps ErrInvalid and names
// field, value and range; it is about the first field that is wrong.
//
//   - An id has 1–128 bytes, all of them printable: no control, format (such as bidirectional
//     overrides) or private characters. Selectors of jobs reserve commas, a leading - or @, the words
//     all and last, two numbers with a hyphen (3-7), and two dots in a row (a..b) unless they are an
//     element of a path (../b). All else is ordinary text: ids never become names of files.
//   - A queue and a kind are named like an id, and without spaces; a concurrency key like an id.
//   - A unique key has 1–128 bytes, all of them printable; only with one there may be a scope or a choice for a clash.
//   - Names in the environment are not empty and hold neither = nor NUL; no text that reaches a
//     command holds NUL.
//   - Durations are 0 to [MaxDuration], run_at and created_at in the years 1970 to 2261.
//   - The encoded spec has at most [MaxSpecSize] bytes.
func (s *Spec) Validate() error {
	for _, check := range specChecks {
		if err := check(s); err != nil {
			return err
		}
	}
	return s.checkHooks()
}

// specChecks cost most last.
var specChecks = []func(*Spec) error{
	(*Spec).checkID, (*Spec).checkWork, (*Spec).checkNames, (*Spec).checkTimes, (*Spec).checkNumbers, (*Spec).checkRetries, (*Spec).checkAfter,
	(*Spec).checkUnique, (*Spec).checkEnv, (*Spec).checkSecrets, (*Spec).checkTags, (*Spec).checkInput, (*Spec).checkJSON, (*Spec).checkSize,
}

const wantID = "1 to 128 bytes of printable characters"

func (s *Spec) checkID() error {
	if s.ID == "" {
		return nil
	}
	if err := checkName("id", s.ID); err != nil {
		return err
	}
	if s.ID == "all" || s.ID == "last" || isRange(s.ID) {
		return invalid("id", quoted(s.ID), "something else: all, last, 3-7 and a..b select jobs")
	}
	return nil
}

// isRange says whether the text may mean several jobs: two numbers with a hyphen, or something with
// two dots in a row that are no element of a path.
func isRange(text string) bool {
	if from, to, found := strings.Cut(text, "-"); found && isDigits(from) && isDigits(to) {
		return true
	}
	for element := range strings.SplitSeq(text, "/") {
		if strings.Contains(element, "..") && (element != ".." || element == text) {
			return true
		}
	}
	return false
}

// ParseRange reads a range of jobs by their positions: 3-7 are the jobs that were enqueued by the events 3 to 7.
// ok is false if the text is none, or the first is after the last. No id has this form.
func ParseRange(text string) (from, to Position, ok bool) {
	first, last, found := strings.Cut(text, "-")
	if !found || !isDigits(first) || !isDigits(last) {
		return 0, 0, false
	}
	a, errA := strconv.ParseUint(first, 10, 63)
	b, errB := strconv.ParseUint(last, 10, 63)
	return Position(a), Position(b), errA == nil && errB == nil && a <= b
}

func isDigits(text string) bool { return text != "" && strings.Trim(text, "0123456789") == "" }

// checkName checks what ids, queues, kinds and tags have in common.
func checkName(field, name string) error {
	switch {
	case len(name) > MaxNameSize:
		return invalid(field, quoted(name), fmt.Sprintf("%s, not %d", wantID, len(name)))
	case !utf8.ValidString(name):
		return invalid(field, quoted(name), "valid UTF-8")
	case strings.HasPrefix(name, "-"), strings.HasPrefix(name, "@"), strings.Contains(name, ","):
		return invalid(field, quoted(name), wantID+" with no comma and no leading - or @")
	}
	for _, r := range name {
		if !unicode.IsPrint(r) {
			return invalid(field, quoted(name), wantID+", not "+strconv.QuoteRuneToASCII(r))
		}
	}
	return nil
}

// checkWork checks that there is exactly one thing to do.
func (s *Spec) checkWork() error {
	var given []string
	if s.Command != "" {
		given = append(given, "command")
	}
	if s.Argv != nil {
		given = append(given, "argv")
	}
	if s.Kind != "" {
		given = append(given, "kind")
	}
	switch {
	case len(given) == 0:
		return refusal("nothing to do: one of command, argv and kind is required")
	case len(given) > 1:
		return refusal(strings.Join(given, " and ") + ": only one of them may be given")
	case s.Payload != nil && s.Kind == "":
		return refusal("payload: only a job with a kind has one")
	case s.Command != "":
		return checkCommand("command", s.Command)
	case s.Kind != "":
		return nil
	case len(s.Argv) == 0:
		return invalid("argv", "[]", "the program and its arguments")
	}
	if err := checkCommand("argv[0]", s.Argv[0]); err != nil {
		return err
	}
	for i, arg := range s.Argv {
		if err := checkText("argv["+strconv.Itoa(i)+"]", arg); err != nil {
			return err
		}
	}
	return nil
}

func checkCommand(field, text string) error {
	if strings.TrimSpace(text) == "" {
		return invalid(field, quoted(text), "more than blanks")
	}
	return checkText(field, text)
}

// checkText checks a text that a command gets from the system: as a string that ends with NUL.
func checkText(field, text string) error {
	if !utf8.ValidString(text) {
		return invalid(field, quoted(text), "valid UTF-8")
	}
	if strings.ContainsRune(text, 0) {
		return invalid(field, quoted(text), "text without NUL")
	}
	return nil
}

func (s *Spec) checkNames() error {
	for _, n := range [...]struct{ field, name string }{{"queue", s.Queue}, {"kind", s.Kind}} {
		if n.name == "" {
			continue
		}
		if err := checkWord(n.field, n.name); err != nil {
			return err
		}
	}
	if s.ConcurrencyKey == "" {
		return nil
	}
	return checkName("concurrency_key", s.ConcurrencyKey)
}

// CheckQueue returns an error that wraps ErrInvalid if no queue can have this name.
func CheckQueue(name string) error { return checkWord("queue", name) }

// CheckKind returns an error that wraps ErrInvalid if no job can be of this kind.
func CheckKind(name string) error { return checkWord("kind", name) }

// checkWord checks the name of a queue or kind.
func checkWord(field, name string) error {
	if name == "" || strings.Contains(name, " ") {
		return invalid(field, quoted(name), "a name without spaces")
	}
	return checkName(field, name)
}

// The times that fit Unix nanoseconds, with room for the longest duration on top of now.
var (
	minTime = time.Unix(0, 0).UTC()
	maxTime = time.Date(2262, 1, 1, 0, 0, 0, 0, time.UTC)
)

func (s *Spec) checkTimes() error {
	if !s.RunAt.IsZero() && s.Delay != 0 {
		return refusal("run_at and delay: only one of them may be given")
	}
	if !s.Deadline.IsZero() && s.DeadlineIn != 0 {
		return refusal("deadline: it is a time or a duration, not both")
	}
	if !s.Deadline.IsZero() {
		if err := checkTime("deadline", s.Deadline); err != nil {
			return err
		}
	}
	if !s.RunAt.IsZero() {
		if err := checkTime("run_at", s.RunAt); err != nil {
			return err
		}
	}
	if !s.CreatedAt.IsZero() {
		return checkTime("created_at", s.CreatedAt)
	}
	return nil
}

func checkTime(field string, t time.Time) error {
	if t.Before(minTime) || !t.Before(maxTime) {
		return invalid(field, t.Format(time.RFC3339), "in the years 1970 to 2261")
	}
	return nil
}

func (s *Spec) checkNumbers() error {
	for _, d := range [...]struct {
		field    string
		duration *time.Duration
	}{{"delay", &s.Delay}, {"timeout", s.Timeout}, {"backoff_max", s.BackoffMax}, {"snooze", &s.Snooze}, {"deadline", &s.DeadlineIn}} {
		if d.duration != nil && (*d.duration < 0 || *d.duration > MaxDuration) {
			return invalid(d.field, d.duration.String(), wantDuration)
		}
	}
	if s.MaxRetries != nil && *s.MaxRetries > maxCount {
		return invalid("max_retries", strconv.FormatUint(uint64(*s.MaxRetries), 10), wantWhole(0, maxCount))
	}
	if b := s.BackoffBase; b != nil && !inRange(*b, 1, maxBackoffBase) {
		return invalid("backoff_base", formatReal(*b), wantReal(1, maxBackoffBase))
	}
	if j := s.BackoffJitter; j != nil && !inRange(*j, 0, 1) {
		return invalid("backoff_jitter", formatReal(*j), wantReal(0, 1))
	}
	if s.OnCrash > CrashDead {
		return invalid("on_crash", s.OnCrash.String(), "retry or dead")
	}
	return nil
}

func (s *Spec) checkEnv() error {
	for name, value := range s.Env {
		if name == "" || strings.Contains(name, "=") {
			return invalid("env", quoted(name), "a name without =")
		}
		if err := checkText("env", name); err != nil {
			return err
		}
		if err := checkText("env "+quoted(name), value); err != nil {
			return err
		}
	}
	return nil
}

func (s *Spec) checkTags() error {
	if len(s.Tags) > MaxTags {
		return invalid("tags", strconv.Itoa(len(s.Tags))+" of them", "at most "+strconv.Itoa(MaxTags))
	}
	for name, value := range s.Tags {
		if name == "" || strings.Contains(name, "=") {
			return invalid("tags", quoted(name), "a name without =")
		}
		if err := checkName("tags", name); err != nil {
			return err
		}
		if err := checkText("tags "+quoted(name), value); err != nil {
			return err
		}
		if len(value) > MaxTagLength {
			return invalid("tags "+quoted(name), quoted(value), fmt.Sprintf("at most %d bytes", MaxTagLength))
		}
	}
	return nil
}

func (s *Spec) checkInput() error {
	if err := checkText("cwd", s.Cwd); err != nil {
		return err
	}
	if s.Stdin == "@" {
		return invalid("stdin", quoted(s.Stdin), "text, or @ and the path of a file")
	}
	if !utf8.ValidString(s.Stdin) {
		return invalid("stdin", quoted(s.Stdin), "valid UTF-8")
	}
	return nil
}

func (s *Spec) checkJSON() error {
	for _, j := range [...]struct {
		field, want string
		raw         json.RawMessage
	}{{"payload", "valid JSON", s.Payload}, {"extra", "a JSON object", s.Extra}} {
		if j.raw == nil {
			continue
		}
		object := bytes.HasPrefix(bytes.TrimLeft(j.raw, blanks), []byte("{"))
		if !utf8.Valid(j.raw) || !json.Valid(j.raw) || (j.field == "extra" && !object) {
			return invalid(j.field, quoted(string(j.raw)), j.want)
		}
	}
	return nil
}

// checkSize bounds the encoded form, which it makes only if a rough sum says that it may be needed.
func (s *Spec) checkSize() error {
	const most = 12 // bytes that the encoding adds to a text of this size, or to an entry of a map
	rough := 256 + len(s.Command) + len(s.Payload) + len(s.Cwd) + len(s.Stdin) + len(s.Extra) + len(s.OnComplete) + len(s.OnDead) +
		len(s.Backoff) + most*(len(s.After)+len(s.RetryOn)+len(s.DeadOn)+len(s.SnoozeOn))
	for _, name := range s.SecretEnv {
		rough += len(name) + most
	}
	for _, arg := range s.Argv {
		rough += len(arg) + most
	}
	for _, m := range [...]map[string]string{s.Env, s.Tags} {
		for k, v := range m {
			rough += len(k) + len(v) + 2*most
		}
	}
	if rough+MaxIDLength+3*MaxNameSize <= MaxSpecSize {
		return nil
	}
	size := len(AppendEvent(nil, &JobEnqueued{Spec: *s}))
	if size > MaxSpecSize {
		return tooLarge(size)
	}
	return nil
}

func tooLarge(size int) error {
	return refusal(fmt.Sprintf("spec of %d bytes: must be at most %d bytes", size, MaxSpecSize))
}
