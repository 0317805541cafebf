package job

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"pgregory.net/rapid"
)

// samples has one event of every kind with every field set.
var samples = []Event{
	LogCreated{LogID: [16]byte{1, 2, 3, 15: 255}, Format: 1, Level: 1},
	LogRepaired{
		Segment: "00000000000000000421", Offset: 4096, Size: 9000, CRC: 0xdeadbeef, Quarantine: "repair-1/log-00000000000000000421", Verdict: "it does not follow commit 7",
		Accepted: "ada@loom", FirstCommit: 421, LastCommit: 430, FirstPosition: 500, LastPosition: 520, Events: 21,
	},
	ClockStepped{From: sampleTime + 2e9, To: sampleTime},
	LogRestored{Commit: 300, Head: [32]byte{1, 2, 3, 31: 255}, Backup: sampleTime, From: "queue.backup"},
	ArchivePruned{First: 1, Last: 300, From: 1, To: 420, Head: [32]byte{1, 31: 255}, Base: [32]byte{2, 31: 254}},
	ConfigSet{Key: "backoff_max", Old: "24h", New: "1h30m"},
	ConfigUnset{Key: "backoff_max", Old: "1h30m"},
	&sampleEnqueued,
	JobClaimed{Job: 7, Worker: 300},
	&JobCompleted{Job: 7, Run: 301, Result: sampleResult("")},
	&JobFailed{Job: 7, Run: 301, Why: WhyTimeout, Result: sampleResult("no\xff\n"), NextAttemptAt: sampleTime + 4e9},
	&JobDied{Job: 7, Run: 301, Why: WhyRetries, Failure: WhyExit, Result: sampleResult(strings.Repeat("x", 300)), Parent: 5},
	RunLost{Job: 7, Run: 301, Worker: 300},
	RunReturned{Job: 7, Run: 301, Why: WhySnooze, Due: sampleTime},
	JobRetried{Job: 7, From: Dead, Reset: true, Due: 1_900_000_000_000_000_000, DeadlineLifted: true},
	&JobCancelled{Job: 7, Run: 301, Result: sampleResult("bye"), Parent: 5},
	KillRequested{Job: 7, Run: 301, Signal: 15, Cancel: true},
	JobHeld{Job: 7},
	JobReleased{Job: 7},
	&JobEdited{Job: 7, Fields: []string{FieldPriority, FieldDue}, Old: sampleEnqueued, New: sampleEnqueued},
	JobsForgotten{Queue: "slow", State: Completed, Through: 299, Jobs: 12},
	&JobsPurged{Jobs: []Position{7, 300, 1 << 40}},
	&WorkerStarted{ID: "w1", Slots: 4, Queues: []string{"default", "slow"}, Kinds: []string{"mail"}, Shell: true},
	WorkerStopped{Worker: 300, Why: "stop requested"},
	StopRequested{Worker: 300, Now: true},
	WorkerLost{Worker: 300},
	QueuePaused{Queue: "slow"},
	QueueResumed{Queue: "slow"},
	QueueLimited{Queue: "slow", Concurrency: 3, Rate: 10, Per: time.Minute},
	&CronAdded{New: sampleCron(), Next: sampleTime},
	&CronChanged{Cron: 400, Paused: true, Next: sampleTime, New: new(sampleCron())},
	CronRemoved{Cron: 400},
	CronTicked{Cron: 400, Tick: sampleTime, Since: sampleTime - 9e9, Made: 401, Skip: SkipOverlap, Next: sampleTime + 9e9},
}

