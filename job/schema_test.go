package job

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
	"pgregory.net/rapid"
)

// The published schema and the codec are two descriptions of the same bytes. These tests hold them
// together with the real protobuf runtime: a Go event is carried over into a dynamic message field by
// field, by the names of the fields.

func schema(t testing.TB) protoreflect.FileDescriptor {
	t.Helper()
	files, err := (&protocompile.Compiler{Resolver: &protocompile.SourceResolver{}}).Compile(context.Background(), "event.proto")
	if err != nil {
		t.Fatal(err)
	}
	return files[0]
}

func TestSchema_RuntimeAndCodecReadEachOther(t *testing.T) {
	t.Parallel()
	file := schema(t)
	rapid.Check(t, func(t *rapid.T) {
		e := events.Draw(t, "event")
		want := toMessage(t, file, e)
		got := want.New().Interface()
		if err := proto.Unmarshal(AppendEvent(nil, e), got); err != nil {
			t.Fatalf("the runtime does not read what the codec wrote: %v", err)
		}
		if unknown := got.ProtoReflect().GetUnknown(); len(unknown) > 0 {
			t.Fatalf("the schema does not have what the codec wrote: %x", unknown)
		}
		if !proto.Equal(got, want) {
			t.Fatalf("the runtime reads\n%v\nwant\n%v", got, want)
		}
		data, err := proto.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		back, err := DecodeEvent(KindOf(e), data)
		if err != nil || !reflect.DeepEqual(back, e) {
			t.Fatalf("the codec reads\n%+v, %v\nwant\n%+v", back, err, e)
		}
	})
}

func TestSchema_HasEveryFieldOfEveryEvent(t *testing.T) {
	t.Parallel()
	file := schema(t)
	for _, e := range samples {
		m := toMessage(t, file, e)                                                   // fails if the schema does not have a field
		missing := strings.TrimPrefix(unset(m), "result.tail ")                      // of a success there is none
		missing = regexp.MustCompile(`new\.job\.\S+ `).ReplaceAllString(missing, "") // the fields of a JobEnqueued, which has all of them
		if missing != "" {
			t.Errorf("%v does not have %s", KindOf(e), missing)
		}
	}
}

// unset lists the fields of a message and of the messages in it that are not there.
func unset(m protoreflect.Message) string {
	var names strings.Builder
	for i := range m.Descriptor().Fields().Len() {
		f := m.Descriptor().Fields().Get(i)
		if !m.Has(f) {
			fmt.Fprintf(&names, "%s ", f.Name())
		} else if f.Message() != nil && !f.IsMap() {
			for _, inner := range strings.Fields(unset(m.Get(f).Message())) {
				fmt.Fprintf(&names, "%s.%s ", f.Name(), inner)
			}
		}
	}
	return names.String()
}

func TestSchema_NumbersAreThoseOfTheCode(t *testing.T) {
	t.Parallel()
	file := schema(t)
	if got, want := string(file.Package()), "queuectl.v1"; got != want {
		t.Errorf("package %s, want %s", got, want)
	}
	kinds := map[string]int{}
	for k, name := range kindNames {
		kinds[name] = int(k)
	}
	wantEnum(t, file, "Kind", kinds)
	states := map[string]int{"None": 0}
	for _, s := range States {
		states[s.String()] = int(s)
	}
	wantEnum(t, file, "State", states)
	whys := map[string]int{}
	for w, name := range whyNames {
		if name != "" { // not given yet
			whys[name] = w
		}
	}
	wantEnum(t, file, "Why", whys)
	numbers := func(names []string) map[string]int {
		m := map[string]int{}
		for n, name := range names {
			m[name] = n
		}
		return m
	}
	wantEnum(t, file, "AfterOn", numbers(afterOnNames[:]))
	wantEnum(t, file, "OnParentFailure", numbers(onParentFailureNames[:]))
	wantEnum(t, file, "Missed", numbers(missedNames[:]))
	wantEnum(t, file, "Overlap", numbers(overlapNames[:]))
	wantEnum(t, file, "Skip", numbers(skipNames[:]))
	wantEnum(t, file, "OnCrash", map[string]int{"retry": int(CrashRetry), "dead": int(CrashDead)})
	wantEnum(t, file, "UniqueScope", map[string]int{"active": int(ScopeActive), "waiting": int(ScopeWaiting)})
	for _, name := range kindNames {
		if file.Messages().ByName(protoreflect.Name(name)) == nil {
			t.Errorf("no message %s", name)
		}
	}
	if got, want := file.Messages().Len(), len(kindNames)+2; got != want { // and Result, Cron
		t.Errorf("%d messages, want %d", got, want)
	}
}

