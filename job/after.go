package job

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

// MaxParents bounds the jobs that one job comes after.
const MaxParents = 20_000

// Parent is a job that another one comes after.
type Parent struct {
	ID  string   // as its author wrote it; of a job that was asked for, "" if the parent is not known any more
	Key Position // decided when the job is enqueued; 0 before
	On  AfterOn
}

// String names the parent as JSON does.
func (p Parent) String() string {
	if p.ID == "" {
		return "#" + strconv.FormatUint(uint64(p.Key), 10)
	}
	return p.ID
}

// AfterOn says how a parent has to end.
type AfterOn uint8

// The choices; the zero value is the default. Their numbers are part of the log.
const (
	OnSuccess AfterOn = 0 // it completes
	OnFailure AfterOn = 1 // it is dead or cancelled
	OnAny     AfterOn = 2 // it ends
)

// Met says whether a parent in this state is as it has to be.
func (o AfterOn) Met(s State) bool {
	switch o {
	case OnSuccess:
		return s == Completed
	case OnFailure:
		return s == Dead || s == Cancelled
	}
	return s.Ended()
}

// OnParentFailure says what becomes of a job when one of its parents has ended in another way than it should.
type OnParentFailure uint8

// The choices; the zero value is the default. Their numbers are part of the log.
const (
	ParentDead    OnParentFailure = 0 // it is dead, for the reason dependency
	ParentCancel  OnParentFailure = 1 // it is cancelled
	ParentRelease OnParentFailure = 2 // it waits for no parent any more
)

var (
	afterOnNames         = [...]string{OnSuccess: "success", OnFailure: "failure", OnAny: "any"}
	onParentFailureNames = [...]string{ParentDead: "dead", ParentCancel: "cancel", ParentRelease: "release"}
)

func (o AfterOn) String() string {
	if int(o) < len(afterOnNames) {
		return afterOnNames[o]
	}
	return fmt.Sprintf("AfterOn(%d)", uint8(o))
}

// ParseAfterOn is the inverse of String. It returns ErrInvalid, naming the choices, for any other text.
func ParseAfterOn(text string) (AfterOn, error) {
	if i := slices.Index(afterOnNames[:], text); i >= 0 {
		return AfterOn(i), nil
	}
	return 0, invalid("after_on", quoted(text), "success, failure or any")
}

// MarshalText writes the choice's name.
func (o AfterOn) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

func (o OnParentFailure) String() string {
	if int(o) < len(onParentFailureNames) {
		return onParentFailureNames[o]
	}
	return fmt.Sprintf("OnParentFailure(%d)", uint8(o))
}

// ParseOnParentFailure is the inverse of String. It returns ErrInvalid, naming the choices, for any other text.
func ParseOnParentFailure(text string) (OnParentFailure, error) {
	if i := slices.Index(onParentFailureNames[:], text); i >= 0 {
		return OnParentFailure(i), nil
	}
	return 0, invalid("on_parent_failure", quoted(text), "dead, cancel or release")
}

// MarshalText writes the choice's name.
func (o OnParentFailure) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// AfterFields returns the values of the fields after and after_on: the parents' names, and their conditions. Those
// are none if all parents have to succeed, one if all have the same, else one for each.
func (s *Spec) AfterFields() (names []string, on []AfterOn) {
	for _, p := range s.After {
		names, on = append(names, p.String()), append(on, p.On)
	}
	if len(slices.Compact(slices.Clone(on))) == 1 {
		if on = on[:1]; on[0] == OnSuccess {
			on = nil
		}
	}
	return names, on
}

// afterJSON returns the fields after and after_on as JSON has them.
func (s *Spec) afterJSON() (names []string, on any) {
	names, list := s.AfterFields()
	switch len(list) {
	case 0:
		return names, nil
	case 1:
		return names, list[0]
	}
	words := make([]string, len(list)) // an array of numbers of 8 bits would be written as bytes
	for i, o := range list {
		words[i] = o.String()
	}
	return names, words
}

