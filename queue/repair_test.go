package queue

import (
	"errors"
	"fmt"
	"testing"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
)

// TestRepair_OfManyPiecesIsRecordedInParts: one commit must not become too large, however much of a log
// was taken out of it.
func TestRepair_OfManyPiecesIsRecordedInParts(t *testing.T) {
	t.Parallel()
	m := &machine{state: decide.NewState()}
	repairs := make([]eventlog.Repair, 2*mostRepairs+1)
	for i := range repairs {
		repairs[i].Quarantine = fmt.Sprintf("repair-1/log-%020d", i+1)
	}
	recordOnly := func(*decide.State, job.At) ([]job.Event, error) { return nil, errRecordOnly }
	at := job.At{Position: 1, Time: 1}
	for _, want := range []int{mostRepairs, mostRepairs, 1} {
		events, err := m.decide(at, repairs, recordOnly)
		if err != nil || len(events) != want {
			t.Fatalf("recorded %d, %v; want %d", len(events), err, want)
		}
		at.Position += job.Position(want)
		repairs = nil // told once
	}
	if events, err := m.decide(at, nil, recordOnly); len(events) > 0 || !errors.Is(err, errRecordOnly) {
		t.Errorf("then: %d events, %v", len(events), err)
	}
}
