package main

import (
	"fmt"
	"io/fs"
	"syscall"
	"testing"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
)

// TestCannotRecord_SaysWhatBecomesOfTheJobs: a worker that is stopped by its disk.
func TestCannotRecord_SaysWhatBecomesOfTheJobs(t *testing.T) {
	t.Parallel()
	s := &session{dir: "/var/q"}
	for _, test := range []struct {
		name string
		err  error
		exit int
		hint string
	}{
		{"a full disk", fmt.Errorf("append: %w", eventlog.ErrDiskFull), exitUnknown, "free some space on the disk of /var/q: the worker could not record what it does and has stopped; its jobs will run again"},
		{"a failed sync", eventlog.ErrUnknown, exitUnknown, "the worker could not record what it does and has stopped; its jobs will run again"},
		{"a log that cannot be read", fmt.Errorf("open segment: %w", &fs.PathError{Op: "open", Path: "/var/q/log/1", Err: syscall.EIO}), exitUnknown, "the worker could not record what it does and has stopped; its jobs will run again"},
		{"something else", job.ErrNoWorker, exitFailed, "'queuectl worker list' shows the workers"},
	} {
		if f := s.explain(cannotRecord(s, test.err)); f.exit != test.exit || f.hint != test.hint {
			t.Errorf("%s: exit code %d, hint %q; want %d, %q", test.name, f.exit, f.hint, test.exit, test.hint)
		}
	}
	if err := cannotRecord(s, nil); err != nil {
		t.Errorf("no error became %v", err)
	}
}
