package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/queuectl/queuectl/job"
)

// viewEdited is one side of an edit as JSON: the fields that it changes.
func viewEdited(e *job.JobEdited, side *job.JobEnqueued) map[string]any {
	view := map[string]any{}
	for _, field := range e.Fields {
		view[field] = editedValue(field, side)
	}
	return view
}

// editedValue is a field of a job as JSON; null for one that only a newer program knows.
func editedValue(field string, e *job.JobEnqueued) any {
	spec := &e.Spec
	switch field {
	case job.FieldCommand:
		return optional(spec.Command)
	case job.FieldArgv:
		return spec.Argv
	case job.FieldQueue:
		return queueName(*spec)
	case job.FieldPriority:
		return spec.Priority
	case job.FieldDue:
		return moment(e.Due)
	case job.FieldDeadline:
		return optional(spec.DeadlineText())
	case job.FieldMaxRetries:
		return spec.MaxRetries
	case job.FieldTimeout:
		return optionalDuration(spec.Timeout)
	case job.FieldTags:
		return spec.Tags
	}
	return nil
}

// editWords says what an edit changed.
func editWords(e *job.JobEdited) string {
	var words []string
	for _, field := range e.Fields {
		words = append(words, fmt.Sprintf("%s %s → %s", field, valueWords(field, &e.Old), valueWords(field, &e.New)))
	}
	return strings.Join(words, ", ")
}

func valueWords(field string, e *job.JobEnqueued) string {
	spec := &e.Spec
	switch field {
	case job.FieldCommand:
		return inQuotes(spec.Command)
	case job.FieldArgv:
		return inQuotes(job.Quote(spec.Argv))
	case job.FieldQueue:
		return queueName(*spec)
	case job.FieldPriority:
		return fmt.Sprint(spec.Priority)
	case job.FieldDue:
		if e.Due == 0 {
			return "at once"
		}
		return clockTime(*moment(e.Due))
	case job.FieldDeadline:
		if !spec.Deadline.IsZero() {
			return clockTime(spec.Deadline)
		}
	case job.FieldMaxRetries:
		if spec.MaxRetries != nil {
			return fmt.Sprint(*spec.MaxRetries)
		}
	case job.FieldTimeout:
		if spec.Timeout != nil {
			return job.FormatDuration(*spec.Timeout)
		}
	case job.FieldTags:
		var tags []string
		for _, name := range slices.Sorted(maps.Keys(spec.Tags)) {
			tags = append(tags, name+"="+spec.Tags[name])
		}
		if len(tags) > 0 {
			return strings.Join(tags, " ")
		}
	}
	return "none"
}

func inQuotes(text string) string {
	if text == "" {
		return "none"
	}
	return "'" + text + "'"
}
