package queue

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
)

// Diff is what changed in a queue between two moments: the difference of the two states, and not every step
// between them. Of a job that was enqueued and forgotten in between there is nothing.
type Diff struct {
	From, To      Place
	Before, After projection.Counts
	Jobs          []JobChange     // in order of enqueue
	Settings      []SettingChange // in the order in which people are shown them
	Queues        []QueueChange   // that were paused, resumed or limited, by name
	Workers       []WorkerChange  // in order of start
	Crons         []CronChange    // in order of their keys
}

// Place is a place in the log: that of an event, or before the first one if Position is 0.
type Place struct {
	Position job.Position
	Time     time.Time // when the event was written, by the clock of who wrote it
}

// JobChange is what became of one job.
type JobChange struct {
	Key           job.Position
	ID            string
	Before, After JobState
	LastError     string // after; "" = none
}

// JobState is how far a job is. The zero JobState is that of a job that is not there: not yet, or not any more.
type JobState struct {
	State                   job.State // 0 = not there
	Attempts, Runs, Crashes uint32
	Held                    bool
}

// SettingChange is a setting that was changed.
type SettingChange struct{ Before, After Setting }

// QueueChange is a queue of which it changed what holds it back.
type QueueChange struct{ Before, After QueueInfo }

// WorkerChange is a worker that started, ended, or both.
type WorkerChange struct {
	Key     job.Position
	ID      string
	Started Place // zero = before
	Ended   Place // zero = not yet
	Lost    bool  // if Ended: it did not stop but died
}

// CronChange is what became of one schedule.
type CronChange struct {
	Key           job.Position
	Name          string
	Before, After *job.CronEntry // nil = not there
}

// DiffTo folds everything up to the moment, as [Replay.To] does, and returns what that changed. Memory grows
// with the number of jobs that changed, not with that of all jobs; only where jobs were forgotten, all ended
// jobs of their queue are looked at. After an error the Diff says what changed up to where the Replay stands.
func (r *Replay) DiffTo(ctx context.Context, m Moment) (Diff, error) {
	d := differ{
		r: r, before: r.Config(), jobs: map[job.Position]JobChange{}, workers: map[job.Position]WorkerChange{},
		queues: map[string]QueueInfo{},
		crons:  map[job.Position]CronChange{},
		diff:   Diff{From: r.place(), Before: r.state.Jobs.Counts()},
	}
	err := r.to(ctx, m, d.see)
	return d.result(), err
}

func (v View) place() Place { return Place{Position: v.Position(), Time: v.Time()} }

// differ gathers what changes.
type differ struct {
	r       *Replay
	diff    Diff
	before  []Setting
	jobs    map[job.Position]JobChange // that may have changed, as they were before
	workers map[job.Position]WorkerChange
	queues  map[string]QueueInfo        // that may have changed, as they were before
	crons   map[job.Position]CronChange // that may have changed, as they were before
}

// see looks at an event that is about to be folded.
func (d *differ) see(record Record) {
	place := Place{Position: record.At.Position, Time: record.At.When()}
	switch e := record.Event.(type) {
	case *job.JobEnqueued:
		d.jobs[place.Position] = JobChange{Key: place.Position, ID: e.Spec.ID}
	case job.JobsForgotten:
		for j := range d.r.List(projection.Filter{States: []job.State{e.State}, Queue: e.Queue}) {
			d.touch(j.Key)
		}
	case *job.JobsPurged:
		for _, key := range e.Jobs {
			d.touch(key)
		}
	case *job.WorkerStarted:
		d.workers[place.Position] = WorkerChange{Key: place.Position, ID: e.ID, Started: place}
	case job.WorkerStopped:
		d.gone(e.Worker, place, false)
	case job.WorkerLost:
		d.gone(e.Worker, place, true)
	case job.QueuePaused:
		d.steered(e.Queue)
	case job.QueueResumed:
		d.steered(e.Queue)
	case job.QueueLimited:
		d.steered(e.Queue)
	case *job.CronAdded:
		d.crons[place.Position] = CronChange{Key: place.Position, Name: e.New.Name}
	case *job.CronChanged:
		d.touchCron(e.Cron)
	case job.CronRemoved:
		d.touchCron(e.Cron)
	case job.CronTicked:
		d.touchCron(e.Cron)
	default:
		if key := job.Of(e); key != 0 {
			d.touch(key)
		}
	}
}

// touch notes how a job is, before it changes for the first time.
func (d *differ) touch(key job.Position) {
	if _, known := d.jobs[key]; known {
		return
	}
	if state := d.r.jobState(key); state.State != 0 {
		d.jobs[key] = JobChange{Key: key, ID: d.r.state.Jobs.ID(key), Before: state}
	}
}

// touchCron notes how a schedule is, before it changes for the first time.
func (d *differ) touchCron(key job.Position) {
	if _, known := d.crons[key]; known {
		return
	}
	name := d.r.state.Jobs.CronName(key)
	if c, err := d.r.Cron(name); err == nil {
		d.crons[key] = CronChange{Key: key, Name: name, Before: &c}
	}
}

func (d *differ) gone(key job.Position, place Place, lost bool) {
	w, known := d.workers[key]
	if !known {
		before, _ := d.r.state.Jobs.Worker(key)
		w = WorkerChange{Key: key, ID: before.ID}
	}
	w.Ended, w.Lost = place, lost
	d.workers[key] = w
}

// steered notes how a queue is, before it changes for the first time.
func (d *differ) steered(name string) {
	if _, known := d.queues[name]; !known {
		d.queues[name] = d.r.Queue(name)
	}
}

// jobState returns how far the job with this key is.
func (v View) jobState(key job.Position) JobState {
	b, found := v.state.Jobs.Brief(key)
	if !found {
		return JobState{}
	}
	return JobState{State: b.State, Attempts: b.Attempts, Runs: b.Runs, Crashes: b.Crashes, Held: b.Held}
}

// result compares what was noted with what is.
func (d *differ) result() Diff {
	diff := d.diff
	diff.To, diff.After = d.r.place(), d.r.state.Jobs.Counts()
	for _, key := range slices.Sorted(maps.Keys(d.jobs)) {
		change := d.jobs[key]
		if change.After = d.r.jobState(key); change.After == change.Before {
			continue
		}
		if change.After.Attempts+change.After.Crashes > 0 { // only then there is one
			j, _ := d.r.state.Jobs.Job(key)
			change.LastError = j.LastError
		}
		diff.Jobs = append(diff.Jobs, change)
	}
	for i, after := range d.r.Config() {
		if after != d.before[i] {
			diff.Settings = append(diff.Settings, SettingChange{Before: d.before[i], After: after})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.queues)) {
		before, after := d.queues[name], d.r.Queue(name)
		if before.Paused != after.Paused || before.Limits != after.Limits {
			diff.Queues = append(diff.Queues, QueueChange{Before: before, After: after})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(d.workers)) {
		diff.Workers = append(diff.Workers, d.workers[key])
	}
	for _, key := range slices.Sorted(maps.Keys(d.crons)) {
		change := d.crons[key]
		if c, err := d.r.Cron(change.Name); err == nil && c.Key == key {
			change.After = &c
		}
		if change.Before != nil || change.After != nil {
			diff.Crons = append(diff.Crons, change)
		}
	}
	return diff
}
