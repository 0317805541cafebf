package job

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// HookQueue is the queue of a hook that names none.
const HookQueue = "hooks"

// What the environment of a hook's command has of the job that it is a hook of.
const (
	HookJob      = "QUEUECTL_HOOK_JOB"       // its id
	HookState    = "QUEUECTL_HOOK_STATE"     // completed or dead
	HookExitCode = "QUEUECTL_HOOK_EXIT_CODE" // of its last run; empty if that had none
	HookAttempts = "QUEUECTL_HOOK_ATTEMPTS"  // that failed
)

// PostCommand are the first words of a hook that is an address, which is the third: queuectl calls it.
var PostCommand = []string{"queuectl", "hook-post"}

// HookID is the id of the hook that a run of a job left behind, unless another job had that id.
func HookID(key, run Position) string { return fmt.Sprintf("hook-%d-%d", key, run) }

// IsHookID says whether a hook of the job with this key may have this id.
func IsHookID(id string, key Position) bool {
	numbers, ok := strings.CutPrefix(id, "hook-")
	return ok && strings.HasPrefix(numbers, strconv.FormatUint(uint64(key), 10)+"-")
}

// notInHooks are the fields that a hook may not have: it gets its id and its moment from its job, comes after nothing
// else, and has no hooks.
var notInHooks = []string{
	"id", "run_at", "created_at", "unique_key", "unique_scope", "on_clash", "on_complete", "on_dead",
	"after", "after_on", "on_parent_failure",
}

// ParseHook reads what a spec has as OnComplete or OnDead: a JSON text, which is a command for the shell or the
// address (http:// or https://) to post the job to, or an object, which is a spec of its own without an id, a
// time, a unique key, parents and hooks, and may have a url in place of a command. Its deadline counts from its own
// enqueue. Errors wrap ErrInvalid.
func ParseHook(raw json.RawMessage) (Spec, error) {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		s := Spec{Command: text}
		if isURL(text) {
			s = Spec{Argv: postTo(text)}
		}
		return s, s.Validate()
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil || fields == nil {
		return Spec{}, refusal("must be a command, an address, or an object that is a job")
	}
	for _, name := range notInHooks {
		if fields[name] != nil {
			return Spec{}, refusal(name + ": a hook has none")
		}
	}
	if address := fields["url"]; address != nil {
		if json.Unmarshal(address, &text) != nil || !isURL(text) {
			return Spec{}, invalid("url", printable(string(address)), "an address that begins with http:// or https://")
		}
		delete(fields, "url")
		fields["argv"], _ = json.Marshal(postTo(text)) // texts always can be
		raw, _ = json.Marshal(fields)
	}
	s, warnings, err := ParseSpec(raw)
	if bad, ok := errors.AsType[*JSONError](err); ok { // whose place would be taken for one in the whole text
		err = refusal(bad.Reason)
	}
	switch {
	case err != nil:
	case len(warnings) > 0:
		err = refusal(warnings[0])
	case !s.Deadline.IsZero():
		err = refusal("deadline: of a hook it must be a duration, which counts from its enqueue")
	case s.DeadlineIn != 0 && s.Delay >= s.DeadlineIn:
		err = refusal("deadline: the hook may not run before its delay has passed")
	}
	return s, err
}

func isURL(text string) bool {
	return strings.HasPrefix(text, "http://") || strings.HasPrefix(text, "https://")
}

func postTo(address string) []string {
	return append(PostCommand[:len(PostCommand):len(PostCommand)], address)
}

// IsAddress says whether a hook that was read is an address, which is the last word of its Argv.
func IsAddress(hook Spec) bool {
	return len(hook.Argv) == len(PostCommand)+1 && slices.Equal(hook.Argv[:len(PostCommand)], PostCommand)
}

// checkHooks is no part of specChecks because a hook is a spec.
func (s *Spec) checkHooks() error {
	for _, h := range []struct {
		name string
		raw  json.RawMessage
	}{{"on_complete", s.OnComplete}, {"on_dead", s.OnDead}} {
		if h.raw == nil {
			continue
		}
		if !json.Valid(h.raw) {
			return invalid(h.name, quoted(string(h.raw)), "valid JSON")
		}
		if _, err := ParseHook(h.raw); err != nil {
			return fmt.Errorf("%s: %w", h.name, err)
		}
	}
	return nil
}

// hookField reads a hook: a text or an object.
func hookField(field func(*Spec) *json.RawMessage) func(*specParser, member) error {
	return func(p *specParser, m member) error {
		if !bytes.HasPrefix(m.value, []byte(`"`)) && !bytes.HasPrefix(m.value, []byte(`{`)) {
			return m.invalid("a command, an address, or an object that is a job")
		}
		*field(&p.spec) = compact(m.value)
		return nil
	}
}

// PeekHooks reads the hooks from an encoded JobEnqueued event, nil where there is none. It allocates nothing for a
// job without hooks, and ignores what cannot be read.
func PeekHooks(data string) (onComplete, onDead json.RawMessage) {
	r := readerOf(data)
	for r.next() {
		switch r.num {
		case 33:
			onComplete = r.bytes()
		case 34:
			onDead = r.bytes()
		default:
			r.skip()
		}
	}
	return onComplete, onDead
}
