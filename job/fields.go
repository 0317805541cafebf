package job

import (
	"encoding/json"
	"math"
	"strconv"
	"time"
)

// writtenFields are the names in a job's JSON that a queue writes by itself.
var writtenFields = []string{
	"state", "attempts", "updated_at", "next_attempt_at", "last_error",
	"runs", "crashes", "exit_code", "signal", "why", "started_at", "finished_at",
	"position", "enqueued_at", "run", "worker", "kill_asked", "held", "queue_paused", "parents_left", "caller_dir", "caller_path", "left_behind",
}

// specFields reads every name that a spec may have. Of the values that are null, only payload's gets
// here.
var specFields = map[string]func(p *specParser, m member) error{
	"id":                nameField(func(s *Spec) *string { return &s.ID }),
	"command":           nameField(func(s *Spec) *string { return &s.Command }),
	"argv":              (*specParser).argv,
	"kind":              nameField(func(s *Spec) *string { return &s.Kind }),
	"payload":           (*specParser).payload,
	"queue":             nameField(func(s *Spec) *string { return &s.Queue }),
	"priority":          (*specParser).priority,
	"concurrency_key":   nameField(func(s *Spec) *string { return &s.ConcurrencyKey }),
	"run_at":            timeField(func(s *Spec) *time.Time { return &s.RunAt }),
	"delay":             (*specParser).delay,
	"deadline":          (*specParser).deadline,
	"timeout":           durationField(func(s *Spec) **time.Duration { return &s.Timeout }),
	"max_retries":       (*specParser).maxRetries,
	"backoff":           (*specParser).backoff,
	"backoff_base":      numberField(1, maxBackoffBase, func(s *Spec) **float64 { return &s.BackoffBase }),
	"backoff_max":       durationField(func(s *Spec) **time.Duration { return &s.BackoffMax }),
	"backoff_jitter":    numberField(0, 1, func(s *Spec) **float64 { return &s.BackoffJitter }),
	"on_crash":          (*specParser).onCrash,
	"after":             (*specParser).after,
	"after_on":          (*specParser).afterOn,
	"on_parent_failure": (*specParser).onParentFailure,
	"retry_on":          exitCodesField(func(s *Spec) *ExitCodes { return &s.RetryOn }),
	"dead_on":           exitCodesField(func(s *Spec) *ExitCodes { return &s.DeadOn }),
	"snooze_on":         exitCodesField(func(s *Spec) *ExitCodes { return &s.SnoozeOn }),
	"snooze":            (*specParser).snooze,
	"unique_key":        nameField(func(s *Spec) *string { return &s.UniqueKey }),
	"unique_scope":      (*specParser).uniqueScope,
	"on_clash":          (*specParser).onClash,
	"on_complete":       hookField(func(s *Spec) *json.RawMessage { return &s.OnComplete }),
	"on_dead":           hookField(func(s *Spec) *json.RawMessage { return &s.OnDead }),
	"env":               tableField(func(s *Spec) *map[string]string { return &s.Env }),
	"secret_env":        (*specParser).secretEnv,
	"tags":              tableField(func(s *Spec) *map[string]string { return &s.Tags }),
	"cwd":               textField(func(s *Spec) *string { return &s.Cwd }),
	"stdin":             textField(func(s *Spec) *string { return &s.Stdin }),
	"created_at":        timeField(func(s *Spec) *time.Time { return &s.CreatedAt }),
	"extra":             (*specParser).extraFields,
}

func (m member) invalid(want string) error {
	return invalid(m.name, printable(string(compact(m.value))), want)
}

func (m member) text() (string, error) {
	var v string
	if m.value[0] != '"' || json.Unmarshal(m.value, &v) != nil {
		return "", m.invalid("a string")
	}
	return v, nil
}

func (m member) duration() (time.Duration, error) {
	if m.value[0] == '"' {
		v, err := m.text()
		if err != nil {
			return 0, err
		}
		return parseDuration(m.name, v)
	}
	seconds, err := strconv.ParseFloat(string(m.value), 64)
	d, ok := inUnits(seconds, time.Second)
	if err != nil || !ok {
		return 0, m.invalid(wantDuration)
	}
	return d, nil
}

// whole reads a whole number, which other programs may have written as 3.0 or 1e3.
func (m member) whole(from, to int64) (int64, error) {
	v, err := strconv.ParseInt(string(m.value), 10, 64)
	if err != nil {
		f, floatErr := strconv.ParseFloat(string(m.value), 64)
		if err = floatErr; f != math.Trunc(f) || math.Abs(f) > 1<<53 {
			err = strconv.ErrRange
		}
		v = int64(f)
	}
	if err != nil || v < from || v > to {
		return 0, m.invalid(wantWhole(from, to))
	}
	return v, nil
}

// The readers of one field each.

func textField(field func(*Spec) *string) func(*specParser, member) error {
	return func(p *specParser, m member) (err error) {
		*field(&p.spec), err = m.text()
		return err
	}
}

// nameField reads a text that is not empty: to say nothing, one leaves the field out.
func nameField(field func(*Spec) *string) func(*specParser, member) error {
	return func(p *specParser, m member) (err error) {
		v, err := m.text()
		if err == nil && v == "" {
			err = m.invalid("a text that is not empty")
		}
		*field(&p.spec) = v
		return err
	}
}

