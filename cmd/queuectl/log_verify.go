package main

import (
	"context"
	"encoding/hex"
	"fmt"

	"github.com/queuectl/queuectl/eventlog"
)

type logVerifyCmd struct{}

// Help is shown below the usage line.
func (logVerifyCmd) Help() string {
	return `Every frame is checked: length, checksum, order, and the chain of hashes. Nothing is changed, and
running workers are not disturbed. Exit code 4 says that the log is damaged.

The chain shows any change of what came before the head. It cannot show that the newest events were cut
off, or that everything was written anew: keep the head that is printed in another place to compare.

Examples:

  queuectl log verify
  queuectl log verify -o json`
}

// verifyView is a report as JSON.
type verifyView struct {
	Sound    bool        `json:"sound"`
	LogID    string      `json:"log_id"`
	Head     headView    `json:"head"`
	Durable  uint64      `json:"durable_commit"`
	Segments int         `json:"segments"`
	Events   uint64      `json:"events"`
	Bytes    int64       `json:"bytes"`
	Repairs  int         `json:"repairs"`
	Torn     *tornView   `json:"torn"`
	Damage   []badRegion `json:"damage"`
}

type headView struct {
	Commit   uint64 `json:"commit"`
	Position uint64 `json:"position"`
	SHA256   string `json:"sha256"`
}

func viewHead(h eventlog.Head) headView {
	return headView{uint64(h.Commit), uint64(h.Position), h.Hash.String()}
}

type tornView struct {
	Segment string `json:"segment"`
	Offset  int64  `json:"offset"`
	Bytes   int64  `json:"bytes"`
}

type badRegion struct {
	Path     string `json:"path"`
	Offset   int64  `json:"offset"`
	Commit   uint64 `json:"commit"`
	Position uint64 `json:"position"`
	Reason   string `json:"reason"`
}

// Run verifies. It opens no queue, so that it works however damaged the log is.
func (logVerifyCmd) Run(ctx context.Context, s *session) error {
	report, err := eventlog.Verify(ctx, s.dir, s.verifyProgress())
	if err != nil {
		return err
	}
	switch {
	case s.quiet:
	case s.format.machine():
		if err := s.document(viewReport(report)); err != nil {
			return err
		}
	default:
		printReport(s, report)
	}
	if len(report.Damage) == 0 {
		return nil
	}
	return &failure{
		message: "the log is damaged in " + count(len(report.Damage), "place"), err: report.Damage[0],
		hint: "nothing was changed, and the sound part can still be read with 'queuectl log list'",
	}
}

// verifyProgress shows on a terminal how far a long check has come.
func (s *session) verifyProgress() func(done, total int64) {
	const worthIt = 64 << 20 // less is checked in a moment
	if !s.errTerminal || s.quiet {
		return nil
	}
	return func(done, total int64) {
		if total < worthIt {
			return
		}
		fmt.Fprintf(s.stderr, "\rChecked %s of %s\x1b[K", size(done), size(total))
		if done >= total {
			fmt.Fprint(s.stderr, "\r\x1b[K")
		}
	}
}

func viewReport(r *eventlog.Report) verifyView {
	v := verifyView{
		Sound: len(r.Damage) == 0, LogID: hex.EncodeToString(r.ID[:]),
		Head:    viewHead(r.Head),
		Durable: uint64(r.Durable), Segments: r.Segments, Events: r.Events, Bytes: r.Bytes, Repairs: r.Repairs,
		Damage: []badRegion{},
	}
	if r.Torn != nil {
		v.Torn = &tornView{r.Torn.Segment, r.Torn.Offset, r.Torn.Size}
	}
	for _, d := range r.Damage {
		v.Damage = append(v.Damage, badRegion{d.Path, d.Offset, uint64(d.Commit), uint64(d.Position), d.Reason})
	}
	return v
}

func printReport(s *session, r *eventlog.Report) {
	verdict := s.paint(green, "The log is sound.")
	if len(r.Damage) > 0 {
		verdict = s.paint(red, "The log is damaged.")
	}
	s.printf("%s", verdict)
	s.fields(
		[2]string{"log", hex.EncodeToString(r.ID[:])},
		[2]string{"events", fmt.Sprint(r.Events)},
		[2]string{"size", fmt.Sprintf("%s in %s", size(r.Bytes), count(r.Segments, "segment"))},
		[2]string{"repairs", unless(r.Repairs == 0, fmt.Sprint(r.Repairs))},
		[2]string{"head", fmt.Sprintf("commit %d, position %d, sha256 %v", r.Head.Commit, r.Head.Position, r.Head.Hash)},
	)
	if r.Torn != nil {
		s.printf("An unfinished write of %s at the end of %s was never acknowledged; the next writer will cut it off.", size(r.Torn.Size), r.Torn.Segment)
	}
	for _, d := range r.Damage {
		s.printf("%s at offset %d (commit %d, position %d): %s", d.Path, d.Offset, d.Commit, d.Position, d.Reason)
	}
}
