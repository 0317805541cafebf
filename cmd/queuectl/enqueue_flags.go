package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"
)

// onceFlags are those of the spec's fields that a single job has and a recurring one has not.
type onceFlags struct {
	ID          string `name:"id" placeholder:"ID" help:"Id of the job. Default: a short one is made."`
	At          string `group:"The job:" placeholder:"TIME" help:"Do not run before this time: 03:00 (the next), '2030-01-31 08:00', RFC 3339, or +2h."`
	Delay       string `group:"The job:" placeholder:"DURATION" help:"Do not run before this time has passed, such as 90s or 2h."`
	RunAt       string `group:"The job:" placeholder:"TIME" help:"Do not run before this moment (RFC 3339). One that has passed means at once."`
	UniqueKey   string `group:"The job:" placeholder:"TEXT" help:"A name that no other job may have at the same time."`
	UniqueScope string `group:"The job:" placeholder:"waiting|active|DURATION" help:"Which others count: those that wait; that wait or run (default); or also those enqueued so long ago."`
	OnClash     string `group:"The job:" placeholder:"refuse|existing|replace" help:"If another has it: fail (default), take that one, or cancel it if it waits."`
}

// add adds the fields that the flags ask for.
func (f *onceFlags) add(fields map[string]any, now time.Time) error {
	times := 0
	for name, value := range map[string]string{"id": f.ID, "run_at": f.RunAt, "delay": f.Delay, "unique_key": f.UniqueKey, "unique_scope": f.UniqueScope, "on_clash": f.OnClash} {
		if value != "" {
			fields[name] = value
		}
	}
	for _, value := range []string{f.At, f.Delay, f.RunAt} {
		if value != "" {
			times++
		}
	}
	if times > 1 {
		return usage("give one of --at, --delay and --run-at", "")
	}
	if f.At == "" {
		return nil
	}
	at, err := parseComing("at", f.At, now)
	if err != nil {
		return err
	}
	fields["run_at"] = at.UTC().Format(time.RFC3339Nano)
	return nil
}

// specFlags mirror the other fields of a job's JSON spec. They are turned into that spec, so that there is one
// set of rules for both.
type specFlags struct {
	Command         string   `short:"c" placeholder:"LINE" help:"Command for the shell."`
	Queue           string   `group:"The job:" placeholder:"NAME" help:"Queue. Default: default."`
	Priority        *int64   `group:"The job:" placeholder:"N" help:"Higher runs first. Default: 0."`
	ConcurrencyKey  string   `group:"The job:" placeholder:"KEY" help:"Run at most one job with this key at a time, in whatever queue."`
	Deadline        string   `group:"The job:" placeholder:"TIME|DURATION" help:"No run begins or goes on after this moment (RFC 3339), or so long after the enqueue."`
	Timeout         string   `group:"The job:" placeholder:"DURATION" help:"End a run that takes longer."`
	MaxRetries      *int64   `group:"The job:" placeholder:"N" help:"Retries after the first failure."`
	Backoff         string   `group:"The job:" placeholder:"GROWTH" help:"How the time between attempts grows: exponential, linear, fixed, or 1s,10s,1m."`
	BackoffBase     *float64 `group:"The job:" placeholder:"N" help:"Wait N to the power of the failed attempts, in seconds."`
	BackoffMax      string   `group:"The job:" placeholder:"DURATION" help:"Longest time between attempts."`
	BackoffJitter   *float64 `group:"The job:" placeholder:"SHARE" help:"Add up to this share of the time between attempts (0-1)."`
	RetryOn         []int32  `group:"The job:" placeholder:"CODE,..." help:"Retry after these exit codes only."`
	DeadOn          []int32  `group:"The job:" placeholder:"CODE,..." help:"Do not retry after these exit codes."`
	SnoozeOn        []int32  `group:"The job:" placeholder:"CODE,..." help:"These exit codes count for nothing: run it again later."`
	Snooze          string   `group:"The job:" placeholder:"DURATION" help:"How much later. Default: 1m."`
	OnComplete      string   `group:"The job:" placeholder:"LINE|URL|JSON" help:"When it has completed, run this command, or post it there."`
	OnDead          string   `group:"The job:" placeholder:"LINE|URL|JSON" help:"The same for when it is dead."`
	Env             []string `group:"The job:" sep:"none" placeholder:"NAME[=VALUE]" help:"Set a variable, or copy it from here. Can be repeated."`
	SecretEnv       []string `group:"The job:" placeholder:"NAME,..." help:"Give it a secret in a variable: see 'queuectl secret'. Its value is kept out of the log."`
	Cwd             string   `group:"The job:" placeholder:"DIR" help:"Directory to run in. Default: this one."`
	Stdin           string   `group:"The job:" empty:"" placeholder:"TEXT" help:"Standard input: text, or @FILE."`
	Tag             []string `group:"The job:" sep:"none" placeholder:"NAME=VALUE" help:"Label the job. Can be repeated."`
	After           []string `group:"The job:" placeholder:"ID,..." help:"Wait until these jobs have ended."`
	AfterOn         []string `group:"The job:" placeholder:"success|failure|any,..." help:"How they have to end: one for all (default: success), or one for each."`
	OnParentFailure string   `group:"The job:" placeholder:"dead|cancel|release" help:"What becomes of the job if one ends in another way. Default: dead."`
	OnCrash         string   `group:"The job:" placeholder:"retry|dead" help:"What to do when the worker dies during a run. Default: retry."`
	Kind            string   `group:"The job:" placeholder:"NAME" help:"Run the handler of this name in a Go program, instead of a command."`
	Payload         string   `group:"The job:" placeholder:"JSON" help:"What the handler gets."`
}

