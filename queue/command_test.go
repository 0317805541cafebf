package queue_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
	"github.com/queuectl/queuectl/queuetest"
)

// TestRun_CommandsOfASlotKeepTheirFilesApart: the files of a run that left them empty serve the next one.
func TestRun_CommandsOfASlotKeepTheirFilesApart(t *testing.T) {
	t.Parallel()
	q := open(t, t.TempDir())
	want := map[string]string{}
	var specs []job.Spec
	for i := range 12 {
		id := fmt.Sprint("job", i)
		spec := job.Spec{ID: id, Command: "true"}
		switch i % 4 {
		case 1:
			spec.Command, want[id] = "echo $QUEUECTL_JOB_ID", id+"\n"
		case 3:
			spec.Argv, spec.Command, want[id] = []string{"no such program"}, "", "queuectl: no such program: no such program\n"
		}
		specs = append(specs, spec)
	}
	enqueue(t, q, specs...)
	drain(t, q)
	for _, spec := range specs {
		f, err := q.OpenOutput(find(t, q, spec.ID).Run)
		if want[spec.ID] == "" {
			if !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("output of %s: %v, want none", spec.ID, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(f); string(got) != want[spec.ID] || err != nil {
			t.Errorf("output of %s is %q, %v; want %q", spec.ID, got, err, want[spec.ID])
		}
		f.Close()
	}
	if left, err := os.ReadDir(filepath.Join(q.Dir(), "runs")); len(left) > 0 || err != nil {
		t.Errorf("locks left: %v, %v", left, err)
	}
	if outputs, err := filepath.Glob(filepath.Join(q.Dir(), "output", "*", "*")); len(outputs) != len(want) || err != nil {
		t.Errorf("%d files of output, %v; want %d", len(outputs), err, len(want))
	}
}

// TestRun_LockFileOfWhatWasLeftBehindIsRemovedLater: by the same worker, which may live for months.
func TestRun_LockFileOfWhatWasLeftBehindIsRemovedLater(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("needs a command that outlives its first process")
	}
	clock := queuetest.NewClock(time.Now())
	q, err := queue.Open(t.Context(), t.TempDir(), queue.Options{Now: clock.Now, Elapsed: clock.Elapsed})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	stop, _, wait := works(t, q, queue.WorkerOptions{})
	enqueue(t, q, job.Spec{ID: "leaves one", Command: "sleep 3600 & echo $!"})
	run := waitFor(t, q, "leaves one", completed).Run
	enqueue(t, q, job.Spec{ID: "next", Command: "true"})
	waitFor(t, q, "next", completed) // so that the worker has let the first lock go
	lock := filepath.Join(q.Dir(), "runs", fmt.Sprint(run)+".lock")
	if _, err := os.Stat(lock); err != nil {
		t.Errorf("the lock of what was left behind: %v", err)
	}
	left, err := os.FindProcess(printedPID(t, q, run))
	if err != nil {
		t.Fatal(err)
	}
	if err := left.Kill(); err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		if _, err = os.Stat(lock); err != nil {
			break
		}
		clock.Advance(time.Hour) // again, if it has not let the lock go yet
		woken := enqueue(t, q, job.Spec{Command: "true"})[0]
		waitFor(t, q, woken.Spec.ID, completed) // it may have to look a thousand times, but not within moments
	}
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the lock of what had been left behind: %v, want that it is gone", err)
	}
	stop()
	if err := wait(); err != nil {
		t.Error(err)
	}
}

// printedPID is what a run has printed.
func printedPID(t *testing.T, q *queue.Queue, run job.Position) (pid int) {
	t.Helper()
	text, err := os.ReadFile(q.OutputPath(run))
	if err == nil {
		_, err = fmt.Sscan(string(text), &pid)
	}
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// TestRun_DirectoryIsThatOfTheEnqueue: wherever the worker is.
func TestRun_DirectoryIsThatOfTheEnqueue(t *testing.T) {
	t.Parallel()
	caller, err1 := filepath.EvalSymlinks(t.TempDir()) // as pwd prints it
	elsewhere, err2 := filepath.EvalSymlinks(t.TempDir())
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(caller, "below"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{filepath.Join(caller, "in"), filepath.Join(caller, "below", "in")} {
		if err := os.WriteFile(name, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	q, err := queue.Open(t.Context(), t.TempDir(), queue.Options{Actor: job.Actor{Dir: caller}})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	const command = `pwd; cat`
	enqueue(t, q,
		job.Spec{ID: "caller", Command: command, Stdin: "@in"},
		job.Spec{ID: "relative", Command: command, Stdin: "@in", Cwd: "below"},
		job.Spec{ID: "absolute", Command: command, Cwd: elsewhere},
	)
	drain(t, q)
	for id, want := range map[string]string{
		"caller":   caller + "\n" + caller + "/in",
		"relative": caller + "/below\n" + caller + "/below/in",
		"absolute": elsewhere + "\n",
	} {
		if got, err := os.ReadFile(q.OutputPath(find(t, q, id).Run)); string(got) != want || err != nil {
			t.Errorf("%s printed %q, %v; want %q", id, got, err, want)
		}
	}
}
