package main

import (
	"encoding/json"
	"testing"

	"github.com/queuectl/queuectl/job"
)

// TestEvents_EveryKindHasWordsAndData: a kind that is added to the catalogue without words here would
// otherwise only be noticed by the first user whose log holds one.
func TestEvents_EveryKindHasWordsAndData(t *testing.T) {
	t.Parallel()
	for number := range job.Kind(100) {
		e, err := job.DecodeEvent(number, nil)
		if err != nil {
			continue // the kind has fields that must be there
		}
		what, _ := eventWords(e)
		if what == "" {
			t.Errorf("kind %v has no words", number)
		}
		if _, err := json.Marshal(eventData(e)); err != nil {
			t.Errorf("kind %v: %v", number, err)
		}
	}
	for _, e := range []job.Event{
		job.LogCreated{},
		job.LogRepaired{},
		job.ClockStepped{},
		job.LogRestored{},
		job.ArchivePruned{},
		job.ConfigSet{},
		job.ConfigUnset{},
		&job.JobEnqueued{},
		job.JobClaimed{},
		&job.JobCompleted{}, &job.JobFailed{}, &job.JobDied{},
		job.RunLost{},
		job.RunReturned{},
		job.JobRetried{},
		&job.JobCancelled{},
		job.KillRequested{},
		&job.WorkerStarted{},
		job.WorkerStopped{},
		job.StopRequested{},
		job.WorkerLost{},
		job.QueuePaused{},
		job.QueueResumed{},
		job.QueueLimited{},
		job.Unknown{},
	} {
		if what, _ := eventWords(e); what == "" {
			t.Errorf("%T has no words", e)
		}
		if eventData(e) == nil {
			t.Errorf("%T has no data", e)
		}
	}
}
