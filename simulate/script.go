package simulate

import (
	"container/heap"
	"fmt"
	"slices"
	"time"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/scheduler"
)

// sigTerm is what a run is ended with.
const sigTerm = 15

// idOf is the name of a job in a simulation: its own may have been given twice, one job after the other.
func idOf(number int32) string { return fmt.Sprintf("job%d", number) }

// prepare brings the queue into the state that the record begins with.
func (m *machine) prepare() {
	r := m.record
	m.now, m.meter.now = r.start, r.start
	if len(r.opened) > 0 {
		m.now = min(m.now, r.jobs[r.opened[0].job].enqueued)
	}
	m.fold([]job.Event{job.LogCreated{LogID: r.logID, Format: 1, Level: 1}})
	for _, key := range sortedKeys(r.settings) {
		m.set(change{key, r.settings[key]})
	}
	if n := m.scenario.Workers; n > 0 {
		m.begin(none, crew{slots: n, lanes: scheduler.Lanes{Shell: true, Kinds: r.kinds}})
	} else {
		for i := range r.there {
			m.begin(int32(i), r.crews[i])
		}
	}
	if len(r.opened) > 0 {
		ghost := m.position + 1 // the worker that ran what was run before
		m.must(decide.StartWorker(m.state, m.at(), &job.WorkerStarted{ID: "before", Slots: 1, Shell: true}))
		for i := range r.opened {
			m.reopen(&r.opened[i], ghost)
		}
		m.must(decide.StopWorker(m.state, m.at(), ghost, ""))
	}
	m.now = r.start
	for _, key := range sortedKeys(m.scenario.Set) {
		m.must(decide.SetConfig(m.state, m.at(), key, m.scenario.Set[key]))
	}
	for _, e := range r.held {
		m.steer(e)
	}
}

// steer does to a queue what somebody did.
func (m *machine) steer(e job.Event) {
	switch e := e.(type) {
	case job.QueuePaused:
		m.must(decide.PauseQueues(m.state, m.at(), []string{e.Queue}))
	case job.QueueResumed:
		m.must(decide.ResumeQueues(m.state, m.at(), []string{e.Queue}))
	case job.QueueLimited:
		m.must(decide.LimitQueue(m.state, m.at(), e.Queue, func(l *job.Limits) { *l = e.Limits() }))
	}
}

// reopen brings a job into the state in which it was when the record began. What was decided before is
// not decided again.
func (m *machine) reopen(o *opened, ghost job.Position) {
	e := &m.record.jobs[o.job]
	m.now = max(m.now, e.enqueued)
	spec := e.spec(idOf(o.job))
	spec.MaxRetries, spec.RunAt = new(e.maxRetries), time.Time{}
	for i := range spec.After {
		spec.After[i].Key = m.keys[e.parents[i].number]
	}
	key := m.position + 1
	m.fold([]job.Event{&job.JobEnqueued{Spec: spec, Due: e.due}})
	m.enter(o.job, key)
	m.past(key, ghost, o)
	if o.state == job.Pending && (o.attempts > 0 || o.due != e.due) {
		m.ran(key, ghost, func(run job.Position) job.Event {
			return job.RunReturned{Job: key, Run: run, Why: job.WhyStop, Due: o.due}
		})
	}
	if t := m.takerOf(o); t != nil {
		m.fold([]job.Event{job.JobClaimed{Job: key, Worker: t.key}})
		m.meter.reentered(o.job, job.Processing, o.since)
		m.start(o.job, t, o.claimed)
		m.hold(o)
		return
	}
	m.hold(o)
	m.meter.reentered(o.job, m.stateOf(o.job), o.since)
}

// past repeats the runs of a job that failed or were lost before.
func (m *machine) past(key, ghost job.Position, o *opened) {
	for range o.crashes {
		m.ran(key, ghost, func(run job.Position) job.Event { return job.RunLost{Job: key, Run: run, Worker: ghost} })
	}
	for range o.attempts {
		m.ran(key, ghost, func(run job.Position) job.Event {
			return &job.JobFailed{Job: key, Run: run, Why: job.WhyExit, NextAttemptAt: o.due}
		})
	}
}

// ran folds a run that a worker which is no more had.
func (m *machine) ran(key, ghost job.Position, end func(run job.Position) job.Event) {
	run := m.position + 1
	m.fold([]job.Event{job.JobClaimed{Job: key, Worker: ghost}, end(run)})
}

