package eventlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// simTruth is what the processes of a simulation have been told.
type simTruth struct {
	mu       sync.Mutex
	numbers  int // given to appends
	appends  []*simAppend
	events   map[string]simEvent // by their texts
	answered Commit              // the highest that anybody was told of
	news     bool                // answered has grown since that was looked at
	hashes   map[Commit]Hash     // that were shown
	longest  []string            // lines that were shown
	lossy    bool                // somebody accepts that what was told may be in quarantine
}

// simAppend is an append that was begun.
type simAppend struct {
	texts        []string // of its events
	began, ended int      // steps; ended = math.MaxInt: nobody was told
	commit       Commit   // that it was decided for last
	fate         simFate
}

// simEvent is one event of an append.
type simEvent struct {
	of   *simAppend
	part int
}

type simFate uint8

const (
	fateUnknown simFate = iota // it is in the log or not: nobody was told, or that it is unknown
	fateCommitted
	fateRefused
)

func newSimTruth() *simTruth {
	return &simTruth{events: map[string]simEvent{}, hashes: map[Commit]Hash{}}
}

// number is for an append that will begin.
func (s *simTruth) number() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.numbers++
	return s.numbers
}

// begin notes an append. The first twenty bytes of a text must be its own.
func (s *simTruth) begin(step int, texts []string) *simAppend {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := &simAppend{texts: texts, began: step, ended: math.MaxInt}
	s.appends = append(s.appends, a)
	for i, text := range texts {
		s.events[fmt.Sprintf("%.20s", text)] = simEvent{a, i}
	}
	return a
}

func (s *simTruth) end(step int, a *simAppend, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil:
		a.fate = fateCommitted
		s.tell(a.commit)
	case !errors.Is(err, ErrUnknown):
		a.fate = fateRefused
	default:
		return
	}
	a.ended = step
}

// tell is called with mu held.
func (s *simTruth) tell(c Commit) {
	s.news = s.news || c > s.answered
	s.answered = max(s.answered, c)
}

func (s *simTruth) highest() Commit {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.answered
}

// show notes a head that was shown as durable, with what the log added up to there; nil = that was not looked at.
func (s *simTruth) show(at Head, lines []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tell(at.Commit); at.Commit == 0 {
		return nil
	}
	if s.lossy {
		return nil
	}
	if h, known := s.hashes[at.Commit]; known && h != at.Hash {
		return fmt.Errorf("commit %d is another than was shown before", at.Commit)
	}
	s.hashes[at.Commit] = at.Hash
	if lines == nil {
		return nil
	}
	if len(lines) != int(at.Position) {
		return fmt.Errorf("%d events are shown at position %d", len(lines), at.Position)
	}
	n := min(len(lines), len(s.longest))
	if !slices.Equal(lines[:n], s.longest[:n]) {
		return fmt.Errorf("at commit %d another state was shown than before", at.Commit)
	}
	if len(lines) > n {
		s.longest = slices.Clone(lines)
	}
	return nil
}

