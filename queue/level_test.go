package queue_test

import (
	"errors"
	"testing"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// A log whose events are of a later level is neither read nor written: this program could take them for others.
func TestOpen_RefusesALogOfALaterLevel(t *testing.T) {
	t.Parallel()
	for level, want := range map[uint32]error{job.Level: nil, job.Level + 1: eventlog.ErrNewer} {
		dir := t.TempDir()
		log, err := eventlog.Open(t.Context(), dir, nothing{}, eventlog.Options{
			Create: func(id eventlog.LogID) (eventlog.Meta, []eventlog.Event) {
				created := job.LogCreated{LogID: id, Format: 1, Level: level}
				return eventlog.Meta{}, []eventlog.Event{{Kind: uint16(job.KindLogCreated), Data: job.AppendEvent(nil, created)}}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
		q, err := queue.Open(t.Context(), dir, queue.Options{})
		if err == nil {
			_, err = q.Enqueue(t.Context(), job.Spec{Command: "true"})
			if _, statusErr := q.Status(t.Context()); !errors.Is(statusErr, want) {
				t.Errorf("level %d: status answers %v, want %v", level, statusErr, want)
			}
			_ = q.Close()
		}
		if !errors.Is(err, want) {
			t.Errorf("level %d: got %v, want %v", level, err, want)
		}
		r, err := queue.OpenReplay(dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Next(t.Context()); !errors.Is(err, want) {
			t.Errorf("level %d: a replay answers %v, want %v", level, err, want)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}
