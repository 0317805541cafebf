package gotest

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/queuectl/queuectl/job"
)

// constants are the names of values that a number would not tell much of.
var constants = map[any]string{
	job.Pending: "Pending", job.Processing: "Processing", job.Completed: "Completed",
	job.Failed: "Failed", job.Dead: "Dead", job.Cancelled: "Cancelled",
	job.WhyExit: "WhyExit", job.WhySignal: "WhySignal", job.WhyTimeout: "WhyTimeout", job.WhyRetries: "WhyRetries",
	job.WhyCrashes: "WhyCrashes", job.WhyOnCrash: "WhyOnCrash", job.WhyStop: "WhyStop", job.WhyError: "WhyError",
	job.WhyNotStarted: "WhyNotStarted", job.WhySnooze: "WhySnooze", job.WhyDeadline: "WhyDeadline", job.WhyDependency: "WhyDependency",
	job.OnFailure: "OnFailure", job.OnAny: "OnAny", job.ParentCancel: "ParentCancel", job.ParentRelease: "ParentRelease", job.CrashDead: "CrashDead",
	job.MissedOnce: "MissedOnce", job.MissedAll: "MissedAll", job.OverlapSkip: "OverlapSkip",
	job.SkipMissed: "SkipMissed", job.SkipOverlap: "SkipOverlap", job.SkipQueueFull: "SkipQueueFull", job.SkipExists: "SkipExists",
	job.SkipRefused: "SkipRefused",
}

// event writes an event on one line.
func (s *source) event(e job.Event) { s.literal(e) }

// literal writes a value with its type.
func (s *source) literal(v any) { s.value(reflect.ValueOf(v), true) }

// value writes a value; typed says that the place does not say what type it has. Zero fields are left out.
func (s *source) value(v reflect.Value, typed bool) {
	switch special := v.Interface().(type) {
	case time.Time:
		s.need("time")
		fmt.Fprintf(&s.body, "time.Unix(%d, %d).UTC()", special.Unix(), special.Nanosecond())
		return
	case job.State, job.Why, job.OnCrash, job.AfterOn, job.OnParentFailure, job.Missed, job.Overlap, job.Skip:
		if name, ok := constants[special]; ok {
			s.body.WriteString("job." + name)
			return
		}
	}
	switch v.Kind() {
	case reflect.Pointer:
		s.pointer(v.Elem())
	case reflect.Struct:
		s.fields(v)
	case reflect.Slice, reflect.Array:
		s.list(v)
	case reflect.Map:
		s.mapping(v)
	default:
		text := basic(v)
		if typed {
			text = s.typeName(v.Type()) + "(" + text + ")"
		}
		s.body.WriteString(text)
	}
}

func (s *source) pointer(to reflect.Value) {
	if to.Kind() == reflect.Struct {
		s.body.WriteString("&")
		s.value(to, true)
		return
	}
	s.body.WriteString("new(")
	s.value(to, true)
	s.body.WriteString(")")
}

func (s *source) fields(v reflect.Value) {
	s.body.WriteString(s.typeName(v.Type()) + "{")
	between := ""
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			continue
		}
		s.body.WriteString(between + v.Type().Field(i).Name + ": ")
		s.value(v.Field(i), false)
		between = ", "
	}
	s.body.WriteString("}")
}

func (s *source) list(v reflect.Value) {
	if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 {
		fmt.Fprintf(&s.body, "[]byte(%s)", strconv.Quote(string(v.Bytes())))
		return
	}
	s.body.WriteString(strings.ReplaceAll(v.Type().String(), "uint8", "byte") + "{") // of basic types only
	for i := range v.Len() {
		if i > 0 {
			s.body.WriteString(", ")
		}
		s.value(v.Index(i), false)
	}
	s.body.WriteString("}")
}

func (s *source) mapping(v reflect.Value) {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	s.body.WriteString(v.Type().String() + "{") // of basic types only
	for i, key := range keys {
		if i > 0 {
			s.body.WriteString(", ")
		}
		s.value(key, false)
		s.body.WriteString(": ")
		s.value(v.MapIndex(key), false)
	}
	s.body.WriteString("}")
}

// basic is a value of a basic type as a constant without a type.
func basic(v reflect.Value) string {
	switch {
	case v.Kind() == reflect.String:
		return strconv.Quote(v.String())
	case v.Kind() == reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case v.CanInt():
		return strconv.FormatInt(v.Int(), 10)
	case v.CanUint():
		return strconv.FormatUint(v.Uint(), 10)
	case v.CanFloat():
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	}
	panic(fmt.Sprintf("gotest: events hold no %s", v.Type()))
}

// typeName is a type as the file names it.
func (s *source) typeName(t reflect.Type) string {
	if path := t.PkgPath(); path != "" {
		s.need(path)
	}
	return t.String()
}

func (s *source) need(path string) {
	if !slices.Contains(s.imports, path) {
		s.imports = append(s.imports, path)
	}
}
