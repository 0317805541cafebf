package gotest

import (
	"go/format"
	"strings"
	"testing"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
)

func TestLiteral_IsWhatSomebodyWouldWrite(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		event job.Event
		want  string
	}{
		{job.LogCreated{LogID: [16]byte{1, 255}, Format: 1}, `job.LogCreated{LogID: [16]byte{1, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, Format: 1}`},
		{job.RunReturned{Job: 2, Run: 3, Why: job.WhyNotStarted}, `job.RunReturned{Job: 2, Run: 3, Why: job.WhyNotStarted}`},
		{job.RunReturned{Why: 200}, `job.RunReturned{Why: 200}`},
		{job.JobRetried{Job: 2, From: job.Dead, Reset: true}, `job.JobRetried{Job: 2, From: job.Dead, Reset: true}`},
		{job.StopRequested{}, `job.StopRequested{}`},
		{job.Unknown{Number: 99, Data: []byte("\x00\"é")}, `job.Unknown{Number: 99, Data: []byte("\x00\"é")}`},
		{&job.WorkerStarted{ID: "w", Queues: []string{"a b", "`"}}, "&job.WorkerStarted{ID: \"w\", Queues: []string{\"a b\", \"`\"}}"},
		{
			&job.JobEnqueued{Spec: job.Spec{
				MaxRetries: new(uint32(0)), Timeout: new(time.Duration(0)), BackoffBase: new(1.5), Priority: -1, OnCrash: job.CrashDead,
				Env: map[string]string{"b": "2", "a": "1"}, Payload: []byte(`{}`), CreatedAt: time.Unix(1, 2).UTC(),
			}},
			`&job.JobEnqueued{Spec: job.Spec{Payload: []byte("{}"), Priority: -1, Timeout: new(time.Duration(0)), ` +
				`MaxRetries: new(uint32(0)), BackoffBase: new(float64(1.5)), OnCrash: job.CrashDead, ` +
				`Env: map[string]string{"a": "1", "b": "2"}, CreatedAt: time.Unix(1, 2).UTC()}}`,
		},
	} {
		var s source
		s.event(tt.event)
		if got := s.body.String(); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}

// The whole file is as gofmt has it, also with more actors than fit one digit.
func TestWrite_IsFormatted(t *testing.T) {
	t.Parallel()
	var log []Commit
	for i := range 12 {
		actor := &job.Actor{User: "ada", PID: uint32(i)}
		log = append(log, Commit{At: job.At{Position: job.Position(i + 1), Actor: actor}, Events: []job.Event{job.StopRequested{}}})
	}
	log = append(log, Commit{At: job.At{Position: 13}, Events: []job.Event{&job.JobEnqueued{Spec: job.Spec{Timeout: new(time.Hour)}}}})
	for _, log := range [][]Commit{nil, log[:1], log} {
		var b strings.Builder
		if err := Write(&b, log, End{Counts: projection.Counts{job.Dead: 2}}); err != nil {
			t.Fatal(err)
		}
		formatted, err := format.Source([]byte(b.String()))
		if err != nil {
			t.Fatalf("%v\n%s", err, b.String())
		}
		if string(formatted) != b.String() {
			t.Errorf("gofmt would write\n%s\ninstead of\n%s", formatted, b.String())
		}
	}
}
