package queue

import (
	"crypto/sha256"
	"fmt"
	"iter"
	"time"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
)

// View answers questions about a state of the queue, as a [Queue] does about that of now. Everything that it
// returns is a copy that its receiver owns. The zero View is not usable: a [Replay] has one. Not safe for
// concurrent use.
type View struct{ state *decide.State }

// Position returns that of the last event that the state rests on, 0 if there was none yet.
func (v View) Position() job.Position { return v.state.Jobs.Position() }

// Time returns when the last event that the state rests on was written, by the clock of who wrote it; zero if
// there was none yet.
func (v View) Time() time.Time {
	if v.Position() == 0 {
		return time.Time{}
	}
	return time.Unix(0, v.state.Jobs.LastTime()).UTC()
}

// Job returns the job with this id. Error: job.ErrNotFound.
func (v View) Job(id string) (job.Job, error) {
	j, found := v.state.Jobs.Job(v.state.Jobs.Key(id))
	if !found {
		return job.Job{}, fmt.Errorf("job %q: %w", id, job.ErrNotFound)
	}
	return j, nil
}

// List yields the jobs that the filter selects, in order of enqueue. The state must not change before it is
// done.
func (v View) List(f projection.Filter) iter.Seq[job.Job] { return v.state.Jobs.List(f) }

// Count returns how many jobs the filter selects, whatever its Limit.
func (v View) Count(f projection.Filter) int { return v.state.Jobs.Count(f) }

// Setting is one line of the config.
type Setting struct {
	Key, Value, Default string
	Set                 bool // by SetConfig; otherwise Value is the default
}

// Config returns all settings, in the order in which people are shown them.
func (v View) Config() []Setting {
	var settings []Setting
	config, defaults := v.state.Jobs.Config(), job.DefaultConfig()
	for _, key := range job.Keys() {
		set := Setting{Key: key, Set: v.state.Jobs.IsSet(key)}
		set.Value, _ = config.Text(key)
		set.Default, _ = defaults.Text(key)
		settings = append(settings, set)
	}
	return settings
}

// QueueInfo is one queue: the number of its jobs in each state, and what holds it back.
type QueueInfo struct {
	Name string
	projection.Counts
	job.Limits
	Paused bool // none of its jobs is claimed
}

// WorkerInfo is a worker that has not stopped, and whether its process lives.
type WorkerInfo struct {
	job.Worker
	// Alive says that its process lives. Of the past that is known no better than the log knew it: a View of the
	// past says true of every worker until the event that it was found dead.
	Alive      bool
	RunningIDs []string // ids of the jobs that it runs, in the order of Running
}

// Workers returns the workers that have not stopped, in order of start, as far as the log knows: all Alive.
func (v View) Workers() []WorkerInfo {
	var infos []WorkerInfo
	for w := range v.state.Jobs.Workers() {
		info := WorkerInfo{Worker: w, Alive: true}
		for _, key := range w.Running {
			info.RunningIDs = append(info.RunningIDs, v.state.Jobs.ID(key))
		}
		infos = append(infos, info)
	}
	return infos
}

// Status is the whole queue at a glance, at one moment.
type Status struct {
	Dir      string
	Counts   projection.Counts
	Held     int           // jobs that are held, those that run meanwhile included
	Queues   []QueueInfo   // by name; as of [View.Queues]
	Workers  []WorkerInfo  // in order of start
	Position job.Position  // of the last event that the answer rests on
	Time     time.Time     // of that event; zero if there is none
	Head     eventlog.Head // of the last whole commit that the answer rests on
}

// Status returns the whole queue at a glance, but for Dir and Head, which a state does not know.
func (v View) Status() Status {
	status := Status{
		Counts: v.state.Jobs.Counts(), Held: v.state.Jobs.Held(), Workers: v.Workers(), Position: v.Position(), Time: v.Time(),
	}
	status.Queues = v.Queues()
	return status
}

// Queues returns all queues that hold jobs, or that are paused or limited, by name.
func (v View) Queues() []QueueInfo {
	var infos []QueueInfo
	for q := range v.state.Jobs.Queues() {
		infos = append(infos, infoOf(&q))
	}
	return infos
}

// Queue returns a queue. One that was never used has nothing but its name.
func (v View) Queue(name string) QueueInfo {
	q := v.state.Jobs.Queue(name)
	return infoOf(&q)
}

func infoOf(q *projection.Queue) QueueInfo {
	return QueueInfo{Name: q.Name, Counts: q.Counts, Limits: q.Limits, Paused: q.Paused != 0}
}

// Waiting returns how many jobs of the queue wait.
func (q QueueInfo) Waiting() int { return q.Counts[job.Pending] + q.Counts[job.Failed] }

// Digest returns a hash of the whole state, for comparing what two processes, or a process and a replay
// of its log, make of the same events. It is that of the same program only: see
// [projection.Projection.AppendCanonical].
func (v View) Digest() [sha256.Size]byte {
	return sha256.Sum256(v.state.Jobs.AppendCanonical(nil))
}
