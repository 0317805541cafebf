package eventlog

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// crashCheck opens what power cuts leave, on all cores.
type crashCheck struct {
	t      *testing.T
	root   string
	made   atomic.Int64 // directories in root
	hash   maphash.Seed
	tasks  chan crashCase
	wait   sync.WaitGroup
	failed sync.Once

	mu    sync.Mutex
	sound map[uint64]Commit // how far each state is, by its hash
	rows  [2]map[string]int // how often each verdict was given, after a power cut and after another in the recovery
}

// crashCase is one state of a disk.
type crashCase struct {
	*crashMoment
	way    []int
	state  diskState
	chance uint64 // a random number, to choose by
	second bool   // it is from a power cut in the recovery from another
	torn   []byte // what that recovery cut off; nil = nothing
}

func newCrashCheck(t *testing.T) *crashCheck {
	k := &crashCheck{
		t: t, root: memoryDir(t), hash: maphash.MakeSeed(), tasks: make(chan crashCase, 64),
		sound: map[uint64]Commit{}, rows: [2]map[string]int{{}, {}},
	}
	for range runtime.GOMAXPROCS(0) {
		k.wait.Go(func() {
			for c := range k.tasks {
				k.run(c)
			}
		})
	}
	return k
}

// memoryDir is a directory in memory, if there is such a thing: tidwall/wal syncs segments, and
// nothing here needs that.
func memoryDir(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "eventlog-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// scratch makes a directory.
func (k *crashCheck) scratch() string { return k.scratchNamed(int(k.made.Add(1))) }

func (k *crashCheck) scratchNamed(n int) string {
	dir := filepath.Join(k.root, fmt.Sprint(n))
	if err := os.Mkdir(dir, 0o700); err != nil {
		k.t.Error(err)
	}
	return dir
}

func (k *crashCheck) remove(dir string) {
	if err := os.RemoveAll(dir); err != nil {
		k.t.Error(err)
	}
}

// open has a state opened.
func (k *crashCheck) open(at *crashMoment, way []int, chance uint64) {
	k.tasks <- crashCase{crashMoment: at, way: slices.Clone(way), state: at.disk.leave(way), chance: chance}
}

func (k *crashCheck) finish() {
	close(k.tasks)
	k.wait.Wait()
}

// states is how many different ones were opened.
func (k *crashCheck) states() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.sound)
}

func (k *crashCheck) summary() string {
	s := fmt.Sprintf("%d states", len(k.sound))
	for i, rows := range k.rows {
		s += []string{"; verdicts after a power cut:", "; after another one in the recovery:"}[i]
		for _, row := range slices.Sorted(maps.Keys(rows)) {
			s += fmt.Sprintf(" %s %d,", row, rows[row])
		}
	}
	return s
}

// run opens a state, unless that was done. If it was, there may still be more that must not be
// missing in it.
func (k *crashCheck) run(c crashCase) {
	key := c.state.hash(k.hash)
	k.mu.Lock()
	sound, known := k.sound[key]
	k.mu.Unlock()
	if known {
		if sound < c.disk.answered {
			k.fail(c, lost(c, sound))
		}
		return
	}
	row, sound, err := k.examine(c)
	if err != nil {
		k.fail(c, err)
		return
	}
	k.mu.Lock()
	k.sound[key] = sound
	rows := k.rows[0]
	if c.second {
		rows = k.rows[1]
	}
	rows[row]++
	k.mu.Unlock()
	often := uint64(40)
	if row == "5" || row == "7" {
		often = 12
	}
	if c.chance%often == 0 && !c.second {
		k.again(c)
	}
}

