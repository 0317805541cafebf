package queue

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/scheduler/cron"
)

// AddCron makes a schedule known, or with replace changes the definition of the one that has its name. It is
// durable when AddCron returns. While a worker runs, each of its ticks enqueues a job with the tag [job.CronTag].
// Jobs run in the directory of the Actor and with its PATH, as if they were enqueued by it. Errors:
// job.ErrInvalid, also for a schedule that never ticks; job.ErrCronExists.
func (q *Queue) AddCron(ctx context.Context, c job.Cron, replace bool) (job.CronEntry, error) {
	c.Job = resident(&q.opt.Actor, c.Job)
	err := q.change(ctx, func(s *decide.State, at job.At) ([]job.Event, error) {
		return decide.AddCron(s, at, c, replace)
	})
	if err != nil {
		return job.CronEntry{}, err
	}
	return q.Cron(ctx, c.Name)
}

// resident completes the spec of a schedule's jobs with what an enqueue takes from its caller: what they enqueue are
// workers, which may be anywhere.
func resident(actor *job.Actor, spec job.Spec) job.Spec {
	spec.OnComplete, spec.OnDead = residentHook(actor, spec.OnComplete), residentHook(actor, spec.OnDead)
	if !filepath.IsAbs(spec.Cwd) {
		spec.Cwd = filepath.Join(actor.Dir, spec.Cwd)
	}
	if _, given := spec.Env["PATH"]; given || actor.Path == "" || spec.Kind != "" {
		return spec
	}
	env := map[string]string{"PATH": actor.Path}
	maps.Copy(env, spec.Env)
	spec.Env = env
	return spec
}

