package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/queue"
)

type logRepairCmd struct {
	AcceptLoss bool `help:"Do it: take what is damaged, and what stands behind damage, out of the log."`
	DryRun     bool `help:"Only show what would go. So it is without --accept-loss, too."`
}

// Help is shown below the usage line.
func (logRepairCmd) Help() string {
	return `Shows what is wrong with a damaged log, and exactly what a repair takes out of it: the rest of a
damaged segment, and everything behind it, because events that do not follow from the ones before them
mean nothing. Exit code 4 says that there is something to repair. Without --accept-loss nothing is
changed.

Take a copy of the directory first. If there is a copy of a damaged file from before, put that in its
place instead: then nothing is lost.

With --accept-loss, what goes is moved to 'quarantine' in the queue's directory, byte for byte, and the
log has an event of each piece. End the workers first, if you can: what they run may be among what goes.

Examples:

  queuectl log repair
  queuectl log repair -o json
  queuectl log repair --accept-loss --reason 'disk sdb was replaced'`
}

// repairView is a plan as JSON.
type repairView struct {
	Sound   bool        `json:"sound"` // before the repair
	Done    bool        `json:"done"`
	Head    headView    `json:"head"`
	Durable uint64      `json:"durable_commit"`
	Damage  []badRegion `json:"damage"`
	Torn    *tornView   `json:"torn"`
	Pieces  []pieceView `json:"pieces"`
}

// pieceView is what goes, or went, out of one file. The commits, positions and events are those of the
// whole frames in it.
type pieceView struct {
	Path          string  `json:"path"`
	Offset        int64   `json:"offset"`
	Bytes         int64   `json:"bytes"`
	CRC           uint32  `json:"crc32c"`
	Verdict       string  `json:"verdict"`
	FirstCommit   *uint64 `json:"first_commit"`
	LastCommit    *uint64 `json:"last_commit"`
	FirstPosition *uint64 `json:"first_position"`
	LastPosition  *uint64 `json:"last_position"`
	Events        uint64  `json:"events"`
	Quarantine    *string `json:"quarantine"`
}

// Run repairs, or shows what it would do.
func (c *logRepairCmd) Run(ctx context.Context, s *session) error {
	if c.AcceptLoss && c.DryRun {
		return usage("--accept-loss and --dry-run cannot both be meant", "")
	}
	if !c.AcceptLoss {
		return c.show(ctx, s)
	}
	opt := s.options()
	begun := false
	plan, err := queue.Repair(ctx, s.dir, opt, func(p *eventlog.Plan) error {
		begun = true
		if s.format.machine() || s.quiet {
			return nil
		}
		printPlan(s, p, "goes")
		return s.out.Flush() // what goes is to be read before it goes
	})
	if err != nil {
		if begun {
			err = &failure{
				exit: exitUnknown, code: "unknown_outcome", message: "the repair did not come to its end: " + err.Error(), err: err,
				hint: "nothing is lost: all is in the log or in quarantine; 'queuectl log repair' says where it stands",
			}
		}
		return err
	}
	s.changed = begun
	switch {
	case s.quiet:
		for _, p := range plan.Pieces {
			s.printf("%s", p.Quarantine)
		}
	case s.format.machine():
		return s.document(viewPlan(plan, begun))
	case begun:
		s.printf("%s The log ends with event %d, and then has an event of each piece that is in %s.",
			s.paint(green, "Repaired."), plan.Head.Position, filepath.Join(s.dir, "quarantine"))
	default:
		printNothingToRepair(s, plan, "was cut off")
	}
	return nil
}

// show prints the plan, and changes nothing.
func (c *logRepairCmd) show(ctx context.Context, s *session) error {
	plan, err := eventlog.MakePlan(ctx, s.dir)
	if err != nil {
		return err
	}
	damaged := len(plan.Damage) > 0
	switch {
	case s.quiet:
	case s.format.machine():
		if err := s.document(viewPlan(plan, false)); err != nil {
			return err
		}
	case damaged:
		printPlan(s, plan, "would go")
	default:
		printNothingToRepair(s, plan, "will be cut off by the next writer")
	}
	if !damaged {
		return nil
	}
	return &failure{
		message: "the log is damaged in " + count(len(plan.Damage), "place"), err: plan.Damage[0],
		hint: "nothing was changed; take a copy of the directory, and then 'queuectl log repair --accept-loss'",
	}
}

