package job

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// ParseSpec reads a job's JSON spec and validates it. The fields are those of [Spec], by their names
// in snake_case; null is the same as leaving a field out, except as a payload. Durations are texts
// (see [ParseDuration]) or numbers of seconds, times are RFC 3339.
//
// What a queue writes into the JSON of a [Job] by itself is accepted and ignored, so that a printed
// job can be enqueued again. Other names are kept under Extra, unless they are a near miss of one of
// ours. warnings are sentences for people, about what was kept and about a given state that is ignored.
//
// Errors wrap ErrInvalid and name the field, except for text that is not a JSON object, which gives a
// *JSONError with the position; a name that is there twice is one of those.
func ParseSpec(data []byte) (spec Spec, warnings []string, err error) {
	if len(data) > MaxSpecSize {
		return Spec{}, nil, tooLarge(len(data))
	}
	if bad := checkObject(data); bad != nil {
		return Spec{}, nil, bad
	}
	p := specParser{data: data, given: map[string]bool{}}
	if err := p.parse(); err != nil {
		return Spec{}, nil, err
	}
	if err := p.spec.Validate(); err != nil {
		return Spec{}, nil, err
	}
	return p.spec, p.warnings, nil
}

type specParser struct {
	data     []byte
	spec     Spec
	given    map[string]bool // the names that are there and not null
	on       []AfterOn       // after_on
	unknown  []member
	extra    []member
	warnings []string
}

// member is one field of an object.
type member struct {
	name   string
	value  json.RawMessage
	offset int64 // of value in the whole text
}

func (p *specParser) parse() error {
	members, err := p.members(member{value: p.data})
	if err != nil {
		return err
	}
	for _, m := range members {
		if err := p.field(m); err != nil {
			return err
		}
	}
	if p.spec.Argv != nil && p.spec.Command == Quote(p.spec.Argv) {
		p.spec.Command = "" // a printed job shows argv as a command too
	}
	if err := p.spreadAfterOn(); err != nil {
		return err
	}
	return p.keepUnknown()
}

// members takes an object apart. A name that is there twice is an error: which one was meant?
func (p *specParser) members(object member) ([]member, error) {
	dec := json.NewDecoder(bytes.NewReader(object.value))
	if _, err := dec.Token(); err != nil { // {
		return nil, err
	}
	var list []member
	seen := make(map[string]bool)
	for dec.More() {
		before := dec.InputOffset()
		name, err := dec.Token()
		if err != nil {
			return nil, err
		}
		m := member{name: name.(string)}
		if seen[m.name] {
			at := before + int64(bytes.IndexByte(object.value[before:], '"'))
			return nil, newJSONError(p.data, object.offset+at, fmt.Sprintf(
				"found %s a second time, expected every name once", quoted(m.name)))
		}
		seen[m.name] = true
		if err := dec.Decode(&m.value); err != nil {
			return nil, err
		}
		m.offset = object.offset + dec.InputOffset() - int64(len(m.value))
		list = append(list, m)
	}
	return list, nil
}

// field reads one field of the spec.
func (p *specParser) field(m member) error {
	read, ours := specFields[m.name]
	null := string(m.value) == "null"
	switch {
	case m.name == "state" && !null && string(m.value) != `"pending"`:
		p.warnings = append(p.warnings, fmt.Sprintf("state %s is ignored: a new job is pending", printable(string(m.value))))
	case ours && null && m.name != "payload":
	case ours:
		p.given[m.name] = true
		return read(p, m)
	case slices.Contains(writtenFields, m.name):
	default:
		p.unknown = append(p.unknown, m)
	}
	return nil
}

// keepUnknown puts the fields that are nobody's under Extra, after those that were given there.
func (p *specParser) keepUnknown() error {
	missing, taken := p.missing(), make(map[string]bool, len(p.extra))
	for _, m := range p.extra {
		taken[m.name] = true
	}
	for _, m := range p.unknown {
		if near := nearest(m.name, missing); near != "" {
			return refusal(fmt.Sprintf("unknown field %s: did you mean %s? (a field of your own can go under extra)",
				quoted(m.name), near))
		}
		if taken[m.name] {
			return newJSONError(p.data, m.offset, fmt.Sprintf(
				"found %s, which is under extra too, expected every name once", quoted(m.name)))
		}
	}
	if p.unknown != nil {
		p.warnings = append(p.warnings, "unknown fields are kept under extra: "+names(p.unknown))
	}
	if all := append(p.extra, p.unknown...); all != nil {
		p.spec.Extra = object(all)
	}
	return nil
}

// names lists the first few names.
func names(members []member) string {
	const most = 10
	var list []string
	for _, m := range members[:min(len(members), most)] {
		list = append(list, quoted(m.name))
	}
	if more := len(members) - most; more > 0 {
		list = append(list, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(list, ", ")
}

// missing lists the names that something may be a near miss of. A spec that has a command and a
// comment means both; created_at is not worth an error.
func (p *specParser) missing() []string {
	var names []string
	for name := range specFields {
		if !p.given[name] && name != "created_at" {
			names = append(names, name)
		}
	}
	slices.Sort(names) // so that the same text always gets the same answer
	return names
}

func object(members []member) json.RawMessage {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	b.WriteByte('{')
	for i, m := range members {
		if i > 0 {
			b.WriteByte(',')
		}
		_ = enc.Encode(m.name)  // a string always encodes,
		b.Truncate(b.Len() - 1) // and ends with a line break
		b.WriteByte(':')
		b.Write(compact(m.value))
	}
	b.WriteByte('}')
	return b.Bytes()
}

// compact takes the white space out of valid JSON: it is stored, and printed in one line.
func compact(raw json.RawMessage) json.RawMessage {
	var b bytes.Buffer
	b.Grow(len(raw))
	if err := json.Compact(&b, raw); err != nil {
		return raw // cannot be: checkObject found it valid
	}
	return b.Bytes()
}
