package queuetest

import (
	"io"
	"testing"

	"github.com/queuectl/queuectl/internal/gotest"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// Log is a recorded log that a program holds: commits in order. Their positions need not be dense, so that
// commits and events can be taken out of it. 'queuectl log export --go-test' writes one.
type Log []Commit

// Commit is one commit of a Log.
type Commit struct {
	At     job.At // of its first event; each of the others has the next position
	Events []job.Event
}

// Record reads the log of a queue. Errors: those of queue.Read.
func Record(t testing.TB, q *queue.Queue) Log {
	t.Helper()
	var records []queue.Record
	err := q.Read(t.Context(), func(r queue.Record) error {
		records = append(records, r)
		return nil
	})
	if err != nil {
		t.Fatalf("read the log: %v", err)
	}
	return logOf(records)
}

// Records returns the events one by one, with the jobs that they are about.
func (l Log) Records() (records []queue.Record) {
	jobs := map[job.Position]*job.Spec{}
	for _, c := range l {
		at := c.At
		for _, e := range c.Events {
			key := job.Of(e)
			if enqueued, ok := e.(*job.JobEnqueued); ok {
				key = at.Position
				jobs[key] = &enqueued.Spec
			}
			record := queue.Record{At: at, Event: e}
			if spec := jobs[key]; spec != nil {
				record.ID, record.Queue = spec.ID, spec.Queue
			}
			records = append(records, record)
			at.Position++
		}
	}
	return records
}

// logOf puts events together that follow each other and were written by the same actor at the same time.
func logOf(records []queue.Record) (log Log) {
	for i, r := range records {
		if i > 0 {
			last := &log[len(log)-1]
			next := last.At
			next.Position += job.Position(len(last.Events))
			if next == r.At {
				last.Events = append(last.Events, r.Event)
				continue
			}
		}
		log = append(log, Commit{At: r.At, Events: []job.Event{r.Event}})
	}
	return log
}

// Replay folds a recorded log, calls each after every event with the state and the event, and returns the state
// at the end. The test fails if an event does not follow from those before. each may be nil.
func Replay(t testing.TB, log Log, each func(queue.View, queue.Record)) queue.View {
	t.Helper()
	fold := queue.NewFold()
	for _, r := range log.Records() {
		if err := fold.Take(r); err != nil {
			t.Fatalf("replay: %v", err)
		}
		if each != nil {
			each(fold.View, r)
		}
	}
	return fold.View
}

// WriteTest writes the log as the source of a Go test, as 'queuectl log export --go-test' does: for the shortest
// log that [Shrink] has found, say.
func (l Log) WriteTest(w io.Writer) error {
	fold := queue.NewFold()
	for _, r := range l.Records() {
		if err := fold.Take(r); err != nil {
			return err
		}
	}
	commits := make([]gotest.Commit, len(l))
	for i, c := range l {
		commits[i] = gotest.Commit(c)
	}
	return gotest.Write(w, commits, gotest.End{Counts: fold.Status().Counts, Digest: fold.Digest()})
}
