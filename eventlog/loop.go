package eventlog

import (
	"errors"
	"fmt"
	"time"
)

const (
	// noticeAfter is how long the append lock is waited for before Options.OnWait is told.
	noticeAfter = time.Second
	// patience is how long a View waits for another process to sync what it wrote, before this one does.
	patience = 50 * time.Millisecond
	// weighFirst is the first pause of that wait; each is twice as long as the one before.
	weighFirst = time.Millisecond
	// settleAfter is how long after an append what is durable is made known to the disk, too.
	settleAfter = time.Second
	// A log that is watched is looked at after pauses that grow from one of these to the other.
	lookFirst = 5 * time.Millisecond
	lookMost  = 250 * time.Millisecond
)

// loop is the Log's one goroutine, and what only it touches.
//
// It works in rounds (see commit.go): it takes up all proposals that wait, has them decided while it holds the append lock, syncs once
// for all, and answers. What comes in meanwhile waits for the next round, so that the busier the log is, the more share a sync. Views
// are answered between rounds.
type loop struct {
	log   *Log
	store store
	state State
	round round

	proposals []*request // askAppend, waiting for A
	openings  []*request // askOpen, waiting for A
	weighed   []*request // answered when what they saw is durable
	overdue   bool       // some of weighed have waited long enough: they need A, too
	inbox     []*request // as last taken

	stuck    error      // the State cannot take the next commit; nil = it can
	awaiting bool       // a goroutine waits for A
	granted  chan grant // its answer
	notice   pause      // until it is told of
	weighing pause      // until weighed is looked at again
	settling pause      // until the log counts as idle
	looking  pause      // until a watched log is looked at again
	rounds   bool       // there was a round since settling began
	unsure   bool       // the log is watched, and hints may be missing
}

// grant is A for the loop to take, or why there is none.
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

func newLoop(l *Log, s store, state State) *loop {
	return &loop{
		log: l, store: s, state: state,
		granted: make(chan grant),
		notice:  newPause(), weighing: newPause(), settling: newPause(), looking: newPause(),
	}
}

func (lp *loop) run() {
	defer close(lp.log.done)
	for {
		var shut bool
		lp.inbox, shut = lp.log.inbox.take(lp.inbox)
		if shut {
			lp.end()
			return
		}
		lp.receive(lp.inbox)
		clear(lp.inbox)
		if lp.wantsLock() && lp.acquire() {
			lp.runRound()
			continue
		}
		lp.wait()
	}
}

// wait waits for anything to do.
func (lp *loop) wait() {
	select {
	case <-lp.log.inbox.wake:
	case g := <-lp.granted:
		lp.take(g)
	case <-lp.notice.timer.C:
		lp.log.opt.OnWait(lp.store.holder())
	case <-lp.weighing.timer.C:
		lp.reweigh()
	case <-lp.log.hints:
		lp.look()
	case <-lp.looking.timer.C:
		lp.look()
	case <-lp.settling.timer.C:
		lp.settle()
	}
}

// receive deals with requests as far as that needs no lock.
func (lp *loop) receive(requests []*request) {
	caughtUp, err := false, error(nil)
	for _, r := range requests {
		if r.kind != askAppend && !caughtUp { // once for all: they were all asked before
			caughtUp, err = true, lp.catchUp()
		}
		switch r.kind {
		case askAppend:
			if lp.store.readOnly() {
				r.answerIf(waiting, ErrReadOnly)
				continue
			}
			lp.proposals = append(lp.proposals, r)
		case askView, askPeek:
			lp.show(r, err)
		case askOpen:
			lp.open(r, err)
		case askWatch:
			r.answer(nil)
			lp.unsure = lp.store.watch(lp.log.quit, lp.hint)
			lp.look()
		}
	}
}

// hint is called from other goroutines.
func (lp *loop) hint() {
	select {
	case lp.log.hints <- struct{}{}:
	default:
	}
}

