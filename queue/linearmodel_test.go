package queue_test

import (
	"fmt"

	"github.com/anishathalye/porcupine"

	"github.com/queuectl/queuectl/job"
)

// register is a setting that nothing here depends on.
const register = "max_retries"

// processOp is one operation. Its answer is a text, or unknown.
type processOp struct {
	op, id string
	run    string // of claim, outcome and lost
	value  string // of set; and of an outcome: good or bad
}

const unknown = "unknown" // whether it has happened

// processState is a job, or the setting, as a single thread would see it.
type processState struct {
	state job.State // 0 = there is none
	run   string    // under way
	asked bool      // to be cancelled when the run ends
	value string    // of the setting
}

var processModel = porcupine.NondeterministicModel{
	Partition: func(history []porcupine.Operation) (parts [][]porcupine.Operation) {
		byID := map[string][]porcupine.Operation{}
		for _, op := range history {
			id := op.Input.(processOp).id
			byID[id] = append(byID[id], op)
		}
		for _, part := range byID {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() []any { return []any{processState{value: "0"}} },
	Step: func(state, input, output any) []any {
		next, answer := state.(processState).after(input.(processOp))
		switch output.(string) {
		case unknown:
			return []any{state, next}
		case answer:
			return []any{next}
		}
		return nil
	},
	DescribeOperation: func(in, out any) string { return fmt.Sprintf("%v → %v", in, out) },
}

// after returns what an operation makes of a state, and its answer.
func (s processState) after(o processOp) (processState, string) {
	runs := s.state == job.Processing
	switch o.op {
	case "enqueue":
		if s.state != 0 {
			return s, "exists"
		}
		return processState{state: job.Pending}, "ok"
	case "cancel":
		switch {
		case s.state == job.Pending:
			return processState{state: job.Cancelled}, "ok"
		case runs:
			s.asked = true
			return s, "ok"
		}
		return s, s.refusal()
	case "retry":
		if s.state != job.Dead {
			return s, s.refusal()
		}
		return processState{state: job.Pending}, "ok"
	case "state":
		switch {
		case s.state == 0:
			return s, "not found"
		case runs:
			return s, "processing " + s.run
		}
		return s, s.state.String()
	case "claim":
		if s.state != job.Pending {
			return s, "refused"
		}
		return processState{state: job.Processing, run: o.run}, "ok"
	case "outcome", "lost":
		switch {
		case !runs || s.run != o.run:
			return s, "refused"
		case s.asked:
			return processState{state: job.Cancelled}, "ok"
		}
		end := map[string]job.State{"good": job.Completed, "bad": job.Dead, "": job.Pending}
		return processState{state: end[o.value]}, "ok"
	case "set":
		s.value = o.value
		return s, "ok"
	}
	return s, s.value // get
}

func (s processState) refusal() string {
	if s.state == 0 {
		return "not found"
	}
	return "wrong state"
}
