package queue

import (
	"context"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
)

// Verify is [eventlog.Verify] with one look more: if the log was pruned, an ArchivePruned in what is left must have the
// SHA-256 of the base that it begins with. opt.Visit is used for that.
func Verify(ctx context.Context, dir string, opt eventlog.VerifyOptions) (*eventlog.Report, error) {
	said := map[job.ArchivePruned]bool{}
	opt.Visit = func(e *eventlog.Entry) error {
		for _, raw := range e.Events {
			if job.Kind(raw.Kind) != job.KindArchivePruned {
				continue
			}
			if event, err := job.DecodeEvent(job.KindArchivePruned, raw.Data); err == nil {
				pruned, _ := event.(job.ArchivePruned)
				said[job.ArchivePruned{Last: pruned.Last, To: pruned.To, Head: pruned.Head, Base: pruned.Base}] = true
			}
		}
		return nil
	}
	report, err := eventlog.Verify(ctx, dir, opt)
	if err != nil || report.Base == nil {
		return report, err
	}
	at := report.Base.Head
	is := job.ArchivePruned{Last: uint64(at.Commit), To: job.Position(at.Position), Head: at.Hash, Base: report.Base.SHA256}
	if !said[is] {
		report.Damage = append(report.Damage, &eventlog.CorruptError{
			Path: report.Base.Path, Commit: at.Commit, Position: at.Position,
			Reason: "the base, with which the log begins: no event of a prune has its SHA-256",
		})
	}
	return report, nil
}
