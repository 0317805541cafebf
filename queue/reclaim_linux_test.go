package queue_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
	"github.com/queuectl/queuectl/queuetest"
)

// A worker is killed while a daemon of its command lives, which nothing tells of but the run's
// lock: it has a session and an environment of its own. The next run fails if it can see that the
// daemon still holds something.
func TestRun_LostRunIsOverWhenNothingOfItLives(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"flock", "setsid"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("needs the program %s (util-linux)", program)
		}
	}
	q, dir, none := open(t, t.TempDir()), t.TempDir(), uint32(0)
	enqueue(t, q, job.Spec{ID: "j", Cwd: dir, MaxRetries: &none, Command: `
exec 9>>held
flock -n 9 || exit 7
[ ! -e begun ] || exit 0
env -i setsid sh -c ': >begun; exec sleep 60' &
wait`})
	worker := role(t, "worker", q.Dir(), os.Stdout)
	for {
		if _, err := os.Stat(filepath.Join(dir, "begun")); err == nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if err := worker.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = worker.Wait() // it was killed
	if err := q.Run(t.Context(), queue.WorkerOptions{UntilEmpty: true}); err != nil {
		t.Fatal(err)
	}
	if j := find(t, q, "j"); j.State != job.Completed || j.Runs != 2 || j.Crashes != 1 || j.Attempts != 0 {
		t.Errorf("%s, %d runs, %d crashes, %d attempts: %s; want it completed in the second run", j.State, j.Runs, j.Crashes, j.Attempts, j.LastError)
	}
}

// What runs when the disk becomes full ends like any other run: there is room for its outcome and
// for nothing else.
func TestRun_OutcomeIsRecordedOnAFullDisk(t *testing.T) {
	t.Parallel()
	disk, elsewhere := t.TempDir(), t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("needs the right to mount a tmpfs: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(disk, unix.MNT_DETACH) })
	clock := queuetest.NewClock(time.Now())
	q, err := queue.Open(t.Context(), filepath.Join(disk, "q"), queue.Options{Now: clock.Now, Elapsed: clock.Elapsed})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	enqueue(t, q, job.Spec{ID: "long", Cwd: elsewhere, Command: "while [ ! -e full ]; do sleep 0.01; done"})
	stop, _, wait := works(t, q, queue.WorkerOptions{Queues: []string{job.DefaultQueue}})
	waitFor(t, q, "long", running)

	filler := filepath.Join(disk, "filler")
	f, err := os.Create(filler)
	if err != nil {
		t.Fatal(err)
	}
	for block := make([]byte, 4096); err == nil; {
		_, err = f.Write(block)
	}
	_ = f.Close() // it is full
	for i := 0; ; i++ {
		large := job.Spec{Queue: "other", Command: "true", Stdin: strings.Repeat("x", 16<<10)}
		if _, err = q.Enqueue(t.Context(), large); err != nil {
			break
		}
	}
	if !errors.Is(err, eventlog.ErrDiskFull) {
		t.Fatalf("enqueue: %v, want ErrDiskFull", err)
	}

	if err := os.WriteFile(filepath.Join(elsewhere, "full"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- wait() }()
	waitFor(t, q, "long", func(j job.Job) bool {
		clock.Advance(time.Second) // a worker that cannot record it has no patience for ever
		return j.State != job.Processing || len(ended) > 0
	})
	if j := find(t, q, "long"); j.State != job.Completed {
		t.Errorf("long is %s: %s", j.State, j.LastError)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