// fail tells of the first state that is not as it must be; others are mostly of the same kind.
func (k *crashCheck) fail(c crashCase, why error) {
	k.failed.Do(func() {
		dir := k.t.ArtifactDir()
		story, state := filepath.Join(dir, "story"), filepath.Join(dir, "state")
		var lines strings.Builder
		for i, e := range c.trace.effects {
			fmt.Fprintf(&lines, "%d: %v\n", i, e)
		}
		err := errors.Join(os.WriteFile(story, []byte(lines.String()), 0o600), os.Mkdir(state, 0o700), c.state.install(state))
		mode := ""
		if raceEnabled {
			mode += " -race"
		}
		if testing.Short() {
			mode += " -short"
		}
		k.t.Errorf(`%s; left is %v: %v
%swhat was done is in %s, and the state in %s (error: %v), which -artifacts keeps; again:
go test ./eventlog -run %s -crash.seed %d -crash.states 1 -artifacts%s`,
			c.name, c.way, why, c.state, story, state, err, k.t.Name(), c.seed, mode)
	})
}

func lost(c crashCase, sound Commit) error {
	return fmt.Errorf("commit %d was answered, and only %d are there", c.disk.answered, sound)
}

// quickDisk makes nothing durable: the power is not cut while a state is looked at.
var quickDisk = disk{
	network:  func(string) (string, error) { return "", nil },
	datasync: func(*os.File) error { return nil },
	syncDir:  func(string) error { return nil },
	reserve:  func(*os.File, int64) (bool, error) { return true, nil },
	rewrite:  rewrite,
	writeAt:  (*os.File).WriteAt,
}

// hashes is a State that keeps the hash of each commit.
type hashes struct{ list []Hash }

func (s *hashes) Fold(e *Entry) error {
	s.list = append(s.list, e.Hash)
	return nil
}
func (s *hashes) Reset() { s.list = nil }

// examine opens a state, and goes on with it. It returns the row of the verdict, "none" if there is
// no log, and how many commits are there.
func (k *crashCheck) examine(c crashCase) (row string, sound Commit, err error) {
	if err := c.keepsTorn(); err != nil {
		return "", 0, err
	}
	root := k.scratch()
	defer k.remove(root)
	if err := c.state.install(root); err != nil {
		return "", 0, err
	}
	dir := filepath.Join(root, filepath.FromSlash(crashDir))
	state := &hashes{}
	l, err := Open(k.t.Context(), dir, state, Options{disk: &quickDisk})
	if errors.Is(err, ErrNoLog) {
		if c.disk.answered > 0 {
			return "", 0, lost(c, 0)
		}
		return "none", 0, k.reopen(dir, nil)
	}
	if err != nil {
		return "", 0, err
	}
	defer l.Close() // once more, mostly
	if err := k.snapshots(c, dir); err != nil {
		return "", 0, err
	}
	damage, repairs := l.Damage(), l.TakeRepairs()
	sound = Commit(len(state.list))
	switch {
	case sound < c.disk.answered:
		return "", 0, errors.Join(lost(c, sound), asError(damage))
	case int(sound) > len(c.trace.hashes) || !slices.Equal(state.list, c.trace.hashes[:sound]):
		return "", 0, errors.New("commits are there that nobody has appended")
	case damage != nil:
		return "", 0, damage // of which a power cut does none
	case len(repairs) > 0:
		if _, err := fmt.Sscanf(repairs[0].Verdict, "torn tail (row %1s)", &row); err != nil || len(repairs) > 1 {
			return "", 0, fmt.Errorf("repairs are %+v: %w", repairs, err)
		}
		if err := l.Close(); err != nil {
			return "", 0, err
		}
		return row, sound, k.reopen(dir, state.list)
	}
	segments, _, err := listSegments(dir)
	if err != nil {
		return "", 0, err
	}
	row = "1"
	if segments[len(segments)-1].size == 0 {
		row = "9"
	}
	return row, sound, k.goOn(l, dir, sound)
}

