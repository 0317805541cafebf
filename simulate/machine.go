package simulate

import (
	"container/heap"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
)

// machine is one simulation: a queue whose clock jumps from one thing that happens to the next.
type machine struct {
	record   *Record
	scenario Scenario
	meter    *meter
	told     func(job.At, job.Event) // of every event, for tests; nil = nobody

	state    *decide.State
	now      int64
	position job.Position // of the last event

	keys    []job.Position         // by the number of the job; 0 = not there
	numbers map[job.Position]int32 // the other way round
	next    []int32                // of the job's runs in the record; none = no more
	running map[int32]*active      // by the number of the job
	ends    ends
	left    int    // measured jobs that have not ended
	over    []bool // by the number of the job: the meter knows its end
	family  family

	crews  []*team         // that have not left, in order of their start
	teams  map[int32]*team // by the number of the crew in the record, also those that have left
	step   int             // of the script
	budget int             // runs
}

// team is a worker in a simulation.
type team struct {
	crew
	key      job.Position
	free     int
	leaving  bool // as soon as nothing runs
	whenIdle bool // … and nothing is left to do
}

// active is a run.
type active struct {
	job     int32
	team    *team
	end     int64
	order   int // of two that end together the first begun comes first
	place   int // in ends
	run     run
	source  int32 // the job's own run in the record; none = it has no more
	outcome decide.Outcome
}

// ends are the runs under way, by their ends.
type ends []*active

func (e ends) Len() int { return len(e) }
func (e ends) Less(i, j int) bool {
	if e[i].end != e[j].end {
		return e[i].end < e[j].end
	}
	return e[i].order < e[j].order
}

func (e ends) Swap(i, j int) {
	e[i], e[j] = e[j], e[i]
	e[i].place, e[j].place = i, j
}

func (e *ends) Push(x any) {
	a := x.(*active)
	a.place = len(*e)
	*e = append(*e, a)
}

func (e *ends) Pop() any {
	last := len(*e) - 1
	a := (*e)[last]
	(*e)[last] = nil
	*e = (*e)[:last]
	return a
}

func newMachine(r *Record, s Scenario) (*machine, error) {
	if err := s.check(r); err != nil {
		return nil, err
	}
	const atLeast, perRun = 10_000, 100 // runs
	m := &machine{
		record: r, scenario: s, meter: &meter{}, state: decide.NewState(),
		keys: make([]job.Position, len(r.jobs)), next: make([]int32, len(r.jobs)),
		numbers: map[job.Position]int32{}, running: map[int32]*active{}, teams: map[int32]*team{},
		over: make([]bool, len(r.jobs)), family: familyOf(r), left: r.measured, budget: atLeast + perRun*len(r.runs),
	}
	for i := range r.jobs {
		m.next[i] = r.jobs[i].first
	}
	return m, nil
}

func sortedKeys(set map[string]string) []string { return slices.Sorted(maps.Keys(set)) }

// at is where the next event stands.
func (m *machine) at() job.At {
	return job.At{Position: m.position + 1, Time: m.now}
}

// fold takes decided events into the state.
func (m *machine) fold(events []job.Event) {
	for _, e := range events {
		at := m.at()
		m.position++
		m.state.Fold(at, e)
		if m.told != nil {
			m.told(at, e)
		}
		if number, known := m.numbers[job.Of(e)]; known && m.stateOf(number).Ended() {
			m.settled(number)
		}
	}
}

// run runs until the measured jobs have ended and the record is over, or nothing can happen any more.
func (m *machine) run() error {
	m.prepare()
	for steps := 0; ; steps++ {
		m.expire()
		if err := m.claim(); err != nil {
			return err
		}
		next, ok := m.soonest()
		if !ok || m.left == 0 && m.now >= m.record.end {
			return nil
		}
		const often = 1024
		if steps%often == 0 && m.scenario.Interrupted != nil && m.scenario.Interrupted() {
			return ErrInterrupted
		}
		m.now = max(m.now, next)
		m.meter.move(m.now)
		for len(m.ends) > 0 && m.ends[0].end <= m.now {
			m.finish(m.ends[0])
		}
		for m.step < len(m.record.script) && m.record.script[m.step].at <= m.now {
			m.step++
			m.act(&m.record.script[m.step-1])
		}
		m.dismissIdle()
	}
}

// soonest returns when the next thing happens.
func (m *machine) soonest() (at int64, ok bool) {
	at = math.MaxInt64
	if m.step < len(m.record.script) {
		at, ok = m.record.script[m.step].at, true
	}
	if len(m.ends) > 0 {
		at, ok = min(at, m.ends[0].end), true
	}
	for _, t := range m.crews {
		if deadline, dated := m.state.Jobs.NextDeadline(); dated && !t.halted {
			at, ok = min(at, deadline), true
		}
		if t.free > 0 && !t.halted {
			if due, waits := m.state.Timeline.NextDue(t.lanes); waits {
				at, ok = min(at, due), true
			}
		}
	}
	return at, ok
}

