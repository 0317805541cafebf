package decide

import (
	"github.com/queuectl/queuectl/job"
)

// PauseQueues keeps the jobs of queues from being claimed, all or none; running ones go on. A queue need not
// have been used yet. There is no event for one that is paused already. Error: job.ErrInvalid for a name that no
// queue can have.
func PauseQueues(s *State, _ job.At, names []string) ([]job.Event, error) {
	return eachQueue(names, func(name string) job.Event {
		if s.Jobs.Queue(name).Paused != 0 {
			return nil
		}
		return job.QueuePaused{Queue: name}
	})
}

// ResumeQueues ends what [PauseQueues] began. There is no event for a queue that is not paused.
func ResumeQueues(s *State, _ job.At, names []string) ([]job.Event, error) {
	return eachQueue(names, func(name string) job.Event {
		if s.Jobs.Queue(name).Paused == 0 {
			return nil
		}
		return job.QueueResumed{Queue: name}
	})
}

// eachQueue asks the rule for each queue once; it returns nil for one about which there is nothing to do.
func eachQueue(names []string, rule func(name string) job.Event) (events []job.Event, err error) {
	seen := make(map[string]bool, len(names))
	for _, name := range names {
		if err := job.CheckQueue(name); err != nil {
			return nil, err
		}
		if e := rule(name); e != nil && !seen[name] {
			events = append(events, e)
		}
		seen[name] = true
	}
	return events, nil
}

// LimitQueue changes the limits of a queue: change gets those in force. There is no event if they stay as they
// are. More jobs than a new limit allows may be running: they go on, and none is claimed before there are fewer.
// Error: job.ErrInvalid for a name that no queue can have, or for limits that are none.
func LimitQueue(s *State, _ job.At, name string, change func(*job.Limits)) ([]job.Event, error) {
	if err := job.CheckQueue(name); err != nil {
		return nil, err
	}
	old := s.Jobs.Queue(name).Limits
	limits := old
	change(&limits)
	if err := limits.Check(); err != nil || limits == old {
		return nil, err
	}
	return []job.Event{job.QueueLimited{Queue: name, Concurrency: limits.Concurrency, Rate: limits.Rate, Per: limits.Per}}, nil
}