// snapshots checks those that are there: each is whole, and of commits that are in the log.
func (k *crashCheck) snapshots(c crashCase, dir string) error {
	chains, bad, err := SnapshotChains(dir)
	if err != nil || len(bad) > 0 {
		return fmt.Errorf("snapshots: bad are %v: %w", bad, cmp.Or(err, errors.New("a power cut does no damage to them")))
	}
	for _, chain := range chains {
		defer closeAll(chain)
		file := chain[len(chain)-1]
		if err := file.Check(); err != nil {
			return err
		}
		if at := file.At.Head; int(at.Commit) > len(c.trace.hashes) || c.trace.hashes[at.Commit-1] != at.Hash {
			return fmt.Errorf("a snapshot is of commit %d, which was another", at.Commit)
		}
	}
	return nil
}

// asError makes no error of no damage.
func asError(damage *CorruptError) error {
	if damage == nil {
		return nil
	}
	return damage
}

// reopen opens a log that was recovered, or has to be made. There must be nothing left to be done.
func (k *crashCheck) reopen(dir string, want []Hash) error {
	state := &hashes{}
	l, err := Open(k.t.Context(), dir, state, Options{disk: &quickDisk, Create: created})
	if err != nil {
		return fmt.Errorf("open again: %w", err)
	}
	defer l.Close() // it was not opened to see that
	if damage, repairs := l.Damage(), l.TakeRepairs(); damage != nil || len(repairs) > 0 {
		return fmt.Errorf("opened again: repairs are %+v; damage: %w", repairs, asError(damage))
	}
	if want != nil && !slices.Equal(state.list, want) {
		return fmt.Errorf("opened again, there are %d commits that are not the %d of before", len(state.list), len(want))
	}
	return k.goOn(l, dir, Commit(len(state.list)))
}

// goOn appends to a log that has some commits.
func (k *crashCheck) goOn(l *Log, dir string, has Commit) error {
	if err := l.Append(k.t.Context(), (&handle{state: &ledger{}}).proposes("after the power cut")); err != nil {
		return fmt.Errorf("append: %w", err)
	}
	report, err := Verify(k.t.Context(), dir, VerifyOptions{})
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	if len(report.Damage) > 0 || report.Torn != nil || report.Head.Commit != has+1 {
		return fmt.Errorf("after an append the log is %+v", report)
	}
	return nil
}

// again has a process recover from a state, and cuts the power once more at each moment of that.
func (k *crashCheck) again(c crashCase) {
	rng := rand.New(rand.NewPCG(c.chance, 0))
	root := k.scratch()
	var torn []byte
	trace := record(k.t, root, installed(c.state), func(s *crashTrace) {
		a := s.enter(300<<rng.IntN(5), nil)
		for _, r := range a.TakeRepairs() {
			torn = c.state.find(crashDir + "/" + logDir + "/" + r.Segment)[r.Offset:]
		}
		a.append("after the power cut", "and after that")
		a.close()
	})
	k.remove(root)
	if trace == nil {
		return // it was told why
	}
	d := trace.before.clone()
	d.answered = c.disk.answered
	for i, e := range trace.effects {
		d.apply(e)
		name := fmt.Sprintf("%s; left is %v; in the recovery after effect %d, %v", c.name, c.way, i, e)
		at := &crashMoment{c.seed, name, d.clone(), trace}
		at.disk.cuts(6, rng, func(way []int) {
			k.run(crashCase{crashMoment: at, way: slices.Clone(way), state: d.leave(way), second: true, torn: torn})
		})
	}
}

// keepsTorn returns an error if what a recovery has cut off is neither in its segment nor in
// quarantine.
func (c crashCase) keepsTorn() error {
	if c.torn == nil {
		return nil
	}
	for _, f := range c.state {
		in := strings.HasPrefix(f.path, crashDir+"/"+logDir+"/") && bytes.HasSuffix(f.data, c.torn)
		if in || strings.HasPrefix(f.path, crashDir+"/"+quarantineDir+"/") && bytes.Equal(f.data, c.torn) {
			return nil
		}
	}
	return errors.New("what was cut off is not in quarantine")
}
