package decide

import (
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/queuectl/queuectl/job"
)

// withHook adds to the end of a job, which is the first of the events, the job that its spec wants then: in the same
// commit, so that it is never lost. taken says of more ids than those in the state that no hook may have them.
func withHook(s *State, at job.At, events []job.Event, taken func(id string) bool) []job.Event {
	end, ends := endingOf(events[0])
	if !ends {
		return events
	}
	if onComplete, onDead := s.Jobs.Hooks(end.job); end.hook(onComplete, onDead) == nil {
		return events // most have none, and are not decoded for that
	}
	j, _ := s.Jobs.Job(end.job)
	if hook := hookOf(s, at, &j, end, taken); hook != nil {
		events = append(events, hook)
	}
	return events
}

// jobEnd is the end of a job, as far as its hook is told of it.
type jobEnd struct {
	job, run job.Position
	state    job.State
	exit     string // code of the run; "" = it had none
	failed   uint32 // attempts that failed with this end
}

// endingOf returns the end that an event tells of, if it is one that has hooks.
func endingOf(e job.Event) (end jobEnd, ends bool) {
	switch e := e.(type) {
	case *job.JobCompleted:
		return jobEnd{job: e.Job, run: e.Run, state: job.Completed, exit: strconv.Itoa(int(e.Result.Exit))}, true
	case *job.JobDied:
		end = jobEnd{job: e.Job, run: e.Run, state: job.Dead}
		if e.Failure == job.WhyExit {
			end.exit = strconv.Itoa(int(e.Result.Exit))
		}
		if e.Failure != job.WhyNone {
			end.failed = 1
		}
		return end, true
	}
	return jobEnd{}, false
}

// hook is that of the two which is for this end.
func (end *jobEnd) hook(onComplete, onDead []byte) []byte {
	if end.state == job.Dead {
		return onDead
	}
	return onComplete
}

// hookOf returns the hook of the end of a job, nil if it has none. It comes after the job, which has ended, so that each
// leads to the other; it runs where the job was enqueued, and finds what that one finds. It is not refused for anything:
// the queue_max of its queue does not count, and a taken id makes it take another.
func hookOf(s *State, at job.At, j *job.Job, end jobEnd, taken func(id string) bool) *job.JobEnqueued {
	raw := end.hook(j.Spec.OnComplete, j.Spec.OnDead)
	if raw == nil {
		return nil
	}
	spec, err := job.ParseHook(raw)
	if err != nil {
		return nil // written by another program, whose hooks are others
	}
	id := job.HookID(j.Key, end.run)
	spec.ID = id
	for n := 2; s.Jobs.Key(spec.ID) != 0 || taken != nil && taken(spec.ID); n++ {
		spec.ID = id + "-" + strconv.Itoa(n)
	}
	spec.After = []job.Parent{{ID: j.Spec.ID, Key: j.Key, On: job.OnAny}}
	if spec.Queue == "" {
		spec.Queue = job.HookQueue
	}
	if spec.MaxRetries == nil {
		spec.MaxRetries = new(s.Jobs.Config().MaxRetries)
	}
	switch {
	case j.CallerDir == "" || isAbsolute(spec.Cwd):
	case spec.Cwd == "":
		spec.Cwd = j.CallerDir
	default:
		spec.Cwd = j.CallerDir + "/" + spec.Cwd
	}
	spec.Env = hookEnv(at, j, end, spec.Env)
	e := &job.JobEnqueued{Spec: spec, Due: dueTime(&spec, at.Time)}
	if spec.DeadlineIn != 0 {
		e.Spec.Deadline = time.Unix(0, later(at.Time, spec.DeadlineIn)).UTC()
	}
	e.Spec.RunAt, e.Spec.Delay, e.Spec.DeadlineIn = time.Time{}, 0, 0
	return e
}

// hookEnv is the environment of a hook: its own, the PATH of its job, and what it is told of its job.
func hookEnv(at job.At, j *job.Job, end jobEnd, own map[string]string) map[string]string {
	env := map[string]string{}
	if j.CallerPath != "" && (at.Actor == nil || at.Actor.Path != j.CallerPath) {
		env["PATH"] = j.CallerPath
	}
	maps.Copy(env, own)
	if j.Spec.Kind != "" {
		end.exit = "" // a handler has none
	}
	maps.Copy(env, map[string]string{
		job.HookJob: j.Spec.ID, job.HookState: end.state.String(), job.HookExitCode: end.exit,
		job.HookAttempts: strconv.FormatUint(uint64(j.Attempts+end.failed), 10),
	})
	return env
}

// isAbsolute says whether a directory is one wherever it is named, on any system: the rules do not know theirs.
func isAbsolute(dir string) bool {
	return strings.HasPrefix(dir, "/") || strings.HasPrefix(dir, `\`) || len(dir) > 1 && dir[1] == ':'
}
