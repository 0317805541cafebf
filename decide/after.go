package decide

import (
	"fmt"
	"slices"

	"github.com/queuectl/queuectl/job"
)

// maxCascade bounds how many jobs one commit ends because of a parent: a graph that is larger needs several
// commits. Until its turn comes such a job waits, and nobody claims it.
const maxCascade = 4096

// cascade adds what follows for the jobs that come after those that the events end, and for those after them in
// turn: whoever ends a job ends in the same commit what can no longer be as it should. What does not fit into the
// commit is left for [Cascade]. Jobs that have to wait no longer need no event.
func cascade(s *State, at job.At, events []job.Event) []job.Event {
	c := cascading{s: s, at: at}
	return c.follow(events)
}

// Cascade ends jobs that wait for one which has ended in another way than it should, as many as one commit may
// hold. There are no events if there are none, which is the rule: most often the commit that ended the parent had
// room for them.
func Cascade(s *State, at job.At) ([]job.Event, error) {
	c := cascading{s: s, at: at, gone: map[job.Position]bool{}, most: s.cascadeSize()}
	for _, f := range s.Jobs.Failing() {
		c.next = append(c.next, ending{f.Key, f.State, f.Cursor})
	}
	c.run()
	return c.events, nil
}

func (s *State) cascadeSize() int {
	if s.mostEnded > 0 {
		return s.mostEnded
	}
	return maxCascade
}

// ending is a job that ends or has ended, and whose children after from were not looked at.
type ending struct {
	key   job.Position
	state job.State
	from  job.Position
}

// cascading is a cascade under way.
type cascading struct {
	s      *State
	at     job.At
	events []job.Event
	ended  int                   // jobs that were added
	most   int                   // … at most
	size   int                   // bytes of their hooks
	next   []ending              // the first one first
	gone   map[job.Position]bool // jobs that the events end or that wait no longer
	taken  func(id string) bool  // ids that no hook may have, besides those in the state; nil = none
}

// follow returns the events with what follows from them.
func (c *cascading) follow(events []job.Event) []job.Event {
	if !c.s.Jobs.AnyAfter() {
		return events
	}
	c.events, c.gone, c.most = events, map[job.Position]bool{}, c.s.cascadeSize()
	for _, e := range events {
		c.gone[job.Of(e)] = true
	}
	for _, e := range events {
		if state := endOf(e); state != 0 {
			c.next = append(c.next, ending{key: job.Of(e), state: state})
		}
	}
	c.run()
	return c.events
}

func (c *cascading) run() {
	for ; len(c.next) > 0; c.next = c.next[1:] {
		parent := c.next[0]
		for child := range c.s.Jobs.Children(parent.key, parent.from) {
			if c.ended >= c.most || c.size > maxTickBytes {
				return
			}
			if !child.On.Met(parent.state) && !c.gone[child.Key] {
				c.end(child.Key, parent.key)
			}
		}
	}
}

// end ends a job because of a parent, if it waits for that.
func (c *cascading) end(key, parent job.Position) {
	policy, waits := c.s.Jobs.AwaitsParents(key)
	if !waits {
		return
	}
	c.gone[key] = true
	if policy == job.ParentRelease {
		return // the fold knows
	}
	e := because(policy, key, parent)
	ended := withHook(c.s, c.at, []job.Event{e}, c.taken)
	if c.events = append(c.events, ended...); len(ended) > 1 {
		c.size += len(job.AppendEvent(nil, ended[1]))
	}
	c.next = append(c.next, ending{key: key, state: endOf(e)})
	c.ended++
}

// because is the event that ends a job because of a parent.
func because(policy job.OnParentFailure, key, parent job.Position) job.Event {
	if policy == job.ParentCancel {
		return &job.JobCancelled{Job: key, Parent: parent}
	}
	return &job.JobDied{Job: key, Why: job.WhyDependency, Parent: parent}
}

// endOf returns the final state that an event leads to, 0 if to none.
func endOf(e job.Event) job.State {
	switch e.(type) {
	case *job.JobCompleted:
		return job.Completed
	case *job.JobDied:
		return job.Dead
	case *job.JobCancelled:
		return job.Cancelled
	}
	return 0
}

// born is a job that stands for a spec of a batch.
type born struct {
	key   job.Position
	state job.State // 0 = as in the state that the batch began with
}

// bear notes which job stands for an id of the batch.
func (b *batch) bear(id string, key job.Position) {
	if b.born == nil || id == "" {
		return
	}
	made := born{key: key}
	if key >= b.first {
		made.state = job.Pending
	}
	b.born[id] = made
}

// parent finds a parent of a spec, and says in which state it is.
func (b *batch) parent(p *job.Parent) (key job.Position, state job.State, err error) {
	made, ours := b.born[p.ID]
	switch {
	case ours:
	case p.ID != "":
		made.key = b.s.Jobs.Key(p.ID)
	default:
		made.key = p.Key
	}
	if made.state == 0 {
		brief, known := b.s.Jobs.Brief(made.key)
		if !known {
			return 0, 0, fmt.Errorf("after: job %q: %w", p.String(), job.ErrNotFound)
		}
		made.state = brief.State
	}
	if b.replaced[made.key] {
		made.state = job.Cancelled
	}
	return made.key, made.state, nil
}

