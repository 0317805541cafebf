package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/queue"
)

type logVerifyCmd struct {
	Deep bool     `help:"Fold the whole log, and compare each snapshot with what that gives."`
	Head []string `placeholder:"POSITION:SHA256" help:"The log must contain this head, which was noted before. May be given several times."`
}

// Help is shown below the usage line.
func (logVerifyCmd) Help() string {
	return `Every frame is checked: length, checksum, order, and the chain of hashes. Nothing is changed, and
running workers are not disturbed. Exit code 4 says that the log is damaged, or not the one of the head.

The chain shows any change of what came before the head. It cannot show that the newest events were cut
off, or that everything was written anew: note the head in another place, and compare with --head. 16
digits of the hash are enough.

Examples:

  queuectl log verify
  queuectl log verify -o json
  queuectl log verify --quiet >> /mnt/elsewhere/heads
  queuectl log verify --deep
  queuectl log verify --head 1200:94e1a55b5e4f734c`
}

// verifyView is a report as JSON.
type verifyView struct {
	Sound    bool        `json:"sound"`
	LogID    string      `json:"log_id"`
	Head     headView    `json:"head"`
	Durable  uint64      `json:"durable_commit"`
	Base     *baseView   `json:"base"` // null: nothing was pruned
	Segments int         `json:"segments"`
	Events   uint64      `json:"events"`
	Bytes    int64       `json:"bytes"`
	Repairs  int         `json:"repairs"`
	Torn     *tornView   `json:"torn"`
	Damage   []badRegion `json:"damage"`
	Gaps     []gapView   `json:"gaps"`
	Heads    []pinView   `json:"heads"`

	Snapshots []snapshotCheckView `json:"snapshots,omitempty"` // with --deep
}

// baseView is what a log begins with that was pruned.
type baseView struct {
	headView        // of the last commit that was pruned
	Time     string `json:"time"`
	File     string `json:"file_sha256"`
	Files    int    `json:"sound_files"` // of 2
}

func viewBase(b *eventlog.BaseCheck) *baseView {
	if b == nil {
		return nil
	}
	return &baseView{viewHead(b.Head), time.Unix(0, b.Time).UTC().Format(time.RFC3339Nano), hex.EncodeToString(b.SHA256[:]), b.Files}
}

type headView struct {
	Commit   uint64 `json:"commit"`
	Position uint64 `json:"position"`
	SHA256   string `json:"sha256"`
}

func viewHead(h eventlog.Head) headView {
	return headView{uint64(h.Commit), uint64(h.Position), h.Hash.String()}
}

func headWords(h eventlog.Head) string {
	return fmt.Sprintf("commit %d, position %d, sha256 %v", h.Commit, h.Position, h.Hash)
}

