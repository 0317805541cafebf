package simulate

import (
	"slices"
	"time"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/job"
)

// kin is a job of the record that another one comes after.
type kin struct {
	number int32
	on     job.AfterOn
}

// descend notes which jobs a new one comes after. Those that ended before the record began, but for dead ones, are
// known no more: they have ended as they should, unless the log says next that the job ends because of one.
func (r *Recorder) descend(key job.Position, j *tracked, after []job.Parent) {
	for _, p := range after {
		state, known := r.fate(p.Key)
		if !known {
			continue
		}
		j.after = append(j.after, job.Parent{Key: p.Key, On: p.On})
		r.children[p.Key] = append(r.children[p.Key], key)
		switch {
		case p.On.Met(state):
		case state.Ended() && j.onParent == job.ParentRelease:
			j.left = 0
			return
		default:
			j.left++
		}
	}
}

// fate is the state of a job, as far as it is known.
func (r *Recorder) fate(key job.Position) (job.State, bool) {
	if j := r.live[key]; j != nil {
		return j.state, true
	}
	number, known := r.numbers[key]
	if !known {
		return 0, false
	}
	return r.meter.jobs[number].state, true
}

// kin are the parents that count in the record, of a job that gets its place in it.
func (r *Recorder) kin(j *tracked) (list []kin) {
	if j.left == 0 && !r.open {
		return nil // it waits for none of them
	}
	for _, p := range j.after {
		if number, known := r.numbers[p.Key]; known {
			list = append(list, kin{number, p.On})
		}
	}
	return list
}

// doomed says that a job waits for one that has ended in another way than it should: what the log says next is its end.
func (r *Recorder) doomed(j *tracked) bool {
	unmet := 0
	for _, p := range j.after {
		if parent := r.live[p.Key]; parent != nil && !parent.state.Ended() {
			unmet++
		}
	}
	return j.left > unmet
}

// tellChildren says to the jobs that wait for one that it has ended.
func (r *Recorder) tellChildren(key job.Position, state job.State) {
	for _, child := range r.children[key] {
		j := r.live[child]
		if j == nil || j.left == 0 {
			continue
		}
		switch i := slices.IndexFunc(j.after, func(p job.Parent) bool { return p.Key == key }); {
		case j.after[i].On.Met(state):
			j.left--
		case j.onParent == job.ParentRelease:
			j.left = 0
		default:
			continue // the log says next what becomes of it
		}
		if j.left > 0 {
			continue
		}
		if j.since = max(j.since, r.clock.last); j.number != none {
			r.meter.freed(j.number)
		}
	}
}

// revived says to the jobs that wait still that a dead one is back, for which they had waited enough.
func (r *Recorder) revived(key job.Position) {
	for _, child := range r.children[key] {
		if j := r.live[child]; j != nil && j.left > 0 {
			i := slices.IndexFunc(j.after, func(p job.Parent) bool { return p.Key == key })
			if j.after[i].On.Met(job.Dead) {
				j.left++
			}
		}
	}
}

// endsByParent follows the end of a job that waited, because of another one: the rules come to that themselves, if that
// one is in the record.
func (r *Recorder) endsByParent(j *tracked, parent job.Position, how what) {
	if _, known := r.numbers[parent]; !known && j.number != none {
		r.step(how, j.number)
	}
}

// family is who comes after whom in a simulation, by the numbers of the jobs.
type family struct {
	children [][]int32
	awaits   []bool // parents
}

func familyOf(r *Record) family {
	f := family{make([][]int32, len(r.jobs)), make([]bool, len(r.jobs))}
	for i := range r.jobs {
		for _, p := range r.jobs[i].parents {
			f.children[p.number] = append(f.children[p.number], int32(i))
		}
	}
	return f
}

// ended looks at the jobs that came after one that has ended.
func (m *machine) ended(number int32) {
	for _, child := range m.family.children[number] {
		if !m.family.awaits[child] {
			continue
		}
		if b, known := m.state.Jobs.Brief(m.keys[child]); known && b.Parents == 0 {
			if m.family.awaits[child] = false; b.State.Waiting() {
				m.meter.freed(child)
			}
		}
	}
}

// expire does what a worker sees to: jobs whose deadline has come, and what follows from the end of others in further
// commits.
func (m *machine) expire() {
	if !slices.ContainsFunc(m.crews, func(t *team) bool { return !t.halted }) {
		return
	}
	for _, rule := range []func(*decide.State, job.At) ([]job.Event, error){decide.Expire, decide.Cascade} {
		for {
			events, err := rule(m.state, m.at())
			if m.must(events, err); len(events) == 0 {
				break
			}
		}
	}
}

// doom ends a job that waits, because of one which is not in the record.
func (m *machine) doom(number int32) {
	if m.stateOf(number).Waiting() {
		m.must([]job.Event{&job.JobDied{Job: m.keys[number], Why: job.WhyDeadline}}, nil)
	}
}

// limit is how long a run may last that begins then; 0 = as long as it likes.
func limit(r *decide.Run, began int64) time.Duration {
	if r.Deadline.IsZero() {
		return r.Timeout
	}
	const unit = time.Millisecond // as workers have it
	left := (max(1, time.Duration(r.Deadline.UnixNano()-began)) + unit - 1).Truncate(unit)
	if r.Timeout > 0 {
		left = min(left, r.Timeout)
	}
	return left
}
