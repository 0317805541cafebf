package eventlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// world is a log that several handles can be opened on: one in a directory or one in memory. The tests in this file hold for both.
type world interface {
	open(ctx context.Context, state State, opt Options) (*Log, error)
	reader(from Commit) (*Reader, error)
}

type dirWorld string

func (w dirWorld) open(ctx context.Context, state State, opt Options) (*Log, error) {
	return Open(ctx, string(w), state, opt)
}
func (w dirWorld) reader(from Commit) (*Reader, error) { return NewReader(string(w), from) }

type memWorld struct{ m *Memory }

func (w memWorld) open(ctx context.Context, state State, opt Options) (*Log, error) {
	return w.m.Open(ctx, state, opt)
}
func (w memWorld) reader(from Commit) (*Reader, error) { return w.m.Reader(from), nil }

// both runs a test in both worlds.
func both(t *testing.T, test func(t *testing.T, w world)) {
	t.Parallel()
	t.Run("dir", func(t *testing.T) {
		t.Parallel()
		test(t, dirWorld(t.TempDir()))
	})
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		test(t, memWorld{NewMemory()})
	})
}

// ledger is a State that keeps every event, as "position:data". Only the Log's goroutine touches it while the Log is open.
type ledger struct {
	lines   []string
	commits []Commit // of the folded entries
	resets  int
}

func (s *ledger) Fold(e *Entry) error {
	for i, ev := range e.Events {
		if string(ev.Data) == "nonsense" {
			return errors.New("what is nonsense?")
		}
		s.add(e.First+Position(i), ev.Data)
	}
	s.commits = append(s.commits, e.Commit)
	return nil
}

func (s *ledger) Reset() { *s = ledger{resets: s.resets + 1} }

func (s *ledger) add(p Position, data []byte) {
	s.lines = append(s.lines, fmt.Sprintf("%d:%.20s", p, data))
}

// handle is an open log with its ledger.
type handle struct {
	*Log
	state *ledger
}

func created(LogID) (Meta, []Event) { return Meta{User: "root"}, []Event{{Kind: 1, Data: []byte("created")}} }

