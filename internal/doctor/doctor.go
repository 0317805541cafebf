// Package doctor looks at the directory of a queue, and at what lies below it, and says what is wrong and what to do about it.
//
// It promises: it changes nothing, but for small files that are there for the time of a measurement where it may write;
// nothing that it cannot look at keeps it from looking at the rest, as in a damaged log, a directory of somebody else,
// or one without a queue; and it says so where it has not looked.
//
// It does not repair, and what it says about a disk is what the disk says of itself.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/internal/disk"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// Status is how good or bad a finding is.
type Status string

// From good to bad.
const (
	OK   Status = "ok"
	Note Status = "note" // worth to know; nothing need be done
	Warn Status = "warn" // something will go wrong, or is slower than it need be
	Bad  Status = "bad"  // something is wrong
)

// Finding is what a check has found.
type Finding struct {
	Check   string // its name, stable
	Status  Status
	Message string
	Hint    string // what to do about it; "" = nothing
}

// Options say what to look at. All are needed but the last two.
type Options struct {
	Dir     string // of the queue, absolute; it need not be there
	Now     time.Time
	Program string // this program, as the log knows it
	// TryLock has another process try a lock, by calling [TryLock] with the path, and returns what that returned.
	TryLock func(ctx context.Context, path string) (free bool, err error)

	AllowNetworkFS bool
	Progress       func(done, total int64) // of the bytes of the log; nil = nobody is told
}

// Diagnosis is all that was found.
type Diagnosis struct {
	Findings []Finding // one of each check at least, in a fixed order of the checks
	Damaged  bool      // the log is: acknowledged bytes are gone, changed or out of place
}

// Worst is the worst status of all findings.
func (d *Diagnosis) Worst() Status {
	worst := OK
	for _, f := range d.Findings {
		if rank[f.Status] > rank[worst] {
			worst = f.Status
		}
	}
	return worst
}

var rank = map[Status]int{OK: 0, Note: 1, Warn: 2, Bad: 3}

// Look looks at everything. The error is that of ctx.
func Look(ctx context.Context, opt Options) (*Diagnosis, error) {
	v := &visit{opt: opt, near: disk.Nearest(opt.Dir)}
	defer v.close()
	for _, check := range []struct {
		name string
		look func(*visit, context.Context) error
	}{
		{"directory", (*visit).directory},
		{"permissions", (*visit).permissions},
		{"filesystem", (*visit).fileSystem},
		{"space", (*visit).space},
		{"sync", (*visit).sync},
		{"locks", (*visit).locks},
		{"log", (*visit).log},
		{"snapshots", (*visit).snapshots},
		{"quarantine", (*visit).quarantine},
		{"workers", (*visit).workers},
		{"runs", (*visit).runs},
		{"versions", (*visit).versions},
		{"clock", (*visit).clock},
		{"limits", (*visit).limits},
		{"size", (*visit).size},
		{"output", (*visit).output},
		{"archive", (*visit).archive},
	} {
		v.check = check.name
		before := len(v.found.Findings)
		err := check.look(v, ctx)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, errNothingThere):
		case errors.Is(err, eventlog.ErrNewer):
			v.say(Bad, err.Error(), "install the newer queuectl")
		case err != nil:
			v.say(Note, "not looked at here: "+err.Error(), "")
		case before == len(v.found.Findings):
			panic("doctor: check " + check.name + " has said nothing")
		}
	}
	return &v.found, nil
}

// errNothingThere is the error of a check that has nothing to look at, because there is no queue: it is not among the
// findings.
var errNothingThere = errors.New("there is no queue")

// errClosed is the error of a check that would look into a directory that may not be read.
var errClosed = errors.New("this user may not read the directory")

// errUntold is the error of a check of what only other systems tell.
var errUntold = errors.New("this system does not say")

// visit is one look, check by check.
type visit struct {
	opt   Options
	found Diagnosis
	check string // its name

	near   string // the directory itself, or the nearest above it that is there
	none   bool   // the directory is none
	closed bool   // it may not be read
	write  bool   // near may be written to
	ours   bool   // there is a queue in it, perhaps a damaged one

	bytes  *sizes       // of its parts; nil = they could not be measured
	q      *queue.Queue // open for reading; nil = it cannot be opened
	status queue.Status // of q
	survey survey       // of the log
}

// say adds a finding of the check.
func (v *visit) say(status Status, message, hint string) {
	v.found.Findings = append(v.found.Findings, Finding{v.check, status, message, hint})
}

func (v *visit) close() {
	if v.q != nil {
		_ = v.q.Close() // it was only read
	}
}

// there returns why a check has no queue to look at, nil if there is one.
func (v *visit) there() error {
	switch {
	case v.closed:
		return errClosed
	case !v.ours:
		return errNothingThere
	}
	return nil
}

// directory looks whether there is a queue.
func (v *visit) directory(context.Context) error {
	info, err := os.Stat(v.opt.Dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		v.say(Note, "there is no queue in "+v.opt.Dir, "'queuectl enqueue' makes one; --dir names another directory")
		return nil
	case errors.Is(err, fs.ErrPermission):
		v.closed = true
		v.say(Bad, v.opt.Dir+" may not be looked into", "look as the user that it belongs to: sudo -u USER queuectl doctor --dir "+v.opt.Dir)
		return nil
	case err != nil:
		return err
	case !info.IsDir():
		v.none, v.near = true, filepath.Dir(v.opt.Dir)
		v.say(Bad, v.opt.Dir+" is not a directory", "choose another directory with --dir")
		return nil
	}
	trail, err := queue.OpenTrail(v.opt.Dir, 0)
	if err == nil {
		err = trail.Close()
	}
	_, damaged := errors.AsType[*eventlog.CorruptError](err)
	switch {
	case err == nil || damaged:
		v.ours = true
		v.say(OK, "there is a queue in "+v.opt.Dir, "")
	case errors.Is(err, eventlog.ErrNoLog):
		v.say(Note, "there is no queue in "+v.opt.Dir, "'queuectl enqueue' makes one; --dir names another directory")
	case errors.Is(err, eventlog.ErrNewer):
		v.say(Bad, err.Error(), "install the newer queuectl")
	case errors.Is(err, eventlog.ErrNotOurs):
		v.say(Bad, err.Error(), "choose another directory with --dir")
	case errors.Is(err, fs.ErrPermission):
		v.closed = true
		v.say(Bad, err.Error(), v.asOwner(info))
	default:
		return err
	}
	return nil
}

// asOwner names the command that looks as the user whose directory it is.
func (v *visit) asOwner(info fs.FileInfo) string {
	owner, known := disk.OwnerOf(info)
	if !known || owner.Me {
		return "check who may read " + v.opt.Dir
	}
	return fmt.Sprintf("it belongs to %s: sudo -u %s queuectl doctor --dir %s", owner.Name(), owner.Name(), job.Quote([]string{v.opt.Dir}))
}