// show answers a view. err is that of catching up: damage does not hide what is sound before it.
func (lp *loop) show(r *request, err error) {
	if !r.take() {
		return
	}
	if err != nil && damaged(err) == nil {
		r.answer(err)
		return
	}
	head := lp.store.head()
	r.view(head)
	if r.kind == askPeek {
		r.answer(nil)
		return
	}
	lp.weigh(r, head.Commit)
}

// open answers who opens the log, or lets it wait for A if the log's end must be judged.
func (lp *loop) open(r *request, err error) {
	if err != nil && damaged(err) == nil {
		r.answer(err)
		return
	}
	if err == nil && !lp.store.readOnly() {
		doubtful, err := lp.store.doubtful()
		if err == nil && doubtful {
			lp.openings = append(lp.openings, r)
			return
		}
		if err != nil {
			r.answer(err)
			return
		}
	}
	r.answer(nil)
}

// catchUp folds what others appended.
func (lp *loop) catchUp() error {
	if lp.stuck != nil {
		return lp.stuck
	}
	before := lp.store.head()
	err := lp.store.follow(lp.fold)
	if errors.Is(err, errRewound) {
		err = lp.reload()
	}
	return lp.found(before, err)
}

// refresh is catchUp to the very end, under A.
func (lp *loop) refresh() error {
	if lp.stuck != nil {
		return lp.stuck
	}
	before := lp.store.head()
	repair, err := lp.store.refresh(lp.fold)
	if errors.Is(err, errRewound) {
		if err = lp.reload(); err == nil {
			repair, err = lp.store.refresh(lp.fold)
		}
	}
	if repair != nil {
		lp.log.addRepair(*repair)
	}
	if err == nil {
		lp.log.damage.Store(nil)
	}
	return lp.found(before, err)
}

// found tells of what catching up found.
func (lp *loop) found(before Head, err error) error {
	if lp.store.head() != before {
		lp.log.notify()
	}
	if c := damaged(err); c != nil {
		lp.log.damage.Store(c)
	}
	return err
}

// reload reads the log again, because the State may hold what is not in it. An undo list would be faster, but it is rare: a failed
// write is a broken disk, or a full one, and that is refused before anything is decided (see store.full).
func (lp *loop) reload() error {
	lp.state.Reset()
	lp.store.rewind()
	lp.stuck = nil
	return lp.store.follow(lp.fold)
}

func (lp *loop) fold(e *Entry) error {
	select {
	case <-lp.log.quit:
		return ErrClosed // in the middle of a long replay
	default:
	}
	if err := lp.state.Fold(e); err != nil {
		// It may have been folded by half: nothing can follow.
		lp.stuck = &CorruptError{
			Path: e.Segment, Offset: e.Offset, Commit: e.Commit, Position: e.First,
			Reason: fmt.Sprintf("its events cannot be understood: %v", err),
		}
		return lp.stuck
	}
	return nil
}

// weigh answers a request that has seen the log up to need, now or when that is durable.
func (lp *loop) weigh(r *request, need Commit) {
	known, err := lp.store.durable(need)
	if err != nil || known >= need {
		r.answer(err)
		return
	}
	r.need = need
	if !r.weigh() {
		return
	}
	lp.weighed = append(lp.weighed, r)
	if lp.weighing.length == 0 {
		lp.weighing.start(weighFirst)
	}
}

// reweigh looks if what the weighed wait for has become durable. After some patience, it is for this process to make it so.
func (lp *loop) reweigh() {
	var need Commit
	for _, r := range lp.weighed {
		need = max(need, r.need)
	}
	known, err := lp.store.durable(need)
	rest := lp.weighed[:0]
	for _, r := range lp.weighed {
		r.waited += lp.weighing.length
		lp.overdue = lp.overdue || r.waited >= patience && r.need > known
		switch {
		case err == nil && r.need > known && r.state.Load() == weighing:
			rest = append(rest, r)
		default:
			r.answerIf(weighing, err)
		}
	}
	clear(lp.weighed[len(rest):])
	lp.weighed = rest
	if len(rest) == 0 {
		lp.overdue = false
		lp.weighing.stop()
		return
	}
	lp.weighing.start(min(max(2*lp.weighing.length, weighFirst), patience/2))
}