// hold holds a job that was held when the record began.
func (m *machine) hold(o *opened) {
	if o.held {
		m.must(decide.Hold(m.state, m.at(), []string{idOf(o.job)}))
	}
}

// takerOf returns the worker that runs a job when the record begins, nil for none. With other workers than
// the record's, what they have no slot for waits.
func (m *machine) takerOf(o *opened) *team {
	if o.state != job.Processing {
		return nil
	}
	number := o.crew
	if m.scenario.Workers > 0 {
		number = none
	}
	if t := m.teams[number]; t != nil && t.free > 0 {
		return t
	}
	return nil
}

// act does what people or machines did.
func (m *machine) act(o *op) {
	switch o.what {
	case arrive:
		m.arrive(o.subj)
		return
	case set:
		m.set(m.record.changes[o.subj])
		return
	case steer:
		m.steer(m.record.steered[o.subj])
		return
	case retry, retryDead, cancel, doom, kill, hold, release, amend:
		if m.keys[o.subj] != 0 {
			m.interfere(o)
		}
		return
	}
	if m.scenario.Workers > 0 {
		return // it is about the workers that were
	}
	if o.what == begin {
		m.begin(o.subj, m.record.crews[o.subj])
		return
	}
	t := m.teams[o.subj]
	t.halted = t.halted || o.what != leaveIdle
	switch o.what {
	case giveBack:
		m.giveBack(t)
	case leave:
		t.leaving = true
	case leaveIdle:
		t.whenIdle = true
	case lose:
		m.lose(t)
	}
}

// arrive enqueues a job, unless the settings do not admit it.
func (m *machine) arrive(number int32) {
	key := m.position + 1
	events, err := decide.Enqueue(m.state, m.at(), []job.Spec{m.record.jobs[number].spec(idOf(number))}, false)
	if err != nil {
		if m.record.jobs[number].ended {
			m.left--
		}
		return
	}
	m.fold(events)
	m.enter(number, key)
	due := events[0].(*job.JobEnqueued).Due
	if e := m.record.jobs[number]; e.failed+e.lost > 0 {
		ghost := m.position + 1
		m.must(decide.StartWorker(m.state, m.at(), &job.WorkerStarted{ID: "before", Slots: 1, Shell: true}))
		m.past(key, ghost, &opened{attempts: e.failed, crashes: e.lost})
		m.ran(key, ghost, func(run job.Position) job.Event {
			return job.RunReturned{Job: key, Run: run, Why: job.WhyStop, Due: due}
		})
		m.must(decide.StopWorker(m.state, m.at(), ghost, ""))
	}
	m.meter.entered(number, due)
	if m.stateOf(number).Ended() { // because of a parent
		m.settled(number)
	}
}

func (m *machine) enter(number int32, key job.Position) {
	m.keys[number] = key
	m.numbers[key] = number
	b, _ := m.state.Jobs.Brief(key)
	m.family.awaits[number] = b.Parents > 0
}

// set changes a setting, unless the scenario says what it is.
func (m *machine) set(c change) {
	if _, given := m.scenario.Set[c.key]; given {
		return
	}
	rule := func() ([]job.Event, error) { return decide.SetConfig(m.state, m.at(), c.key, c.value) }
	if c.value == "" {
		rule = func() ([]job.Event, error) { return decide.UnsetConfig(m.state, m.at(), c.key) }
	}
	m.must(rule())
}

// interfere does to a job what somebody did to it. If the job is in another state now, it comes too late or
// too early, and nothing happens.
func (m *machine) interfere(o *op) {
	ids := []string{idOf(o.subj)}
	var events []job.Event
	var err error
	switch o.what {
	case retry, retryDead:
		events, err = decide.Retry(m.state, m.at(), ids, o.what == retryDead)
		if retried := slices.IndexFunc(events, isRetry); retried >= 0 {
			e := events[retried].(job.JobRetried)
			if e.Reset = !o.keep; o.wait > 0 {
				e.Due = later(m.now, o.wait)
			}
			events[retried] = e
		}
	case doom:
		m.doom(o.subj)
		return
	case cancel:
		events, err = decide.Cancel(m.state, m.at(), ids)
	case kill:
		events, err = decide.Kill(m.state, m.at(), ids, sigTerm)
	case hold:
		events, err = decide.Hold(m.state, m.at(), ids)
	case release:
		events, err = decide.Release(m.state, m.at(), ids)
	case amend:
		events, err = m.amend(o)
	}
	if err != nil {
		return
	}
	m.fold(events)
	if o.what == hold || o.what == release || o.what == amend {
		return
	}
	if a := m.running[o.subj]; a != nil {
		m.shorten(a, later(m.now, o.wait))
		return
	}
	if m.over[o.subj] && !m.stateOf(o.subj).Ended() {
		if m.over[o.subj] = false; m.record.jobs[o.subj].ended {
			m.left++
		}
	}
	m.settled(o.subj)
}

