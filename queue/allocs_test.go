package queue_test

import (
	"strings"
	"testing"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// TestEnqueue_AllocatesLittle: one durable job through the whole engine, the answer included.
func TestEnqueue_AllocatesLittle(t *testing.T) { // not parallel: it counts what the whole process allocates
	q, err := queue.NewMemory().Open(t.Context(), queue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	spec := job.Spec{Command: strings.Repeat("x", 100)}
	const most = 35
	got := testing.AllocsPerRun(200, func() {
		if _, err := q.Enqueue(t.Context(), spec); err != nil {
			t.Error(err)
		}
	})
	t.Logf("%v allocations", got)
	if got > most {
		t.Errorf("%v allocations an enqueue, want at most %d", got, most)
	}
}
