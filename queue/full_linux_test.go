package queue_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// TestRun_OnAFullDiskWhatRunsIsRecorded: a job fills the disk and ends. Its outcome has room, and so has the end of the
// worker. New jobs are refused, and waiting ones stay, until there is room for all again.
func TestRun_OnAFullDiskWhatRunsIsRecorded(t *testing.T) {
	t.Parallel()
	disk := t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("needs the right to mount a tmpfs: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(disk, unix.MNT_DETACH) })
	q := open(t, filepath.Join(disk, "q"))
	none, filler, goOn := uint32(0), filepath.Join(disk, "filler"), filepath.Join(t.TempDir(), "go on")
	enqueue(t, q, job.Spec{
		ID: "fills", MaxRetries: &none, Env: map[string]string{"FILLER": filler, "GO_ON": goOn},
		Command: `echo begun; cat /dev/zero >"$FILLER" 2>&-; echo full >"$GO_ON.full"; until test -e "$GO_ON"; do sleep 0.02; done; exit 3`,
	})
	stop, _, wait := works(t, q, queue.WorkerOptions{})
	waitFor(t, q, "fills", func(job.Job) bool { return exists(goOn + ".full") })
	var err error
	for err == nil { // until what is left is for what runs
		_, err = q.Enqueue(t.Context(), job.Spec{Command: "true #" + strings.Repeat("x", 20<<10)})
	}
	if !errors.Is(err, eventlog.ErrDiskFull) {
		t.Errorf("enqueue on a full disk: %v, want ErrDiskFull", err)
	}
	stop()
	if err := os.Mkdir(goOn, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := wait(); err != nil {
		t.Errorf("the worker ended with %v", err)
	}
	if j := find(t, q, "fills"); j.State != job.Dead || j.LastError != "Exit 3: begun" {
		t.Errorf("it is %s: %q", j.State, j.LastError)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	drain(t, q)
	status, err := q.Status(t.Context())
	if waiting := status.Counts[job.Pending]; err != nil || waiting > 0 || status.Counts[job.Completed] == 0 || len(status.Workers) > 0 {
		t.Errorf("%d jobs wait and %d workers are known when there is room again (%v)", waiting, len(status.Workers), err)
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
