package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/queuectl/queuectl/internal/process"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
	"github.com/queuectl/queuectl/queue"
	"github.com/queuectl/queuectl/scheduler/lease"
)

// opened returns why a check has no open queue to look at, nil if there is one.
func (v *visit) opened() error {
	if err := v.there(); err != nil || v.q != nil {
		return err
	}
	return errors.New("the queue could not be opened")
}

// workers looks who lives, and who died and is still in the log.
func (v *visit) workers(ctx context.Context) error {
	if err := v.opened(); err != nil {
		return err
	}
	alive := living(v.status.Workers)
	if alive < len(v.status.Workers) {
		var err error // one that ended a moment ago is gone from the log at a second look
		if v.status.Workers, err = v.q.Workers(ctx); err != nil {
			return err
		}
		alive = living(v.status.Workers)
	}
	for _, w := range v.status.Workers {
		if w.Alive {
			continue
		}
		if err := v.dead(ctx, w, alive); err != nil {
			return err
		}
	}
	known := ""
	if v.found.Damaged {
		known = ", as far as the log is sound"
	}
	waiting := v.status.Counts[job.Pending] + v.status.Counts[job.Failed]
	switch {
	case alive > 0:
		v.say(OK, plural(alive, "worker lives", "workers live")+known, "")
	case waiting > 0:
		v.say(Note, fmt.Sprintf("no worker lives, and %s", plural(waiting, "job waits", "jobs wait"))+known, "'queuectl worker start' runs them")
	case len(v.status.Workers) == 0:
		v.say(OK, "no worker lives, and no job waits"+known, "")
	}
	return nil
}

func living(workers []queue.WorkerInfo) (n int) {
	for _, w := range workers {
		if w.Alive {
			n++
		}
	}
	return n
}

// dead tells of a worker that died and that nobody has found yet, and of what is left of its runs.
func (v *visit) dead(ctx context.Context, w queue.WorkerInfo, alive int) error {
	jobs, err := v.q.Jobs(ctx, w.Running)
	if err != nil {
		return err
	}
	message := fmt.Sprintf("worker %s (pid %d) has died", w.ID, w.PID)
	var orphans []int
	for _, j := range jobs {
		orphans = append(orphans, v.q.LeftBehind(j.Run)...)
	}
	if len(jobs) > 0 {
		message += fmt.Sprintf(" with %s", plural(len(jobs), "job", "jobs"))
	}
	if len(orphans) > 0 {
		message += fmt.Sprintf("; of their commands processes %v live", orphans)
	}
	if alive > 0 {
		v.say(Note, message, "nothing: the workers that live put its jobs back within seconds, once nothing of their runs lives")
		return nil
	}
	v.say(Warn, message, "'queuectl worker start': the next worker ends what is left of them and puts its jobs back")
	return nil
}

// runs looks for lock files of runs that are over: what commands left behind, or nobody has swept yet.
func (v *visit) runs(ctx context.Context) error {
	if err := v.opened(); err != nil {
		return err
	}
	files, err := lease.Survey(v.opt.Dir)
	if err != nil {
		return err
	}
	running, err := v.q.List(ctx, projection.Filter{States: []job.State{job.Processing}})
	if err != nil {
		return err
	}
	current := map[uint64]bool{}
	for _, j := range running {
		current[uint64(j.Run)] = true
	}
	files = slices.DeleteFunc(files, func(f lease.LockFile) bool { return current[f.Run] })
	if len(files) > 0 {
		again, err := lease.Survey(v.opt.Dir) // a run that ended between the two looks is not left over
		if err != nil {
			return err
		}
		files = slices.DeleteFunc(files, func(f lease.LockFile) bool { return !slices.Contains(again, f) })
	}
	v.leftOver(files, len(running))
	return nil
}

// leftOver tells of the lock files of runs that are over.
func (v *visit) leftOver(files []lease.LockFile, running int) {
	const most = 5 // are named
	var left []string
	stale := 0
	for _, f := range files {
		if !f.Held {
			stale++
			continue
		}
		left = append(left, fmt.Sprintf("run %d: %v", f.Run, v.q.LeftBehind(job.Position(f.Run))))
	}
	if len(left) > 0 {
		v.say(Note, "commands have left processes behind that live: "+strings.Join(left[:min(len(left), most)], ", "),
			"they are left alone; 'queuectl log list --type JobClaimed' says whose runs they are")
	}
	if stale > 0 {
		v.say(Note, plural(stale, "lock file of a run that is over", "lock files of runs that are over"), "nothing: the next worker removes them")
	}
	if len(files) == 0 {
		v.say(OK, plural(running, "job runs", "jobs run")+", and nothing is left of runs that are over", "")
	}
}

