package eventlog

// receive deals with requests as far as that needs no lock.
func (c *core) receive(requests []*request) {
	caughtUp, err := false, error(nil)
	for _, r := range requests {
		if r.kind != askAppend && !caughtUp { // once for all: they were all asked before
			caughtUp, err = true, c.catchUp()
		}
		switch r.kind {
		case askAppend:
			if c.store.readOnly() {
				r.answerIf(waiting, ErrReadOnly)
				continue
			}
			c.proposals = append(c.proposals, r)
		case askView, askPeek:
			c.show(r, err)
		case askOpen:
			c.open(r, err)
		case askRebase:
			c.rebase(r, err)
		case askWatch:
			c.unsure = c.store.watch(c.log.quit, c.hint)
			c.look()
			r.answer(nil)
		}
	}
}

// show answers a view. err is that of catching up: damage does not hide what is sound before it.
func (c *core) show(r *request, err error) {
	if !r.take() {
		return
	}
	if err != nil && damaged(err) == nil {
		r.answer(err)
		return
	}
	c.viewing = r
	r.view(c.store.head())
	for c.broken() {
		if err = c.reload(); err != nil && damaged(err) == nil {
			c.viewing = nil
			r.answer(err)
			return
		}
		r.view(c.store.head())
	}
	c.viewing = nil
	head := c.store.head()
	if r.kind == askPeek {
		r.answer(nil)
		return
	}
	c.weigh(r, head.Commit)
}

// open answers who opens the log, or lets it wait for A if the log's end must be judged.
func (c *core) open(r *request, err error) {
	if damaged(err) == nil && !c.store.readOnly() {
		var doubtful bool
		if err == nil {
			doubtful, err = c.store.doubtful()
		}
		if err == nil && doubtful {
			c.openings = append(c.openings, r)
			return
		}
	}
	r.answerIf(waiting, forReading(err))
}

// forReading is err, unless it is damage: what is sound can be read all the same.
func forReading(err error) error {
	if damaged(err) != nil {
		return nil
	}
	return err
}

// weigh answers a request that has seen the log up to need, now or when that is durable.
func (c *core) weigh(r *request, need Commit) {
	known, err := c.store.durable(need)
	if err != nil || known >= need {
		r.answer(err)
		return
	}
	r.need = need
	if !r.weigh() {
		return
	}
	c.weighed = append(c.weighed, r)
	if c.weighing.length == 0 {
		c.weighing.start(weighFirst)
	}
}

// reweigh looks if what the weighed wait for has become durable. After some patience, it is for
// this process to make it so.
func (c *core) reweigh() {
	var need Commit
	for _, r := range c.weighed {
		need = max(need, r.need)
	}
	known, err := c.store.durable(need)
	rest := c.weighed[:0]
	for _, r := range c.weighed {
		r.waited += c.weighing.length
		c.overdue = c.overdue || r.waited >= patience && r.need > known
		switch {
		case err == nil && r.need > known && r.state.Load() == weighing:
			rest = append(rest, r)
		default:
			r.answerIf(weighing, err)
		}
	}
	clear(c.weighed[len(rest):])
	c.weighed = rest
	if len(rest) == 0 {
		c.overdue = false
		c.weighing.stop()
		return
	}
	c.weighing.start(min(max(2*c.weighing.length, weighFirst), patience/2))
}

// settle comes when the log has been quiet.
func (c *core) settle() {
	if c.rounds {
		c.rounds = false
		c.settling.start(settleAfter)
		return
	}
	c.settling.stop()
	_ = c.store.tidy(true) // what is durable is so all the same; the next time, or Close, tries again
}

// refuse answers everybody who waits for A.
func (c *core) refuse(err error) {
	for _, r := range c.takeUp() {
		r.answer(notCommitted(err))
	}
	c.answerOpenings(err)
	c.answerWeighed(err)
}

// takeUp returns the proposals that wait, whose callers must stay from now on.
func (c *core) takeUp() []*request {
	requests := c.proposals[:0]
	for _, r := range c.proposals {
		if r.take() {
			requests = append(requests, r)
		}
	}
	c.proposals = c.proposals[:0]
	return requests
}

func (c *core) answerOpenings(err error) {
	for _, r := range c.openings {
		r.answerIf(waiting, err)
	}
	c.openings = nil
}

func (c *core) answerWeighed(err error) {
	for _, r := range c.weighed {
		r.answerIf(weighing, err)
	}
	c.weighed, c.overdue = nil, false
	c.weighing.stop()
}
