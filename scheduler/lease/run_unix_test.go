//go:build unix

package lease

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/queuectl/queuectl/internal/file"
)

func hold(t *testing.T, dir string, run uint64) *Run {
	t.Helper()
	r, err := HoldRun(dir, run)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func wantHeld(t *testing.T, dir string, run uint64, want bool) {
	t.Helper()
	if got, err := held(runFile(dir, run)); got != want || err != nil {
		t.Errorf("run %d is held: %v, %v; want %v", run, got, err, want)
	}
}

// heir starts a process that holds the run's lock until end is called.
func heir(t *testing.T, r *Run) (end func()) {
	t.Helper()
	c := exec.Command("cat")
	c.ExtraFiles = []*os.File{r.File()}
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := errors.Join(stdin.Close(), c.Wait()); err != nil {
			t.Error(err)
		}
	}
}

func TestRun_ReleaseRemovesTheFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := hold(t, dir, 7)
	wantHeld(t, dir, 7, true)
	if leftBehind, err := r.Release(); leftBehind || err != nil {
		t.Errorf("Release() = %v, %v", leftBehind, err)
	}
	if exists(runFile(dir, 7)) {
		t.Error("the file is still there")
	}
}

func TestRun_FileStaysWhileSomethingLeftBehindHoldsIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := hold(t, dir, 7)
	end := heir(t, r)
	if leftBehind, err := r.Release(); !leftBehind || err != nil {
		t.Errorf("Release() = %v, %v; want true", leftBehind, err)
	}
	wantHeld(t, dir, 7, true)
	sweepAll(t, dir)
	if !exists(runFile(dir, 7)) {
		t.Error("a file that is held was swept")
	}
	end()
	wantHeld(t, dir, 7, false)
	sweepAll(t, dir)
	if exists(runFile(dir, 7)) {
		t.Error("a file that nobody needs was not swept")
	}
}

func follow(t *testing.T, r *Run, run uint64) *Run {
	t.Helper()
	next, err := r.Follow(run)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func TestRun_FollowGivesTheFileToTheNextRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := hold(t, dir, 7)
	if err := first.Started(os.Getpid()); err != nil {
		t.Fatal(err)
	}
	more, err := first.lock.File().WriteAt([]byte("more\n"), int64(first.length))
	if err != nil {
		t.Fatal(err)
	}
	first.length += more // so that the second has less to say
	second := follow(t, first, 9)
	wantHeld(t, dir, 9, true)
	if exists(runFile(dir, 7)) {
		t.Error("the first file is still there")
	}
	if o, err := openOrphan(dir, 9); err != nil || o.rec != (record{}) {
		t.Errorf("the second says %+v, %v; want nothing of the first", o.rec, err)
	} else {
		o.close()
	}
	if err := second.Started(os.Getpid()); err != nil {
		t.Fatal(err)
	}
	if o, err := openOrphan(dir, 9); err != nil || o.rec.Run != 9 || o.rec.Group != os.Getpid() {
		t.Errorf("the second says %+v, %v", o.rec, err)
	} else {
		o.close()
	}
	if current, err := second.lock.Current(); !current || err != nil {
		t.Errorf("the second is current: %v, %v", current, err)
	}
	if leftBehind, err := second.Release(); leftBehind || err != nil || exists(runFile(dir, 9)) {
		t.Errorf("Release() = %v, %v; the file is there: %v", leftBehind, err, exists(runFile(dir, 9)))
	}
}

func TestRun_FollowLeavesTheFileToWhatWasLeftBehind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := hold(t, dir, 7)
	end := heir(t, first)
	second := follow(t, first, 9)
	defer second.Release()
	wantHeld(t, dir, 7, true)
	wantHeld(t, dir, 9, true)
	end()
	wantHeld(t, dir, 7, false)
	wantHeld(t, dir, 9, true)
}

func TestRun_FollowOfARunWhoseFileIsGoneMakesOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := hold(t, dir, 7)
	if err := os.Remove(runFile(dir, 7)); err != nil {
		t.Fatal(err)
	}
	defer follow(t, first, 9).Release()
	wantHeld(t, dir, 9, true)
}

func TestRun_FollowSurvivesSweeps(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stop := sweeping(t, dir)
	r := hold(t, dir, 1)
	for run := range uint64(1000) {
		r = follow(t, r, run+2)
		wantHeld(t, dir, run+2, true)
	}
	stop()
}

