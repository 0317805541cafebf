package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// wholly is up to how many bytes a log is verified from its first to its last: that takes a second or two.
const wholly = 64 << 20

// recent is how many events of a larger log are looked at.
const recent = 20_000

// log verifies the log: all of it, or what opening the queue reads.
func (v *visit) log(ctx context.Context) error {
	if err := v.there(); err != nil {
		return err
	}
	var err error
	if v.bytes, err = measure(v.opt.Dir); err != nil {
		return err
	}
	v.q, err = queue.Open(ctx, v.opt.Dir, queue.Options{
		ReadOnly: true, NoCreate: true, AllowNetworkFS: true, Now: func() time.Time { return v.opt.Now },
	})
	if damage, ok := errors.AsType[*eventlog.CorruptError](err); ok {
		v.q = nil
		v.damaged(damage, 1)
		return nil
	}
	if err != nil {
		return err
	}
	if v.status, err = v.q.Status(ctx); err != nil {
		v.close()
		v.q = nil
		return err
	}
	if v.bytes.log() > wholly {
		return v.newest(ctx)
	}
	report, err := queue.Verify(ctx, v.opt.Dir, eventlog.VerifyOptions{Visit: v.survey.entry, Progress: v.opt.Progress})
	if err != nil {
		return err
	}
	if len(report.Damage) > 0 {
		v.damaged(report.Damage[0], len(report.Damage))
		return nil
	}
	message := fmt.Sprintf("every byte is sound: %d events in %s", report.Events, words(report.Bytes))
	switch {
	case report.Base != nil && report.Base.Files == 1:
		v.say(Warn, message+"; of the two files of the base, which stand for what was pruned, one is left", "'queuectl log archive' makes the other anew")
	case report.Torn != nil:
		v.say(Note, fmt.Sprintf("%s; an unfinished write of %s at the end, which nobody was promised, is cut off by the next writer", message, words(report.Torn.Size)), "")
	default:
		v.say(OK, message, "")
	}
	return nil
}

// damaged tells of damage. What else can be looked at is.
func (v *visit) damaged(first *eventlog.CorruptError, places int) {
	v.found.Damaged = true
	message := first.Error()
	if places > 1 {
		message += fmt.Sprintf(", and in %d more places", places-1)
	}
	v.say(Bad, message, "'queuectl log verify' names all of it, 'queuectl log repair' says what can be done; nothing is changed meanwhile")
}

// newest looks at the newest part of a large log.
func (v *visit) newest(ctx context.Context) error {
	if damage, ok := errors.AsType[*eventlog.CorruptError](v.q.Damage()); ok {
		v.damaged(damage, 1)
		return nil
	}
	from := job.Position(0)
	if v.status.Position > recent {
		from = v.status.Position - recent
	}
	trail, err := queue.OpenTrail(v.opt.Dir, from)
	if errors.Is(err, eventlog.ErrPruned) {
		trail, err = queue.OpenTrail(v.opt.Dir, 0) // less is left than that
	}
	if err != nil {
		return err
	}
	defer trail.Close() // only read
	for {
		commit, err := trail.Next(ctx)
		if damage, ok := errors.AsType[*eventlog.CorruptError](err); ok {
			v.damaged(damage, 1)
			return nil
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = v.survey.entry(commit.Entry)
		}
		if err != nil {
			return err
		}
	}
	v.say(OK, fmt.Sprintf("the newest %d events are sound, of %s in all", v.survey.events, words(v.bytes.log())), "'queuectl log verify' checks every byte")
	return nil
}

// survey is what a look at commits has shown.
type survey struct {
	events   uint64
	last     int64                        // time of the newest commit, Unix nanoseconds
	programs map[string]eventlog.Position // that wrote commits: the position of the last event of each
	steps    int                          // that the clock was found to have been set back
	step     job.ClockStepped             // the last of them
}

// entry takes up a commit.
func (s *survey) entry(e *eventlog.Entry) error {
	if s.programs == nil {
		s.programs = map[string]eventlog.Position{}
	}
	s.events += uint64(len(e.Events))
	s.last = e.Time
	s.programs[e.Meta.Program] = e.First + eventlog.Position(len(e.Events)) - 1
	for _, event := range e.Events {
		if job.Kind(event.Kind) != job.KindClockStepped {
			continue
		}
		decoded, err := job.DecodeEvent(job.KindClockStepped, event.Data)
		if step, ok := decoded.(job.ClockStepped); err == nil && ok {
			s.steps++
			s.step = step
		}
	}
	return nil
}

// snapshots looks for snapshot files that cannot be used. They are never needed, and cost whoever opens the queue a look.
func (v *visit) snapshots(context.Context) error {
	if err := v.measured(); err != nil {
		return err
	}
	chains, bad, err := eventlog.SnapshotChains(v.opt.Dir)
	if err != nil {
		return err
	}
	files := map[string]bool{}
	for _, chain := range chains {
		for _, s := range chain {
			files[s.Path()] = true
			_ = s.Close() // it was only read
		}
	}
	switch {
	case len(bad) > 0:
		v.say(Warn, fmt.Sprintf("%s cannot be used: %v", bad[0].Path, bad[0].Err), "delete it: the next process that writes a snapshot makes it anew, from the log")
	case len(files) == 0:
		v.say(OK, "there is none yet: one is written when much of the log is in none", "")
	default:
		v.say(OK, fmt.Sprintf("%s, %s; 'queuectl log verify --deep' compares them with the log", plural(len(files), "file", "files"), words(v.bytes.snapshot)), "")
	}
	return nil
}

// quarantine looks for what repairs have set aside.
func (v *visit) quarantine(context.Context) error {
	if err := v.measured(); err != nil {
		return err
	}
	entries, err := os.ReadDir(filepath.Join(v.opt.Dir, "quarantine"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if len(entries) == 0 {
		v.say(OK, "nothing was ever cut off the log", "")
		return nil
	}
	v.say(Note, fmt.Sprintf("%s, %s: what was cut off the log", plural(len(entries), "file", "files"), words(v.bytes.quarantine)),
		"'queuectl log list --type LogRepaired' says what each is; they can be deleted when nobody wants to look at them")
	return nil
}
