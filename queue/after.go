package queue

import (
	"context"
	"slices"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
)

// Relative is a parent or a child of a job.
type Relative struct {
	ID    string      // "#7" for a parent at position 7 that has left the queue
	State job.State   // 0 = it has left the queue
	On    job.AfterOn // how the parent has to end
	Key   job.Position
}

// Parents returns the jobs that the one with this id comes after, in the order of its spec. Error: job.ErrNotFound.
func (v View) Parents(id string) (list []Relative, err error) {
	j, err := v.Job(id)
	for _, p := range j.Spec.After {
		list = append(list, v.relative(p))
	}
	return list, err
}

func (v View) relative(p job.Parent) Relative {
	p.ID = v.state.Jobs.ID(p.Key)
	b, _ := v.state.Jobs.Brief(p.Key)
	return Relative{ID: p.String(), State: b.State, On: p.On, Key: p.Key}
}

// Children returns the jobs that come after the one with this id and are in the queue, in order of enqueue, and how
// many they are; at most so many are returned, 0 = all. Its hooks are not among them. Error: job.ErrNotFound.
func (v View) Children(id string, most int) (list []Relative, n int, err error) {
	j, err := v.Job(id)
	if err != nil {
		return nil, 0, err
	}
	for c := range v.state.Jobs.Children(j.Key, 0) {
		r := v.relative(job.Parent{Key: c.Key, On: c.On})
		if r.State == 0 || v.isHook(&j, c.Key, r.ID) {
			continue
		}
		if n++; most == 0 || n <= most {
			list = append(list, r)
		}
	}
	return list, n, nil
}

// Hooks returns the jobs that the ends of the one with this id have become, as far as they are in the queue, in order
// of enqueue. What each is told of its end is in its environment: see [job.HookState]. Error: job.ErrNotFound.
func (v View) Hooks(id string) ([]job.Job, error) {
	j, err := v.Job(id)
	if err != nil {
		return nil, err
	}
	return v.hooks(&j), nil
}

func (v View) hooks(j *job.Job) (hooks []job.Job) {
	if j.Spec.OnComplete == nil && j.Spec.OnDead == nil {
		return nil
	}
	for c := range v.state.Jobs.Children(j.Key, 0) {
		if v.isHook(j, c.Key, v.state.Jobs.ID(c.Key)) {
			hook, _ := v.state.Jobs.Job(c.Key)
			hooks = append(hooks, hook)
		}
	}
	return hooks
}

// isHook says whether a child is there as a hook of its parent: the id of such a child says so, and so does a variable
// that nobody sets by chance.
func (v View) isHook(parent *job.Job, child job.Position, id string) bool {
	if !job.IsHookID(id, parent.Key) {
		return false
	}
	spec, _ := v.state.Jobs.Spec(child)
	return spec.Env[job.HookJob] == parent.Spec.ID
}

// endChildren ends jobs because of their parents for which the commits that ended these had no room: whoever changes
// the queue goes on with that, or waits for jobs, or works. It says whether there were any.
func (q *Queue) endChildren(ctx context.Context) (some bool, err error) {
	for left := true; left; {
		p := q.proposal(reasonOf(ctx), decide.Cascade)
		decided := p.Decide
		p.Decide = func(t eventlog.Turn) ([]eventlog.Event, error) {
			events, err := decided(t)
			left = len(events) > 0 && q.m.state.Jobs.AnyFailing()
			some = some || len(events) > 0
			return events, err
		}
		if err := q.log.Append(ctx, p); err != nil {
			return some, err
		}
	}
	return some, nil
}

// Parents is [View.Parents] of now.
func (q *Queue) Parents(ctx context.Context, id string) (list []Relative, err error) {
	viewErr := q.view(ctx, func(s *decide.State) { list, err = View{s}.Parents(id) })
	if viewErr != nil {
		err = viewErr
	}
	return list, err
}

// Children is [View.Children] of now.
func (q *Queue) Children(ctx context.Context, id string, most int) (list []Relative, n int, err error) {
	viewErr := q.view(ctx, func(s *decide.State) { list, n, err = View{s}.Children(id, most) })
	if viewErr != nil {
		err = viewErr
	}
	return list, n, err
}

// Hooks is [View.Hooks] of now.
func (q *Queue) Hooks(ctx context.Context, id string) (hooks []job.Job, err error) {
	viewErr := q.view(ctx, func(s *decide.State) { hooks, err = View{s}.Hooks(id) })
	if viewErr != nil {
		err = viewErr
	}
	return hooks, err
}

// explainParents says which parents a job waits for. Nobody knows when they will have ended, nor what is due then.
func (v View) explainParents(e *Explanation) {
	r := Reason{Code: CodeParents}
	for _, p := range e.Job.Spec.After {
		if parent := v.relative(p); !p.On.Met(parent.State) && parent.State != 0 {
			r.Parents = append(r.Parents, parent)
			r.Jobs = append(r.Jobs, parent.ID)
		}
	}
	e.Next = e.Job.NextAttemptAt
	e.Reasons = slices.Insert(e.Reasons, 0, r)
}