// A process that is being made has all our descriptors until it executes its program, and a moment longer. Not parallel:
// it would be hard on the others.
func TestRun_ReleaseIsNotMisledByProcessesThatAreBeingMade(t *testing.T) {
	const runs, most = 1000, 10
	dir := t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	var starters sync.WaitGroup
	for range 4 {
		starters.Go(func() {
			for ctx.Err() == nil {
				if err := exec.Command("true").Run(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	left := 0
	for run := range uint64(runs) {
		leftBehind, err := hold(t, dir, run+1).Release()
		if err != nil {
			t.Error(err)
		}
		if leftBehind {
			left++
		}
	}
	stop()
	starters.Wait()
	if left > most { // one that waits long for a processor may be among them
		t.Errorf("%d of %d runs left something behind", left, runs)
	}
}

// sweeping sweeps again and again, as one who knows nothing, until stop is called.
func sweeping(t *testing.T, dir string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	swept := make(chan error)
	go func() {
		var err error
		for ctx.Err() == nil && err == nil {
			err = Sweep(dir, nothingKept)
		}
		swept <- err
	}()
	return func() {
		cancel()
		if err := <-swept; err != nil {
			t.Error(err)
		}
	}
}

func nothingKept() (map[uint64]bool, map[string]bool, error) { return nil, nil, nil }

func sweepAll(t *testing.T, dir string) {
	t.Helper()
	if err := Sweep(dir, nothingKept); err != nil {
		t.Error(err)
	}
}

func TestHold_DeletedDirectoryIsNotMadeAgain(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "deleted")
	_, runErr := HoldRun(dir, 7)
	_, workerErr := HoldWorker(dir, "w1")
	if !errors.Is(runErr, fs.ErrNotExist) || !errors.Is(workerErr, fs.ErrNotExist) || exists(dir) {
		t.Errorf("HoldRun: %v, HoldWorker: %v; want ErrNotExist, and no directory", runErr, workerErr)
	}
}

func TestRun_NumberThatIsUsedAgainHasItsOwnLock(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := hold(t, dir, 7)
	if err := first.Started(os.Getpid()); err != nil {
		t.Fatal(err)
	}
	second := hold(t, dir, 7) // after a restore
	if current, err := first.lock.Current(); current || err != nil {
		t.Errorf("the first is current: %v, %v", current, err)
	}
	if text, err := os.ReadFile(runFile(dir, 7)); len(text) != 0 || err != nil {
		t.Errorf("the second says %q, %v; want nothing of the first", text, err)
	}
	if _, err := second.Release(); err != nil {
		t.Error(err)
	}
	if _, err := first.Release(); err != nil {
		t.Error(err)
	}
}

func TestRun_StartedIsOneLineOfJSON(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := hold(t, dir, 7)
	defer r.Release()
	if err := r.Started(0); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(runFile(dir, 7)); len(text) != 0 || err != nil {
		t.Errorf("the file says %q, %v, although nothing was started", text, err)
	}
	if err := r.Started(os.Getpid()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(runFile(dir, 7))
	if err != nil {
		t.Fatal(err)
	}
	var got record
	if err := json.Unmarshal(text, &got); err != nil || text[len(text)-1] != '\n' {
		t.Fatalf("%q: %v", text, err)
	}
	want := record{Dir: dir, Group: os.Getpid(), Worker: os.Getpid(), Boot: file.BootID()}
	if got.Dir != want.Dir || got.Group != want.Group || got.Worker != want.Worker || got.Boot != want.Boot {
		t.Errorf("record = %+v, want %+v", got, want)
	}
	if runtime.GOOS == "linux" && (got.Start == 0 || got.Namespace == "") {
		t.Errorf("record = %+v lacks start time or namespace", got)
	}
}

func TestSweep_TakesWhatNobodyNeeds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	sweepAll(t, dir) // of nothing
	held := hold(t, dir, 1)
	defer held.Release()
	w, err := HoldWorker(dir, "alive")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Release()
	for _, name := range []string{
		"runs/2.lock", "runs/3.lock", "runs/.4.lock", "runs/note.txt", "runs/x.lock",
		"workers/known.lock", "workers/known.fifo", "workers/unknown.lock", "workers/unknown.fifo",
		"workers/half.fifo", "workers/.hidden.lock",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	err = Sweep(dir, func() (map[uint64]bool, map[string]bool, error) {
		return map[uint64]bool{3: true}, map[string]bool{"known": true}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, pattern := range []string{"runs/*", "runs/.*", "workers/*", "workers/.*"} {
		names, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range names {
			got = append(got, n[len(dir)+1:])
		}
	}
	want := []string{
		"runs/1.lock", "runs/3.lock", "runs/note.txt", "runs/x.lock",
		"workers/alive.fifo", "workers/alive.lock", "workers/known.fifo", "workers/known.lock",
	}
	if len(got) != len(want) {
		t.Fatalf("left: %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("left: %v, want %v", got, want)
			break
		}
	}
}

// A run that begins after the look at the log, and whose worker is killed before the files are removed.
func TestSweep_LeavesWhatItsLookWasTooEarlyFor(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	sweepAll(t, dir)
	if err := hold(t, dir, 4).Abandon(); err != nil { // so that there is a directory
		t.Fatal(err)
	}
	err := Sweep(dir, func() (runs map[uint64]bool, workers map[string]bool, err error) {
		w, err := HoldWorker(dir, "w1")
		if err != nil {
			return nil, nil, err
		}
		return nil, nil, errors.Join(w.lock.Close(), w.closeFIFO(), hold(t, dir, 5).Abandon())
	})
	if err != nil {
		t.Fatal(err)
	}
	if exists(runFile(dir, 4)) || !exists(runFile(dir, 5)) || !exists(filepath.Join(workersDir(dir), "w1.lock")) {
		t.Errorf("4 is there: %v, 5: %v; want the later run and worker alone", exists(runFile(dir, 4)), exists(runFile(dir, 5)))
	}
}

func TestSweep_RemovesNothingIfTheLogCannotBeLookedAt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := hold(t, dir, 4).Abandon(); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	err := Sweep(dir, func() (map[uint64]bool, map[string]bool, error) { return nil, nil, broken })
	if !errors.Is(err, broken) || !exists(runFile(dir, 4)) {
		t.Errorf("error = %v, and the file is there: %v", err, exists(runFile(dir, 4)))
	}
}
