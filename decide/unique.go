package decide

import (
	"fmt"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
)

// DuplicateError is the refusal of a unique key that a job has. It wraps job.ErrDuplicate.
type DuplicateError struct {
	Key   string
	ID    string // of the job that has it
	State job.State
	// Batch says that it is an earlier spec of the same command; Replace, that the job was to be replaced and does not
	// wait.
	Batch, Replace bool
}

func (e *DuplicateError) Error() string {
	switch {
	case e.Batch:
		return fmt.Sprintf("unique key %q is given twice, also for job %q", e.Key, e.ID)
	case e.Replace:
		return fmt.Sprintf("unique key %q is that of job %q, which is %v: only a waiting job can be replaced", e.Key, e.ID, e.State)
	}
	return fmt.Sprintf("unique key %q is that of job %q, which is %v", e.Key, e.ID, e.State)
}

func (e *DuplicateError) Unwrap() error { return job.ErrDuplicate }

// twin is a job that has the unique key of another.
type twin struct {
	key   job.Position
	id    string
	queue string
	state job.State
	batch bool // it is decided in the same batch
}

// twins returns the jobs that keep a spec with this unique key from being enqueued, in order of enqueue.
func (b *batch) twins(spec *job.Spec) (list []twin) {
	add := func(brief *projection.Brief) {
		if !b.replaced[brief.Key] {
			list = append(list, twin{
				key: brief.Key, id: b.s.Jobs.ID(brief.Key), queue: brief.Schedule.Queue, state: brief.State,
			})
		}
	}
	for _, active := range b.s.Jobs.ActiveWithKey(spec.UniqueKey) {
		if spec.UniqueScope == job.ScopeActive || active.State.Waiting() {
			add(&active)
		}
	}
	if mine, decided := b.mine[spec.UniqueKey]; decided {
		list = append(list, mine)
	}
	if len(list) == 0 && spec.UniqueFor > 0 {
		if last, found := b.s.Jobs.LastWithKey(spec.UniqueKey, b.at.Time-int64(spec.UniqueFor)); found {
			add(&last)
		}
	}
	return list
}

// stands returns the job that stands for a spec because it has the unique key, 0 if there is none.
func (b *batch) stands(spec *job.Spec) job.Position {
	if twins := b.twins(spec); len(twins) > 0 {
		return twins[0].key
	}
	return 0
}

// makeRoom returns the events after which no job has the unique key of a spec, or a refusal.
func (b *batch) makeRoom(spec *job.Spec) (room []job.Event, err error) {
	twins := b.twins(spec)
	for _, t := range twins {
		if spec.OnClash != job.ClashReplace || !t.state.Waiting() {
			return nil, &DuplicateError{
				Key: spec.UniqueKey, ID: t.id, State: t.state, Batch: t.batch, Replace: spec.OnClash == job.ClashReplace,
			}
		}
	}
	for _, t := range twins {
		room = append(room, &job.JobCancelled{Job: t.key})
		b.leaves(t)
	}
	return room, nil
}

// leaves notes that a waiting job is replaced.
func (b *batch) leaves(t twin) {
	if b.replaced == nil {
		b.replaced = map[job.Position]bool{}
	}
	b.replaced[t.key] = true
	b.waitsIn(t.queue, -1)
}

// checkUnique refuses to bring back a job whose unique key another has by now, as far as it matters to the job.
func (t *turn) checkUnique(s *State, b *projection.Brief) error {
	if !b.Unique {
		return nil
	}
	spec, _ := s.Jobs.Spec(b.Key)
	for _, other := range s.Jobs.ActiveWithKey(spec.UniqueKey) {
		if other.Key != b.Key && (spec.UniqueScope == job.ScopeActive || other.State.Waiting()) {
			return &DuplicateError{Key: spec.UniqueKey, ID: s.Jobs.ID(other.Key), State: other.State}
		}
	}
	if id, back := t.back[spec.UniqueKey]; back {
		return &DuplicateError{Key: spec.UniqueKey, ID: id, Batch: true}
	}
	if t.back == nil {
		t.back = map[string]string{}
	}
	t.back[spec.UniqueKey] = spec.ID
	return nil
}
