package eventlog

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestChanged_TellsOfOwnAndOthersCommits(t *testing.T) {
	both(t, func(t *testing.T, w world) {
		a, b := openIn(t, w, Options{}), openIn(t, w, Options{})
		own, others := a.Changed(), b.Changed()
		b.Watch()
		select {
		case <-others:
			t.Error("changed before anything did")
		default:
		}
		a.append(t, "x")
		<-own
		<-others
	})
}

func TestChanged_FollowsACommitOfAnotherHandleThatIsNotWatched(t *testing.T) {
	both(t, func(t *testing.T, w world) {
		a, b := openIn(t, w, Options{}), openIn(t, w, Options{})
		changed := b.Changed()
		a.append(t, "x")
		b.wantLines(t, "1:created", "2:x")
		<-changed
	})
}

func TestPeek_SeesTheSame(t *testing.T) {
	both(t, func(t *testing.T, w world) {
		a, b := openIn(t, w, Options{}), openIn(t, w, Options{})
		a.append(t, "x")
		n := 0
		if err := b.Peek(t.Context(), func(Head) { n = len(b.state.lines) }); err != nil || n != 2 {
			t.Errorf("%d events, %v", n, err)
		}
	})
}

func TestReadOnly_SeesButDoesNotAppend(t *testing.T) {
	both(t, func(t *testing.T, w world) {
		a := openIn(t, w, Options{})
		a.append(t, "x")
		b := openIn(t, w, Options{ReadOnly: true})
		b.wantLines(t, "1:created", "2:x")
		if err := b.Append(t.Context(), b.proposes("y")); !errors.Is(err, ErrReadOnly) {
			t.Errorf("append: %v, want ErrReadOnly", err)
		}
		a.append(t, "z")
		b.wantLines(t, "1:created", "2:x", "3:z")
	})
}

func TestClose_EndsEverything(t *testing.T) {
	both(t, func(t *testing.T, w world) {
		h := openIn(t, w, Options{})
		h.Watch()
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
		if err := h.Close(); err != nil {
			t.Errorf("second close: %v", err)
		}
		p := h.proposes("a")
		if err := h.Append(t.Context(), p); !errors.Is(err, ErrClosed) || !errors.Is(p.Err, ErrClosed) {
			t.Errorf("append: %v, %v, want ErrClosed", err, p.Err)
		}
		if err := h.View(t.Context(), func(Head) { t.Error("viewed") }); !errors.Is(err, ErrClosed) {
			t.Errorf("view: %v, want ErrClosed", err)
		}
	})
}

func TestClose_FinishesWhatIsTakenUp(t *testing.T) {
	both(t, func(t *testing.T, w world) {
		h := openIn(t, w, Options{})
		deciding, closing := make(chan struct{}), make(chan error)
		p := &Proposal{Decide: func(turn Turn) ([]Event, error) {
			close(deciding)
			<-h.quit
			return h.decide(turn, "a"), nil
		}}
		go func() {
			<-deciding
			closing <- h.Close()
		}()
		if err := h.Append(t.Context(), p); err != nil {
			t.Errorf("append: %v", err)
		}
		if err := <-closing; err != nil {
			t.Errorf("close: %v", err)
		}
		openIn(t, w, Options{}).wantLines(t, "1:created", "2:a")
	})
}

