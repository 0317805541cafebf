package main

import (
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/queuectl/queuectl/job"
)

// TestDemo_EndsWorkersAndWhatTheyRun: one that works, one that waits, and one that has just been started.
func TestDemo_EndsWorkersAndWhatTheyRun(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("needs sleep")
	}
	self, err := exec.LookPath("queuectl")
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	d := &demo{self: self, dir: filepath.Join(t.TempDir(), "q")}
	if err := d.open(ctx); err != nil {
		t.Fatal(err)
	}
	defer d.q.Close()
	if _, err := d.q.Enqueue(ctx, job.Spec{ID: "long", Argv: []string{"sleep", "600"}}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := d.worker(); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.untilWorkers(ctx, 2); err != nil {
		t.Fatal(err)
	}
	if _, err := d.until(ctx, "long", func(j job.Job) bool { return j.State == job.Processing }); err != nil {
		t.Fatal(err)
	}
	if _, err := d.worker(); err != nil {
		t.Fatal(err)
	}
	d.endWorkers(ctx)
	for _, w := range d.workers {
		if w.lives() || w.err != nil {
			t.Errorf("process %d: lives %v, error %v: %s", w.cmd.Process.Pid, w.lives(), w.err, w.stderr.String())
		}
	}
	j, err := d.q.Job(ctx, "long")
	if err != nil || j.State != job.Pending || j.Crashes != 0 {
		t.Errorf("the job is %v with %d crashes, %v; want it given back", j.State, j.Crashes, err)
	}
}
