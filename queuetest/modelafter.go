package queuetest

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/queuectl/queuectl/job"
)

// modelParent is a job that another one comes after.
type modelParent struct {
	job *modelJob
	on  job.AfterOn
}

// modelHook is what a job wants when it ends.
type modelHook struct{ queue string }

// modelEnd is the end of a job that a hook is told of.
type modelEnd struct {
	of     *modelJob
	state  job.State
	failed uint32 // attempts
}

// unmet counts the parents that have not ended as they should, unless the job waits for none any more.
func (j *modelJob) unmet() (n int) {
	for _, p := range j.parents {
		if !j.letGo && !p.on.Met(p.job.state) {
			n++
		}
	}
	return n
}

// broken says whether a parent has ended in another way than it should.
func (j *modelJob) broken() bool {
	for _, p := range j.parents {
		if p.job.state.Ended() && !p.on.Met(p.job.state) {
			return true
		}
	}
	return false
}

// descend reads what a spec says about parents and hooks. born stands for ids of specs that came with it.
func (j *modelJob) descend(s *job.Spec, born map[string]*modelJob, m *model) error {
	for _, p := range s.After {
		parent := born[p.ID]
		if parent == nil {
			parent = m.find(p.ID)
		}
		if parent == nil {
			return job.ErrNotFound
		}
		for _, other := range j.parents {
			if other.job == parent {
				return job.ErrInvalid
			}
		}
		j.parents = append(j.parents, modelParent{parent, p.On})
	}
	j.onParent, j.letGo = s.OnParentFailure, len(j.parents) == 0
	j.onComplete, j.onDead = hookIn(s.OnComplete), hookIn(s.OnDead)
	return nil
}

// hookIn reads a hook that hookSpec has drawn.
func hookIn(raw json.RawMessage) *modelHook {
	if raw == nil {
		return nil
	}
	var hook struct{ Queue string }
	if err := json.Unmarshal(raw, &hook); err != nil {
		panic(fmt.Sprintf("queuetest: %s was drawn as a hook: %v", raw, err))
	}
	if hook.Queue == "" {
		hook.Queue = job.HookQueue
	}
	return &modelHook{hook.Queue}
}

// judge says what a job's parents mean for it, and whether it has ended because of them.
func (m *model) judge(j *modelJob, now time.Time) (ended bool) {
	switch {
	case j.letGo || j.state.Ended():
		return false
	case !j.broken(), j.onParent == job.ParentRelease:
		j.letGo = j.broken() || j.unmet() == 0
		return false
	case j.onParent == job.ParentCancel:
		m.over(j, job.Cancelled, now)
	default:
		m.over(j, job.Dead, now)
	}
	return true
}

// end ends a job, and all that can no longer be as it should, in the order in which one follows from the other.
func (m *model) end(j *modelJob, state job.State, now time.Time) {
	m.over(j, state, now)
	m.follow([]*modelJob{j}, now)
}

func (m *model) follow(ended []*modelJob, now time.Time) {
	for ; len(ended) > 0; ended = ended[1:] {
		for _, child := range m.jobs {
			for _, p := range child.parents {
				if p.job == ended[0] && m.judge(child, now) {
					ended = append(ended, child)
				}
			}
		}
	}
}

// over ends one job. What it wants to follow then is enqueued at once.
func (m *model) over(j *modelJob, state job.State, now time.Time) {
	j.state, j.due, j.held, j.letGo = state, time.Time{}, false, true
	hook := map[job.State]*modelHook{job.Completed: j.onComplete, job.Dead: j.onDead}[state]
	if hook == nil {
		return
	}
	made := &modelJob{
		state: job.Pending, queue: hook.queue, maxRetries: m.config.MaxRetries, letGo: true,
		rank: m.dueNow(now), hookOf: &modelEnd{of: j, state: state, failed: j.attempts},
	}
	m.jobs = append(m.jobs, made)
}

// dueNow is the time since which a job is due that is due at once.
func (m *model) dueNow(now time.Time) time.Time {
	if now.After(m.latest) {
		m.latest = now
	}
	return m.latest
}

// recognise says why a job is not the hook that the model has, "" if it is. Its id is the log's choice.
func (j *modelJob) recognise(real job.Job) string {
	end := j.hookOf
	if end == nil {
		return ""
	}
	env := real.Spec.Env
	if env[job.HookJob] != end.of.id || env[job.HookState] != end.state.String() || env[job.HookAttempts] != strconv.Itoa(int(end.failed)) {
		return fmt.Sprintf("its environment is %v, and it is the hook of %s, %v after %d failed attempts", env, end.of.id, end.state, end.failed)
	}
	if len(real.Spec.After) != 1 || real.Spec.After[0].ID != end.of.id || !job.IsHookID(real.Spec.ID, real.Spec.After[0].Key) {
		return fmt.Sprintf("it comes after %v", real.Spec.After)
	}
	if j.id == "" {
		j.id = real.Spec.ID
	}
	return ""
}
