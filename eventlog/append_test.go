package eventlog

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
)

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
		if e, err := r.Next(t.Context()); err != nil || e.Time != 500 || e.Meta.User != "ada" || e.Events[0].Kind != 2 {
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

// TestAppend_FailureSparesWhatWasWrittenBefore has the last commit of a round fail.
func TestAppend_FailureSparesWhatWasWrittenBefore(t *testing.T) {
	both(t, func(t *testing.T, w world) {
		h := openIn(t, w, Options{})
		before, large := h.proposes("a"), h.proposes(strings.Repeat("x", MaxFrame))
		h.AppendAll(t.Context(), before, large)
		if before.Err != nil || !errors.Is(large.Err, ErrTooLarge) {
			t.Errorf("errors are %v and %v, want nil and ErrTooLarge", before.Err, large.Err)
		}
		h.wantLines(t, "1:created", "2:a")
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

// TestAppend_RefusalDoesNotRestOnWhatCouldNotBeWritten: a job that was not enqueued must not be the
// reason why another is refused, or why there is nothing to do.
func TestAppend_RefusalDoesNotRestOnWhatCouldNotBeWritten(t *testing.T) {
	t.Parallel()
	m := NewMemory()
	h := openIn(t, memWorld{m}, Options{})
	taken := errors.New("the name is taken")
	for _, answer := range []error{ErrNotCommitted, ErrUnknown} {
		failOnce(m, OpWrite, fmt.Errorf("%w: %w", answer, errDisk))
		named := &Proposal{Meta: Meta{User: "ada"}, Decide: func(Turn) ([]Event, error) { return nil, taken }}
		nothing := &Proposal{Meta: Meta{User: "ada"}, Decide: func(Turn) ([]Event, error) { return nil, nil }}
		before, first := *named, h.proposes("name")
		h.AppendAll(t.Context(), &before, first, named, nothing)
		if !errors.Is(before.Err, taken) || !errors.Is(first.Err, answer) {
			t.Errorf("errors are %v and %v, want the refusal and %v", before.Err, first.Err, answer)
		}
		for _, p := range []*Proposal{named, nothing} {
			if !errors.Is(p.Err, ErrNotCommitted) || errors.Is(p.Err, taken) || errors.Is(p.Err, ErrUnknown) {
				t.Errorf("decided on it: %v, want ErrNotCommitted", p.Err)
			}
		}
	}
	// Of what was written they may tell.
	first, named := h.proposes("name"), &Proposal{Meta: Meta{User: "ada"}, Decide: func(Turn) ([]Event, error) { return nil, taken }}
	if h.AppendAll(t.Context(), first, named); first.Err != nil || named.Err != taken {
		t.Errorf("errors are %v and %v, want nil and the refusal", first.Err, named.Err)
	}
}