// openIn opens a log, which it makes if need be, and closes it in the end.
func openIn(t testing.TB, w world, opt Options) *handle {
	t.Helper()
	if opt.Create == nil {
		opt.Create = created
	}
	h := &handle{state: &ledger{}}
	var err error
	if h.Log, err = w.open(t.Context(), h.state, opt); err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// proposes returns a proposal of events with the given data.
func (h *handle) proposes(data ...string) *Proposal {
	return &Proposal{Meta: Meta{User: "ada"}, Decide: func(turn Turn) ([]Event, error) {
		return h.decide(turn, data...), nil
	}}
}

func (h *handle) decide(turn Turn, data ...string) (events []Event) {
	for i, d := range data {
		h.state.add(turn.Position+Position(i), []byte(d))
		events = append(events, Event{Kind: 2, Data: []byte(d)})
	}
	return events
}

func (h *handle) append(t testing.TB, data ...string) {
	t.Helper()
	if err := h.Append(t.Context(), h.proposes(data...)); err != nil {
		t.Fatalf("append %q: %v", data, err)
	}
}

// view returns the state as it is durable.
func (h *handle) view(t testing.TB) (lines []string, head Head) {
	t.Helper()
	if err := h.View(t.Context(), func(at Head) { lines, head = slices.Clone(h.state.lines), at }); err != nil {
		t.Fatalf("view: %v", err)
	}
	return lines, head
}

func (h *handle) wantLines(t testing.TB, want ...string) {
	t.Helper()
	if got, _ := h.view(t); !slices.Equal(got, want) {
		t.Errorf("state is %q, want %q", got, want)
	}
}

// readLedger returns the events that a Reader sees, as a ledger would.
func readLedger(t testing.TB, w world) *ledger {
	t.Helper()
	r, err := w.reader(0)
	if err != nil {
		t.Fatalf("reader: %v", err)
	}
	defer r.Close()
	got := &ledger{}
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return got
		}
		if err != nil {
			t.Fatalf("read: %v", err)
		}
		if err := got.Fold(e); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAppend_IsSeenByViewReaderAndTheNextOpen(t *testing.T) {
	both(t, func(t *testing.T, w world) {
		h := openIn(t, w, Options{})
		h.append(t, "a", "b")
		h.append(t, "c")
		want := []string{"1:created", "2:a", "3:b", "4:c"}
		h.wantLines(t, want...)
		if got := readLedger(t, w).lines; !slices.Equal(got, want) {
			t.Errorf("reader sees %q, want %q", got, want)
		}
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
		h = openIn(t, w, Options{})
		h.wantLines(t, want...)
		if _, head := h.view(t); head.Commit != 3 || head.Position != 4 {
			t.Errorf("head is %+v, want commit 3, position 4", head)
		}
	})
}

func TestOpen_WithoutCreateNeedsALog(t *testing.T) {
	both(t, func(t *testing.T, w world) {
		for _, opt := range []Options{{}, {Create: created, ReadOnly: true}} {
			if _, err := w.open(t.Context(), &ledger{}, opt); !errors.Is(err, ErrNoLog) {
				t.Errorf("open: %v, want ErrNoLog", err)
			}
		}
	})
}

func TestAppend_DecidesWithTheNextPlaceAndTheRawClock(t *testing.T) {
	both(t, func(t *testing.T, w world) {
		now := int64(1000)
		h := openIn(t, w, Options{Now: func() int64 { return now }})
		now = 500 // stepped back
		var got Turn
		p := h.proposes("a")
		decide := p.Decide
		p.Decide = func(turn Turn) ([]Event, error) { got = turn; return decide(turn) }
		if err := h.Append(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		if want := (Turn{Commit: 2, Position: 2, Time: 500}); got != want {
			t.Errorf("turn is %+v, want %+v", got, want)
		}
		r, err := w.reader(2)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if e, err := r.Next(); err != nil || e.Time != 500 || e.Meta.User != "ada" || e.Events[0].Kind != 2 {
			t.Errorf("entry is %+v, %v", e, err)
		}
	})
}

func TestAppend_RefusalLeavesNothing(t *testing.T) {
	both(t, func(t *testing.T, w world) {
		h := openIn(t, w, Options{})
		no := errors.New("no")
		refused := &Proposal{Decide: func(Turn) ([]Event, error) { return nil, no }}
		nothing := &Proposal{Decide: func(Turn) ([]Event, error) { return nil, nil }}
		if err := h.AppendAll(t.Context(), nothing, refused, h.proposes("a")); err != no {
			t.Errorf("append: %v, want the refusal", err)
		}
		if nothing.Err != nil || refused.Err != no {
			t.Errorf("errors are %v, %v", nothing.Err, refused.Err)
		}
		h.wantLines(t, "1:created", "2:a")
		if err := h.Append(t.Context(), refused); err != no {
			t.Errorf("append: %v, want the refusal", err)
		}
		if err := h.AppendAll(t.Context()); err != nil {
			t.Errorf("append of nothing: %v", err)
		}
	})
}

func TestAppendAll_SharesCommitsByMeta(t *testing.T) {
	both(t, func(t *testing.T, w world) {
		h := openIn(t, w, Options{})
		a, b, c, d := h.proposes("a"), h.proposes("b"), h.proposes("c"), h.proposes("d")
		c.Meta.Reason = "another"
		if err := h.AppendAll(t.Context(), a, b, c, d); err != nil {
			t.Fatal(err)
		}
		if got, want := readLedger(t, w).commits, []Commit{1, 2, 3, 4}; !slices.Equal(got, want) {
			t.Errorf("commits %v, want %v", got, want)
		}
		h.wantLines(t, "1:created", "2:a", "3:b", "4:c", "5:d")
		if _, head := h.view(t); head.Commit != 4 {
			t.Errorf("head is %+v, want commit 4: a and b in one, c and d alone", head)
		}
	})
}

func TestAppendAll_BeginsAnotherCommitAtTheBounds(t *testing.T) {
	both(t, func(t *testing.T, w world) {
		h := openIn(t, w, Options{})
		many := func(n int, data string) *Proposal {
			return &Proposal{Meta: Meta{User: "ada"}, Decide: func(turn Turn) ([]Event, error) {
				events := make([]Event, n)
				for i := range events {
					events[i] = Event{Kind: 2, Data: []byte(data)}
				}
				h.state.add(turn.Position, []byte(data))
				return events, nil
			}}
		}
		if err := h.AppendAll(t.Context(), many(MaxEvents-1, "a"), many(1, "b"), many(2, "c")); err != nil {
			t.Fatal(err)
		}
		if _, head := h.view(t); head.Commit != 3 || head.Position != MaxEvents+3 {
			t.Errorf("head is %+v, want 2 more commits", head)
		}
		// A whole frame's worth, and a little after and before it.
		big := strings.Repeat("x", MaxFrame-frameRoom(&Meta{User: "ada"})-eventRoom)
		if err := h.AppendAll(t.Context(), many(1, "d"), many(1, big), many(1, "e")); err != nil {
			t.Fatal(err)
		}
		if _, head := h.view(t); head.Commit != 6 {
			t.Errorf("head is %+v, want 3 more commits", head)
		}
	})
}

func TestAppend_TooLargeIsRefusedAndForgotten(t *testing.T) {
	both(t, func(t *testing.T, w world) {
		h := openIn(t, w, Options{})
		before, large, after := h.proposes("a"), h.proposes(strings.Repeat("x", MaxFrame)), h.proposes("b")
		if err := h.AppendAll(t.Context(), before, large, after); !errors.Is(err, ErrTooLarge) {
			t.Errorf("append: %v, want ErrTooLarge", err)
		}
		if before.Err != nil || after.Err != nil {
			t.Errorf("the others: %v, %v", before.Err, after.Err)
		}
		h.wantLines(t, "1:created", "2:a", "3:b")
		if got := readLedger(t, w).lines; !slices.Equal(got, []string{"1:created", "2:a", "3:b"}) {
			t.Errorf("log is %q", got)
		}
	})
}

func TestAppend_ManyGoroutinesShareCommits(t *testing.T) {
	both(t, func(t *testing.T, w world) {
		const each = 50
		handles := []*handle{openIn(t, w, Options{SegmentSize: 4096}), openIn(t, w, Options{SegmentSize: 4096})}
		var wg sync.WaitGroup
		for i := range 16 {
			h := handles[i%2]
			wg.Go(func() {
				for k := range each {
					if err := h.Append(t.Context(), h.proposes(fmt.Sprintf("%d.%d", i, k))); err != nil {
						t.Errorf("append: %v", err)
						return
					}
				}
			})
		}
		wg.Wait()
		got := readLedger(t, w)
		if len(got.lines) != 1+16*each {
			t.Fatalf("%d events, want %d", len(got.lines), 1+16*each)
		}
		// Every goroutine's events are in its order.
		next := map[string]int{}
		for _, line := range got.lines[1:] {
			_, data, _ := strings.Cut(line, ":")
			who, what, _ := strings.Cut(data, ".")
			if what != fmt.Sprint(next[who]) {
				t.Fatalf("event %s, want number %d", line, next[who])
			}
			next[who]++
		}
		for _, h := range handles {
			h.wantLines(t, got.lines...)
		}
		t.Logf("%d events in %d commits", len(got.lines), len(got.commits))
	})
}

func TestAppend_SeesWhatOthersAppendedBefore(t *testing.T) {
	both(t, func(t *testing.T, w world) {
		a, b := openIn(t, w, Options{}), openIn(t, w, Options{})
		a.append(t, "a1")
		b.append(t, "b1") // b's handle on the file is stale
		a.append(t, "a2")
		b.append(t, "b2")
		want := []string{"1:created", "2:a1", "3:b1", "4:a2", "5:b2"}
		a.wantLines(t, want...)
		b.wantLines(t, want...)
		openIn(t, w, Options{}).wantLines(t, want...)
	})
}

func TestView_SeesOthersAppendsAtOnce(t *testing.T) {
	both(t, func(t *testing.T, w world) {
		a, b := openIn(t, w, Options{SegmentSize: 512}), openIn(t, w, Options{SegmentSize: 512})
		for i := range 50 {
			a.append(t, fmt.Sprint(i))
			if lines, _ := b.view(t); len(lines) != i+2 {
				t.Fatalf("after append %d there are %d events", i, len(lines))
			}
		}
	})
}

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