// resolve finds the parents of a spec: jobs that are known, and those of the batch before it. broken is one that
// has ended already and in another way than it should, 0 if there is none or that makes no difference.
func (b *batch) resolve(spec *job.Spec) (broken job.Position, err error) {
	list := slices.Clone(spec.After)
	seen := make(map[job.Position]bool, len(list))
	for i := range list {
		key, state, err := b.parent(&list[i])
		switch {
		case err != nil:
			return 0, err
		case seen[key]:
			return 0, fmt.Errorf("after: job %q is named twice: %w", list[i].String(), job.ErrInvalid)
		case broken == 0 && state.Ended() && !list[i].On.Met(state):
			broken = key
		}
		seen[key], list[i].Key = true, key
	}
	if spec.After = list; spec.OnParentFailure == job.ParentRelease {
		broken = 0
	}
	return broken, nil
}

// end adds the end of a job that was admitted, and its hook, if a parent has ended in another way than it should.
// Those for which there is no room are left for [Cascade], as in a cascade.
func (b *batch) end(events []job.Event, e *job.JobEnqueued, broken job.Position) []job.Event {
	if broken == 0 || b.ended >= b.s.cascadeSize() || b.hookSize > maxTickBytes {
		return events
	}
	made := born{key: b.at.Position - 1}
	end := because(e.Spec.OnParentFailure, made.key, broken)
	if b.born != nil {
		made.state = endOf(end)
		b.born[e.Spec.ID] = made
	}
	b.ended++
	b.at.Position++
	b.waitsIn(e.Spec.Queue, -1)
	if twin, mine := b.mine[e.Spec.UniqueKey]; mine && twin.key == made.key {
		delete(b.mine, e.Spec.UniqueKey) // others may have the key now
	}
	events = append(events, end)
	hook := b.hook(e, end, made.key)
	if hook == nil {
		return events
	}
	b.hookSize += len(job.AppendEvent(nil, hook))
	b.at.Position++
	b.waitsIn(hook.Spec.Queue, +1)
	return append(events, hook)
}

// hook is that of a job which ends with its enqueue, nil if it has none.
func (b *batch) hook(e *job.JobEnqueued, end job.Event, key job.Position) *job.JobEnqueued {
	ends, ok := endingOf(end)
	if !ok {
		return nil
	}
	j := job.Job{Key: key, Spec: e.Spec}
	if caller := b.at.Actor; caller != nil { // nobody calls when an enqueue is only tried
		j.CallerDir, j.CallerPath = caller.Dir, caller.Path
	}
	return hookOf(b.s, b.at, &j, ends, b.wanted())
}

// wanted returns what says whether a spec of the batch has an id. It does not hold the batch, which stays on the stack.
func (b *batch) wanted() func(id string) bool {
	chosen, only := b.chosen, b.only
	return func(id string) bool {
		_, wanted := chosen[id]
		return wanted || id == only
	}
}

// Order returns the order in which specs have to be enqueued so that each comes after its parents among them, by
// their indexes; all others stay in their order. nil says that they are in such an order. The error is a *SpecError
// that wraps job.ErrInvalid and names the jobs if some come after each other in a circle.
func Order(specs []job.Spec) ([]int, error) {
	o := ordering{specs: specs}
	sorted := true
	for i := range specs {
		for _, p := range specs[i].After {
			if o.byID == nil {
				o.index()
			}
			if at, ours := o.byID[p.ID]; ours && at >= i {
				sorted = false
			}
		}
	}
	if sorted {
		return nil, nil
	}
	o.seen = make([]uint8, len(specs))
	o.order = make([]int, 0, len(specs))
	for i := range specs {
		if err := o.visit(i); err != nil {
			return nil, err
		}
	}
	return o.order, nil
}

// ordering is an Order under way.
type ordering struct {
	specs []job.Spec
	byID  map[string]int // index of the first spec that has it
	seen  []uint8        // of each spec
	order []int
}

const (
	unseen = iota
	open   // its parents are looked at
	done
)

func (o *ordering) index() {
	o.byID = make(map[string]int, len(o.specs))
	for i := range o.specs {
		if _, twice := o.byID[o.specs[i].ID]; !twice && o.specs[i].ID != "" {
			o.byID[o.specs[i].ID] = i
		}
	}
}

// visit puts a spec behind its parents. It does not call itself: a chain may be as long as there are specs.
func (o *ordering) visit(i int) error {
	type step struct{ spec, parent int } // and which of its parents is next
	if o.seen[i] != unseen {
		return nil
	}
	o.seen[i] = open
	for path := []step{{i, 0}}; len(path) > 0; {
		top := &path[len(path)-1]
		after := o.specs[top.spec].After
		if top.parent == len(after) {
			o.seen[top.spec] = done
			o.order = append(o.order, top.spec)
			path = path[:len(path)-1]
			continue
		}
		at, ours := o.byID[after[top.parent].ID]
		top.parent++
		switch {
		case !ours || o.seen[at] == done:
		case o.seen[at] == open:
			ids, from := "", slices.IndexFunc(path, func(s step) bool { return s.spec == at })
			for _, s := range path[from:] {
				ids += o.specs[s.spec].ID + " after "
			}
			ids += o.specs[at].ID
			err := fmt.Errorf("after: %w: the jobs come after each other in a circle: %s", job.ErrInvalid, ids)
			return &SpecError{Index: at, Err: err}
		default:
			o.seen[at] = open
			path = append(path, step{at, 0})
		}
	}
	return nil
}
