package simulate

import (
	"maps"
	"slices"
	"strings"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/scheduler"
)

// Recorder makes a [Record] of a log. Tell it of every event, in order, from the log's first one on, or from the state
// with which a log begins that was pruned: see Resume. Not safe for concurrent use. It keeps no event.
type Recorder struct {
	from     job.Position
	open     bool // what it is told of is part of the record
	record   *Record
	clock    clock
	config   job.Config
	set      map[string]string
	names    map[string]string
	live     map[job.Position]*tracked // jobs that something may still happen to
	workers  map[job.Position]*worker
	queues   map[string]*held
	numbers  map[job.Position]int32          // of the jobs in the record
	children map[job.Position][]job.Position // of the jobs that others come after
	meter    *meter
}

// held is what holds a queue back.
type held struct {
	paused bool
	limits job.Limits
}

// NewRecorder returns a recorder of what comes after the event at from; 0 = of the whole log. What comes
// before says what there is at the start: jobs that wait or run, workers, settings.
func NewRecorder(from job.Position) *Recorder {
	return &Recorder{
		from: from, record: &Record{pools: pools{lanes: map[lane]pool{}}, settings: map[string]string{}},
		config: job.DefaultConfig(), set: map[string]string{}, names: map[string]string{},
		live: map[job.Position]*tracked{}, workers: map[job.Position]*worker{}, queues: map[string]*held{},
		numbers: map[job.Position]int32{}, children: map[job.Position][]job.Position{}, meter: &meter{},
	}
}

// clock turns the times of commits, which may step back, into times that do not.
type clock struct{ last, offset int64 }

// tell returns the time of a commit.
func (c *clock) tell(wall int64) int64 {
	if wall+c.offset < c.last {
		c.offset = c.last - wall
	}
	c.last = wall + c.offset
	return c.last
}

// moment returns another time that a commit speaks of, by the clock that the commit's own was told by.
func (c *clock) moment(wall int64) int64 {
	if wall == 0 {
		return 0
	}
	return max(1, later(wall, c.offset))
}

// tracked is a job that something may still happen to.
type tracked struct {
	entrant
	number            int32 // in the record; none = not there yet
	last              int32 // of its runs in the record
	state             job.State
	attempts, crashes uint32
	since             int64 // when it might run: first, and after each run
	waits             int64 // 0 = at once; otherwise when it is due
	worker            job.Position
	claimed           int64
	asked             int32 // step of the script that asked for the end of its run; none = nobody did
	killed            bool  // its run was asked to end
	how               what  // kill or cancel, as was asked first
	held              bool
	after             []job.Parent // whose fate is known
	left              int          // of them, those that have not ended as they should: it waits for them
}

// worker is one that has not ended.
type worker struct {
	crew
	number   int32 // in the record; none = not there yet
	returned bool  // it gave runs back
}

// Take takes the next event.
func (r *Recorder) Take(at job.At, e job.Event) {
	if !r.open && at.Position > r.from {
		r.begin()
	}
	now := r.clock.tell(at.Time)
	if r.open && r.record.start == 0 {
		r.record.start = now
	}
	r.record.end = now
	r.meter.move(now)
	if enqueued, ok := e.(*job.JobEnqueued); ok {
		r.enqueued(at.Position, enqueued)
		return
	}
	if key := job.Of(e); key != 0 {
		if j := r.live[key]; j != nil {
			r.about(j, key, e)
		}
		return
	}
	switch e := e.(type) {
	case job.LogCreated:
		r.record.logID = e.LogID
	case job.ConfigSet:
		r.setting(e.Key, e.New)
	case job.ConfigUnset:
		r.setting(e.Key, "")
	case job.QueuePaused:
		r.steered(e.Queue, e, func(h *held) { h.paused = true })
	case job.QueueResumed:
		r.steered(e.Queue, e, func(h *held) { h.paused = false })
	case job.QueueLimited:
		r.steered(e.Queue, e, func(h *held) { h.limits = e.Limits() })
	case *job.WorkerStarted:
		r.started(at.Position, e)
	case job.StopRequested:
		r.halt(e.Worker)
	case job.WorkerStopped:
		r.gone(e.Worker, unlessIdle(e.Why))
	case job.WorkerLost:
		r.gone(e.Worker, lose)
	case *job.JobsPurged:
		for _, key := range e.Jobs {
			delete(r.live, key)
		}
	}
}

// Record ends the recording.
func (r *Recorder) Record() *Record {
	if !r.open {
		r.begin()
	}
	for _, j := range r.live {
		if j.number != none {
			r.record.jobs[j.number].ended = j.state.Ended()
		}
	}
	for i := range r.record.jobs {
		if r.record.jobs[i].ended {
			r.record.measured++
		}
	}
	r.record.recorded = r.meter
	return r.record
}

// begin begins the record with what is there.
func (r *Recorder) begin() {
	r.record.start = r.clock.last
	maps.Copy(r.record.settings, r.set)
	for _, key := range slices.Sorted(maps.Keys(r.workers)) {
		r.admit(r.workers[key])
	}
	r.record.there = len(r.record.crews)
	r.record.held = r.heldBack()
	for _, key := range slices.Sorted(maps.Keys(r.live)) {
		j := r.live[key]
		if j.state == job.Dead {
			continue // it enters when somebody brings it back
		}
		r.enter(key, j)
		r.meter.reentered(j.number, j.state, j.since)
		o := opened{job: j.number, state: j.state, since: j.since, attempts: j.attempts, crashes: j.crashes, due: j.waits, crew: none, held: j.held || r.doomed(j)}
		if w := r.workers[j.worker]; j.state == job.Processing && w != nil {
			o.crew, o.claimed = w.number, j.claimed
		}
		r.record.opened = append(r.record.opened, o)
		if o.crew != none && j.killed {
			r.ask(j) // somebody did, and the run has not ended yet
		}
	}
	r.open = true
}