// check compares the log in dir with what was told. It returns how many commits it has.
func (s *simTruth) check(ctx context.Context, dir string) (Commit, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := &simState{}
	l, err := Open(ctx, dir, state, Options{disk: &quickDisk})
	if errors.Is(err, ErrNoLog) && s.answered == 0 {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer l.Close() // only opened to see what there is
	if damage := l.Damage(); damage != nil {
		return 0, damage
	}
	var head Head
	if err := l.Peek(ctx, func(at Head) { head = at }); err != nil { // a View may wait, and processes would go on meanwhile
		return 0, err
	}
	if s.lossy {
		return head.Commit, errors.Join(s.checkAppends(state.lines, dir), l.Close())
	}
	if head.Commit < s.answered {
		return 0, fmt.Errorf("commit %d was answered, and only %d are there", s.answered, head.Commit)
	}
	if n := len(s.longest); len(state.lines) < n || !slices.Equal(state.lines[:n], s.longest) {
		return 0, errors.New("the log adds up to another state than was shown")
	}
	if err := s.checkAppends(state.lines, dir); err != nil {
		return 0, err
	}
	return head.Commit, l.Close()
}

// checkAppends looks that each append is there wholly or not at all, as its caller was told, and in an order in which
// none comes before one that had been answered when it began.
func (s *simTruth) checkAppends(lines []string, dir string) error {
	found := map[*simAppend]bool{}
	var order []*simAppend
	for i := 0; i < len(lines); i++ {
		position, text, _ := strings.Cut(lines[i], ":")
		if position != strconv.Itoa(i+1) {
			return fmt.Errorf("the event at position %d says that it is at %s", i+1, position)
		}
		e, known := s.events[text]
		switch {
		case !known && (text == "created" || strings.HasPrefix(text, "going on")):
			continue
		case !known || e.part != 0:
			return fmt.Errorf("at %d stands %q, which nobody has appended there", i+1, text)
		case found[e.of]:
			return fmt.Errorf("%q is there twice", text)
		case e.of.fate == fateRefused:
			return fmt.Errorf("%q is there, and its caller was told that it is not", text)
		}
		found[e.of] = true
		order = append(order, e.of)
		for _, part := range e.of.texts[1:] {
			i++
			if i == len(lines) || lines[i] != fmt.Sprintf("%d:%.20s", i+1, part) {
				return fmt.Errorf("of %q there is only a part", text)
			}
		}
	}
	for _, a := range s.appends {
		if a.fate == fateCommitted && !found[a] && !(s.lossy && inQuarantine(dir, a.texts[0])) {
			return fmt.Errorf("%q was acknowledged, and is not there", a.texts[0])
		}
	}
	soonest := math.MaxInt // when one of those that follow was answered
	for _, a := range slices.Backward(order) {
		if a.began > soonest {
			return fmt.Errorf("%q comes before one that was answered when it began", a.texts[0])
		}
		soonest = min(soonest, a.ended)
	}
	return nil
}

// inQuarantine says if a text was taken out of the log.
func inQuarantine(dir, text string) (found bool) {
	// What cannot be read is not found.
	_ = filepath.WalkDir(filepath.Join(dir, quarantineDir), func(path string, _ fs.DirEntry, err error) error {
		data, _ := os.ReadFile(path)
		found = found || bytes.Contains(data, []byte(text))
		return err
	})
	return found
}

// checkHashes looks that each commit that was shown is the same still. The last one is known to be durable by now: a
// Reader would not show it otherwise.
func (s *simTruth) checkHashes(dir string) error {
	all, err := hashesIn(dir)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lossy {
		return nil
	}
	for commit, h := range s.hashes {
		if commit > Commit(len(all)) {
			return fmt.Errorf("commit %d was shown, and a reader comes to %d only", commit, len(all))
		}
		if all[commit-1] != h {
			return fmt.Errorf("commit %d is another than was shown", commit)
		}
	}
	return nil
}

// hashesIn returns those of all commits, of those that were pruned as the base has them.
func hashesIn(dir string) ([]Hash, error) {
	all := &hashes{}
	base, err := ReadBase(dir)
	if err != nil {
		return nil, err
	}
	if base != nil {
		if err := errors.Join(all.Resume([]*Snapshot{base}), base.Close()); err != nil {
			return nil, err
		}
	}
	err = readLog(dir, 0, func(e *Entry) { all.list = append(all.list, e.Hash) })
	return all.list, err
}

// checkImage opens what a power cut would leave, and goes on with it.
func (s *simulation) checkImage(state diskState) error {
	dir, remove := s.scratch(state)
	defer remove()
	return s.checkDir(dir)
}

// checkDir looks at a log that no process uses any more, and goes on with it.
func (s *simulation) checkDir(dir string) error {
	ctx := s.t.Context()
	has, err := s.truth.check(ctx, dir)
	if err != nil {
		return err
	}
	l, err := Open(ctx, dir, &simState{}, Options{disk: &quickDisk, Create: created})
	if err != nil {
		return fmt.Errorf("go on: %w", err)
	}
	defer l.Close() // once more, mostly
	if repairs := l.TakeRepairs(); has > 0 && len(repairs) > 0 {
		return fmt.Errorf("what was opened before is repaired again: %+v", repairs)
	}
	if err := errors.Join(l.Append(ctx, (&handle{state: &ledger{}}).proposes("going on")), l.Close()); err != nil {
		return fmt.Errorf("go on: %w", err)
	}
	if err := s.truth.checkHashes(dir); err != nil {
		return err
	}
	report, err := Verify(ctx, dir, VerifyOptions{})
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	if len(report.Damage) > 0 || report.Torn != nil || report.Head.Commit != max(has, 1)+1 {
		return fmt.Errorf("after one more append to %d commits the log is %+v", has, report)
	}
	return checkSnapshots(dir)
}

// checkSnapshots looks that each snapshot file is whole.
func checkSnapshots(dir string) error {
	chains, bad, err := SnapshotChains(dir)
	if err != nil {
		return err
	}
	if len(bad) > 0 {
		return fmt.Errorf("snapshot %s: %w", bad[0].Path, bad[0].Err)
	}
	for _, chain := range chains {
		defer closeAll(chain)
		if err := chain[len(chain)-1].Check(); err != nil {
			return err
		}
	}
	return nil
}

// scratch makes a directory of a disk, and returns that of its log.
func (s *simulation) scratch(state diskState) (dir string, remove func()) {
	s.made++
	root := filepath.Join(s.root, fmt.Sprint("image", s.made))
	err := os.Mkdir(root, 0o700)
	if err == nil {
		err = state.install(root)
	}
	if err != nil {
		s.failf("make a directory of an image: %v", err)
	}
	return filepath.Join(root, filepath.FromSlash(crashDir)), func() { os.RemoveAll(root) }
}