func sampleCron() Cron {
	return Cron{
		Name: "nightly", Schedule: "30 2 * * *", Zone: "Europe/Zurich", Missed: MissedAll, Overlap: OverlapSkip,
		Job: Spec{
			ID: "none", Command: "echo hello", Argv: []string{"make"}, Kind: "mail", Payload: json.RawMessage(`{"to":"you"}`),
			Queue: "slow", Priority: -3, Timeout: new(90 * time.Second), MaxRetries: new(uint32(0)), BackoffBase: new(1.5),
			BackoffMax: new(time.Duration(0)), BackoffJitter: new(0.0), OnCrash: CrashDead, Env: map[string]string{"A": "1"},
			Cwd: "/srv", Stdin: "@in", Tags: map[string]string{"team": "é"}, CreatedAt: time.Unix(0, sampleTime-1).UTC(),
			Extra: json.RawMessage(`{"colour":"red"}`), ConcurrencyKey: "host 7",
		},
	}
}

var sampleEnqueued = JobEnqueued{Due: sampleTime, Spec: Spec{
	ID: "job-1", Command: "echo hello", Argv: []string{"make", "", "-j4"}, Kind: "mail", Payload: json.RawMessage(`{"to":"you"}`),
	Queue: "slow", Priority: -3,
	Timeout: new(90 * time.Second), MaxRetries: new(uint32(0)), BackoffBase: new(1.5), BackoffMax: new(time.Duration(0)),
	BackoffJitter: new(0.0), OnCrash: CrashDead, Backoff: "1s,1m",
	RetryOn: ExitCodes{75, 111}, DeadOn: ExitCodes{2}, SnoozeOn: ExitCodes{99}, Snooze: time.Hour, Deadline: time.Unix(0, sampleTime+1).UTC(), DeadlineIn: time.Hour, SecretEnv: []string{"PASSWORD", "TOKEN"},
	After: []Parent{{Key: 3}, {Key: 300, On: OnFailure}}, OnParentFailure: ParentRelease,
	Env: map[string]string{"B": "2", "A": "1", "EMPTY": ""}, Cwd: "/srv", Stdin: "@in", Tags: map[string]string{"team": "é"},
	UniqueKey: "report:42", UniqueScope: ScopeWaiting, UniqueFor: time.Hour,
	OnComplete: json.RawMessage(`"mail"`), OnDead: json.RawMessage(`{"url":"https://example.com"}`),
	CreatedAt: time.Unix(0, sampleTime-1).UTC(), Extra: json.RawMessage(`{"colour":"red"}`), ConcurrencyKey: "host 7",
}}

const sampleTime = 1_763_942_400_123_456_789

func sampleResult(tail string) Result {
	return Result{
		Exit: -1, Signal: 9, Start: sampleTime, End: sampleTime + 1e9, CPU: 20 * time.Millisecond, MaxRSS: 3 << 20,
		OutputSize: 4242, Tail: tail, LeftBehind: true, Timeout: 2 * time.Second,
	}
}

func TestSamples_HaveEveryKind(t *testing.T) {
	t.Parallel()
	seen := map[Kind]bool{}
	for _, e := range samples {
		seen[KindOf(e)] = true
		if got := reflect.Indirect(reflect.ValueOf(e)).Type().Name(); got != KindOf(e).String() {
			t.Errorf("%T has the name %s", e, KindOf(e))
		}
	}
	if len(seen) != len(kindNames) {
		t.Errorf("samples of %d kinds, want %d", len(seen), len(kindNames))
	}
}

func TestDecodeEvent_ReturnsWhatWasAppended(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := events.Draw(t, "event")
		data := AppendEvent([]byte("before"), want)[len("before"):]
		got, err := DecodeEvent(KindOf(want), data)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("got  %+v\nwant %+v", got, want)
		}
		if again := AppendEvent(nil, got); !bytes.Equal(again, data) {
			t.Fatalf("encoding changed\ngot  %x\nwant %x", again, data)
		}
	})
}

func TestAppendEvent_EqualEventsHaveEqualBytes(t *testing.T) {
	t.Parallel()
	event := func(keys string) Event {
		env := map[string]string{}
		for _, k := range keys {
			env[string(k)] = "x"
		}
		return &JobEnqueued{Spec: Spec{Env: env, Tags: env}}
	}
	want := AppendEvent(nil, event("abcdefghijklmnopqrstuvwxyz"))
	for range 20 {
		if got := AppendEvent(nil, event("zyxwvutsrqponmlkjihgfedcba")); !bytes.Equal(got, want) {
			t.Fatalf("got  %x\nwant %x", got, want)
		}
	}
}

