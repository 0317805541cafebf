// Package simulate says what would have happened: it takes what a log records of jobs that came, of how
// long they ran and how they ended, and plays it again under other settings or with other workers. The
// rules are those of package decide and the order is that of package scheduler, the same code that the
// queue itself runs; what is simulated is the clock, the workers and the commands. Nothing is run and
// nothing is written.
//
// What is known happens as it was: jobs come at their times, and each job's runs last and end as its runs
// did, one after the other. What is not known is taken from the record: a run that the job never had is
// that of another job of the same queue and kind at the same attempt, drawn by lot. The lots depend on the
// seed, the job and the number of its run alone, so that the same record, scenario and seed give the same
// answer on every machine, and two scenarios differ by what they say and not by luck.
//
// What people did in the record happens again at its time, as far as it still can: settings, retries,
// cancellations, kills, and workers that start, stop or die. A claim takes no time here, so that the
// simulation of what really was ([Scenario] zero) differs a little from the record; compare the two to see
// how far the model can be trusted.
//
// Jobs wait for those that they come after, and end because of them, as the rules say; those that ended before the record
// began count by how they did. Deadlines hold at their times. Hooks are jobs of the record: they come when they came, but
// not before their jobs have ended, and none is made for a job that ends in another way than it did; see [Record.Hooks].
//
// The package does not know what a command would do under other conditions: runs do not become slower
// because more of them share a machine.
package simulate

import (
	"errors"
	"fmt"

	"github.com/queuectl/queuectl/job"
)

// Scenario is what is different. The zero Scenario is what really was.
type Scenario struct {
	// Set holds settings by key, from the start to the end: what the record set them to does not count. A
	// job whose max_retries was the setting's when it was enqueued is taken for one that says nothing of its
	// own.
	Set map[string]string
	// Workers is the number of runs at a time, in all queues and of all kinds, from the start to the end
	// instead of the record's workers; 0 = these, when they were there.
	Workers int
	Seed    uint64
	// Interrupted is asked now and then whether to give up; nil = never.
	Interrupted func() bool
}

// MostWorkers bounds Scenario.Workers.
const MostWorkers = 1_000_000

// Errors that a caller may branch on.
var (
	// ErrNoEnd says that of no job in the record the end is known: there is nothing to compare.
	ErrNoEnd = errors.New("no job has ended in the record")
	// ErrNoRuns says that no run in the record ended by itself: how long runs take is not known.
	ErrNoRuns = errors.New("no run has ended by itself in the record")
	// ErrEndless says that the simulation came to far more runs than the record has.
	ErrEndless = errors.New("the simulation does not come to an end")
	// ErrInterrupted is the answer to Scenario.Interrupted.
	ErrInterrupted = errors.New("interrupted")
)

// Run simulates. It is over when all jobs have ended of which the record knows the end, but not before the
// record is; or when nothing can happen any more. Errors: those above; job.ErrUnknownKey and
// job.ErrInvalid for settings.
func Run(r *Record, s Scenario) (Measures, error) {
	m, err := newMachine(r, s)
	if err != nil {
		return Measures{}, err
	}
	if err := m.run(); err != nil {
		return Measures{}, err
	}
	return m.meter.measures(r), nil
}

// check refuses what cannot be simulated.
func (s *Scenario) check(r *Record) error {
	config := job.DefaultConfig()
	for _, key := range sortedKeys(s.Set) {
		if _, err := config.Set(key, s.Set[key]); err != nil {
			return err
		}
	}
	if s.Workers < 0 || s.Workers > MostWorkers {
		return fmt.Errorf("%d workers: %w: must be 1 to %d", s.Workers, job.ErrInvalid, MostWorkers)
	}
	switch {
	case r.measured == 0:
		return ErrNoEnd
	case r.pools.all == nil:
		return ErrNoRuns
	}
	return nil
}
