package eventlog

import (
	"errors"
	"fmt"
)

// round is what happens while A is held once:
//
//	catch up the rest → decide → write a commit or more → unlock → sync once → answer all
//
// The sync comes after the unlock, so that the syncs of several processes overlap. That is safe
// because frames are written in the order of their numbers, and a sync makes durable all that was
// written before it, by whomever: an acknowledgement never outruns a hole.
type round struct {
	requests []*request
	written  []*Proposal // their events are in a commit of this round
	last     Commit      // of those; 0 = none
	failed   error       // nothing more is written in this round
	full     error       // only what is essential is written in this round
	prepared bool        // full is known

	// The commit that is being made up.
	meta    Meta
	time    int64
	events  []Event
	size    int // of its frame, or a little more
	members []*Proposal
	beside  []*Proposal // decided on what is in it, and have no events of their own
}

// runRound is called while A is held, and lets go of it.
func (c *core) runRound() {
	err := c.refresh()
	if errors.Is(err, errBehind) {
		// Reading while others may append keeps it short what is read while they may not.
		c.store.unlock()
		if err := forReading(c.catchUp()); err != nil {
			c.refuse(err)
		}
		c.near = true
		return
	}
	c.near = false
	r := &c.round
	r.requests = c.takeUp()
	if err == nil {
		c.decide()
	} else {
		r.failed = notCommitted(err)
		r.failAll()
	}
	must := len(r.written) > 0
	if forReading(err) == nil && c.overdue && !must {
		// Of a damaged log this is what was read before the damage: it can be made durable, and
		// then be shown.
		must = true
		if err = c.store.prove(); err != nil {
			r.overrule(notCommitted(err))
		}
	}
	c.store.unlock()
	if must && err == nil {
		err = c.sync()
	}
	c.conclude(err)
	clear(r.requests)
	*r = round{
		written: emptied(r.written), events: emptied(r.events), members: emptied(r.members), beside: emptied(r.beside),
	}
}

// emptied is s to be used again, unless it has become large.
func emptied[T any](s []T) []T {
	if cap(s) > 4096 {
		return nil
	}
	clear(s)
	return s[:0]
}

// conclude answers all who waited for the round. err is that of refresh, prove or sync; what it
// means for the proposals they know already.
func (c *core) conclude(err error) {
	r := &c.round
	head := c.store.head().Commit
	if len(r.written) > 0 {
		c.log.notify()
	}
	for _, q := range r.requests {
		if q.decided && err == nil && len(r.written) == 0 {
			c.weigh(q, head) // refused, or nothing to do: the reason must be durable, too
		} else {
			q.answer(nil)
		}
	}
	c.answerOpenings(forReading(err))
	switch {
	case len(c.weighed) == 0:
	case err != nil && c.overdue:
		c.answerWeighed(err)
	default:
		c.reweigh()
	}
	_ = c.store.tidy(false) // as for settle
	c.rounds = true
	if c.settling.length == 0 {
		c.rounds = false
		c.settling.start(settleAfter)
	}
}

// decide has all proposals decided and their events written.
func (c *core) decide() {
	for _, q := range c.round.requests {
		q.decided = true
		for _, p := range q.proposals {
			p.Err = nil
			p.Err = c.propose(p)
		}
	}
	c.flush()
}

// propose adds what a proposal decides to the commit that is being made up.
func (c *core) propose(p *Proposal) error {
	r := &c.round
	if !r.prepared {
		r.full, r.prepared = c.store.full(), true
	}
	if !p.Essential && r.full != nil {
		return r.full
	}
	if len(r.events) > 0 && p.Meta != r.meta {
		c.flush()
	}
	if r.failed != nil {
		return r.failed
	}
	head := c.store.head()
	if len(r.events) == 0 {
		r.time = c.log.opt.Now()
	}
	turn := Turn{Commit: head.Commit + 1, Position: head.Position + 1 + Position(len(r.events)), Time: r.time}
	events, err := p.Decide(turn)
	if c.broken() {
		return c.again(p)
	}
	if err != nil || len(events) == 0 {
		if len(r.events) > 0 {
			r.beside = append(r.beside, p)
		}
		return err
	}
	size := 0
	for i := range events {
		size += eventRoom + len(events[i].Data)
	}
	if len(r.events) > 0 && (len(r.events)+len(events) > MaxEvents || r.size+size > MaxFrame) {
		c.flush() // the next commit has the same time, which was decided with
		if r.failed != nil {
			return r.failed
		}
	}
	if len(r.events) == 0 {
		r.meta, r.size = p.Meta, frameRoom(&p.Meta)
	}
	r.events = append(r.events, events...)
	r.size += size
	r.members = append(r.members, p)
	if len(r.events) > MaxEvents || r.size > MaxFrame {
		c.flush() // if it is too large nobody else must be with it, or have decided after it
	}
	return p.Err
}

