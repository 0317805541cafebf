package job

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Bounds of secrets, and of what is kept out of the log.
const (
	MaxSecrets    = 64      // of a job
	maxRedactSize = 8 << 10 // bytes of the setting redact
	maxSecretName = 128     // bytes: not in the expression, which would have as many parts
)

var secretName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// CheckSecret returns an error that wraps ErrInvalid if no secret can have this name.
func CheckSecret(name string) error {
	switch {
	case len(name) > maxSecretName || !secretName.MatchString(name):
		return invalid("secret", quoted(name), "the name of a variable: letters, digits and _, not beginning with a digit")
	case name == "PATH" || strings.HasPrefix(name, "QUEUECTL_"): // recorded of who enqueues, and set by workers
		return invalid("secret", quoted(name), "another name: PATH and QUEUECTL_... are queuectl's own")
	}
	return nil
}

func (s *Spec) checkSecrets() error {
	switch {
	case len(s.SecretEnv) == 0:
		return nil
	case s.Kind != "":
		return refusal("secret_env: only a command has an environment of its own")
	case len(s.SecretEnv) > MaxSecrets:
		return invalid("secret_env", strconv.Itoa(len(s.SecretEnv))+" of them", "at most "+strconv.Itoa(MaxSecrets))
	}
	for _, name := range s.SecretEnv {
		if err := CheckSecret(name); err != nil {
			return err
		}
		if _, twice := s.Env[name]; twice {
			return refusal("env and secret_env: " + name + " is in both")
		}
	}
	return nil
}

// secretEnv reads one name or an array of them.
func (p *specParser) secretEnv(m member) error {
	list := []json.RawMessage{m.value}
	if bytes.HasPrefix(m.value, []byte("[")) && json.Unmarshal(m.value, &list) != nil {
		return m.invalid("an array of names")
	}
	var names []string
	for _, value := range list {
		name, err := member{name: m.name, value: value}.text()
		if err != nil {
			return err
		}
		names = append(names, name)
	}
	slices.Sort(names)
	p.spec.SecretEnv = slices.Compact(names)
	return nil
}

// readPatterns reads the setting redact: regular expressions, one a line.
func readPatterns(text string) (canonical string, err error) {
	if len(text) > maxRedactSize {
		return "", invalid("redact", quoted(text), "at most "+strconv.Itoa(maxRedactSize)+" bytes")
	}
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		if line = strings.TrimSuffix(line, "\r"); strings.TrimSpace(line) == "" {
			continue
		}
		re, err := compile(line)
		if err != nil {
			return "", invalid("redact", quoted(line), "a regular expression of the RE2 syntax: "+err.Error())
		}
		if re.MatchString("") {
			return "", invalid("redact", quoted(line), "a regular expression that does not match the empty text")
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n"), nil
}

// Patterns returns the regular expressions of the setting redact.
func Patterns(redact string) []*regexp.Regexp {
	var all []*regexp.Regexp
	for line := range strings.SplitSeq(redact, "\n") {
		if re, err := compile(line); err == nil && line != "" { // the setting was checked
			all = append(all, re)
		}
	}
	return all
}

// compile reads an expression, in which ^ and $ are the ends of a line: output has many.
func compile(pattern string) (*regexp.Regexp, error) { return regexp.Compile("(?m)" + pattern) }
