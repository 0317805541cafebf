package queue_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/queuectl/queuectl/internal/effort"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

var linears = effort.New("linear", "operations", "how many operations to look for an order of")

// linearInput is one call; its answer is a state, 0 for none, or the text of a refusal.
type linearInput struct{ op, id string }

// linearModel is one job id, as a single thread would see it: absent, pending or cancelled.
var linearModel = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		byID := map[string][]porcupine.Operation{}
		for _, op := range history {
			id := op.Input.(linearInput).id
			byID[id] = append(byID[id], op)
		}
		var parts [][]porcupine.Operation
		for _, part := range byID {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() any { return job.State(0) },
	Step: func(state, input, output any) (bool, any) {
		before, answer := state.(job.State), output.(string)
		switch input.(linearInput).op {
		case "enqueue":
			if before == 0 {
				return answer == "ok", job.Pending
			}
			return answer == "exists", before
		case "cancel":
			switch before {
			case 0:
				return answer == "not found", before
			case job.Pending:
				return answer == "ok", job.Cancelled
			}
			return answer == "wrong state", before
		}
		return answer == before.String(), before
	},
	Equal:             func(a, b any) bool { return a == b },
	DescribeOperation: func(in, out any) string { return fmt.Sprintf("%v → %v", in, out) },
}

// TestQueue_IsLinearizable lets several handles on one directory, as several processes have them, act
// on the same ids at once, and asks Porcupine for an order that explains every answer.
func TestQueue_IsLinearizable(t *testing.T) {
	t.Parallel()
	operations, clients := 20_000, 12
	if testing.Short() {
		operations = 2_000
	}
	operations, seed := linears.Count(operations), linears.Seed(1)
	dir := effort.Dir(t)
	handles := []*queue.Queue{open(t, dir), open(t, dir), open(t, dir)}
	histories := make([][]porcupine.Operation, clients)
	begin := time.Now()
	var group sync.WaitGroup
	for c := range clients {
		group.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(c)))
			for range operations / clients {
				in := linearInput{
					op: []string{"enqueue", "cancel", "state"}[random.IntN(3)],
					id: fmt.Sprintf("job-%d", random.IntN(operations/20)),
				}
				call := time.Since(begin)
				out := linearCall(t, handles[c%len(handles)], in)
				histories[c] = append(histories[c], porcupine.Operation{
					ClientId: c, Input: in, Output: out,
					Call: call.Nanoseconds(), Return: time.Since(begin).Nanoseconds(),
				})
			}
		})
	}
	group.Wait()
	var history []porcupine.Operation
	for _, h := range histories {
		history = append(history, h...)
	}
	if got := porcupine.CheckOperationsTimeout(linearModel, history, time.Minute); got != porcupine.Ok {
		t.Errorf("seed %d: %d operations are %s", seed, len(history), got)
	}
	effort.Report(t, map[string]int{"operations": len(history)})
}

func linearCall(t *testing.T, q *queue.Queue, in linearInput) string {
	var err error
	switch in.op {
	case "enqueue":
		_, err = q.Enqueue(t.Context(), job.Spec{ID: in.id, Command: "true"})
	case "cancel":
		err = q.Cancel(t.Context(), in.id)
	default:
		var j job.Job
		if j, err = q.Job(t.Context(), in.id); errors.Is(err, job.ErrNotFound) {
			err = nil // the answer is "none"
		}
		if err == nil {
			return j.State.String()
		}
	}
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, job.ErrExists):
		return "exists"
	case errors.Is(err, job.ErrNotFound):
		return "not found"
	case errors.Is(err, job.ErrWrongState):
		return "wrong state"
	}
	t.Errorf("%v: %v", in, err)
	return err.Error()
}
