package storm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/queuectl/queuectl/internal/disk"
	"github.com/queuectl/queuectl/queue"
)

// ErrElsewhere says that a directory beside the queue would not be on its file system.
var ErrElsewhere = errors.New("not on the file system of the queue")

// Trial is a storm on the disk of somebody's queue, in a directory of its own.
type Trial struct {
	Queue string        // directory of the queue whose disk is meant. It need not be there, and is not touched
	In    string        // directory to make that of the trial in; "" = beside Queue, on the same file system
	For   time.Duration // how long processes are killed

	Options  queue.Options
	Progress func(Stage) // is told where it stands; nil = nobody is
}

// Stage is what a trial is doing.
type Stage struct {
	Doing Doing
	Kills int
	Left  time.Duration // of the storm
}

// Doing is what it is.
type Doing uint8

// The stages, in order.
const (
	Storming Doing = iota
	Draining
	Checking
	Removing
)

// Outcome is what a trial came to.
type Outcome struct {
	*Report
	Place Place       // its directory; it is there still if Kept
	Mount disk.Mount  // that it is on
	Sync  disk.Spread // of syncs before the storm, when nothing else was written
	Kept  bool
}

// Run makes the directory, measures the disk, lets the storm rage in it, and checks what it left. The directory is removed
// unless something is not as it has to be: then the report is not Sound, or the error is an *[EndedError], and Kept. The end of
// ctx is the end of the trial, which then leaves nothing, and its error. Other errors, ErrElsewhere among them, say what kept it
// from its work. The Storm's Command is called with the trial's Place.
func (t *Trial) Run(ctx context.Context, s *Storm, command func(Place, Role, string) *exec.Cmd) (o Outcome, err error) {
	if o.Place, err = t.makePlace(); err != nil {
		return o, err
	}
	defer func() {
		if o.Kept {
			return
		}
		if removed := o.Place.remove(); removed != nil {
			o.Kept, err = true, errors.Join(err, removed)
		}
	}()
	if o.Mount, err = disk.MountOf(string(o.Place)); err != nil {
		return o, err
	}
	const syncs, most = 200, 2 * time.Second
	if o.Sync, err = disk.SyncLatency(ctx, string(o.Place), disk.Measure{Syncs: syncs, Most: most}); err != nil {
		return o, err
	}
	if err = o.Place.Prepare(ctx, t.Options); err != nil {
		return o, err
	}
	s.Command = func(role Role, name string) *exec.Cmd { return command(o.Place, role, name) }
	kills, err := t.rage(ctx, s)
	if err == nil {
		err = t.drain(ctx, s)
	}
	if _, ended := errors.AsType[*EndedError](err); ended && ctx.Err() == nil {
		o.Kept = true
	}
	if err == nil && ctx.Err() == nil {
		t.tell(Stage{Doing: Checking})
		o.Report, err = o.Place.Check(ctx, kills)
		o.Kept = err == nil && !o.Sound()
	}
	t.tell(Stage{Doing: Removing})
	return o, errors.Join(err, ctx.Err())
}

func (t *Trial) tell(s Stage) {
	if t.Progress != nil {
		t.Progress(s)
	}
}

// makePlace makes the directory of the trial: a new one, that of no queue.
func (t *Trial) makePlace() (Place, error) {
	parent := t.In
	if parent == "" {
		parent = disk.Nearest(filepath.Dir(t.Queue))
	}
	dir, err := os.MkdirTemp(parent, "queuectl-selftest-")
	if err != nil {
		return "", fmt.Errorf("make a directory for the selftest: %w", err)
	}
	if t.In != "" {
		return Place(dir), nil
	}
	if _, err := os.Stat(t.Queue); err != nil {
		return Place(dir), nil // it would be made beside the trial
	}
	if same, known, err := disk.Same(t.Queue, dir); err != nil || known && !same {
		if err == nil {
			err = fmt.Errorf("%s: %w", parent, ErrElsewhere)
		}
		return "", errors.Join(err, os.Remove(dir))
	}
	return Place(dir), nil
}

// rage lets the storm rage for its time.
func (t *Trial) rage(ctx context.Context, s *Storm) ([]Kill, error) {
	end := time.Now().Add(t.For)
	s.Struck = func(kills int) { t.tell(Stage{Storming, kills, time.Until(end)}) }
	t.tell(Stage{Storming, 0, t.For})
	ctx, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	return s.Rage(ctx)
}

// drain does what is left. What takes far too long is left as it is: the report tells of it.
func (t *Trial) drain(ctx context.Context, s *Storm) error {
	if ctx.Err() != nil {
		return nil
	}
	t.tell(Stage{Doing: Draining})
	const patience = 2 * time.Minute
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := s.Drain(limited)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return nil
	}
	return err
}

// remove removes everything, once nothing of it lives: the commands of workers that were killed end soon by themselves.
func (p Place) remove() error {
	const patience = 10 * time.Second
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := p.Settle(ctx); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove %s: something of the storm lives: %w", p, err)
	}
	if err := os.RemoveAll(string(p)); err != nil {
		return fmt.Errorf("remove the directory of the selftest: %w", err)
	}
	return nil
}