// checkAfter checks what a spec says about its parents, as far as that can be done without a queue.
func (s *Spec) checkAfter() error {
	if len(s.After) > MaxParents {
		return invalid("after", strconv.Itoa(len(s.After))+" of them", "at most "+strconv.Itoa(MaxParents))
	}
	if len(s.After) == 0 && s.OnParentFailure != ParentDead {
		return refusal("on_parent_failure: it is for a job that comes after others, and after is not given")
	}
	if s.OnParentFailure > ParentRelease {
		return invalid("on_parent_failure", s.OnParentFailure.String(), "dead, cancel or release")
	}
	seen := make(map[string]bool, len(s.After))
	for _, p := range s.After {
		switch {
		case p.ID == "" && p.Key == 0:
			return invalid("after", quoted(p.ID), "ids of jobs")
		case p.ID != "" && p.ID == s.ID:
			return invalid("after", quoted(p.ID), "other jobs: a job cannot come after itself")
		case seen[p.String()]:
			return invalid("after", quoted(p.ID), "each job once")
		case p.On > OnAny:
			return invalid("after_on", p.On.String(), "success, failure or any")
		}
		seen[p.String()] = true
	}
	return nil
}

// appendParents writes the parents' keys, and their conditions as AfterFields has them.
func appendParents(dst []byte, s *Spec) []byte {
	if len(s.After) == 0 {
		return dst
	}
	for _, p := range s.After {
		dst = appendPresent(dst, 25, uint64(p.Key))
	}
	_, on := s.AfterFields()
	for _, o := range on {
		dst = appendPresent(dst, 26, uint64(o))
	}
	return appendUint(dst, 27, uint64(s.OnParentFailure))
}

// PeekParents reads the parents, and nothing else, from an encoded JobEnqueued event that [PeekEnqueued] has
// accepted. It knows their keys and conditions.
func PeekParents(data string) []Parent {
	var s Spec
	var on []AfterOn
	for r := readerOf(data); r.next(); {
		switch r.num {
		case 25:
			s.After = append(s.After, Parent{Key: Position(r.uint())})
		case 26:
			on = append(on, AfterOn(r.enum()))
		default:
			r.skip()
		}
	}
	s.spread(on)
	return s.After
}

// spread gives the parents the conditions that were read: one for all, or one for each.
func (s *Spec) spread(on []AfterOn) {
	for i := range s.After {
		if len(on) == 1 {
			s.After[i].On = on[0]
		} else if i < len(on) {
			s.After[i].On = on[i]
		}
	}
}

// texts reads an array of texts, or one text.
func (m member) texts() ([]string, error) {
	list := []json.RawMessage{m.value}
	if m.value[0] == '[' && json.Unmarshal(m.value, &list) != nil {
		return nil, m.invalid("an array of strings")
	}
	texts := make([]string, len(list))
	for i, value := range list {
		var err error
		if texts[i], err = (member{name: m.name, value: value}).text(); err != nil {
			return nil, err
		}
	}
	return texts, nil
}

func (p *specParser) after(m member) error {
	ids, err := m.texts()
	if err == nil && len(ids) == 0 {
		err = m.invalid("at least one id")
	}
	for _, id := range ids {
		p.spec.After = append(p.spec.After, Parent{ID: id})
	}
	return err
}

func (p *specParser) afterOn(m member) error {
	words, err := m.texts()
	if err != nil {
		return err
	}
	for _, word := range words {
		on, err := ParseAfterOn(word)
		if err != nil {
			return err
		}
		p.on = append(p.on, on)
	}
	return nil
}

// spreadAfterOn gives the parents their conditions, once both fields were read.
func (p *specParser) spreadAfterOn() error {
	switch n := len(p.on); {
	case n == 0 && p.given["after_on"]:
		return refusal("after_on: one of success, failure and any, or one for each job of after")
	case n > 0 && len(p.spec.After) == 0:
		return refusal("after_on: it is for a job that comes after others, and after is not given")
	case n > 1 && n != len(p.spec.After):
		return refusal(fmt.Sprintf("after_on has %d words and after %d ids: give one for all, or one for each", n, len(p.spec.After)))
	}
	p.spec.spread(p.on)
	return nil
}

func (p *specParser) onParentFailure(m member) error {
	word, err := m.text()
	if err != nil {
		return err
	}
	p.spec.OnParentFailure, err = ParseOnParentFailure(word)
	return err
}