// amend edits a job as somebody did.
func (m *machine) amend(o *op) ([]job.Event, error) {
	edit := decide.Editing(m.record.edits[o.wait])
	acted, err := decide.Act(m.state, m.at(), edit, decide.Chosen{Keys: []job.Position{m.keys[o.subj]}})
	for _, e := range acted.Events {
		if e := e.(*job.JobEdited); e.Has(job.FieldDue) {
			m.meter.again(o.subj, m.stateOf(o.subj), e.New.Due)
		}
	}
	return acted.Events, err
}

func isRetry(e job.Event) bool { return job.KindOf(e) == job.KindJobRetried }

// shorten lets a run end earlier, because it was asked to.
func (m *machine) shorten(a *active, end int64) {
	if end > a.end {
		return
	}
	a.end = end
	a.outcome.Failure, a.outcome.Result.Signal = job.WhySignal, sigTerm
	if a.source != none && m.record.runs[a.source].cut == asked {
		a.outcome.Failure = m.record.runs[a.source].why // it may have ended well nevertheless
	}
	m.unrun(a)
	heap.Fix(&m.ends, a.place)
}

// unrun gives the job its run again, which did not come to its own end as it did in the record.
func (m *machine) unrun(a *active) {
	if a.source != none && m.record.runs[a.source].cut == whole {
		m.next[a.job], a.source = a.source, none
	}
}

func (m *machine) begin(number int32, c crew) {
	t := &team{crew: c, key: m.position + 1, free: c.slots} // halted, if the record's was
	m.must(decide.StartWorker(m.state, m.at(), &job.WorkerStarted{
		ID: fmt.Sprintf("worker%d", number), Slots: uint32(c.slots),
		Queues: c.lanes.Queues, Kinds: c.lanes.Kinds, Shell: c.lanes.Shell,
	}))
	m.crews = append(m.crews, t)
	m.teams[number] = t
	m.meter.slots += c.slots
}

// runsOf returns what a worker runs, in the order in which it began.
func (m *machine) runsOf(t *team) []*active {
	var runs []*active
	for _, a := range m.ends {
		if a.team == t {
			runs = append(runs, a)
		}
	}
	slices.SortFunc(runs, func(a, b *active) int { return a.order - b.order })
	return runs
}

func (m *machine) giveBack(t *team) {
	for _, a := range m.runsOf(t) {
		m.unrun(a)
		m.conclude(a, decide.Outcome{Job: a.outcome.Job, Run: a.outcome.Run, Returned: job.WhyStop})
	}
}

func (m *machine) lose(t *team) {
	for _, a := range m.runsOf(t) {
		m.unrun(a)
		m.must(decide.RunLost(m.state, m.at(), a.outcome.Job, a.outcome.Run))
		m.release(a)
	}
	m.must(decide.WorkerLost(m.state, m.at(), t.key))
	m.dismiss(t)
}

// dismissIdle lets workers go that have nothing to do any more and are to leave then.
func (m *machine) dismissIdle() {
	for i := len(m.crews) - 1; i >= 0; i-- {
		if t := m.crews[i]; t.free == t.slots && (t.leaving || t.whenIdle && m.idle(t)) {
			m.must(decide.StopWorker(m.state, m.at(), t.key, ""))
			m.dismiss(t)
		}
	}
}

// idle says that no job waits for the worker, and that none runs that may come back to it.
func (m *machine) idle(t *team) bool {
	if m.state.Timeline.Waits(t.lanes) {
		return false
	}
	return !slices.ContainsFunc(m.ends, func(a *active) bool {
		return t.lanes.Queues == nil || slices.Contains(t.lanes.Queues, m.record.jobs[a.job].queue)
	})
}

func (m *machine) dismiss(t *team) {
	i := slices.Index(m.crews, t)
	m.crews = slices.Delete(m.crews, i, i+1)
	m.meter.slots -= t.slots
}

func (m *machine) stateOf(number int32) job.State {
	b, _ := m.state.Jobs.Brief(m.keys[number])
	return b.State
}