func timeField(field func(*Spec) *time.Time) func(*specParser, member) error {
	return func(p *specParser, m member) error {
		var t time.Time
		v, err := m.text()
		if err != nil || t.UnmarshalText([]byte(v)) != nil {
			return m.invalid("an RFC 3339 time, such as 2030-01-31T08:00:00Z")
		}
		*field(&p.spec) = t.UTC()
		return checkTime(m.name, t)
	}
}

func durationField(field func(*Spec) **time.Duration) func(*specParser, member) error {
	return func(p *specParser, m member) error {
		d, err := m.duration()
		*field(&p.spec) = &d
		return err
	}
}

func numberField(from, to float64, field func(*Spec) **float64) func(*specParser, member) error {
	return func(p *specParser, m member) error {
		v, err := strconv.ParseFloat(string(m.value), 64)
		if err != nil || !inRange(v, from, to) {
			return m.invalid(wantReal(from, to))
		}
		*field(&p.spec) = &v
		return nil
	}
}

func tableField(field func(*Spec) *map[string]string) func(*specParser, member) error {
	return func(p *specParser, m member) error {
		if m.value[0] != '{' {
			return m.invalid("an object of strings")
		}
		list, err := p.members(m)
		if err != nil {
			return err
		}
		entries := make(map[string]string, len(list))
		for _, e := range list {
			if entries[e.name], err = e.text(); err != nil {
				e.name = m.name + " " + quoted(e.name)
				return e.invalid("a string")
			}
		}
		*field(&p.spec) = entries
		return nil
	}
}

// exitCodesField reads one exit code or an array of them, in any order.
func exitCodesField(field func(*Spec) *ExitCodes) func(*specParser, member) error {
	return func(p *specParser, m member) error {
		list := []json.RawMessage{m.value}
		if m.value[0] == '[' && json.Unmarshal(m.value, &list) != nil {
			return m.invalid("an array of exit codes")
		}
		if len(list) == 0 {
			return m.invalid("at least one exit code")
		}
		codes := make(ExitCodes, len(list))
		for i, value := range list {
			code, err := member{name: m.name, value: value}.whole(1, math.MaxInt32)
			if err != nil {
				return err
			}
			codes[i] = int32(code)
		}
		*field(&p.spec) = codes.tidy()
		return nil
	}
}

func (p *specParser) argv(m member) error {
	var list []json.RawMessage
	if json.Unmarshal(m.value, &list) != nil {
		return m.invalid("an array of strings")
	}
	p.spec.Argv = make([]string, len(list))
	for i, value := range list {
		v, err := member{name: "argv[" + strconv.Itoa(i) + "]", value: value}.text()
		if err != nil {
			return err
		}
		p.spec.Argv[i] = v
	}
	return nil
}

func (p *specParser) payload(m member) error {
	p.spec.Payload = compact(m.value)
	return nil
}

func (p *specParser) priority(m member) error {
	v, err := m.whole(math.MinInt32, math.MaxInt32)
	p.spec.Priority = int32(v)
	return err
}

func (p *specParser) maxRetries(m member) error {
	v, err := m.whole(0, maxCount)
	p.spec.MaxRetries = new(uint32(v))
	return err
}

func (p *specParser) delay(m member) (err error) {
	p.spec.Delay, err = m.duration()
	return err
}

// backoff reads a text, or an array of durations.
func (p *specParser) backoff(m member) error {
	text := ""
	if m.value[0] != '[' {
		var err error
		if text, err = m.text(); err != nil {
			return err
		}
	} else {
		var list []json.RawMessage
		if json.Unmarshal(m.value, &list) != nil || len(list) == 0 {
			return m.invalid(wantBackoff)
		}
		for i, value := range list {
			d, err := member{name: m.name, value: value}.duration()
			if err != nil {
				return err
			}
			if i > 0 {
				text += ","
			}
			text += FormatDuration(d)
		}
	}
	b, err := ParseBackoff(text)
	p.spec.Backoff = b
	return err
}

// deadline reads a time or a duration.
func (p *specParser) deadline(m member) error {
	var t time.Time
	if text, err := m.text(); err == nil && t.UnmarshalText([]byte(text)) == nil {
		p.spec.Deadline = t.UTC()
		return checkTime(m.name, t)
	}
	d, err := m.duration()
	if err != nil || d == 0 {
		return m.invalid("an RFC 3339 time, such as 2030-01-31T08:00:00Z, or a duration that is more than 0, such as 2h")
	}
	p.spec.DeadlineIn = d
	return nil
}

func (p *specParser) snooze(m member) (err error) {
	p.spec.Snooze, err = m.duration()
	return err
}

func (p *specParser) onCrash(m member) error {
	v, err := m.text()
	if err != nil {
		return err
	}
	p.spec.OnCrash, err = ParseOnCrash(v)
	return err
}

func (p *specParser) uniqueScope(m member) error {
	if m.value[0] != '"' {
		d, err := m.duration()
		if err == nil && d == 0 {
			err = m.invalid(wantScope)
		}
		p.spec.UniqueFor = d
		return err
	}
	v, err := m.text()
	if err != nil {
		return err
	}
	p.spec.UniqueScope, p.spec.UniqueFor, err = parseScope(v)
	return err
}

func (p *specParser) onClash(m member) error {
	v, err := m.text()
	if err != nil {
		return err
	}
	p.spec.OnClash, err = ParseOnClash(v)
	return err
}

func (p *specParser) extraFields(m member) (err error) {
	if m.value[0] != '{' {
		return m.invalid("an object")
	}
	p.extra, err = p.members(m)
	return err
}
