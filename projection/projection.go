// Package projection is what the events of a log add up to: every job with its state, the counts, the
// settings, the workers. The same events give the same projection, on any machine, in any process, at
// any time: folding reads no clock, no file and no random number.
//
// A job is kept as one small record without pointers and its encoded JobEnqueued event, which is
// decoded when somebody asks for the job. What only started jobs have is kept apart and begins with the
// first claim. A pending job with a command of 100 bytes takes about 200 bytes, its place in the
// timeline not counted, and the garbage collector has next to nothing to follow.
//
// Jobs are kept in order of their keys, which is the order of enqueue, so that lists and cursors cost
// nothing extra. A key is found in O(log n), and so is an id that the log made, since its key can be
// read from it; chosen ids are in a map. Counts by state and queue are kept up to date. Everything that
// a query returns is a copy that its receiver owns.
//
// A projection can rest on the files of a snapshot ([Load]): then only what changed since is in memory, and
// the rest is read from the files, block by block, when it is asked for. The answers are the same.
//
// The package decides nothing: whether an event may happen is the matter of package decide. It does not
// say what is due (package scheduler), does no I/O, and does not keep the events themselves: earlier
// runs of a job are in the log.
package projection

import (
	"strings"

	"github.com/queuectl/queuectl/job"
)

// Projection is what the events add up to; see the package's description. The zero value is not
// usable: start from [New]. Not safe for concurrent use: several goroutines may query at a time, but
// not while one folds.
type Projection struct {
	at       job.At // of the last event folded: Position and Time
	steady   int64  // when that was, by the clock of elapsed
	logID    [16]byte
	config   job.Config
	settings map[string]string // what is set, in the canonical form of its event
	workers  []*worker         // that have neither stopped nor been lost, in order of their keys
	latest   job.Position      // key of the latest worker that ever started
	revived  job.Position      // of the last event by which a job that had ended did so no longer, or left
	rank     int64             // the highest of a job that was due at once when it was enqueued
	repairs  map[string]bool   // names in quarantine that a LogRepaired event has
	crons    crons
	after    after
	held     int       // jobs that are held
	dates    deadlines // of what is in memory

	base base // what came from a snapshot, and is read where it lies
	live bool // its jobs that wait or run are in memory, too

	jobs      table                  // in memory: those of the base that were loaded, and all later ones
	strays    map[job.Position]place // jobs of the base that changed and are not in jobs
	strayPage *page                  // the last one of them …
	strayed   int                    // … and how many there ever were
	specs     arena
	lives     slab[life]
	errors    map[uint32]string       // last_error, by number of the life
	kills     map[uint32][]int32      // signals that were asked for the current run, ditto
	chosen    map[string]job.Position // ids that the log did not make
	uniques   uniques
	counts    Counts
	lanes     lanes
	callers   callers
	encoding  []byte // scratch
}

// New returns the projection of an empty log.
func New() *Projection {
	return &Projection{
		config:   job.DefaultConfig(),
		settings: map[string]string{},
		repairs:  map[string]bool{},
		strays:   map[job.Position]place{},
		errors:   map[uint32]string{},
		kills:    map[uint32][]int32{},
		chosen:   map[string]job.Position{},
		uniques:  newUniques(),
		lanes:    newLanes(),
		callers:  newCallers(),
		crons:    newCrons(),
		after:    newAfter(),
		dates:    newDeadlines(),
	}
}

// Position returns that of the last event folded, 0 if there was none.
func (p *Projection) Position() job.Position { return p.at.Position }

// LastTime returns the time of the last event folded (Unix nanoseconds), 0 if there was none. It is a
// wall clock's and may be less than that of an earlier event.
func (p *Projection) LastTime() int64 { return p.at.Time }

// LogID returns the id of the log, zero before its first event.
func (p *Projection) LogID() [16]byte { return p.logID }

// Config returns the settings in force.
func (p *Projection) Config() job.Config { return p.config }

// Repaired says whether a LogRepaired event has this name in quarantine.
func (p *Projection) Repaired(quarantine string) bool { return p.repairs[quarantine] }

// IsSet says whether the setting was set and not unset since.
func (p *Projection) IsSet(key string) bool {
	_, set := p.settings[key]
	return set
}

// lanes numbers the pairs of queue and kind that jobs have, and counts the jobs of each queue.
type lanes struct {
	all     []lane
	queues  []queue
	byName  map[lane]uint32
	byQueue map[string]uint32
	last    uint32 // of the last job: jobs of one lane mostly come in a row
}

type lane struct {
	queue uint32
	kind  string
}

type queue struct {
	name   string
	counts Counts
	cuts   cuts
	served job.Position // of the last claim of one of its jobs
	gate   *gate        // nil = nothing ever held it back
}

func newLanes() lanes {
	return lanes{byName: map[lane]uint32{}, byQueue: map[string]uint32{}}
}

// number returns the number of a lane, a new one for a pair that was not seen before. It does not keep
// the texts, which may be parts of something large.
func (l *lanes) number(queueName, kind string) uint32 {
	if int(l.last) < len(l.all) {
		if last := l.all[l.last]; last.kind == kind && l.queues[last.queue].name == queueName {
			return l.last
		}
	}
	q := l.queueNumber(queueName)
	number, known := l.byName[lane{queue: q, kind: kind}]
	if !known {
		number = uint32(len(l.all))
		l.all = append(l.all, lane{queue: q, kind: strings.Clone(kind)})
		l.byName[l.all[number]] = number
	}
	l.last = number
	return number
}

// queueNumber returns the number of a queue, a new one if it was not seen before.
func (l *lanes) queueNumber(name string) uint32 {
	q, known := l.byQueue[name]
	if !known {
		q = uint32(len(l.queues))
		l.queues = append(l.queues, queue{name: strings.Clone(name)})
		l.byQueue[l.queues[q].name] = q
	}
	return q
}

// caller is what a job remembers of the actor who enqueued it.
type caller struct{ dir, path string }

// callers numbers them: many jobs have the same one.
type callers struct {
	all    []caller
	byName map[caller]uint32
	actor  *job.Actor // the last one: all events of a commit have the same …
	last   uint32     // … and this is its number
}

func newCallers() callers {
	return callers{all: []caller{{}}, byName: map[caller]uint32{{}: 0}}
}

func (c *callers) numberOf(a *job.Actor) uint32 {
	if a == nil {
		return 0
	}
	if a == c.actor {
		return c.last
	}
	c.actor, c.last = a, c.number(caller{dir: a.Dir, path: a.Path})
	return c.last
}

// number returns that of a caller, a new one if it was not seen before.
func (c *callers) number(who caller) uint32 {
	number, known := c.byName[who]
	if !known {
		number = uint32(len(c.all))
		c.all = append(c.all, who)
		c.byName[who] = number
	}
	return number
}

// Counts holds the number of jobs in each state: index it by job.State.
type Counts [7]int

// Counts returns the numbers over all queues. O(1).
func (p *Projection) Counts() Counts { return p.counts }

// Held returns how many jobs are held, those that run meanwhile included. O(1).
func (p *Projection) Held() int { return p.held }

// Waiting returns the number of waiting jobs of a queue. O(1).
func (p *Projection) Waiting(queue string) int {
	q, known := p.lanes.byQueue[queue]
	if !known {
		return 0
	}
	c := &p.lanes.queues[q].counts
	return c[job.Pending] + c[job.Failed]
}