// again has a proposal decided once more, after the State was read again: a snapshot file that it rests on
// could not be read. What was decided before in this round is not touched by that.
func (c *core) again(p *Proposal) error {
	c.flush()
	r := &c.round
	if r.failed == nil {
		if len(r.written) > 0 {
			_ = c.store.sync(r.last) // as for unwritten
		}
		if err := c.reload(); err != nil {
			r.failed = notCommitted(err)
		}
	}
	if r.failed != nil {
		return r.failed
	}
	return c.propose(p)
}

// eventRoom is what an event needs in a frame besides its data: kind and length, as uvarints.
const eventRoom = 3 + 5

// frameRoom is what a frame needs for all but its events, or a little more.
func frameRoom(m *Meta) int {
	const fields, perField = 7, 1 + 5 // tag and length
	return headerSize + trailerSize + perField*(fields+1) +
		len(m.User) + len(m.Host) + len(m.Program) + len(m.Reason) + len(m.Dir) + len(m.Path)
}

// flush writes the commit that was made up.
func (c *core) flush() {
	r := &c.round
	if len(r.events) == 0 {
		return
	}
	err := c.store.write(&r.meta, r.events, r.time)
	if err == nil {
		r.written, r.last = append(r.written, r.members...), c.store.head().Commit
	} else {
		c.unwritten(err)
	}
	r.size = 0
	r.events, r.members, r.beside = emptied(r.events), emptied(r.members), emptied(r.beside)
}

// unwritten deals with a commit that could not be written, though it is folded already.
func (c *core) unwritten(err error) {
	r := &c.round
	for _, p := range r.members {
		p.Err = err
	}
	for _, p := range r.beside {
		p.Err = fmt.Errorf("%w: it rests on an append that failed: %v", ErrNotCommitted, err)
	}
	if !errors.Is(err, ErrTooLarge) {
		r.failed = fmt.Errorf("after an append that failed: %w: %v", ErrNotCommitted, err)
	}
	if len(r.written) > 0 {
		// Now and not when the round ends, because reading the log again leaves the descriptor of
		// which a sync can be believed. What became of it, the sync at the end says.
		_ = c.store.sync(r.last)
	}
	if err := c.reload(); err != nil {
		r.failed = notCommitted(err)
	}
}

// failAll gives all proposals of the round the same answer.
func (r *round) failAll() {
	for _, q := range r.requests {
		for _, p := range q.proposals {
			p.Err = r.failed
		}
	}
}

// overrule takes back what the rules of the log's user have said: it may rest on what is lost. What
// the log itself has said stands.
func (r *round) overrule(err error) {
	for _, q := range r.requests {
		for _, p := range q.proposals {
			if !isAnswer(p.Err) {
				p.Err = err
			}
		}
	}
}

// sync makes durable what the round has written. If that fails, the State may hold what is lost
// with the next power cut, or what the file system has dropped already.
func (c *core) sync() error {
	err := c.store.sync(c.round.last)
	if err == nil {
		return nil
	}
	r := &c.round
	if !errors.Is(err, ErrClosed) {
		err = fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	// The others, too, have seen what is not durable now; but nothing of theirs is in the log.
	r.overrule(fmt.Errorf("%w: %v", ErrNotCommitted, err))
	for _, p := range r.written {
		p.Err = err
	}
	_ = c.reload() // what could not be read now is read by the next catchUp
	return err
}

// notCommitted makes an answer to a proposal of which nothing was written.
func notCommitted(err error) error {
	if isAnswer(err) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrNotCommitted, err)
}

// isAnswer says that err tells what became of a proposal, and is not a refusal by a rule of the
// log's user.
func isAnswer(err error) bool {
	for _, answer := range []error{ErrNotCommitted, ErrUnknown, ErrClosed, ErrReadOnly, ErrNewer, ErrTooLarge} {
		if errors.Is(err, answer) {
			return true
		}
	}
	return damaged(err) != nil
}
