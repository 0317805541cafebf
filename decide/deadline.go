package decide

import (
	"github.com/queuectl/queuectl/job"
)

// maxDeaths is how many jobs die of their deadlines in one commit.
const maxDeaths = 4096

// Expire lets the jobs die that wait and whose deadline has come, the earliest first, or as many of them as one
// commit may hold. Each is followed by its hook, if it has one. There are no events if there are none.
func Expire(s *State, at job.At) ([]job.Event, error) {
	if next, ok := s.Jobs.NextDeadline(); !ok || next > at.Time {
		return nil, nil
	}
	keys := s.Jobs.Expired(at.Time, maxDeaths)
	events := make([]job.Event, 0, len(keys))
	size := 0 // bytes of the hooks
	for _, key := range keys {
		if size > maxTickBytes {
			break
		}
		ended := withHook(s, at, []job.Event{&job.JobDied{Job: key, Why: job.WhyDeadline}}, nil)
		if events = append(events, ended...); len(ended) > 1 {
			size += len(job.AppendEvent(nil, ended[1]))
		}
	}
	return cascade(s, at, events), nil
}
