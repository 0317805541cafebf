package decide

import (
	"fmt"

	"github.com/queuectl/queuectl/job"
)

// SpecError is the refusal of one spec of several: its Index in the slice and the reason.
type SpecError struct {
	Index int
	Err   error
}

func (e *SpecError) Error() string { return e.Err.Error() }
func (e *SpecError) Unwrap() error { return e.Err }

// StateError is the refusal of a command by a job's state. It wraps job.ErrWrongState.
type StateError struct {
	ID    string
	State job.State
	Want  string // what the command is for: "only dead jobs can be retried"
}

func (e *StateError) Error() string { return fmt.Sprintf("job %q is %v: %s", e.ID, e.State, e.Want) }
func (e *StateError) Unwrap() error { return job.ErrWrongState }