func TestContext_EndsTheWaitForTheLock(t *testing.T) {
	both(t, func(t *testing.T, w world) {
		a, b := openIn(t, w, Options{}), openIn(t, w, Options{})
		deciding, decide := make(chan struct{}), make(chan struct{})
		done := make(chan error)
		go func() {
			done <- a.Append(t.Context(), &Proposal{Decide: func(turn Turn) ([]Event, error) {
				close(deciding)
				<-decide
				return a.decide(turn, "a"), nil
			}})
		}()
		<-deciding // a holds the lock
		ctx, cancel := context.WithCancel(t.Context())
		cancelled := make(chan error)
		go func() {
			cancelled <- b.Append(ctx, &Proposal{Decide: func(Turn) ([]Event, error) {
				t.Error("decided after its caller left")
				return nil, nil
			}})
		}()
		b.wantLines(t, "1:created") // b goes on answering
		cancel()
		if err := <-cancelled; !errors.Is(err, context.Canceled) {
			t.Errorf("append: %v, want context.Canceled", err)
		}
		if err := b.Append(ctx, b.proposes("never")); !errors.Is(err, context.Canceled) {
			t.Errorf("append: %v, want context.Canceled", err)
		}
		close(decide)
		if err := <-done; err != nil {
			t.Error(err)
		}
		b.append(t, "b")
		b.wantLines(t, "1:created", "2:a", "3:b")
	})
}

func TestClose_WhileTheLockIsElsewhere(t *testing.T) {
	both(t, func(t *testing.T, w world) {
		a, b := openIn(t, w, Options{}), openIn(t, w, Options{})
		deciding := make(chan struct{})
		done, refused := make(chan error, 1), make(chan error, 1)
		go func() {
			done <- a.Append(t.Context(), &Proposal{Decide: func(turn Turn) ([]Event, error) {
				close(deciding)
				err := <-refused
				if !errors.Is(err, ErrClosed) {
					t.Errorf("append: %v, want ErrClosed", err)
				}
				return a.decide(turn, "a"), nil
			}})
		}()
		<-deciding
		entered := make(chan struct{})
		go func() {
			close(entered)
			refused <- b.Append(t.Context(), b.proposes("b"))
		}()
		<-entered
		if err := b.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if err := <-done; err != nil {
			t.Errorf("append: %v", err)
		}
		a.append(t, "c") // the lock came back
		a.wantLines(t, "1:created", "2:a", "3:c")
	})
}

func TestFold_ErrorStopsTheLogAndSaysWhere(t *testing.T) {
	both(t, func(t *testing.T, w world) {
		a, b := openIn(t, w, Options{}), openIn(t, w, Options{})
		a.append(t, "x")
		a.append(t, "nonsense")
		b.wantLines(t, "1:created", "2:x")
		c := b.Damage()
		if c == nil || c.Commit != 3 || c.Position != 3 {
			t.Errorf("damage is %+v, want commit 3", c)
		}
		var damage *CorruptError
		if err := b.Append(t.Context(), b.proposes("y")); !errors.As(err, &damage) {
			t.Errorf("append: %v, want a CorruptError", err)
		}
		late := openIn(t, w, Options{})
		if late.Damage() == nil {
			t.Error("open found no damage")
		}
		late.wantLines(t, "1:created", "2:x")
	})
}

func TestOptions_SegmentSizeIsChecked(t *testing.T) {
	both(t, func(t *testing.T, w world) {
		for _, size := range []int{-1, maxSegmentSize + 1} {
			if l, err := w.open(t.Context(), &ledger{}, Options{Create: created, SegmentSize: size}); err == nil {
				l.Close()
				t.Errorf("size %d was accepted", size)
			}
		}
	})
}

func TestOnWait_IsToldOfALongWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := memWorld{NewMemory()}
		a := openIn(t, w, Options{})
		told := make(chan string, 1)
		b := openIn(t, w, Options{OnWait: func(holder string) { told <- holder }})
		began := time.Now()
		go b.Append(t.Context(), b.proposes("b"))
		if err := a.Append(t.Context(), &Proposal{Decide: func(turn Turn) ([]Event, error) {
			b.proposes("late")
			go b.Append(context.Background(), b.proposes("c"))
			<-told
			return a.decide(turn, "a"), nil
		}}); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(began); waited != noticeAfter {
			t.Errorf("told after %v, want %v", waited, noticeAfter)
		}
		a.Close()
		b.Close()
	})
}