// look is catchUp without anybody asking. What goes wrong shows when somebody does.
func (lp *loop) look() {
	before := lp.store.head()
	_ = lp.catchUp()
	switch {
	case !lp.unsure:
	case lp.store.head() != before || lp.looking.length == 0:
		lp.looking.start(lookFirst)
	default:
		lp.looking.start(min(2*lp.looking.length, lookMost))
	}
}

// settle comes when the log has been quiet.
func (lp *loop) settle() {
	if lp.rounds {
		lp.rounds = false
		lp.settling.start(settleAfter)
		return
	}
	lp.settling.stop()
	_ = lp.store.tidy(true) // what is durable is so all the same; the next time, or Close, tries again
}

// wantsLock says if there is something to do under A.
func (lp *loop) wantsLock() bool {
	return len(lp.proposals) > 0 || len(lp.openings) > 0 || lp.overdue
}

// acquire takes A if it is free. If not, a goroutine begins to wait for it.
func (lp *loop) acquire() bool {
	if lp.awaiting {
		return false
	}
	// Reading while others may append keeps it short what must be read while they may not.
	if err := lp.catchUp(); err != nil && damaged(err) == nil {
		lp.refuse(err)
		return false
	}
	locked, err := lp.store.tryLock()
	if err != nil {
		lp.refuse(fmt.Errorf("lock log: %w", err))
		return false
	}
	if !locked {
		lp.awaiting = true
		lp.notice.start(noticeAfter)
		go lp.await()
	}
	return locked
}

// await waits for A on a goroutine of its own, because a flock cannot be left. Close does not wait for it: it ends when A is free.
func (lp *loop) await() {
	var g grant
	g.hold, g.drop, g.err = lp.store.await(lp.log.quit)
	select {
	case lp.granted <- g:
	case <-lp.log.quit:
		if g.err == nil {
			g.drop()
		}
	}
}

// take takes the lock that was waited for.
func (lp *loop) take(g grant) {
	lp.awaiting = false
	lp.notice.stop()
	if g.err != nil {
		lp.refuse(fmt.Errorf("lock log: %w", g.err))
		return
	}
	g.hold()
	if lp.wantsLock() {
		lp.runRound()
	} else {
		lp.store.unlock()
	}
}

// refuse answers everybody who waits for A.
func (lp *loop) refuse(err error) {
	for _, r := range lp.takeUp() {
		r.answer(notCommitted(err))
	}
	lp.answerOpenings(err)
	lp.answerWeighed(err)
}

// takeUp returns the proposals that wait, whose callers must stay from now on.
func (lp *loop) takeUp() []*request {
	requests := lp.proposals[:0]
	for _, r := range lp.proposals {
		if r.take() {
			requests = append(requests, r)
		}
	}
	lp.proposals = lp.proposals[:0]
	return requests
}

func (lp *loop) answerOpenings(err error) {
	for _, r := range lp.openings {
		r.answer(err)
	}
	lp.openings = nil
}

func (lp *loop) answerWeighed(err error) {
	for _, r := range lp.weighed {
		r.answerIf(weighing, err)
	}
	lp.weighed, lp.overdue = nil, false
	lp.weighing.stop()
}

// end answers everybody and closes the store.
func (lp *loop) end() {
	for _, r := range lp.inbox {
		r.answerIf(waiting, ErrClosed)
	}
	lp.refuse(ErrClosed)
	for _, p := range []pause{lp.notice, lp.weighing, lp.settling, lp.looking} {
		p.timer.Stop()
	}
	lp.log.closed = lp.store.close()
}
