package decide

import (
	"github.com/queuectl/queuectl/job"
)

// maxDeaths is how many jobs die of their deadlines in one commit.
const maxDeaths = 4096

// Expire lets the jobs die that wait and whose deadline has come, the earliest first, or as many of them as one
// commit may hold. There are no events if there are none.
func Expire(s *State, at job.At) ([]job.Event, error) {
	if next, ok := s.Jobs.NextDeadline(); !ok || next > at.Time {
		return nil, nil
	}
	keys := s.Jobs.Expired(at.Time, maxDeaths)
	events := make([]job.Event, len(keys))
	for i, key := range keys {
		events[i] = &job.JobDied{Job: key, Why: job.WhyDeadline}
	}
	return cascade(s, events, nil)
}
