package projection

import (
	"encoding/binary"
	"maps"
	"slices"

	"github.com/queuectl/queuectl/job"
)

// AppendCanonical appends an encoding of the whole state that is the same for the same state, however
// it was reached: by folding the log from its beginning, from a snapshot on, or event by event as they
// were decided. It is for comparing states and not for keeping them: it may change with every release.
func (p *Projection) AppendCanonical(dst []byte) []byte {
	c := canon(dst)
	c.numbers(uint64(p.at.Position), uint64(p.at.Time), uint64(p.latest), uint64(p.rank))
	c.text(string(p.logID[:]))
	c.numbers(uint64(len(p.settings)))
	for _, key := range slices.Sorted(maps.Keys(p.settings)) {
		c.text(key)
		c.text(p.settings[key])
	}
	c.numbers(uint64(len(p.workers)))
	for _, w := range p.workers {
		c.worker(&w.Worker)
	}
	c.numbers(uint64(p.jobs.n))
	for i := range p.jobs.n {
		c.job(p, p.jobs.at(i))
	}
	return c
}

// canon appends numbers as varints and texts with their lengths.
type canon []byte

func (c *canon) numbers(list ...uint64) {
	for _, n := range list {
		*c = binary.AppendUvarint(*c, n)
	}
}

func (c *canon) text(s string) {
	c.numbers(uint64(len(s)))
	*c = append(*c, s...)
}

func (c *canon) texts(list []string) {
	c.numbers(uint64(len(list)))
	for _, s := range list {
		c.text(s)
	}
}

func (c *canon) flag(b bool) {
	if b {
		c.numbers(1)
	} else {
		c.numbers(0)
	}
}

func (c *canon) worker(w *job.Worker) {
	c.numbers(uint64(w.Key), uint64(w.Slots), uint64(w.PID), uint64(w.StartedAt.UnixNano()))
	c.texts([]string{w.ID, w.User, w.Host})
	c.texts(w.Queues)
	c.texts(w.Kinds)
	c.flag(w.Shell)
	c.flag(w.Stopping)
	c.flag(w.StopNow)
	c.numbers(uint64(len(w.Running)))
	for _, key := range w.Running {
		c.numbers(uint64(key))
	}
}

func (c *canon) job(p *Projection, j place) {
	r := j.record()
	c.numbers(uint64(j.key()), uint64(r.state), uint64(r.enqueuedAt), uint64(r.due), uint64(r.rank))
	c.text(p.specs.text(r.spec))
	who := p.callers.all[r.caller]
	c.texts([]string{who.dir, who.path})
	if r.life == 0 {
		c.flag(false)
		return
	}
	c.flag(true)
	l := p.lives.at(r.life - 1)
	c.numbers(
		uint64(l.updatedAt), uint64(l.startedAt), uint64(l.finishedAt), uint64(l.run), uint64(l.worker),
		uint64(l.attempts), uint64(l.runs), uint64(l.crashes), uint64(uint32(l.exit)), uint64(uint32(l.signal)),
		uint64(l.why), uint64(l.flags), uint64(len(p.kills[r.life])),
	)
	for _, signal := range p.kills[r.life] {
		c.numbers(uint64(signal))
	}
	c.text(p.errors[r.life])
}