// wantEnum compares an enum with names in any case.
func wantEnum(t *testing.T, file protoreflect.FileDescriptor, name string, want map[string]int) {
	t.Helper()
	plain := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, "_", "")) }
	values := file.Enums().ByName(protoreflect.Name(name)).Values()
	got := map[string]int{}
	for i := range values.Len() {
		v := values.Get(i)
		short := strings.TrimPrefix(plain(string(v.Name())), plain(name))
		if short != "unspecified" {
			got[short] = int(v.Number())
		}
	}
	for n, number := range want {
		if got[plain(n)] != number {
			t.Errorf("%s %s is %d in the schema, %d in the code", name, n, got[plain(n)], number)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s has %d values in the schema, %d in the code", name, len(got), len(want))
	}
}

// Every message, field and value of the schema says what it is, unless its name does.
func TestSchema_EveryMessageHasAComment(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("event.proto")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	for i, line := range lines {
		for _, word := range []string{"message ", "enum "} {
			name, found := strings.CutPrefix(line, word)
			if found && !commented(lines[:i], strings.TrimSuffix(name, " {")) {
				t.Errorf("event.proto:%d: %s has no comment that begins with its name", i+1, line)
			}
		}
	}
}

func commented(above []string, name string) bool {
	for i := len(above) - 1; i >= 0 && strings.HasPrefix(above[i], "//"); i-- {
		if strings.HasPrefix(above[i], "// "+name+" ") {
			return true
		}
	}
	return false
}

// fataler is a testing.T or a rapid.T.
type fataler interface {
	Fatalf(format string, args ...any)
}

// toMessage carries a Go event over into a message of the schema.
func toMessage(t fataler, file protoreflect.FileDescriptor, e Event) *dynamicpb.Message {
	v := reflect.Indirect(reflect.ValueOf(e))
	m := dynamicpb.NewMessage(file.Messages().ByName(protoreflect.Name(v.Type().Name())))
	fill(t, m, v)
	return m
}

func fill(t fataler, m protoreflect.Message, v reflect.Value) {
	v = reflect.Indirect(v)
	for i := range v.NumField() {
		name, value := v.Type().Field(i).Name, v.Field(i)
		switch {
		case name == "Spec":
			fill(t, m, value)
			continue
		case name == "RunAt", name == "Delay", name == "OnClash": // moved into Due, or only for the enqueue
			continue
		case name == "After":
			spec := v.Interface().(Spec)
			_, on := spec.AfterFields()
			setField(t, m, m.Descriptor().Fields().ByName("after_on"), reflect.ValueOf(on))
			var keys []Position
			for _, p := range spec.After {
				keys = append(keys, p.Key)
			}
			value = reflect.ValueOf(keys)
		case name == "Queue" && value.String() == DefaultQueue:
			continue
		case name == "End":
			name, value = "Elapsed", reflect.ValueOf(value.Int()-v.FieldByName("Start").Int())
		}
		f := m.Descriptor().Fields().ByName(protoreflect.Name(snake(name)))
		if f == nil {
			t.Fatalf("%s has no field for %s", m.Descriptor().Name(), name)
		}
		if !value.IsZero() {
			setField(t, m, f, value)
		}
	}
}

func setField(t fataler, m protoreflect.Message, f protoreflect.FieldDescriptor, v reflect.Value) {
	switch {
	case f.IsMap():
		for _, k := range v.MapKeys() {
			m.Mutable(f).Map().Set(protoreflect.ValueOfString(k.String()).MapKey(), protoreflect.ValueOfString(v.MapIndex(k).String()))
		}
	case f.IsList():
		for i := range v.Len() {
			m.Mutable(f).List().Append(scalar(f, v.Index(i)))
		}
	case f.Message() != nil:
		fill(t, m.Mutable(f).Message(), v)
	default:
		m.Set(f, scalar(f, v))
	}
}

func scalar(f protoreflect.FieldDescriptor, v reflect.Value) protoreflect.Value {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	switch f.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(v.String())
	case protoreflect.BytesKind:
		switch v.Kind() {
		case reflect.String:
			return protoreflect.ValueOfBytes([]byte(v.String()))
		case reflect.Array:
			b := make([]byte, v.Len())
			reflect.Copy(reflect.ValueOf(b), v)
			return protoreflect.ValueOfBytes(b)
		}
		return protoreflect.ValueOfBytes(v.Bytes())
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(v.Bool())
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(v.Float())
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(v.Uint()))
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(v.Uint())
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		if v.CanInt() {
			return protoreflect.ValueOfUint32(uint32(v.Int()))
		}
		return protoreflect.ValueOfUint32(uint32(v.Uint()))
	case protoreflect.Int32Kind, protoreflect.Sint32Kind:
		return protoreflect.ValueOfInt32(int32(v.Int()))
	}
	if at, ok := v.Interface().(time.Time); ok {
		return protoreflect.ValueOfInt64(at.UnixNano())
	}
	return protoreflect.ValueOfInt64(v.Int())
}

// snake makes max_rss of MaxRSS.
func snake(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		if unicode.IsUpper(r) && i > 0 && (unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