// versions looks whether several programs work here.
func (v *visit) versions(ctx context.Context) error {
	if err := v.opened(); err != nil {
		return err
	}
	at := map[string][]string{} // ids of workers by their program
	for _, w := range v.status.Workers {
		if !w.Alive {
			continue
		}
		program, err := v.startedBy(ctx, w.Key)
		if err != nil {
			return err
		}
		at[program] = append(at[program], w.ID)
	}
	var others []string
	for _, program := range sorted(at) {
		if program != v.opt.Program {
			others = append(others, fmt.Sprintf("%s (worker %s)", program, strings.Join(at[program], ", ")))
		}
	}
	if len(others) > 0 {
		v.say(Warn, "this is "+v.opt.Program+", and others work: "+strings.Join(others, ", "), "'queuectl worker stop --wait', and start them again with the newest")
		return nil
	}
	const lately = 1000 // events
	for _, program := range sorted(v.survey.programs) {
		if program != "" && program != v.opt.Program && uint64(v.survey.programs[program])+lately > uint64(v.status.Position) {
			others = append(others, program)
		}
	}
	if len(others) > 0 {
		v.say(Note, fmt.Sprintf("this is %s; of the last %d events, some were written by %s", v.opt.Program, lately, strings.Join(others, ", ")), "")
		return nil
	}
	v.say(OK, v.opt.Program+" alone", "")
	return nil
}

// startedBy returns the program of a worker.
func (v *visit) startedBy(ctx context.Context, worker job.Position) (program string, err error) {
	enough := errors.New("enough")
	err = v.q.ReadFrom(ctx, worker, func(r queue.Record) error {
		if r.At.Position < worker {
			return nil
		}
		if r.At.Actor != nil {
			program = r.At.Actor.Program
		}
		return enough
	})
	if errors.Is(err, enough) {
		err = nil
	}
	return program, err
}

// clock looks whether the clock was set back, and whether it is now behind what was written.
func (v *visit) clock(context.Context) error {
	if err := v.there(); err != nil {
		return err
	}
	if v.survey.last == 0 {
		return errors.New("nothing of the log could be read")
	}
	const (
		much = time.Second
		day  = 24 * time.Hour
		hint = "let the clock be slewed instead of set (chronyd, systemd-timesyncd); what waits is not delayed by it"
	)
	ahead := time.Unix(0, v.survey.last).Sub(v.opt.Now)
	back := time.Unix(0, v.survey.step.From).Sub(time.Unix(0, v.survey.step.To))
	since := v.opt.Now.Sub(time.Unix(0, v.survey.step.To))
	steps := fmt.Sprintf("set back %s, the last time by %v at %s", plural(v.survey.steps, "time", "times"), round(back),
		time.Unix(0, v.survey.step.To).UTC().Format(time.DateTime))
	switch {
	case ahead > much:
		v.say(Warn, fmt.Sprintf("the newest event is %v ahead of it: it was set back", round(ahead)), hint)
	case v.survey.steps > 0 && since < day:
		v.say(Warn, steps, hint)
	case v.survey.steps > 0:
		v.say(Note, steps, hint)
	default:
		v.say(OK, fmt.Sprintf("it was never set back in %d events", v.survey.events), "")
	}
	return nil
}

// limits compares how many files a worker may have open with what it needs.
func (v *visit) limits(context.Context) error {
	const own, slot = 48, 8 // what a worker has open without runs, and for each, with room to spare
	looked := 0
	for _, w := range v.status.Workers {
		if host, err := os.Hostname(); !w.Alive || err != nil || w.Host != host {
			continue
		}
		most, known := process.MostFiles(int(w.PID))
		if !known {
			continue
		}
		looked++
		if needed := uint64(own + slot*w.Slots); most < needed {
			v.say(Warn, fmt.Sprintf("worker %s may have %d files open, and needs up to %d for %d runs at a time", w.ID, most, needed, w.Slots),
				fmt.Sprintf("start it with a higher limit: ulimit -n %d, or LimitNOFILE= in its unit", 4*needed))
			return nil
		}
	}
	if looked > 0 {
		v.say(OK, plural(looked, "worker may", "workers may")+" have as many files open as needed", "")
		return nil
	}
	most, known := process.MostFiles(0)
	if !known {
		return errUntold
	}
	if slots := (int64(most) - own) / slot; slots < 1 {
		v.say(Warn, fmt.Sprintf("a process may have %d files open, which is too few for a worker", most), "raise the limit: ulimit -n 1024")
	} else {
		v.say(OK, fmt.Sprintf("a process may have %d files open, enough for a worker of %d runs at a time", most, slots), "")
	}
	return nil
}

func sorted[V any](m map[string]V) []string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