func TestAppendEvent_ZeroIsNotUnset(t *testing.T) {
	t.Parallel()
	set := &JobEnqueued{Spec: Spec{
		MaxRetries: new(uint32(0)), Timeout: new(time.Duration(0)), BackoffMax: new(time.Duration(0)),
		BackoffBase: new(0.0), BackoffJitter: new(0.0), CreatedAt: time.Unix(0, 0).UTC(), Queue: DefaultQueue,
	}}
	for _, want := range []*JobEnqueued{set, {Spec: Spec{Queue: DefaultQueue}}} {
		got, err := DecodeEvent(KindJobEnqueued, AppendEvent(nil, want))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	}
}

func TestAppendEvent_DefaultsTakeNoBytes(t *testing.T) {
	t.Parallel()
	e := &JobEnqueued{Spec: Spec{Queue: DefaultQueue, RunAt: time.Unix(1, 0), Delay: time.Second}}
	if got := AppendEvent(nil, e); len(got) != 0 {
		t.Errorf("got %x, want nothing", got)
	}
}

// A pending job with a command of 100 bytes takes at most 137 bytes on disk, 4 of which are for the
// framing around the event.
func TestAppendEvent_PendingJobIsSmall(t *testing.T) {
	t.Parallel()
	e := pendingJob()
	if got, most := len(AppendEvent(nil, e)), 137-4; got > most {
		t.Errorf("%d bytes, want at most %d", got, most)
	}
}

func pendingJob() *JobEnqueued {
	return &JobEnqueued{Spec: Spec{ID: "7k3f2x9a", Command: strings.Repeat("c", 100), Queue: DefaultQueue, MaxRetries: new(uint32(3))}}
}

func TestDecodeEvent_KeepsNoReferenceToData(t *testing.T) {
	t.Parallel()
	for _, want := range append(samples, Unknown{Number: 999, Data: []byte("later")}) {
		data := AppendEvent(nil, want)
		got, err := DecodeEvent(KindOf(want), data)
		if err != nil {
			t.Fatal(err)
		}
		for i := range data {
			data[i] = 'X'
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%v changed with data: %+v", KindOf(want), got)
		}
	}
}

func TestDecodeEvent_UnknownKindIsKept(t *testing.T) {
	t.Parallel()
	want := Unknown{Number: 999, Data: []byte{0xff, 0xff}}
	got, err := DecodeEvent(999, want.Data)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if data := AppendEvent(nil, got); !bytes.Equal(data, want.Data) {
		t.Errorf("encoded to %x, want %x", data, want.Data)
	}
	if got := KindOf(got).String(); got != "Kind(999)" {
		t.Errorf("its name is %s, want Kind(999)", got)
	}
}

func TestDecodeEvent_UnknownFieldsAreSkipped(t *testing.T) {
	t.Parallel()
	var later []byte // a field of each wire type, and a group
	later = protowire.AppendVarint(protowire.AppendTag(later, 100, protowire.VarintType), 1<<63)
	later = protowire.AppendFixed32(protowire.AppendTag(later, 101, protowire.Fixed32Type), 1)
	later = protowire.AppendFixed64(protowire.AppendTag(later, 102, protowire.Fixed64Type), 1)
	later = protowire.AppendString(protowire.AppendTag(later, 103, protowire.BytesType), "x")
	later = protowire.AppendTag(later, 104, protowire.StartGroupType)
	later = protowire.AppendTag(later, 104, protowire.EndGroupType)
	for _, want := range samples {
		data := append(bytes.Clone(later), AppendEvent(nil, want)...)
		data = append(data, later...)
		got, err := DecodeEvent(KindOf(want), data)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%v: got %+v, %v", KindOf(want), got, err)
		}
	}
}

