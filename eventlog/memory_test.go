package eventlog

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// failOnce makes the next step of that kind fail.
func failOnce(m *Memory, op Op, err error) (hits *int) {
	hits = new(int)
	m.Inject(func(o Op) error {
		if o != op || *hits > 0 {
			return nil
		}
		*hits++
		return err
	})
	return hits
}

func TestMemory_FailedStepsHaveTrueAnswers(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		op     Op
		err    error
		answer error
		lines  []string // after one more append, of "b"
	}{
		{OpLock, errDisk, ErrNotCommitted, []string{"1:created", "2:b"}},
		{OpWrite, errDisk, ErrNotCommitted, []string{"1:created", "2:b"}},
		{OpSync, errDisk, ErrUnknown, []string{"1:created", "2:a", "3:b"}},
	} {
		w := memWorld{NewMemory()}
		h := openIn(t, w, Options{})
		hits := failOnce(w.m, row.op, row.err)
		err := h.Append(t.Context(), h.proposes("a"))
		if !errors.Is(err, row.answer) || !errors.Is(err, row.err) || *hits != 1 {
			t.Errorf("step %d: append: %v, want %v", row.op, err, row.answer)
		}
		h.append(t, "b")
		h.wantLines(t, row.lines...)
		if got := readLedger(t, w).lines; !slices.Equal(got, row.lines) {
			t.Errorf("step %d: the log has %q, want %q", row.op, got, row.lines)
		}
	}
}

func TestMemory_UnknownWriteMayBeThereOrNot(t *testing.T) {
	t.Parallel()
	there := 0
	const tries = 64
	for i := range tries {
		var results []int
		for range 2 { // the same each time
			m := NewMemory()
			h := openIn(t, memWorld{m}, Options{Now: func() int64 { return 1 }})
			failOnce(m, OpWrite, fmt.Errorf("%w: %w", ErrUnknown, errDisk))
			if err := h.Append(t.Context(), h.proposes(fmt.Sprint(i))); !errors.Is(err, ErrUnknown) {
				t.Fatalf("append: %v, want ErrUnknown", err)
			}
			lines, _ := h.view(t)
			results = append(results, len(lines)-1)
		}
		if results[0] != results[1] {
			t.Fatalf("try %d gave %v", i, results)
		}
		there += results[0]
	}
	if there == 0 || there == tries {
		t.Errorf("%d of %d were there", there, tries)
	}
}

// TestMemory_UnknownStaysUnknown has a write fail, and then the sync of what was written before.
func TestMemory_UnknownStaysUnknown(t *testing.T) {
	t.Parallel()
	m := NewMemory()
	h := openIn(t, memWorld{m}, Options{})
	written, unknown, large := h.proposes("a"), h.proposes("b"), h.proposes(strings.Repeat("x", MaxFrame))
	unknown.Meta.Reason = "in another commit"
	refused := &Proposal{Meta: written.Meta, Decide: func(Turn) ([]Event, error) { return nil, errors.New("no") }}
	writes := 0
	m.Inject(func(op Op) error {
		if op == OpWrite {
			writes++
		}
		if op == OpSync || writes == 3 {
			return fmt.Errorf("%w: %w", ErrUnknown, errDisk)
		}
		return nil
	})
	h.AppendAll(t.Context(), large, written, refused, unknown)
	if !errors.Is(written.Err, ErrUnknown) || !errors.Is(unknown.Err, ErrUnknown) {
		t.Errorf("errors are %v and %v, want ErrUnknown: they may be there", written.Err, unknown.Err)
	}
	if !errors.Is(refused.Err, ErrNotCommitted) || errors.Is(refused.Err, ErrUnknown) {
		t.Errorf("refused: %v, want ErrNotCommitted", refused.Err)
	}
	if !errors.Is(large.Err, ErrTooLarge) {
		t.Errorf("too large: %v, want ErrTooLarge", large.Err)
	}
}

func TestMemory_PowerCutDropsWhatWasNotSynced(t *testing.T) {
	t.Parallel()
	for keep, want := range [][]string{
		{"1:created", "2:a"},
		{"1:created", "2:a", "3:b"},
		{"1:created", "2:a", "3:b", "4:c"},
		{"1:created", "2:a", "3:b", "4:c"},
	} {
		m := NewMemory()
		h, other := openIn(t, memWorld{m}, Options{}), openIn(t, memWorld{m}, Options{})
		h.append(t, "a")
		m.Inject(func(op Op) error {
			if op == OpSync {
				return errDisk
			}
			return nil
		})
		for _, data := range []string{"b", "c"} {
			if err := h.Append(t.Context(), h.proposes(data)); !errors.Is(err, ErrUnknown) {
				t.Fatalf("append: %v, want ErrUnknown", err)
			}
		}
		m.Inject(nil)
		m.PowerCut(keep)
		for _, dead := range []*handle{h, other} {
			if err := dead.Append(t.Context(), dead.proposes("d")); !errors.Is(err, ErrUnknown) {
				t.Errorf("append to a dead handle: %v, want ErrUnknown", err)
			}
			if err := dead.View(t.Context(), func(Head) {}); !errors.Is(err, ErrUnknown) {
				t.Errorf("view of a dead handle: %v, want ErrUnknown", err)
			}
		}
		again := openIn(t, memWorld{m}, Options{})
		again.wantLines(t, want...)
		again.append(t, "e")
		again.wantLines(t, append(slices.Clone(want), fmt.Sprintf("%d:e", len(want)+1))...)
	}
}

