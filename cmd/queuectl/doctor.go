package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/queuectl/queuectl/internal/doctor"
)

type doctorCmd struct{}

// Help is shown below the usage line.
func (doctorCmd) Help() string {
	return `It looks at the queue's directory and at what lies below it: file system, permissions, space, how
long a sync takes, whether locks exclude a second process, the log, workers and what is left of those
that died, versions, the clock, limits, and how much could be freed. Each line is ok, note, warn or bad,
and says what to do where something can be done. It changes nothing, and works on a damaged log, without
permission to write, and without a queue.

The exit code is 0 when nothing is bad, 1 if something is, and 4 if the log is damaged. A log of more
than 64 MiB is not verified whole: 'queuectl log verify' does that.

Examples:

  queuectl doctor
  queuectl doctor --dir /var/lib/queuectl
  queuectl doctor -o json | jq '.[] | select(.status != "ok")'`
}

// Run looks.
func (doctorCmd) Run(ctx context.Context, s *session) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	d, err := doctor.Look(ctx, doctor.Options{
		Dir: s.dir, Now: s.now, Program: program(), AllowNetworkFS: s.allowNetworkFS, Progress: s.progress("Checked"),
		TryLock: func(ctx context.Context, path string) (bool, error) {
			said, err := exec.CommandContext(ctx, self, "--output", "table", "play", "lock", path).Output()
			return strings.TrimSpace(string(said)) == lockFree, err
		},
	})
	if err != nil {
		return err
	}
	if s.asTable() {
		printDiagnosis(s, d)
	} else if err := findingListing.print(s, d.Findings); err != nil {
		return err
	}
	return diagnosisFailure(d)
}

// findingView is a finding as JSON.
type findingView struct {
	Check   string        `json:"check"`
	Status  doctor.Status `json:"status"`
	Message string        `json:"message"`
	Hint    *string       `json:"hint"` // null: nothing need be done
}

var findingListing = listing[doctor.Finding]{
	view: func(f doctor.Finding) any { return findingView{f.Check, f.Status, f.Message, optional(f.Hint)} },
	id:   func(f doctor.Finding) string { return string(f.Status) + " " + f.Check },
}

// printDiagnosis prints a line for each finding, and below it what to do. They are not cut to the width of the terminal: what
// is at their end is what they are read for.
func printDiagnosis(s *session, d *doctor.Diagnosis) {
	colours := map[doctor.Status]colour{doctor.OK: green, doctor.Note: blue, doctor.Warn: yellow, doctor.Bad: red}
	width := 0
	for _, f := range d.Findings {
		width = max(width, len(f.Check))
	}
	for _, f := range d.Findings {
		status := s.paint(colours[f.Status], fmt.Sprintf("%-4s", f.Status))
		s.printf("%s  %-*s  %s", status, width, f.Check, plain(f.Message))
		if f.Hint != "" {
			s.printf("%*s%s", width+8, "", s.paint(grey, "→ "+plain(f.Hint)))
		}
	}
}

// diagnosisFailure is what it means that something is bad.
func diagnosisFailure(d *doctor.Diagnosis) error {
	if d.Worst() != doctor.Bad {
		return nil
	}
	var bad []string
	for _, f := range d.Findings {
		if f.Status == doctor.Bad {
			bad = append(bad, f.Check)
		}
	}
	f := &failure{exit: exitFailed, code: "unhealthy", message: count(len(bad), "check") + " found something bad: " + strings.Join(bad, ", ")}
	if d.Damaged {
		f.exit, f.code = exitDamaged, "damaged"
	}
	return f
}
