package simulate

import (
	"slices"
	"time"

	"github.com/queuectl/queuectl/job"
)

// Measures are the figures of a record or of a simulation. They are about the jobs of which the record
// knows the end, so that the figures of all simulations of a record are about the same jobs; Ended and
// Refused alone are about all jobs.
type Measures struct {
	Jobs                       int // that are measured
	Completed, Dead, Cancelled int // of these, how they ended
	Waiting                    int // … and how many did not
	Ended                      int // of all jobs, how many had ended when the record did
	Refused                    int // of all jobs, how many the settings did not admit

	Runs    int // of the measured jobs: every start
	Retries int // … that followed a failed one

	Wait       Spread        // of every run: from the moment that it was due to its start
	Turnaround Spread        // of every job: from the moment that it might run to its end
	Makespan   time.Duration // from the first of the jobs to the end of the last
	Throughput float64       // jobs that were completed in a second of the makespan

	Busy        time.Duration // of all slots together, by all jobs, within the makespan
	Slots       float64       // that there were, on average
	Utilisation float64       // the part of them that was busy: 0–1
}

// Spread says how a duration is spread: half are at most P50, and so on (nearest rank).
type Spread struct{ P50, P90, P99, Max time.Duration }

// meter measures what happens, whether it is a record or a simulation that it is told of.
type meter struct {
	jobs  []metered // by number
	waits []wait
	now   int64
	slots int
	busy  int
	sums  sums
}

// metered is what is kept of a job.
type metered struct {
	state   job.State
	entered int64 // when it was there
	since   int64 // waiting: due since then
	first   int64 // when it might run
	over    int64 // when it ended
	in, out sums  // when it came, and when it ended
	runs    int32
	retries int32
}

// wait is the wait of one run.
type wait struct {
	job  int32
	time int64
}

// sums are the nanoseconds of all slots up to a moment.
type sums struct{ busy, slots float64 }

// move lets time pass up to now.
func (m *meter) move(now int64) {
	if now <= m.now {
		return
	}
	passed := float64(now - m.now)
	// The conversions forbid the compiler to fuse the operations: every machine gets the same sums.
	m.sums.busy += float64(passed * float64(m.busy))
	m.sums.slots += float64(passed * float64(m.slots))
	m.now = now
}

func (m *meter) entered(number int32, due int64) {
	for int(number) >= len(m.jobs) {
		m.jobs = append(m.jobs, metered{})
	}
	since := max(m.now, due)
	m.jobs[number] = metered{state: job.Pending, entered: m.now, since: since, first: since, in: m.sums}
}

// reentered tells of a job that was there before.
func (m *meter) reentered(number int32, state job.State, since int64) {
	m.entered(number, 0)
	j := &m.jobs[number]
	j.state, j.first, j.since = state, since, since
	if state == job.Processing {
		m.busy++
	}
}

func (m *meter) claimed(number int32) {
	j := &m.jobs[number]
	if j.runs++; j.state == job.Failed {
		j.retries++
	}
	m.waits = append(m.waits, wait{number, max(0, m.now-j.since)})
	j.state = job.Processing
	m.busy++
}

// again tells of a job that waits again, until due or, if that has passed, for a slot.
func (m *meter) again(number int32, state job.State, due int64) {
	j := &m.jobs[number]
	m.released(j)
	j.state, j.since = state, max(m.now, due)
}

// freed tells of a job that waits for no other job any more.
func (m *meter) freed(number int32) {
	j := &m.jobs[number]
	j.since, j.first = max(j.since, m.now), max(j.first, m.now)
}

func (m *meter) ended(number int32, state job.State) {
	j := &m.jobs[number]
	m.released(j)
	j.state, j.over, j.out = state, m.now, m.sums
}

func (m *meter) released(j *metered) {
	if j.state == job.Processing {
		m.busy--
	}
}

// measures returns the figures, of the jobs that ended in the record.
func (m *meter) measures(r *Record) Measures {
	var out Measures
	var first, last *metered
	var turnarounds []int64
	for i := range r.jobs {
		var j metered // refused, as long as nothing else is known
		if i < len(m.jobs) {
			j = m.jobs[i]
		}
		out.count(&j, r.jobs[i].ended, r.end)
		if !r.jobs[i].ended || j.state == 0 {
			continue
		}
		if first == nil {
			first = &m.jobs[i]
		}
		if !j.state.Ended() {
			continue
		}
		turnarounds = append(turnarounds, max(0, j.over-j.first))
		if last == nil || j.over > last.over {
			last = &m.jobs[i]
		}
	}
	out.Wait, out.Turnaround = spread(m.waitsOf(r)), spread(turnarounds)
	if last != nil {
		out.within(first, last)
	}
	return out
}

// count counts a job, which is measured or not.
func (out *Measures) count(j *metered, measured bool, end int64) {
	switch {
	case j.state == 0:
		out.Refused++
	case j.state.Ended() && j.over <= end:
		out.Ended++
	}
	if !measured {
		return
	}
	out.Jobs++
	out.Runs += int(j.runs)
	out.Retries += int(j.retries)
	switch {
	case j.state == job.Completed:
		out.Completed++
	case j.state == job.Dead:
		out.Dead++
	case j.state == job.Cancelled:
		out.Cancelled++
	case j.state != 0:
		out.Waiting++
	}
}

// within takes the figures of the time between the entry of the first job and the end of the last.
func (out *Measures) within(first, last *metered) {
	out.Makespan = time.Duration(last.over - first.entered)
	busy, slots := last.out.busy-first.in.busy, last.out.slots-first.in.slots
	out.Busy = time.Duration(busy)
	if slots > 0 {
		out.Utilisation = busy / slots
	}
	if seconds := out.Makespan.Seconds(); seconds > 0 {
		out.Throughput = float64(out.Completed) / seconds
		out.Slots = slots / float64(out.Makespan)
	}
}

// waitsOf returns the waits of the jobs that are measured.
func (m *meter) waitsOf(r *Record) []int64 {
	times := make([]int64, 0, len(m.waits))
	for _, w := range m.waits {
		if r.jobs[w.job].ended {
			times = append(times, w.time)
		}
	}
	return times
}

func spread(times []int64) Spread {
	if len(times) == 0 {
		return Spread{}
	}
	slices.Sort(times)
	rank := func(percent int) time.Duration {
		return time.Duration(times[(len(times)*percent+99)/100-1])
	}
	return Spread{P50: rank(50), P90: rank(90), P99: rank(99), Max: rank(100)}
}