// residentHook is the same for a hook of theirs. An address needs neither.
func residentHook(actor *job.Actor, raw json.RawMessage) json.RawMessage {
	hook, err := job.ParseHook(raw)
	if err != nil || job.IsAddress(hook) {
		return raw // what is wrong will be refused
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil { // a command line
		fields = map[string]json.RawMessage{"command": raw}
	}
	hook = resident(actor, hook)
	fields["cwd"], _ = json.Marshal(hook.Cwd) // a text, and texts, can always be written
	if len(hook.Env) > 0 {
		fields["env"], _ = json.Marshal(hook.Env)
	}
	raw, _ = json.Marshal(fields)
	return raw
}

// PauseCron stops schedules from ticking, or lets them go on, all or none. What would have come while they were
// paused is not missed. Error: job.ErrNoCron.
func (q *Queue) PauseCron(ctx context.Context, paused bool, names ...string) error {
	return q.change(ctx, func(s *decide.State, at job.At) ([]job.Event, error) {
		return decide.PauseCron(s, at, names, paused)
	})
}

// RemoveCron ends schedules, all or none. Their jobs stay. Error: job.ErrNoCron.
func (q *Queue) RemoveCron(ctx context.Context, names ...string) error {
	return q.change(ctx, func(s *decide.State, at job.At) ([]job.Event, error) {
		return decide.RemoveCron(s, at, names)
	})
}

// RunCron enqueues one job of a schedule at once, also of one that is paused. It is no tick, and changes none.
// Errors: job.ErrNoCron, job.ErrQueueFull.
func (q *Queue) RunCron(ctx context.Context, name string) (j job.Job, err error) {
	err = q.change(ctx, func(s *decide.State, at job.At) ([]job.Event, error) {
		events, err := decide.RunCron(s, at, name)
		if err == nil {
			j = enqueued(at, events[0].(*job.JobEnqueued))
		}
		return events, err
	})
	return j, err
}

// Crons returns all schedules by name.
func (q *Queue) Crons(ctx context.Context) (crons []job.CronEntry, err error) {
	err = q.view(ctx, func(s *decide.State) { crons = View{s}.Crons() })
	return crons, err
}

// Cron returns the schedule with this name. Error: job.ErrNoCron.
func (q *Queue) Cron(ctx context.Context, name string) (c job.CronEntry, err error) {
	if viewErr := q.view(ctx, func(s *decide.State) { c, err = View{s}.Cron(name) }); viewErr != nil {
		return job.CronEntry{}, viewErr
	}
	return c, err
}

// CronJobs returns the last jobs of a schedule that the queue still knows, oldest first, at most [job.CronJobs].
// Error: job.ErrNoCron.
func (q *Queue) CronJobs(ctx context.Context, name string) (jobs []job.Job, err error) {
	if viewErr := q.view(ctx, func(s *decide.State) { jobs, err = View{s}.CronJobs(name) }); viewErr != nil {
		return nil, viewErr
	}
	return jobs, err
}

// Crons returns all schedules by name.
func (v View) Crons() []job.CronEntry { return slices.Collect(v.state.Jobs.Crons()) }

// Cron returns the schedule with this name. Error: job.ErrNoCron.
func (v View) Cron(name string) (job.CronEntry, error) {
	c, known := v.state.Jobs.Cron(name)
	if !known {
		return job.CronEntry{}, fmt.Errorf("schedule %q: %w", name, job.ErrNoCron)
	}
	return c, nil
}

// CronJobs returns the last jobs of a schedule that are known, oldest first, at most [job.CronJobs]. Error:
// job.ErrNoCron.
func (v View) CronJobs(name string) ([]job.Job, error) {
	c, err := v.Cron(name)
	if err != nil {
		return nil, err
	}
	var jobs []job.Job
	for _, key := range c.Jobs {
		if j, known := v.state.Jobs.Job(key); known {
			jobs = append(jobs, j)
		}
	}
	return jobs, nil
}

// NextTicks returns the next ticks of a schedule, at most so many: that which is decided, and those that follow
// from its definition. There are none while it is paused.
func NextTicks(c job.CronEntry, n int) []time.Time {
	if c.Next.IsZero() || n < 1 {
		return nil
	}
	ticks := []time.Time{c.Next}
	schedule, err := cron.Parse(c.Schedule, c.Zone)
	if err != nil {
		return ticks // a newer program's
	}
	for len(ticks) < n {
		next, ok := schedule.Next(ticks[len(ticks)-1], c.Anchor)
		if !ok {
			break
		}
		ticks = append(ticks, next)
	}
	return ticks
}

// CheckCron returns an error that wraps job.ErrInvalid if no queue would take the schedule.
func CheckCron(c *job.Cron) error {
	if err := c.Validate(); err != nil {
		return err
	}
	_, err := cron.Parse(c.Schedule, c.Zone)
	return err
}

// ticksNow says that a tick has come or that jobs have to be ended because of a parent, and that this worker may do
// something about it.
func (w *worker) ticksNow(g glance) bool {
	return (g.failing || g.ticks && g.tick <= w.q.opt.Now().UnixNano()) && w.mayClaim()
}

// tick decides the ticks that have come, and ends jobs because of a parent. Other workers may have done so before: then
// there is nothing to do. It reports whether there may be more.
func (w *worker) tick() bool {
	var decided []job.Event
	names := map[job.Position]string{}
	p := w.q.proposal("", func(s *decide.State, at job.At) (events []job.Event, err error) {
		if decided, err = decide.Tick(s, at); err != nil {
			return nil, err
		}
		ended, err := decide.Cascade(s, at)
		decided = append(decided, ended...)
		for _, e := range decided {
			if e, ok := e.(job.CronTicked); ok {
				names[e.Cron] = s.Jobs.CronName(e.Cron)
			}
		}
		return decided, err
	})
	if !w.append(p) {
		return false
	}
	for i, e := range decided {
		if e, ok := e.(job.CronTicked); ok { // right after what it made
			id := ""
			if e.Made != 0 {
				id = decided[i-1].(*job.JobEnqueued).Spec.ID
			}
			w.logTick(names[e.Cron], e, id)
		}
	}
	return len(decided) > 0
}

// logTick says what became of a tick. What the schedule itself asks for is no reason to worry.
func (w *worker) logTick(name string, e job.CronTicked, id string) {
	ev, what := w.logger.Info(), "schedule ticked"
	switch {
	case e.Made != 0:
		ev = ev.Str("job", id)
	case e.Skip == job.SkipOverlap || e.Skip == job.SkipMissed:
		ev, what = ev.Stringer("why", e.Skip), "schedule ticked without a job"
	default:
		ev, what = w.logger.Warn().Stringer("why", e.Skip), "schedule ticked without a job"
	}
	if e.Since != 0 {
		ev = ev.Time("since", time.Unix(0, e.Since).UTC())
	}
	ev.Str("schedule", name).Time("tick", time.Unix(0, e.Tick).UTC()).Msg(what)
}
