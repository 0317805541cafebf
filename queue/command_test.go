package queue_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/queuectl/queuectl/job"
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
