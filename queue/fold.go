package queue

import (
	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/job"
)

// Fold is a state that is built by hand, of events that no log need hold: a recorded log in a test, or what is
// left of one when events are taken out. It answers what a [Queue] answers. Not safe for concurrent use.
type Fold struct {
	View
	encoded []byte // scratch
}

// NewFold returns the state before the first event.
func NewFold() *Fold { return &Fold{View: View{state: decide.LoadState(nil)}} }

// Take folds the next event. Positions must grow, and may leave some out. An error, which wraps job.ErrDecode or
// is a *projection.MisfitError, means that the event does not follow from those before; the state is as before.
func (f *Fold) Take(r Record) error {
	f.encoded = job.AppendEvent(f.encoded[:0], r.Event)
	return f.state.FoldRaw(r.At, job.KindOf(r.Event), f.encoded)
}
