package job

import (
	"testing"
)

func TestState_Transitions(t *testing.T) {
	t.Parallel()
	legal := map[[2]State]string{
		{0, Pending}:            "enqueue",
		{Pending, Processing}:   "claim",
		{Pending, Dead}:         "deadline",
		{Pending, Cancelled}:    "cancel",
		{Pending, Dead}:         "a parent failed",
		{Processing, Completed}: "success",
		{Processing, Failed}:    "failure",
		{Processing, Dead}:      "the last failure",
		{Processing, Pending}:   "run lost or returned",
		{Processing, Cancelled}: "cancel",
		{Failed, Processing}:    "claim",
		{Failed, Pending}:       "retry",
		{Failed, Dead}:          "deadline",
		{Failed, Cancelled}:     "cancel",
		{Dead, Pending}:         "retry",
	}
	for from := range State(9) {
		for to := range State(9) {
			if _, want := legal[[2]State{from, to}]; from.CanBecome(to) != want {
				t.Errorf("%v to %v: got %t, want %t", from, to, !want, want)
			}
		}
	}
}

func TestState_EveryStateWaitsRunsOrHasEnded(t *testing.T) {
	t.Parallel()
	for _, s := range States {
		if n := b(s.Waiting()) + b(s.Ended()) + b(s == Processing); n != 1 {
			t.Errorf("%v is %d of these", s, n)
		}
		if s.Ended() && s.CanBecome(Processing) {
			t.Errorf("%v can run again", s)
		}
	}
}

func b(v bool) int {
	if v {
		return 1
	}
	return 0
}