// claim lets every free slot take what is due.
func (m *machine) claim() error {
	for _, t := range m.crews {
		for t.free > 0 && !t.halted {
			events, err := decide.Claim(m.state, m.at(), t.key, t.lanes)
			if errors.Is(err, job.ErrNothingDue) {
				break
			}
			if err != nil {
				panic(fmt.Sprintf("simulate: a worker that is there cannot claim: %v", err))
			}
			if m.budget--; m.budget < 0 {
				return ErrEndless
			}
			m.fold(events)
			number := m.numbers[events[0].(job.JobClaimed).Job] // expire has seen to the deadlines
			m.meter.claimed(number)
			m.start(number, t, m.now)
		}
	}
	return nil
}

// start begins the run that was just claimed, at the given time.
func (m *machine) start(number int32, t *team, began int64) {
	key := m.keys[number]
	b, _ := m.state.Jobs.Brief(key)
	r, err := decide.Prepare(m.state, key, b.Run)
	if err != nil {
		panic(fmt.Sprintf("simulate: the run just claimed is not current: %v", err))
	}
	a := m.nextRun(number, &b)
	next := a.run.under(limit(&r, began))
	a.job, a.team, a.end, a.order = number, t, later(began, next.held), int(m.position)
	a.outcome = decide.Outcome{Job: key, Run: b.Run, Failure: next.why}
	a.outcome.Result = job.Result{Start: began, Timeout: next.timeout, Exit: next.exit}
	if next.took < a.run.took {
		m.unrun(a) // the timeout is too short for it, and will be at the next attempt
	}
	t.free--
	m.running[number] = a
	heap.Push(&m.ends, a)
}

// nextRun returns the next run of the job: as it was or, if it had no more, one that is drawn. A run that
// was cut short is a drawn one as well, that lasts at least as long as it did.
func (m *machine) nextRun(number int32, b *projection.Brief) *active {
	n := m.next[number]
	if n == none {
		return &active{run: m.draw(number, b), source: none}
	}
	known := &m.record.runs[n]
	m.next[number] = known.next
	if known.cut == whole {
		return &active{run: *known, source: n}
	}
	a := &active{run: m.draw(number, b), source: n}
	if known.cut == asked || m.scenario.Workers == 0 {
		a.run.held, a.run.took = max(a.run.held, known.held), max(a.run.took, known.took)
	}
	return a
}

func (m *machine) draw(number int32, b *projection.Brief) run {
	e := &m.record.jobs[number]
	return m.record.runs[m.record.pools.draw(lane{e.queue, e.kind}, b.Attempts, lot(m.scenario.Seed, number, b.Runs))]
}

// under returns how a run ends under a timeout; 0 = none. A run that ran into one is known only to last
// longer than that: under another it fails there, and under none where it did.
func (r run) under(timeout time.Duration) run {
	if timeout > 0 && (int64(timeout) < r.took || r.why == job.WhyTimeout && timeout != r.timeout) {
		overhead := r.held - r.took
		r.took, r.why, r.timeout = int64(timeout), job.WhyTimeout, timeout
		r.held = later(r.took, overhead)
	}
	return r
}

// finish ends a run as it ends by itself.
func (m *machine) finish(a *active) {
	a.outcome.Result.End = m.now
	m.conclude(a, a.outcome)
}

// conclude ends a run.
func (m *machine) conclude(a *active, o decide.Outcome) {
	m.must(decide.Finish(m.state, m.at(), o, m.record.base))
	m.release(a)
}

// must folds what a rule has decided that cannot refuse.
func (m *machine) must(events []job.Event, err error) {
	if err != nil {
		panic(fmt.Sprintf("simulate: the rules refuse what must happen: %v", err))
	}
	m.fold(events)
}

// release gives a slot back, and looks at what became of the job.
func (m *machine) release(a *active) {
	heap.Remove(&m.ends, a.place)
	delete(m.running, a.job)
	a.team.free++
	m.settled(a.job)
}

// settled tells the meter what became of a job.
func (m *machine) settled(number int32) {
	b, _ := m.state.Jobs.Brief(m.keys[number])
	if b.State.Ended() {
		if m.over[number] {
			return
		}
		m.over[number] = true
		m.meter.ended(number, b.State)
		if m.record.jobs[number].ended {
			m.left--
		}
		m.ended(number)
		return
	}
	m.meter.again(number, b.State, b.Schedule.Due)
}
