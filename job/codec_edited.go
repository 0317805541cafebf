package job

import (
	"maps"
	"slices"
)

// The names of what a JobEdited event may change, as its Fields has them.
const (
	FieldCommand    = "command"
	FieldArgv       = "argv"
	FieldQueue      = "queue"
	FieldPriority   = "priority"
	FieldDue        = "due"
	FieldDeadline   = "deadline"
	FieldMaxRetries = "max_retries"
	FieldTimeout    = "timeout"
	FieldTags       = "tags"
)

// editable holds, for every field that can be edited, in the order in which they are told, whether two jobs have the
// same, and how one takes over what another has.
var editable = []struct {
	name string
	same func(a, b *JobEnqueued) bool
	take func(to, from *JobEnqueued)
}{
	{
		FieldCommand, func(a, b *JobEnqueued) bool { return a.Spec.Command == b.Spec.Command },
		func(to, from *JobEnqueued) { to.Spec.Command = from.Spec.Command },
	},
	{
		FieldArgv, func(a, b *JobEnqueued) bool { return slices.Equal(a.Spec.Argv, b.Spec.Argv) },
		func(to, from *JobEnqueued) { to.Spec.Argv = from.Spec.Argv },
	},
	{
		FieldQueue, func(a, b *JobEnqueued) bool { return a.Spec.Queue == b.Spec.Queue },
		func(to, from *JobEnqueued) { to.Spec.Queue = from.Spec.Queue },
	},
	{
		FieldPriority, func(a, b *JobEnqueued) bool { return a.Spec.Priority == b.Spec.Priority },
		func(to, from *JobEnqueued) { to.Spec.Priority = from.Spec.Priority },
	},
	{
		FieldDue, func(a, b *JobEnqueued) bool { return a.Due == b.Due },
		func(to, from *JobEnqueued) { to.Due = from.Due },
	},
	{
		FieldDeadline, func(a, b *JobEnqueued) bool { return a.Spec.Deadline.Equal(b.Spec.Deadline) },
		func(to, from *JobEnqueued) { to.Spec.Deadline = from.Spec.Deadline },
	},
	{
		FieldMaxRetries, func(a, b *JobEnqueued) bool { return samePointed(a.Spec.MaxRetries, b.Spec.MaxRetries) },
		func(to, from *JobEnqueued) { to.Spec.MaxRetries = from.Spec.MaxRetries },
	},
	{
		FieldTimeout, func(a, b *JobEnqueued) bool { return samePointed(a.Spec.Timeout, b.Spec.Timeout) },
		func(to, from *JobEnqueued) { to.Spec.Timeout = from.Spec.Timeout },
	},
	{
		FieldTags, func(a, b *JobEnqueued) bool { return maps.Equal(a.Spec.Tags, b.Spec.Tags) },
		func(to, from *JobEnqueued) { to.Spec.Tags = from.Spec.Tags },
	},
}

func samePointed[T comparable](a, b *T) bool {
	return a == b || a != nil && b != nil && *a == *b
}

// Edited returns the event that makes a job of what it was, with the values that it shares with both. It has no
// Fields if nothing differs that can be edited.
func Edited(key Position, was, is *JobEnqueued) *JobEdited {
	e := &JobEdited{Job: key}
	e.Old.Spec.Queue, e.New.Spec.Queue = DefaultQueue, DefaultQueue
	for _, f := range editable {
		if !f.same(was, is) {
			e.Fields = append(e.Fields, f.name)
			f.take(&e.Old, was)
			f.take(&e.New, is)
		}
	}
	return e
}

// Has says that the event changes the field.
func (e *JobEdited) Has(field string) bool { return slices.Contains(e.Fields, field) }

// Apply makes the changes, as far as this program knows the fields.
func (e *JobEdited) Apply(to *JobEnqueued) {
	for _, f := range editable {
		if e.Has(f.name) {
			f.take(to, &e.New)
		}
	}
}

func appendJobEdited(dst []byte, e *JobEdited) []byte {
	dst = appendUint(dst, 1, uint64(e.Job))
	dst = appendTexts(dst, 2, e.Fields)
	dst = appendElement(dst, 3, appendJobEnqueued(nil, &e.Old))
	return appendElement(dst, 4, appendJobEnqueued(nil, &e.New))
}

func (r *reader) jobEdited() *JobEdited {
	e := new(JobEdited)
	e.Old.Spec.Queue, e.New.Spec.Queue = DefaultQueue, DefaultQueue
	for r.next() {
		switch r.num {
		case 1:
			e.Job = Position(r.uint())
		case 2:
			e.Fields = append(e.Fields, r.text())
		case 3:
			r.enqueued(&e.Old)
		case 4:
			r.enqueued(&e.New)
		default:
			r.skip()
		}
	}
	return e
}

// enqueued reads a JobEnqueued in another event.
func (r *reader) enqueued(to *JobEnqueued) {
	in, err := DecodeEnqueued(string(r.raw()))
	if err != nil {
		r.fail(err)
		return
	}
	*to = *in
}
