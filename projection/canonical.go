package projection

import "encoding/binary"

// AppendCanonical appends an encoding of the whole state that is the same for the same state, however
// it was reached: by folding the log from its beginning, from a snapshot on, or event by event as they
// were decided. It is for comparing states and not for keeping them: it may change with every release.
func (p *Projection) AppendCanonical(dst []byte) []byte {
	c := canon(dst)
	p.summary().encode(&c)
	for f := range p.all(Filter{}) {
		c.job(&f)
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

func (c *canon) job(f *found) {
	r, l := &f.record, &f.life
	c.numbers(uint64(f.key), uint64(r.state), uint64(r.enqueuedAt), uint64(r.due), uint64(r.rank), uint64(r.left))
	c.text(f.spec)
	c.texts([]string{f.caller.dir, f.caller.path})
	c.flag(f.lived)
	if !f.lived {
		return
	}
	c.numbers(
		uint64(l.updatedAt), uint64(l.startedAt), uint64(l.finishedAt), uint64(l.ended), uint64(l.run), uint64(l.worker),
		uint64(l.attempts), uint64(l.runs), uint64(l.crashes), uint64(uint32(l.exit)), uint64(uint32(l.signal)),
		uint64(l.why), uint64(l.flags), uint64(len(f.kills)),
	)
	for _, signal := range f.kills {
		c.numbers(uint64(signal))
	}
	c.text(f.lastError)
}