func TestMemory_PowerCutInTheMiddleOfAnAppend(t *testing.T) {
	t.Parallel()
	for op, answer := range map[Op]error{OpLock: ErrUnknown, OpWrite: ErrUnknown, OpSync: ErrUnknown} {
		m := NewMemory()
		h := openIn(t, memWorld{m}, Options{})
		m.Inject(func(o Op) error {
			if o == op {
				m.PowerCut(0)
			}
			return nil
		})
		if err := h.Append(t.Context(), h.proposes("a")); !errors.Is(err, answer) {
			t.Errorf("cut at step %d: append: %v, want %v", op, err, answer)
		}
		m.Inject(nil)
		again := openIn(t, memWorld{m}, Options{})
		again.append(t, "b") // the lock is free
		again.wantLines(t, "1:created", "2:b")
	}
}

func TestKill_LeavesWhatWasWrittenAndTheLockFree(t *testing.T) {
	both(t, func(t *testing.T, w world) {
		victim, other := openIn(t, w, Options{}), openIn(t, w, Options{})
		victim.append(t, "a")
		deciding, killed := make(chan struct{}), make(chan error)
		go func() {
			killed <- victim.Append(t.Context(), &Proposal{Decide: func(turn Turn) ([]Event, error) {
				close(deciding)
				<-victim.quit
				return victim.decide(turn, "never"), nil
			}})
		}()
		<-deciding
		victim.Kill()
		if err := <-killed; !errors.Is(err, ErrClosed) {
			t.Errorf("append: %v, want ErrClosed", err)
		}
		if err := victim.Append(t.Context(), victim.proposes("b")); !errors.Is(err, ErrClosed) {
			t.Errorf("append after it: %v, want ErrClosed", err)
		}
		other.append(t, "c")
		other.wantLines(t, "1:created", "2:a", "3:c")
	})
}

func TestMemory_WorksInABubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory()
		a, b := openIn(t, memWorld{m}, Options{}), openIn(t, memWorld{m}, Options{})
		b.Watch()
		changed := b.Changed()
		began := time.Now()
		time.Sleep(time.Hour) // nothing goes on by itself
		synctest.Wait()
		a.append(t, "x")
		<-changed
		if passed := time.Since(began); passed != time.Hour {
			t.Errorf("%v passed, want an hour", passed)
		}
		a.Close()
		b.Close()
	})
}

func TestMemory_ViewWaitsForTheSyncOfAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory()
		a, b := openIn(t, memWorld{m}, Options{}), openIn(t, memWorld{m}, Options{})
		synced := make(chan struct{})
		m.Inject(func(op Op) error {
			if op == OpSync {
				m.Inject(nil)
				<-synced
			}
			return nil
		})
		go a.Append(t.Context(), a.proposes("x"))
		synctest.Wait()
		began := time.Now()
		b.wantLines(t, "1:created", "2:x")
		if waited := time.Since(began); waited < patience || waited > 2*patience {
			t.Errorf("waited %v, want about %v", waited, patience)
		}
		close(synced)
		a.Close()
		b.Close()
	})
}

func TestAppend_IsTakenOnWhenTheCallerBeforeItIsDone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory()
		h := openIn(t, memWorld{m}, Options{})
		synced, done := make(chan struct{}), make(chan error)
		m.Inject(func(op Op) error {
			if op == OpSync {
				m.Inject(nil)
				<-synced
			}
			return nil
		})
		for _, data := range []string{"a", "b"} {
			go func() { done <- h.Append(t.Context(), h.proposes(data)) }()
			synctest.Wait()
		}
		began := time.Now()
		close(synced)
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if waited := time.Since(began); waited != 0 {
			t.Errorf("the second one waited for %v", waited)
		}
		h.wantLines(t, "1:created", "2:a", "3:b")
		h.Close()
	})
}

// panics makes a caller's code panic on the caller's goroutine, and says if it did: now and then it is the
// Log's own that deals with the request, which would end the tests.
func panics(call func(code func())) (did bool) {
	defer func() { did = recover() != nil }()
	call(func() {
		stack := make([]byte, 64<<10)
		if bytes.Contains(stack[:runtime.Stack(stack, false)], []byte("(*Log).ask(")) {
			panic("half done")
		}
	})
	return false
}

func TestPanic_LeavesNobodyWaiting(t *testing.T) {
	both(t, func(t *testing.T, w world) {
		for name, call := range map[string]func(h *handle, code func()){
			"decide": func(h *handle, code func()) {
				h.Append(t.Context(), &Proposal{Decide: func(Turn) ([]Event, error) { code(); return nil, nil }})
			},
			"view": func(h *handle, code func()) { h.View(t.Context(), func(Head) { code() }) },
		} {
			h := openIn(t, w, Options{})
			// They came just before, and are dealt with by the one who panics.
			others := []*request{
				{kind: askAppend, proposals: []*Proposal{h.proposes("a")}, done: make(chan struct{})},
				{kind: askView, view: func(Head) {}, done: make(chan struct{})},
			}
			for _, r := range others {
				h.inbox.put(r)
			}
			for !panics(func(code func()) { call(h, code) }) {
				continue
			}
			h.Close()
			for i, r := range others {
				if !r.answered() {
					t.Errorf("%s panicked: request %d was not answered", name, i)
				}
			}
		}
	})
}

func TestPanic_InACallersCodeEndsTheLog(t *testing.T) {
	both(t, func(t *testing.T, w world) {
		h, other := openIn(t, w, Options{}), openIn(t, w, Options{})
		h.append(t, "a")
		for !panics(func(code func()) {
			h.Append(t.Context(), &Proposal{Decide: func(Turn) ([]Event, error) { code(); return nil, nil }})
		}) {
			continue
		}
		if err := h.Append(t.Context(), h.proposes("b")); !errors.Is(err, ErrClosed) {
			t.Errorf("append: %v, want ErrClosed", err)
		}
		h.Close() // waits until the lock is free
		other.append(t, "c")
		other.wantLines(t, "1:created", "2:a", "3:c")
	})
}
