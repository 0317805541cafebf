package eventlog

import (
	"fmt"
	"sync/atomic"
	"time"
)

const (
	// noticeAfter is how long the append lock is waited for before Options.OnWait is told.
	noticeAfter = time.Second
	// patience is how long a View waits for another process to sync what it wrote, before this one
	// does.
	patience = 50 * time.Millisecond
	// weighFirst is the first pause of that wait; each is twice as long as the one before.
	weighFirst = time.Millisecond
	// settleAfter is how long after an append what is durable is made known to the disk, too.
	settleAfter = time.Second
	// A log that is watched is looked at after pauses that grow from one of these to the other.
	lookFirst = 5 * time.Millisecond
	lookMost  = 250 * time.Millisecond
)

// core is what is touched by one goroutine at a time: the one that holds the baton.
//
// Callers leave their requests in the inbox. Whoever finds the baton free takes it and deals with
// all requests that are there, its own among them, in rounds (see commit.go): all proposals that
// wait are decided while the append lock is held, synced together, and answered. What comes in
// meanwhile waits for the next round, so that the busier the log is, the more share a sync. A
// caller who leads stops when it has its own answer; if others still wait, the Log's own goroutine
// goes on. So where there is only one caller, no goroutine waits for another: to be woken after a
// sync costs a sixth of the sync.
type core struct {
	log   *Log
	store store
	state State
	round round
	baton chan struct{} // has one token while nobody leads
	wake  chan struct{} // capacity 1: the Log's goroutine is to lead

	hinted atomic.Uint32 // others may have appended; 0 = no. Everybody may set it
	news   atomic.Uint64 // how often something was found that others had appended

	inbox     []*request // as last taken
	proposals []*request // askAppend, waiting for A
	openings  []*request // askOpen, waiting for A
	weighed   []*request // answered when what they saw is durable
	viewing   *request   // its function runs
	overdue   bool       // some of weighed have waited long enough: they need A, too
	near      bool       // what little is left to be read may be read under A
	stuck     error      // the State cannot take the next commit; nil = it can
	begun     bool       // the State was told where to begin

	awaiting bool       // a goroutine waits for A
	granted  chan grant // its answer
	offer    grant      // as last received
	notice   pause      // until it is told of
	weighing pause      // until weighed is looked at again
	settling pause      // until the log counts as idle
	looking  pause      // until a watched log is looked at again
	rounds   bool       // there was a round since settling began
	unsure   bool       // the log is watched, and hints may be missing
}

// grant is A to be taken over, or why there is none.
type grant struct {
	hold, drop func()
	err        error
}

// pause is a timer that knows its length.
type pause struct {
	timer  *time.Timer
	length time.Duration // 0 = it does not run
}

func newPause() pause {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return pause{timer: t}
}

func (p *pause) start(length time.Duration) {
	p.length = length
	p.timer.Reset(length)
}

func (p *pause) stop() {
	p.length = 0
	p.timer.Stop()
}

func newCore(l *Log, s store, state State) *core {
	c := &core{
		log: l, store: s, state: state,
		baton: make(chan struct{}, 1), wake: make(chan struct{}, 1), granted: make(chan grant),
		notice: newPause(), weighing: newPause(), settling: newPause(), looking: newPause(),
	}
	c.baton <- struct{}{}
	return c
}

// nudge makes the Log's goroutine lead.
func (c *core) nudge() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// lead leads until r is answered or there is nothing to do, unless somebody else leads, who then
// deals with r as well. r may be nil.
func (c *core) lead(r *request) {
	for {
		select {
		case <-c.baton:
		default:
			return // who has it looks at the inbox again after giving it back
		}
		c.relay(func() { c.work(r) })
		switch waits, _ := c.log.inbox.look(); {
		case waits && r != nil && r.answered():
			c.nudge()
			return
		case !waits && c.hinted.Load() == 0:
			return
		}
	}
}

// relay gives the baton back when fn has returned. Should fn panic, in a caller's code and on a
// caller's goroutine, nobody may go on: the State may be half folded.
func (c *core) relay(fn func()) {
	returned := false
	defer func() {
		if !returned {
			c.store.kill()
			c.log.shut()
		}
		c.baton <- struct{}{}
	}()
	fn()
	returned = true
}

// run is the Log's goroutine. It deals with what comes by itself: time, and the lock that was
// waited for.
func (c *core) run() {
	defer close(c.log.done)
	for {
		fn := c.next()
		<-c.baton
		if _, shut := c.log.inbox.look(); shut {
			c.end()
			return // with the baton: nobody leads any more
		}
		c.relay(func() {
			fn()
			c.work(nil)
		})
	}
}

// next waits for something to do and returns it.
func (c *core) next() func() {
	nothing := func() {}
	if waits, _ := c.log.inbox.look(); waits || c.hinted.Load() != 0 { // it came while somebody led
		return nothing
	}
	select {
	case <-c.wake:
		return nothing
	case <-c.log.quit:
		return nothing
	case c.offer = <-c.granted:
		return c.accept
	case <-c.notice.timer.C:
		return func() { c.log.opt.OnWait(c.store.holder()) }
	case <-c.weighing.timer.C:
		return c.reweigh
	case <-c.looking.timer.C:
		return c.look
	case <-c.settling.timer.C:
		return c.settle
	}
}

// work deals with everything that is there, until r is answered.
func (c *core) work(r *request) {
	for {
		c.inbox = c.log.inbox.take(c.inbox)
		c.receive(c.inbox)
		clear(c.inbox)
		if c.wantsLock() && c.acquire() {
			c.runRound()
		} else if waits, _ := c.log.inbox.look(); !waits {
			break
		}
		if r != nil && r.answered() {
			break
		}
	}
	if how := c.hinted.Swap(0); how == hintSure || how == hintMaybe && c.store.stirred() {
		c.look()
	}
}

// The values of hinted.
const (
	hintMaybe = 1 // somebody wrote, perhaps we
	hintSure  = 2
)

// hint says that others may have appended. It is called from other goroutines. It reports if that
// was news.
func (c *core) hint(sure bool) bool {
	before := c.news.Load()
	if sure {
		c.hinted.Store(hintSure)
	} else {
		c.hinted.CompareAndSwap(0, hintMaybe)
	}
	c.lead(nil)
	return c.news.Load() != before
}

// end answers everybody and closes the store.
func (c *core) end() {
	for _, r := range c.log.inbox.drain() {
		r.answerIf(waiting, ErrClosed)
	}
	c.refuse(ErrClosed)
	if c.offer.drop != nil {
		c.offer.drop()
	}
	// Somebody's code has panicked if there is one of these.
	for _, r := range append(c.round.requests, c.viewing) {
		if r != nil && !r.answered() {
			r.decided = false
			r.answer(fmt.Errorf("%w: the program panicked", ErrUnknown))
		}
	}
	for _, p := range []pause{c.notice, c.weighing, c.settling, c.looking} {
		p.timer.Stop()
	}
	c.log.closed = c.store.close()
}
