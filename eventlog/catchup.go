package eventlog

import (
	"errors"
	"fmt"
)

// catchUp folds what others appended.
func (c *core) catchUp() error {
	if c.stuck != nil {
		return c.stuck
	}
	before := c.store.head()
	err := errRewound // what it has read at the beginning: nothing
	if c.begun {
		err = c.store.follow(c.fold)
	}
	if errors.Is(err, errRewound) {
		err = c.reload()
	}
	return c.found(before, err)
}

// refresh is catchUp to the very end, under A. If that is far it returns errBehind, the first time.
func (c *core) refresh() error {
	if c.stuck != nil {
		return c.stuck
	}
	before := c.store.head()
	repairs, err := c.store.refresh(c.fold, c.near)
	if errors.Is(err, errRewound) {
		if err = c.reload(); err == nil {
			repairs, err = c.store.refresh(c.fold, c.near)
		}
	}
	if len(repairs) > 0 {
		c.log.addRepairs(repairs)
	}
	if err == nil {
		c.log.damage.Store(nil)
	}
	return c.found(before, err)
}

// found tells of what catching up found.
func (c *core) found(before Head, err error) error {
	if c.store.head() != before {
		c.news.Add(1)
		c.log.notify()
	}
	if damage := damaged(err); damage != nil {
		c.log.damage.Store(damage)
	}
	return err
}

// reload reads the log again, because the State may hold what is not in it. An undo list would be
// faster, but it is rare: a failed write is a broken disk, or a full one, and that is refused
// before anything is decided (see store.full).
//
// It begins with a snapshot, if there is one. One that the log does not have the place of is left out by the
// second attempt at the latest; one that cannot be read, as soon as that shows. A repair may begin or end
// meanwhile, too.
func (c *core) reload() error {
	for try := 1; ; try++ {
		c.begun, c.stuck = true, nil
		c.store.rewind(c.resume)
		err := c.store.follow(c.fold)
		if !errors.Is(err, errRewound) || try == mostReloads {
			return err
		}
	}
}

// mostReloads is more than the files of any chain, and a few repairs.
const mostReloads = 100

// resume makes the State begin with a snapshot, or with the first commit if there is none.
func (c *core) resume(files []*Snapshot) (*Snapshot, error) {
	resumer, able := c.state.(Resumer)
	switch {
	case able && len(files) > 0:
		err := resumer.Resume(files)
		return resumer.Broken(), err
	case len(files) > 0:
		return nil, errSnapshot("the state of this log takes none")
	}
	c.state.Reset()
	return nil, nil
}

// rebase lets the State rest on the newest snapshot. err is that of catching up.
func (c *core) rebase(r *request, err error) {
	if !r.take() {
		return
	}
	if resumer, able := c.state.(Resumer); able && err == nil {
		r.left, err = c.store.rebase(resumer.Rebase)
	}
	r.answer(err)
}

// broken says that the State could not read a snapshot file that it rests on, and so that what it answered
// is worth nothing. It takes the file out of use.
func (c *core) broken() bool {
	resumer, able := c.state.(Resumer)
	if !able {
		return false
	}
	file := resumer.Broken()
	if file != nil {
		c.store.distrust(file, errSnapshot("it could not be read"))
	}
	return file != nil
}

func (c *core) fold(e *Entry) error {
	select {
	case <-c.log.quit:
		return ErrClosed // in the middle of a long replay
	default:
	}
	err := c.state.Fold(e)
	if c.broken() {
		return errRewound
	}
	if errors.Is(err, ErrNewer) {
		return err // sound, and not for this program
	}
	if err != nil {
		// It may have been folded by half: nothing can follow.
		c.stuck = &CorruptError{
			Path: e.Segment, Offset: e.Offset, Commit: e.Commit, Position: e.First,
			Reason: fmt.Sprintf("its events cannot be understood: %v", err),
		}
		return c.stuck
	}
	return nil
}

// look is catchUp without anybody asking. What goes wrong shows when somebody does.
func (c *core) look() {
	before := c.store.head()
	_ = c.catchUp()
	switch {
	case !c.unsure:
	case c.store.head() != before || c.looking.length == 0:
		c.looking.start(lookFirst)
	default:
		c.looking.start(min(2*c.looking.length, lookMost))
	}
}

// wantsLock says if there is something to do under A.
func (c *core) wantsLock() bool {
	return len(c.proposals) > 0 || len(c.openings) > 0 || c.overdue
}

// acquire takes A if it is free. If not, a goroutine begins to wait for it.
func (c *core) acquire() bool {
	if c.awaiting {
		return false
	}
	locked, err := c.store.tryLock()
	if err != nil {
		c.refuse(fmt.Errorf("lock log: %w", err))
		return false
	}
	if !locked {
		c.awaiting = true
		c.notice.start(noticeAfter)
		go c.await()
	}
	return locked
}

// await waits for A on a goroutine of its own, because a flock cannot be left. Close does not wait
// for it: it ends when A is free.
func (c *core) await() {
	var g grant
	g.hold, g.drop, g.err = c.store.await(c.log.quit)
	select {
	case c.granted <- g:
	case <-c.log.quit:
		if g.err == nil {
			g.drop()
		}
	}
}

// accept takes over the lock that was waited for.
func (c *core) accept() {
	g := c.offer
	c.offer, c.awaiting = grant{}, false
	c.notice.stop()
	if g.err != nil {
		c.refuse(fmt.Errorf("lock log: %w", g.err))
		return
	}
	g.hold()
	if c.wantsLock() {
		c.runRound()
	} else {
		c.store.unlock()
	}
}
