package job

import "fmt"

// State says where a job is in its life. The zero State is no job at all.
//
//	           claim            exit 0
//	pending ─────────► processing ─────► completed
//	   ▲  ▲               │  │  │
//	   │  └── run lost ───┘  │  └─────► dead ◄─ (attempts exceed max_retries)
//	   │                     ▼            │
//	   │        claim ◄── failed          │
//	   └───────────── retry ──────────────┘
//
// Cancelled can be reached from pending, failed and processing, and is final.
type State uint8

// The states. Their numbers are used in memory and in filters only; events never hold a state but
// JobRetried.From, whose numbers are these and never change.
const (
	Pending    State = 1 // waiting for its time or for a worker
	Processing State = 2 // a worker has claimed it; a run is under way
	Completed  State = 3 // its last run succeeded
	Failed     State = 4 // its last run failed and it will be retried
	Dead       State = 5 // it will not be retried by itself: the dead letter queue
	Cancelled  State = 6 // withdrawn by a person
)

// States lists all states in the order in which people are shown them.
var States = [...]State{Pending, Processing, Completed, Failed, Dead, Cancelled}

var stateNames = [...]string{"none", "pending", "processing", "completed", "failed", "dead", "cancelled"}

func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// ParseState is the inverse of String. It returns ErrInvalid, naming the states, for any other text.
func ParseState(text string) (State, error) {
	for _, s := range States {
		if s.String() == text {
			return s, nil
		}
	}
	return 0, invalid("state", quoted(text), "one of pending, processing, completed, failed, dead, cancelled")
}

// MarshalText writes the state's name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a state's name; see [ParseState].
func (s *State) UnmarshalText(text []byte) (err error) {
	*s, err = ParseState(string(text))
	return err
}

// Waiting says that the job will be claimed when it is due.
func (s State) Waiting() bool { return s == Pending || s == Failed }

// Ended says that nothing will happen to the job any more unless a person asks for it.
func (s State) Ended() bool { return s == Completed || s == Dead || s == Cancelled }

// transitions is the whole life of a job: transitions[from] is the set of states that one event may
// lead to. An absent job (from 0) can only become pending.
var transitions = [...][]State{
	0:          {Pending},
	Pending:    {Processing, Dead, Cancelled},
	Processing: {Completed, Failed, Dead, Pending, Cancelled},
	Failed:     {Processing, Pending, Dead, Cancelled},
	Dead:       {Pending},
	Completed:  {},
	Cancelled:  {},
}

// CanBecome says whether some event leads from s to next.
func (s State) CanBecome(next State) bool {
	if int(s) >= len(transitions) {
		return false
	}
	for _, t := range transitions[s] {
		if t == next {
			return true
		}
	}
	return false
}
