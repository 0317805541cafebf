package decide

import (
	"encoding/json"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/queuectl/queuectl/job"
)

// withHook adds to the end of a job the job that its spec wants then: in the same commit, so that it is never lost.
// It is not refused for anything: the queue_max of its queue does not count.
func withHook(s *State, at job.At, events []job.Event) []job.Event {
	var key, run job.Position
	state, exit, failed := job.Completed, "", uint32(0)
	switch e := events[0].(type) {
	case *job.JobCompleted:
		key, run, exit = e.Job, e.Run, strconv.Itoa(int(e.Result.Exit))
	case *job.JobDied:
		key, run, state = e.Job, e.Run, job.Dead
		if e.Failure == job.WhyExit {
			exit = strconv.Itoa(int(e.Result.Exit))
		}
		if e.Failure != job.WhyNone {
			failed = 1
		}
	default:
		return events
	}
	raw, onDead := s.Jobs.Hooks(key)
	if state == job.Dead {
		raw = onDead
	}
	if raw == nil {
		return events
	}
	j, _ := s.Jobs.Job(key)
	if j.Spec.Kind != "" {
		exit = "" // a handler has none
	}
	e, err := hookOf(s, at, &j, raw, run)
	if err != nil {
		return events // written by another program, whose hooks are others
	}
	maps.Copy(e.Spec.Env, map[string]string{
		job.HookJob: j.Spec.ID, job.HookState: state.String(), job.HookExitCode: exit,
		job.HookAttempts: strconv.FormatUint(uint64(j.Attempts+failed), 10),
	})
	return append(events, e)
}

// hookOf returns the hook of a run of a job, which runs where the job was enqueued, and finds what that one finds.
func hookOf(s *State, at job.At, j *job.Job, raw json.RawMessage, run job.Position) (*job.JobEnqueued, error) {
	spec, err := job.ParseHook(raw)
	if err != nil {
		return nil, err
	}
	id := job.HookID(j.Key, run)
	spec.ID = id
	for n := 2; s.Jobs.Key(spec.ID) != 0; n++ {
		spec.ID = id + "-" + strconv.Itoa(n)
	}
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
	env := map[string]string{}
	if j.CallerPath != "" && (at.Actor == nil || at.Actor.Path != j.CallerPath) {
		env["PATH"] = j.CallerPath
	}
	maps.Copy(env, spec.Env)
	spec.Env = env
	e := &job.JobEnqueued{Spec: spec, Due: dueTime(&spec, at.Time)}
	e.Spec.RunAt, e.Spec.Delay = time.Time{}, 0
	return e, nil
}

// isAbsolute says whether a directory is one wherever it is named, on any system: the rules do not know theirs.
func isAbsolute(dir string) bool {
	return strings.HasPrefix(dir, "/") || strings.HasPrefix(dir, `\`) || len(dir) > 1 && dir[1] == ':'
}