func TestDecodeEvent_TornBytesNeverPanic(t *testing.T) {
	t.Parallel()
	for _, e := range samples {
		data := AppendEvent(nil, e)
		failed := 0
		for n := range data {
			if _, err := DecodeEvent(KindOf(e), data[:n]); err != nil {
				failed++
				if !errors.Is(err, ErrDecode) || !strings.Contains(err.Error(), KindOf(e).String()) {
					t.Fatalf("%v cut at %d: %v does not wrap ErrDecode or name the event", KindOf(e), n, err)
				}
			}
		}
		if failed == 0 {
			t.Errorf("%v: no cut was noticed", KindOf(e))
		}
	}
}

func TestDecodeEvent_RefusesWhatTheSchemaDoesNotAllow(t *testing.T) {
	t.Parallel()
	varint := func(num protowire.Number, v uint64) []byte {
		return protowire.AppendVarint(protowire.AppendTag(nil, num, protowire.VarintType), v)
	}
	text := func(num protowire.Number, v string) []byte {
		return protowire.AppendString(protowire.AppendTag(nil, num, protowire.BytesType), v)
	}
	fixed64 := protowire.AppendFixed64(protowire.AppendTag(nil, 1, protowire.Fixed64Type), 1)
	for _, tt := range []struct {
		name string
		kind Kind
		data []byte
	}{
		{"text for a number", KindJobClaimed, text(1, "x")},
		{"fixed64 for a number", KindJobClaimed, fixed64},
		{"number for a text", KindConfigSet, varint(1, 1)},
		{"number for a time", KindClockStepped, varint(1, 1)},
		{"number for a checksum", KindLogRepaired, varint(4, 1)},
		{"number for a message", KindJobCompleted, varint(3, 1)},
		{"number for an entry of a map", KindJobEnqueued, varint(15, 1)},
		{"bad message", KindJobCompleted, text(3, "\xff")},
		{"bad entry of a map", KindJobEnqueued, text(15, "\xff")},
		{"uint32 too large", KindLogCreated, varint(2, 1<<32)},
		{"int32 too large", KindKillRequested, varint(3, 1<<31)},
		{"enum too large", KindRunReturned, varint(3, 256)},
		{"log id too short", KindLogCreated, text(1, "short")},
		{"head too short", KindLogRestored, text(2, "short")},
		{"base too short", KindArchivePruned, text(6, "short")},
		{"field number 0", KindJobClaimed, []byte{0, 0}},
		{"reserved wire type", KindJobClaimed, []byte{1<<3 | 7, 0}},
		{"end of a group that did not begin", KindJobClaimed, []byte{9<<3 | 4}},
		{"length beyond the end", KindConfigSet, []byte{1<<3 | 2, 200}},
		{"varint of 11 bytes", KindJobClaimed, append([]byte{1 << 3}, bytes.Repeat([]byte{0xff}, 11)...)},
	} {
		e, err := DecodeEvent(tt.kind, tt.data)
		if !errors.Is(err, ErrDecode) || e != nil {
			t.Errorf("%s: got %+v, %v, want ErrDecode", tt.name, e, err)
		}
	}
}

func TestDecodeEvent_MessageInPartsIsMerged(t *testing.T) {
	t.Parallel()
	want := &JobCompleted{Job: 1, Run: 2, Result: sampleResult("")}
	first, second := want.Result, want.Result
	first = Result{Start: first.Start, End: first.Start}
	second = Result{
		End: second.End - second.Start, Exit: second.Exit, Signal: second.Signal, CPU: second.CPU, MaxRSS: second.MaxRSS,
		OutputSize: second.OutputSize, LeftBehind: true, Timeout: second.Timeout,
	}
	data := AppendEvent(nil, &JobCompleted{Job: 1, Run: 2, Result: first})
	data = append(data, AppendEvent(nil, &JobCompleted{Result: second})...)
	got, err := DecodeEvent(KindJobCompleted, data)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
}

