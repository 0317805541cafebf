package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/queue"
)

type logPruneCmd struct {
	Before string `placeholder:"MOMENT" help:"Only what ends before this moment, such as 365d."`
	All    bool   `help:"Everything that is archived."`
	DryRun bool   `help:"Only say what would go."`
	Yes    bool   `short:"y" help:"Do not ask."`
}

// Help is shown below the usage line.
func (logPruneCmd) Help() string {
	return `The oldest archives of the log are removed, for good. No job goes with them: what they add up to is kept
as the base that the log begins with from then on, in two files, and an event of the log has its
SHA-256, with who did it, when and why. What happened before can then be neither listed nor replayed.

Only whole archives go, so it may be less than was asked for. Nothing is ever pruned by itself. A
backup keeps the history: 'queuectl backup' makes one.

` + momentHelp + `

Examples:

  queuectl log prune --before 365d --dry-run
  queuectl log prune --before 2030-01-01 --reason 'kept for two years'
  queuectl log archive && queuectl log prune --all --yes`
}

// prunedView is what went, or would, as JSON.
type prunedView struct {
	DryRun        bool    `json:"dry_run"`
	Archives      int     `json:"archives"`
	Bytes         int64   `json:"bytes"`
	FirstPosition *uint64 `json:"first_position"` // null: nothing goes
	LastPosition  *uint64 `json:"last_position"`
	Until         *string `json:"until"`
	BaseSHA256    *string `json:"base_sha256"` // null: nothing went
	Outputs       int     `json:"outputs_removed"`
}

// Run prunes.
func (c *logPruneCmd) Run(ctx context.Context, s *session) error {
	if c.All == (c.Before != "") {
		return usage("say --before MOMENT, or --all", "'queuectl log prune --all --dry-run' says what there is")
	}
	var before queue.Moment
	var err error
	if c.Before != "" {
		if before, err = s.pastMoment("before", c.Before); err != nil {
			return err
		}
	}
	return s.existing(ctx, func(q *queue.Queue) error {
		list, err := queue.Prunable(ctx, s.dir, before)
		if err != nil {
			return err
		}
		would := viewPrunable(list)
		if would.DryRun = c.DryRun; c.DryRun || len(list) == 0 {
			return c.print(s, would)
		}
		if !c.Yes {
			if err := s.confirm(ctx, "Remove "+prunedWords(would)+" for good?"); err != nil {
				return err
			}
		}
		did, err := q.Prune(ctx, list[len(list)-1].Last)
		s.changed = did.Archives > 0
		if errors.Is(err, eventlog.ErrDiskFull) && did.Archives == 0 {
			return &failure{
				exit: exitFailed, code: "disk_full", err: err,
				hint: "nothing was removed: the base must be written first; free some space and try again",
			}
		}
		if err != nil && did.Archives > 0 {
			return &failure{
				exit: exitFailed, code: "not_removed", err: err,
				hint: "it is pruned: the log begins behind it; what could not be removed is waste, which the next prune removes",
			}
		}
		if err != nil {
			return err
		}
		done := viewPrunable(list[len(list)-did.Archives:]) // others may have pruned the first of them since
		done.BaseSHA256, done.Outputs = optional(fmt.Sprintf("%x", did.Base)), did.Outputs
		return c.print(s, done)
	})
}

func viewPrunable(list []eventlog.ArchiveInfo) prunedView {
	v := prunedView{Archives: len(list)}
	if len(list) == 0 {
		return v
	}
	last := list[len(list)-1]
	v.FirstPosition, v.LastPosition = optional(uint64(list[0].From)), optional(uint64(last.To))
	v.Until = optional(time.Unix(0, last.Time).UTC().Format(time.RFC3339Nano))
	for _, a := range list {
		v.Bytes += a.Bytes
	}
	return v
}

func prunedWords(v prunedView) string {
	return fmt.Sprintf("events %d to %d (%s, %s)", *v.FirstPosition, *v.LastPosition, count(v.Archives, "archive"), size(v.Bytes))
}

func (c *logPruneCmd) print(s *session, v prunedView) error {
	switch {
	case s.quiet:
	case s.format.machine():
		return s.document(v)
	case v.Archives == 0:
		s.printf("There is nothing to prune.")
		s.hint("only archives are pruned, and whole ones; 'queuectl log archive' makes archives")
	case v.DryRun:
		s.printf("Would remove %s.", prunedWords(v))
	default:
		s.printf("Removed %s, and %s of output. The log begins with event %d.", prunedWords(v), count(v.Outputs, "file"), *v.LastPosition+1)
	}
	return nil
}