// steered follows what people do to queues.
func (r *Recorder) steered(name string, e job.Event, change func(*held)) {
	h := r.queues[name]
	if h == nil {
		h = &held{}
		r.queues[name] = h
	}
	change(h)
	if r.open {
		r.record.steered = append(r.record.steered, e)
		r.step(steer, int32(len(r.record.steered)-1))
	}
}

// heldBack is what would hold the queues back as they are.
func (r *Recorder) heldBack() (events []job.Event) {
	for _, name := range slices.Sorted(maps.Keys(r.queues)) {
		h := r.queues[name]
		if h.paused {
			events = append(events, job.QueuePaused{Queue: name})
		}
		if l := h.limits; l != (job.Limits{}) {
			events = append(events, job.QueueLimited{Queue: name, Concurrency: l.Concurrency, Rate: l.Rate, Per: l.Per})
		}
	}
	return events
}

// enter gives a job its place in the record.
func (r *Recorder) enter(key job.Position, j *tracked) {
	j.number = int32(len(r.record.jobs))
	r.numbers[key] = j.number
	j.parents = r.kin(j)
	r.record.jobs = append(r.record.jobs, j.entrant)
	if !slices.Contains(r.record.kinds, j.kind) && j.kind != "" {
		r.record.kinds = append(r.record.kinds, j.kind)
	}
}

func (r *Recorder) step(what what, subject int32) {
	r.record.script = append(r.record.script, op{at: r.clock.last, what: what, subj: subject})
}

// setting follows the settings, as far as this program knows them.
func (r *Recorder) setting(key, value string) {
	var err error
	if value == "" {
		err = r.config.Unset(key)
		delete(r.set, key)
	} else {
		_, err = r.config.Set(key, value)
	}
	if err != nil {
		return // a newer program's
	}
	if value != "" {
		r.set[key] = value
	}
	if r.open {
		r.record.changes = append(r.record.changes, change{key, value})
		r.step(set, int32(len(r.record.changes)-1))
	}
}

func (r *Recorder) enqueued(key job.Position, e *job.JobEnqueued) {
	now := r.clock.last
	j := &tracked{
		entrant: entrant{
			queue: r.intern(e.Spec.Queue), kind: r.intern(e.Spec.Kind), key: r.intern(e.Spec.ConcurrencyKey),
			priority: e.Spec.Priority, onCrash: e.Spec.OnCrash, onParent: e.Spec.OnParentFailure,
			enqueued: now, due: r.clock.moment(e.Due), first: none,
		},
		number: none, last: none, asked: none, state: job.Pending,
	}
	if n := e.Spec.MaxRetries; n != nil {
		j.maxRetries, j.ownRetries = *n, *n != r.config.MaxRetries
	}
	j.limits = limitsOf(&e.Spec)
	j.waits, j.since = j.due, max(now, j.due)
	if !e.Spec.Deadline.IsZero() {
		j.deadline = r.clock.moment(e.Spec.Deadline.UnixNano())
	}
	r.descend(key, j, e.Spec.After)
	r.live[key] = j
	if r.open {
		r.enter(key, j)
		if e.Spec.Env[job.HookJob] != "" {
			r.record.hooks++
		}
		r.meter.entered(j.number, j.due)
		r.step(arrive, j.number)
	}
}

// intern returns a text that does not keep the event alive.
func (r *Recorder) intern(name string) string {
	if known, ok := r.names[name]; ok {
		return known
	}
	name = strings.Clone(name)
	r.names[name] = name
	return name
}

func (r *Recorder) started(key job.Position, e *job.WorkerStarted) {
	w := &worker{number: none, crew: crew{
		slots: int(e.Slots),
		lanes: scheduler.Lanes{Queues: slices.Clone(e.Queues), Kinds: slices.Clone(e.Kinds), Shell: e.Shell},
	}}
	if len(w.lanes.Queues) == 0 {
		w.lanes.Queues = nil // all
	}
	r.workers[key] = w
	if r.open {
		r.admit(w)
		r.step(begin, w.number)
	}
}

// admit gives a worker its place in the record.
func (r *Recorder) admit(w *worker) {
	w.number = int32(len(r.record.crews))
	r.record.crews = append(r.record.crews, w.crew)
	r.meter.slots += w.slots
}

// halt notes that a worker, or 0 for all, claims nothing more.
func (r *Recorder) halt(key job.Position) {
	for _, k := range slices.Sorted(maps.Keys(r.workers)) {
		if w := r.workers[k]; (key == 0 || k == key) && !w.halted {
			w.halted = true
			if w.number != none {
				r.step(halt, w.number)
			}
		}
	}
}

func (r *Recorder) gone(key job.Position, how what) {
	w := r.workers[key]
	if w == nil {
		return
	}
	delete(r.workers, key)
	if w.number != none {
		r.step(how, w.number)
		r.meter.slots -= w.slots
	}
}

// unlessIdle says how a worker leaves that stopped for the reason.
func unlessIdle(why string) what {
	if why == "nothing left" {
		return leaveIdle
	}
	return leave
}
