package main

import (
	"testing"

	"github.com/queuectl/queuectl/job"
)

func TestWait_ExitCodeIsThatOfTheJob(t *testing.T) {
	t.Parallel()
	code := func(n int32) *int32 { return &n }
	for _, test := range []struct {
		name string
		job  job.Job
		want int
	}{
		{"completed", job.Job{State: job.Completed, Exit: code(0)}, 0},
		{"exit code", job.Job{State: job.Dead, Exit: code(7), LastError: "Exit 7: no"}, 7},
		{"signal", job.Job{State: job.Dead, Signal: 9, LastError: "Signal 9: "}, 137},
		{"timeout, ended by KILL", job.Job{State: job.Dead, Signal: 9, LastError: "Timeout after 2s: "}, 137},
		{"timeout, left by itself", job.Job{State: job.Dead, LastError: "Timeout after 2s: "}, 143},
		{"lost", job.Job{State: job.Dead, LastError: "Worker lost"}, 3},
		{"cancelled", job.Job{State: job.Cancelled, Signal: 15}, 3},
		{"handler failed", job.Job{State: job.Dead, Spec: job.Spec{Kind: "mail"}, Exit: code(1)}, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := jobExitCode(test.job); got != test.want {
				t.Errorf("got %d, want %d", got, test.want)
			}
		})
	}
}
