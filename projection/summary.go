package projection

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/queuectl/queuectl/job"
)

// summary is all of a state but its jobs.
type summary struct {
	at       job.At
	steady   int64
	logID    [16]byte
	latest   job.Position
	revived  job.Position
	rank     int64
	settings map[string]string
	repairs  map[string]bool
	workers  []*worker
	after    after
	crons    []*cron // in order of their keys
	counts   Counts
	held     int
	queues   []queue // by name: those that hold or have held jobs, or were held back
}

func (p *Projection) summary() *summary {
	s := &summary{
		at: p.at, steady: p.steady, logID: p.logID, latest: p.latest, revived: p.revived, rank: p.rank,
		settings: p.settings, repairs: p.repairs, workers: p.workers, crons: p.crons.sorted(), counts: p.counts, held: p.held,
		after: p.after,
	}
	for _, name := range slices.Sorted(maps.Keys(p.lanes.byQueue)) {
		q := p.lanes.queues[p.lanes.byQueue[name]]
		if q.counts != (Counts{}) || q.cuts != (cuts{}) || q.gate != nil || q.served != 0 {
			s.queues = append(s.queues, q)
		}
	}
	return s
}

// adopt makes it the state's own.
func (p *Projection) adoptSummary(s *summary) error {
	p.at, p.steady, p.logID, p.latest, p.revived, p.rank = s.at, s.steady, s.logID, s.latest, s.revived, s.rank
	p.repairs, p.workers, p.counts, p.held, p.after = s.repairs, s.workers, s.counts, s.held, s.after
	for key, value := range s.settings {
		if err := p.configSet(p.at, job.ConfigSet{Key: key, New: value}); err != nil {
			return err
		}
	}
	for _, c := range s.crons {
		if !p.crons.add(c) {
			return errMalformed
		}
	}
	for _, q := range s.queues {
		q.name = strings.Clone(q.name)
		p.lanes.queues[p.lanes.queueNumber(q.name)] = q
	}
	return nil
}

// summaryVersion is the first number of a summary. It changes whenever a file of a release cannot be read any more as
// this program reads one: of what stands in the blocks as well.
const summaryVersion = 1

func (s *summary) encode(c *canon) {
	c.numbers(summaryVersion)
	c.numbers(uint64(s.at.Position), uint64(s.at.Time), uint64(s.latest), uint64(s.revived), uint64(s.rank))
	c.text(string(s.logID[:]))
	c.numbers(uint64(s.steady))
	c.numbers(uint64(len(s.settings)))
	for _, key := range slices.Sorted(maps.Keys(s.settings)) {
		c.texts([]string{key, s.settings[key]})
	}
	c.texts(slices.Sorted(maps.Keys(s.repairs)))
	c.numbers(uint64(len(s.workers)))
	for _, w := range s.workers {
		c.worker(&w.Worker)
	}
	c.numbers(uint64(len(s.crons)))
	for _, cron := range s.crons {
		c.cron(cron)
	}
	c.counts(&s.counts)
	c.numbers(uint64(s.held))
	s.after.encode(c)
	c.numbers(uint64(len(s.queues)))
	for _, q := range s.queues {
		c.text(q.name)
		c.counts(&q.counts)
		for _, cut := range q.cuts {
			c.numbers(uint64(cut))
		}
		c.numbers(uint64(q.served))
		c.gate(q.gate)
	}
}

func (c *canon) counts(counts *Counts) {
	for _, n := range counts {
		c.numbers(uint64(n))
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

// errMalformed says that bytes with the right checksum are not what this program would have written.
var errMalformed = errors.New("malformed")

// decodeSummary is the inverse of encode.
func decodeSummary(text string) (*summary, error) {
	t := taker{rest: text}
	if version := t.number(); version != summaryVersion {
		return nil, fmt.Errorf("%w: version %d, and this program reads %d", errMalformed, version, summaryVersion)
	}
	s := &summary{settings: map[string]string{}, repairs: map[string]bool{}}
	s.at = job.At{Position: t.position(), Time: t.int()}
	s.latest, s.revived, s.rank = t.position(), t.position(), t.int()
	copy(s.logID[:], t.text())
	s.steady = t.int()
	for range t.length() {
		list := t.texts()
		if len(list) != 2 {
			return nil, errMalformed
		}
		s.settings[list[0]] = list[1]
	}
	for _, name := range t.texts() {
		s.repairs[name] = true
	}
	for range t.length() {
		s.workers = append(s.workers, &worker{t.worker()})
	}
	for range t.length() {
		s.crons = append(s.crons, t.cron())
	}
	t.counts(&s.counts)
	s.held = int(t.number())
	s.after = t.after()
	for range t.length() {
		q := queue{name: t.text()}
		t.counts(&q.counts)
		for state := range q.cuts {
			q.cuts[state] = t.position()
		}
		q.served, q.gate = t.position(), t.gate()
		s.queues = append(s.queues, q)
	}
	if t.bad || t.rest != "" {
		return nil, errMalformed
	}
	return s, nil
}

func (t *taker) counts(counts *Counts) {
	for state := range counts {
		counts[state] = int(t.number())
	}
}

func (t *taker) worker() job.Worker {
	w := job.Worker{Key: t.position(), Slots: uint32(t.number()), PID: uint32(t.number()), StartedAt: instant(t.int())}
	if names := t.texts(); len(names) == 3 {
		w.ID, w.User, w.Host = names[0], names[1], names[2]
	} else {
		t.bad = true
	}
	w.Queues, w.Kinds = t.texts(), t.texts()
	w.Shell, w.Stopping, w.StopNow = t.flag(), t.flag(), t.flag()
	for range t.length() {
		w.Running = append(w.Running, t.position())
	}
	return w
}

// taker takes apart what canon has put together. Once something is wrong it gives zero values.
type taker struct {
	rest string
	bad  bool
}

func (t *taker) number() uint64 {
	var n uint64
	for i := range min(len(t.rest), 10) {
		b := t.rest[i]
		n |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			t.rest = t.rest[i+1:]
			return n
		}
	}
	t.bad, t.rest = true, ""
	return 0
}

func (t *taker) int() int64             { return int64(t.number()) }
func (t *taker) position() job.Position { return job.Position(t.number()) }
func (t *taker) flag() bool             { return t.number() != 0 }

// signed takes a number that is as likely to be negative.
func (t *taker) signed() int64 {
	n := t.number()
	return int64(n>>1) ^ -int64(n&1)
}

// length takes the number of things that follow, each of which takes a byte at least.
func (t *taker) length() int {
	n := t.number()
	if n > uint64(len(t.rest)) {
		t.bad, t.rest = true, ""
		return 0
	}
	return int(n)
}

// text takes a text that shares the memory of what it is taken from.
func (t *taker) text() string {
	n := t.length()
	text := t.rest[:n]
	t.rest = t.rest[n:]
	return text
}

// texts takes a list whose texts have memory of their own; nil if it is empty.
func (t *taker) texts() (list []string) {
	for range t.length() {
		list = append(list, strings.Clone(t.text()))
	}
	return list
}

// signed appends a number that is as likely to be negative.
func (c *canon) signed(n int64) { c.numbers(uint64(n<<1) ^ uint64(n>>63)) }
