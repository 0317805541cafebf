package eventlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
)

// world is a log that several handles can be opened on: one in a directory or one in memory. The
// tests in this file hold for both.
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

// ledger is a State that keeps every event, as "position:data". Only the Log's goroutine touches it
// while the Log is open.
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

func created(LogID) (Meta, []Event) {
	return Meta{User: "root"}, []Event{{Kind: 1, Data: []byte("created")}}
}

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
		e, err := r.Next(t.Context())
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
