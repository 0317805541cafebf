package queue

import (
	"errors"
	"fmt"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/projection"
)

var _ eventlog.Resumer = (*machine)(nil)

// Resume goes on from the files of a snapshot.
func (m *machine) Resume(files []*eventlog.Snapshot) error {
	last := files[len(files)-1]
	if len(m.steps) > 0 && uint64(m.steps[0].after) < uint64(last.At.Head.Position) {
		return errors.New("resume: the clock was set back before, and it must be known which jobs waited then")
	}
	m.Reset()
	m.files = files
	m.guard(func() {
		m.state = decide.LoadState(projectionFiles(files))
		if m.workers > 0 {
			m.state.LoadLive()
		}
	})
	if m.broken != nil {
		return fmt.Errorf("resume: %w", m.brokenBy)
	}
	return nil
}

func projectionFiles(files []*eventlog.Snapshot) []projection.File {
	list := make([]projection.File, len(files))
	for i, f := range files {
		list[i] = f
	}
	return list
}

// Rebase gives up what the files have.
func (m *machine) Rebase(files []*eventlog.Snapshot) (done bool) {
	before := m.files
	m.files = files // for guard
	m.guard(func() { done = m.state.Jobs.Rebase(projectionFiles(files)) })
	if !done && m.broken == nil {
		m.files = before
	}
	return done
}

// Broken returns the snapshot file that could not be read when the state needed it.
func (m *machine) Broken() *eventlog.Snapshot { return m.broken }

// guard runs what looks at the state or changes it. If a snapshot file that the state rests on cannot be
// read, the machine is broken, and does nothing more until the log has it begin anew.
func (m *machine) guard(fn func()) {
	if m.broken != nil {
		return
	}
	defer func() {
		cause := recover()
		if cause == nil {
			return
		}
		failed, ok := cause.(*projection.BaseError)
		if !ok {
			panic(cause)
		}
		m.broken, m.brokenBy = m.files[failed.Level], failed
	}()
	fn()
}

// looking makes a look at the state what the log takes.
func (m *machine) looking(fn func(*decide.State)) func(eventlog.Head) {
	return func(eventlog.Head) { m.guard(func() { fn(m.state) }) }
}