func TestPeekEnqueued_SeesWhatDecodeEnqueuedSees(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		data := string(AppendEvent(nil, &JobEnqueued{Spec: specs().Draw(t, "spec"), Due: times.Draw(t, "due")}))
		e, err := DecodeEnqueued(data)
		if err != nil {
			t.Fatal(err)
		}
		s := e.Spec
		want := Peek{ID: s.ID, Queue: s.Queue, Kind: s.Kind, Priority: s.Priority, Due: e.Due, OnCrash: s.OnCrash, After: s.After != nil, OnParent: s.OnParentFailure, UniqueKey: s.UniqueKey, ConcurrencyKey: s.ConcurrencyKey}
		if s.MaxRetries != nil {
			want.MaxRetries = *s.MaxRetries
		}
		if !s.Deadline.IsZero() {
			want.Deadline = s.Deadline.UnixNano()
		}
		if got, err := PeekEnqueued(data); got != want || err != nil {
			t.Fatalf("got %+v, %v, want %+v", got, err, want)
		}
	})
}

func TestPeekEnqueued_RefusesTornBytes(t *testing.T) {
	t.Parallel()
	if p, err := PeekEnqueued("\x0a\x05id"); !errors.Is(err, ErrDecode) || p != (Peek{}) {
		t.Errorf("got %+v, %v, want ErrDecode", p, err)
	}
}

func TestDecodeEnqueued_QueueIsNeverEmpty(t *testing.T) {
	t.Parallel()
	for _, data := range []string{"", "\x1a\x00"} { // absent, and written as the empty text
		e, err := DecodeEnqueued(data)
		p, peekErr := PeekEnqueued(data)
		if err != nil || peekErr != nil || e.Spec.Queue != DefaultQueue || p.Queue != DefaultQueue {
			t.Errorf("%q: got %+v and %+v, %v, %v", data, e, p, err, peekErr)
		}
	}
}

// The receiver of an event may write to its Payload: that must not reach the text it was decoded from.
func TestDecodeEnqueued_PayloadIsACopy(t *testing.T) {
	t.Parallel()
	data := string(AppendEvent(nil, &JobEnqueued{Spec: Spec{Payload: json.RawMessage(`[1]`), Extra: json.RawMessage(`{}`)}}))
	want := strings.Clone(data)
	e, err := DecodeEnqueued(data)
	if err != nil {
		t.Fatal(err)
	}
	e.Spec.Payload[1], e.Spec.Extra[0] = 'X', 'X'
	if data != want {
		t.Errorf("the encoded event became %q", data)
	}
}

func TestCodec_AllocatesOnlyTheEvent(t *testing.T) {
	encoded := func(e Event) []byte { return AppendEvent(nil, e) }
	claimed := encoded(JobClaimed{Job: 1e6, Worker: 2e6})
	completed := encoded(&JobCompleted{Job: 1e6, Run: 2e6, Result: sampleResult("")})
	pending := pendingJob()
	pendingBytes := encoded(pending)
	pendingText := string(pendingBytes)
	buf := make([]byte, 0, 1<<10)
	for _, tt := range []struct {
		name string
		most float64
		do   func()
	}{
		{"decode JobClaimed", 1, func() { _, _ = DecodeEvent(KindJobClaimed, claimed) }},
		{"decode JobCompleted", 1, func() { _, _ = DecodeEvent(KindJobCompleted, completed) }},
		{"decode JobEnqueued", 2, func() { _, _ = DecodeEvent(KindJobEnqueued, pendingBytes) }},
		{"decode JobEnqueued from its text", 1, func() { _, _ = DecodeEnqueued(pendingText) }},
		{"peek at JobEnqueued", 0, func() { _, _ = PeekEnqueued(pendingText) }},
		{"append JobEnqueued", 0, func() { buf = AppendEvent(buf[:0], pending) }},
	} {
		if got := testing.AllocsPerRun(100, tt.do); got > tt.most {
			t.Errorf("%s: %v allocations, want at most %v", tt.name, got, tt.most)
		}
	}
}
