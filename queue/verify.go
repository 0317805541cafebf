package queue

import (
	"context"
	"errors"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
)

// Verify is [eventlog.Verify] with one look more: if the log was pruned, an ArchivePruned in what is left must have the
// SHA-256 of the base that it begins with.
func Verify(ctx context.Context, dir string, opt eventlog.VerifyOptions) (*eventlog.Report, error) {
	told, visit := prunes{}, opt.Visit
	opt.Visit = func(e *eventlog.Entry) error {
		if visit != nil {
			if err := visit(e); err != nil {
				return err
			}
		}
		return told.note(e)
	}
	report, err := eventlog.Verify(ctx, dir, opt)
	if err != nil || report.Base == nil || told.of(report.Base) != nil {
		return report, err
	}
	report.Damage = append(report.Damage, &eventlog.CorruptError{
		Path: report.Base.Path, Commit: report.Base.Head.Commit, Position: report.Base.Head.Position,
		Reason: "the base, with which the log begins: no event of a prune has its SHA-256",
	})
	return report, nil
}

// prunes are the ArchivePruned events in a log, each once.
type prunes map[job.ArchivePruned]bool

func (p prunes) note(e *eventlog.Entry) error {
	for _, raw := range e.Events {
		if job.Kind(raw.Kind) != job.KindArchivePruned {
			continue
		}
		event, err := job.DecodeEvent(job.KindArchivePruned, raw.Data)
		if pruned, ok := event.(job.ArchivePruned); ok && err == nil {
			p[pruned] = true
		}
	}
	return nil
}

// of returns one that names the base, nil if none does.
func (p prunes) of(base *eventlog.BaseCheck) *job.ArchivePruned {
	for pruned := range p {
		if pruned.Last == uint64(base.Head.Commit) && pruned.To == job.Position(base.Head.Position) &&
			pruned.Head == base.Head.Hash && pruned.Base == base.SHA256 {
			return &pruned
		}
	}
	return nil
}

// prunedBy returns the event that names the base of the log in dir, also if it is behind damage; nil if there is none.
func prunedBy(ctx context.Context, dir string) (*job.ArchivePruned, error) {
	if base, err := eventlog.ReadBase(dir); base == nil {
		if _, damaged := errors.AsType[*eventlog.CorruptError](err); damaged {
			err = nil // nothing can name it
		}
		return nil, err
	}
	told := prunes{}
	report, err := eventlog.Verify(ctx, dir, eventlog.VerifyOptions{Visit: told.note})
	if err != nil || report.Base == nil {
		return nil, err
	}
	return told.of(report.Base), nil
}
