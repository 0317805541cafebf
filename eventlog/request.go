package eventlog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// request is what a caller waits for.
type request struct {
	kind      askKind
	proposals []*Proposal
	view      func(Head)
	left      []*Snapshot // by a rebase, for the caller to close; set before done is closed

	decided bool          // all proposals have their Err
	need    Commit        // must be durable before the answer
	waited  time.Duration // for that

	state   atomic.Uint32 // of the states below
	leaving atomic.Bool   // the caller leaves as soon as it may
	err     error         // set before done is closed
	done    chan struct{}
}

type askKind uint8

const (
	askAppend askKind = iota
	askView
	askPeek
	askOpen
	askWatch
	askRebase
)

// The states of a request.
const (
	waiting   = 0 // the caller may leave
	taken     = 1 // the caller must stay: what it passed is in use, or it is answered
	weighing  = 2 // waits for need; the caller may leave
	abandoned = 3 // the caller has left
)

// errLeft is the answer for a caller that was about to leave.
var errLeft = errors.New("caller left")

// ask waits for the answer to a request.
func (l *Log) ask(ctx context.Context, r *request) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.done = make(chan struct{})
	if !l.inbox.put(r) {
		return ErrClosed
	}
	if r.kind == askOpen {
		l.core.nudge() // a long replay is not for this goroutine, which may want to leave
	} else {
		l.core.lead(r)
	}
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
	}
	r.leaving.Store(true)
	if r.state.CompareAndSwap(waiting, abandoned) || r.state.CompareAndSwap(weighing, abandoned) {
		return ctx.Err()
	}
	if <-r.done; r.err == errLeft {
		return ctx.Err()
	}
	return r.err
}

// take takes a waiting request up. It reports false if the caller has left.
func (r *request) take() bool { return r.state.CompareAndSwap(waiting, taken) }

// weigh lets the caller of a taken request leave again. It reports false if the caller wanted to.
func (r *request) weigh() bool {
	r.state.Store(weighing)
	if r.leaving.Load() {
		r.answerIf(weighing, errLeft)
		return false
	}
	return true
}

// fail gives err to the proposals of a request that was not answered as it should be. Those that
// were decided are refused by their own rules, or had nothing to do: but that rests on what may be
// lost. Only what the log itself said before stands.
func (r *request) fail(err error) {
	left := errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	if r.decided && !left {
		err = fmt.Errorf("%w: %v", ErrNotCommitted, err)
	}
	for _, p := range r.proposals {
		if !r.decided || !isAnswer(p.Err) {
			p.Err = err
		}
	}
}

// answerIf answers the request if it is in the given state, which is to say if its caller has not
// left.
func (r *request) answerIf(state uint32, err error) {
	if r.state.CompareAndSwap(state, taken) {
		r.answer(err)
	}
}

func (r *request) answer(err error) {
	r.err = err
	close(r.done)
}

func (r *request) answered() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// inbox is where requests wait.
type inbox struct {
	mu       sync.Mutex
	requests []*request
	shut     bool
}

// put leaves a request, unless the inbox is closed.
func (b *inbox) put(r *request) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.shut {
		b.requests = append(b.requests, r)
	}
	return !b.shut
}

// take returns what waits, in order; nothing once the inbox is closed. The slice is used again:
// empty is that of the take before.
func (b *inbox) take(empty []*request) (requests []*request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.shut {
		return nil
	}
	requests, b.requests = b.requests, empty[:0]
	return requests
}

// look says if requests wait to be taken, and if the inbox is closed.
func (b *inbox) look() (waits, shut bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.requests) > 0 && !b.shut, b.shut
}

// drain is take for a closed inbox.
func (b *inbox) drain() []*request {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.requests
}

// close reports if the inbox was open.
func (b *inbox) close() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	first := !b.shut
	b.shut = true
	return first
}