func printNothingToRepair(s *session, p *eventlog.Plan, torn string) {
	s.printf("%s There is nothing to repair.", s.paint(green, "The log is sound."))
	if p.Torn != nil {
		s.printf("An unfinished write of %s at the end of %s was never acknowledged; it %s.", size(p.Torn.Size), p.Torn.Segment, torn)
	}
}

// printPlan says what is wrong, what stays and what goes.
func printPlan(s *session, p *eventlog.Plan, goes string) {
	s.printf("%s", s.paint(red, "The log is damaged."))
	for _, d := range p.Damage {
		s.printf("%s", damageWords(d))
	}
	s.printf("")
	if p.Head.Commit == 0 {
		s.printf("Nothing stays: this empties the queue.")
	} else {
		s.printf("What stays: events 1 to %d, in commits 1 to %d.", p.Head.Position, p.Head.Commit)
	}
	s.printf("What %s to quarantine:", goes)
	t := table{header: []string{"FILE", "FROM", "SIZE", "WHOLE EVENTS", "WHY"}}
	for _, piece := range p.Pieces {
		path, err := filepath.Rel(s.dir, piece.Path)
		if err != nil {
			path = piece.Path
		}
		t.add(text(path), text(fmt.Sprint(piece.Offset)), text(size(piece.Size)), text(spanWords(piece.Frames)), text(piece.Verdict))
	}
	t.print(s)
	s.printf("%s", lossWords(p))
	if p.Snapshot > 0 {
		s.printf("A snapshot has the state after commit %d. While it and what follows are sound, the queue works on\n"+
			"without a repair, and only the history before is damaged.", p.Snapshot)
	}
}

// spanWords says which whole events a piece has.
func spanWords(f eventlog.Span) string {
	switch {
	case f.Events == 0:
		return "-"
	case f.Events == 1:
		return fmt.Sprintf("1: %d", f.FirstPosition)
	case uint64(f.LastPosition-f.FirstPosition)+1 == f.Events:
		return fmt.Sprintf("%d: %d to %d", f.Events, f.FirstPosition, f.LastPosition)
	}
	return fmt.Sprintf("%d of %d to %d", f.Events, f.FirstPosition, f.LastPosition)
}

// lossWords says what the queue loses, as far as that is known.
func lossWords(p *eventlog.Plan) string {
	whole, last := uint64(0), eventlog.Position(0)
	lastCommit := p.Durable
	for _, piece := range p.Pieces {
		if piece.Frames.LastPosition > p.Head.Position {
			whole += piece.Frames.Events
		}
		last, lastCommit = max(last, piece.Frames.LastPosition), max(lastCommit, piece.Frames.LastCommit)
	}
	switch {
	case lastCommit <= p.Head.Commit:
		return "No event is known to be lost."
	case last <= p.Head.Position:
		return fmt.Sprintf("Lost to the queue: all that follows event %d, at least up to commit %d. None of it is whole.", p.Head.Position, lastCommit)
	}
	return fmt.Sprintf("Lost to the queue: all that follows event %d, at least up to event %d. Whole among them: %s.",
		p.Head.Position, last, count(int(whole), "event"))
}

func viewPlan(p *eventlog.Plan, done bool) repairView {
	v := repairView{
		Sound: len(p.Damage) == 0, Done: done, Head: viewHead(p.Head), Durable: uint64(p.Durable),
		Damage: viewDamage(p.Damage), Torn: viewTorn(p.Torn), Pieces: []pieceView{},
	}
	for _, piece := range p.Pieces {
		f := piece.Frames
		v.Pieces = append(v.Pieces, pieceView{
			Path: piece.Path, Offset: piece.Offset, Bytes: piece.Size, CRC: piece.CRC, Verdict: piece.Verdict,
			FirstCommit: optional(uint64(f.FirstCommit)), LastCommit: optional(uint64(f.LastCommit)),
			FirstPosition: optional(uint64(f.FirstPosition)), LastPosition: optional(uint64(f.LastPosition)),
			Events: f.Events, Quarantine: optional(piece.Quarantine),
		})
	}
	return v
}