// object returns the JSON spec that the flags and the command line behind -- ask for, nil if they ask for
// nothing. fields are what is asked for otherwise.
func (f *specFlags) object(argv []string, fields map[string]any) ([]byte, error) {
	for name, value := range map[string]string{
		"command": f.Command, "kind": f.Kind, "queue": f.Queue, "concurrency_key": f.ConcurrencyKey, "timeout": f.Timeout, "backoff": f.Backoff,
		"deadline": f.Deadline, "backoff_max": f.BackoffMax, "on_crash": f.OnCrash, "on_parent_failure": f.OnParentFailure, "snooze": f.Snooze,
	} {
		if value != "" {
			fields[name] = value
		}
	}
	set(fields, "priority", f.Priority)
	set(fields, "max_retries", f.MaxRetries)
	set(fields, "backoff_base", f.BackoffBase)
	set(fields, "backoff_jitter", f.BackoffJitter)
	if len(f.SecretEnv) > 0 {
		fields["secret_env"] = f.SecretEnv
	}
	for name, codes := range map[string][]int32{"retry_on": f.RetryOn, "dead_on": f.DeadOn, "snooze_on": f.SnoozeOn} {
		if len(codes) > 0 {
			fields[name] = codes
		}
	}
	for name, list := range map[string][]string{"after": f.After, "after_on": f.AfterOn} {
		if len(list) > 0 {
			fields[name] = list
		}
	}
	for name, text := range map[string]string{"on_complete": f.OnComplete, "on_dead": f.OnDead} {
		hook, err := hookOf(name, text)
		if err != nil {
			return nil, err
		}
		if hook != nil {
			fields[name] = hook
		}
	}
	for _, add := range []func(map[string]any) error{f.addPaths, f.addEnv, f.addTags, f.addPayload} {
		if err := add(fields); err != nil {
			return nil, err
		}
	}
	if argv != nil && f.Command != "" {
		return nil, usage("give a line for the shell with -c, or a command line behind --, not both", "")
	}
	if argv != nil {
		for _, word := range argv {
			if !utf8.ValidString(word) {
				return nil, invalid("the command line is not valid UTF-8", "put it into a script")
			}
		}
		fields["argv"] = argv
	}
	if len(fields) == 0 {
		return nil, nil
	}
	object, err := json.Marshal(fields)
	if err != nil { // of all that a flag may be, JSON lacks these
		return nil, invalid("--backoff-base and --backoff-jitter must be numbers, not infinite or NaN", "")
	}
	return object, nil
}

func set[T any](fields map[string]any, name string, value *T) {
	if value != nil {
		fields[name] = *value
	}
}

// addPaths makes paths absolute: the worker will be in another directory.
func (f *specFlags) addPaths(fields map[string]any) (err error) {
	if f.Cwd != "" {
		if fields["cwd"], err = filepath.Abs(f.Cwd); err != nil {
			return err
		}
	}
	if f.Stdin != "" {
		fields["stdin"] = f.Stdin
	}
	if path, ok := strings.CutPrefix(f.Stdin, "@"); ok {
		if path, err = filepath.Abs(path); err != nil {
			return err
		}
		fields["stdin"] = "@" + path
	}
	return nil
}

func (f *specFlags) addEnv(fields map[string]any) error {
	env := map[string]string{}
	for _, entry := range f.Env {
		name, value, given := strings.Cut(entry, "=")
		if !given {
			var set bool
			if value, set = os.LookupEnv(name); !set {
				return invalid("--env "+name+": there is no such variable here", "give it a value: --env "+name+"=VALUE")
			}
			if !utf8.ValidString(value) {
				return invalid("--env "+name+": its value is not valid UTF-8", "")
			}
		}
		env[name] = value
	}
	if len(env) > 0 {
		fields["env"] = env
	}
	return nil
}

func (f *specFlags) addTags(fields map[string]any) error {
	tags := map[string]string{}
	for _, entry := range f.Tag {
		name, value, given := strings.Cut(entry, "=")
		if !given {
			return usage("--tag "+entry+": expected NAME=VALUE", "")
		}
		tags[name] = value
	}
	if len(tags) > 0 {
		fields["tags"] = tags
	}
	return nil
}

func (f *specFlags) addPayload(fields map[string]any) error {
	if f.Payload == "" {
		return nil
	}
	if !json.Valid([]byte(f.Payload)) {
		bad := invalidJSON("--payload " + f.Payload)
		bad.hint = `a text needs quotes of its own: --payload '"text"'`
		return bad
	}
	fields["payload"] = json.RawMessage(f.Payload)
	return nil
}

// hookOf makes a hook of a flag, nil if it says nothing: an object is JSON, and all else a command or an address.
func hookOf(name, text string) (any, error) {
	switch {
	case text == "":
		return nil, nil
	case !strings.HasPrefix(text, "{"):
		return text, nil
	case !json.Valid([]byte(text)):
		bad := invalidJSON("--" + strings.ReplaceAll(name, "_", "-") + " " + text)
		bad.hint = `what begins with { is a job as JSON; a command that does goes into {"command":"…"}`
		return nil, bad
	}
	return json.RawMessage(text), nil
}