func baseWords(b *eventlog.BaseCheck) string {
	if b == nil {
		return ""
	}
	return headWords(b.Head) + ": all up to it was pruned"
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

// gapView names the events that cannot be read; the last is null if nothing sound follows.
type gapView struct {
	First uint64  `json:"first_position"`
	Last  *uint64 `json:"last_position"`
}

// pinView is what became of a head that was given.
type pinView struct {
	Head    string `json:"head"`
	Found   bool   `json:"found"`
	Verdict string `json:"verdict"`
}

var pinWords = map[eventlog.PinVerdict]string{
	eventlog.PinFound: "found", eventlog.PinRewritten: "rewritten", eventlog.PinMissing: "missing",
	eventlog.PinUnreadable: "unreadable", eventlog.PinMistaken: "mistaken", eventlog.PinPruned: "pruned",
}

// Run verifies. It opens no queue, so that it works however damaged the log is.
func (c *logVerifyCmd) Run(ctx context.Context, s *session) error {
	opt := eventlog.VerifyOptions{Progress: s.progress("Checked")}
	for _, text := range c.Head {
		pin, err := eventlog.ParsePin(text)
		if err != nil {
			return usage("--"+err.Error(), "'queuectl log verify --quiet' prints the head as --head takes it")
		}
		opt.Heads = append(opt.Heads, pin)
	}
	report, err := queue.Verify(ctx, s.dir, opt)
	if err != nil {
		return err
	}
	var snapshots []queue.SnapshotCheck
	if c.Deep && report.Sound() {
		if snapshots, err = queue.CheckSnapshots(ctx, s.dir); err != nil {
			return err
		}
	}
	switch {
	case s.quiet:
		if report.Sound() {
			s.printf("%v", report.Head.Pin())
		}
	case s.format.machine():
		v := viewReport(report)
		for _, check := range snapshots {
			v.Snapshots = append(v.Snapshots, viewSnapshotCheck(check))
		}
		if err := s.document(v); err != nil {
			return err
		}
	default:
		printReport(s, report)
		printSnapshots(s, snapshots)
	}
	heads := headFailure(report.Heads)
	if len(report.Damage) > 0 {
		if heads != nil {
			s.warn(heads.Error())
		}
		return &failure{
			message: "the log is damaged in " + count(len(report.Damage), "place"), err: report.Damage[0],
			hint: "nothing was changed, and the sound part can still be read; 'queuectl log repair' shows what can be done",
		}
	}
	return firstOf(heads, snapshotFailure(snapshots))
}

// headFailure is what it means that the log, sound in itself, does not contain a head that was noted.
func headFailure(checks []eventlog.PinCheck) error {
	const careful = "do not repair anything: compare with a backup, and look who can write the queue's files"
	var open error // nothing is known to be wrong
	for _, c := range checks {
		switch c.Verdict {
		case eventlog.PinRewritten:
			return &failure{
				exit: exitDamaged, code: "rewritten", hint: careful,
				message: fmt.Sprintf("history was rewritten: the log does not have the head %v; commit %d, which ends at position %d, is another", c.Pin, c.Found.Commit, c.Found.Position),
			}
		case eventlog.PinUnreadable:
			return &failure{
				exit: exitDamaged, code: "damaged", hint: careful,
				message: fmt.Sprintf("it cannot be told whether the log has the head %v: it would be where the damage is", c.Pin),
			}
		case eventlog.PinMissing:
			return &failure{
				exit: exitDamaged, code: "commits_missing", hint: careful,
				message: fmt.Sprintf("the newest commits are missing: the log ends before the head %v", c.Pin),
			}
		case eventlog.PinPruned:
			open = &failure{
				exit: exitFailed, code: "pruned", hint: "'queuectl log list --type ArchivePruned' says who pruned the log, when and why, and has the hash of the last commit that went",
				message: fmt.Sprintf("it cannot be told whether the log had the head %v: it was pruned", c.Pin),
			}
		case eventlog.PinMistaken:
			open = usage(
				fmt.Sprintf("--head %v: the commit with this hash ends at position %d", c.Pin, c.Found.Position),
				"the position is that of the commit's last event; 'queuectl log verify --quiet' prints the head as --head takes it")
		}
	}
	return open
}

// foreign says that the log is another than the one whose heads were noted.
func foreign(checks []eventlog.PinCheck) bool {
	return slices.ContainsFunc(checks, func(c eventlog.PinCheck) bool {
		return c.Verdict == eventlog.PinRewritten || c.Verdict == eventlog.PinMissing
	})
}

func viewReport(r *eventlog.Report) verifyView {
	v := verifyView{
		Sound: r.Sound(), LogID: hex.EncodeToString(r.ID[:]),
		Head: viewHead(r.Head), Base: viewBase(r.Base),
		Durable: uint64(r.Durable), Segments: r.Segments, Events: r.Events, Bytes: r.Bytes, Repairs: r.Repairs,
		Torn: viewTorn(r.Torn), Damage: viewDamage(r.Damage), Gaps: []gapView{}, Heads: []pinView{},
	}
	for _, g := range r.Gaps {
		first, last := g.Missing()
		v.Gaps = append(v.Gaps, gapView{uint64(first), optional(uint64(last))})
	}
	for _, c := range r.Heads {
		v.Heads = append(v.Heads, pinView{c.Pin.String(), c.Verdict == eventlog.PinFound, pinWords[c.Verdict]})
	}
	return v
}

func viewTorn(torn *eventlog.Repair) *tornView {
	if torn == nil {
		return nil
	}
	return &tornView{torn.Segment, torn.Offset, torn.Size}
}

func viewDamage(damage []*eventlog.CorruptError) []badRegion {
	regions := []badRegion{}
	for _, d := range damage {
		regions = append(regions, badRegion{d.Path, d.Offset, uint64(d.Commit), uint64(d.Position), d.Reason})
	}
	return regions
}

// damageWords names a place, and what is wrong there.
func damageWords(d *eventlog.CorruptError) string {
	return fmt.Sprintf("%s at offset %d (commit %d, position %d): %s", d.Path, d.Offset, d.Commit, d.Position, d.Reason)
}

func printReport(s *session, r *eventlog.Report) {
	verdict := s.paint(green, "The log is sound.")
	switch {
	case len(r.Damage) > 0:
		verdict = s.paint(red, "The log is damaged.")
	case foreign(r.Heads):
		verdict = s.paint(red, "The log is sound in itself, and is not the one that was noted.")
	}
	s.printf("%s", verdict)
	s.fields(
		[2]string{"log", hex.EncodeToString(r.ID[:])},
		[2]string{"events", fmt.Sprint(r.Events)},
		[2]string{"size", fmt.Sprintf("%s in %s", size(r.Bytes), count(r.Segments, "segment"))},
		[2]string{"repairs", unless(r.Repairs == 0, fmt.Sprint(r.Repairs))},
		[2]string{"base", baseWords(r.Base)},
		[2]string{"head", headWords(r.Head)},
	)
	if r.Base != nil && r.Base.Files == 1 {
		s.printf("Of the two files of the base one is sound; 'queuectl log archive' makes the other anew.")
	}
	if r.Torn != nil {
		s.printf("An unfinished write of %s at the end of %s was never acknowledged; the next writer will cut it off.", size(r.Torn.Size), r.Torn.Segment)
	}
	for _, d := range r.Damage {
		s.printf("%s", damageWords(d))
	}
	for _, g := range r.Gaps {
		s.printf("%s", gapWords(g))
	}
	for _, c := range r.Heads {
		if c.Verdict == eventlog.PinFound {
			s.printf("The head %v is in the log: everything up to it is as it was.", c.Pin)
		}
	}
}

// gapWords says which events a gap hides.
func gapWords(g eventlog.Gap) string {
	first, last := g.Missing()
	switch {
	case g.Commit == 0:
		return fmt.Sprintf("What follows event %d cannot be read.", g.After.Position)
	case last < first:
		return fmt.Sprintf("Event %d does not follow event %d: one of them was changed.", g.First, g.After.Position)
	case last == first:
		return fmt.Sprintf("Event %d cannot be read; what follows it can.", first)
	}
	return fmt.Sprintf("Events %d to %d cannot be read; what follows them can.", first, last)
}
