package projection

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/queuectl/queuectl/job"
)

// The sections of a snapshot file. Blocks of one section are in order of what they begin with.
const (
	sectionSummary   = 1 // one block: see summary
	sectionCallers   = 2 // one block: number · (directory · PATH) for each, as texts
	sectionIDs       = 3 // chosen ids: (hash u64 · key u64) in order
	sectionMoved     = 4 // keys u64, in order, of jobs that the files before it may have and that it speaks of
	sectionLive      = 5 // jobs that wait or run
	sectionCompleted = 6
	sectionDead      = 7
	sectionCancelled = 8

	sectionUnique     = 9  // unique keys of the jobs that are only here: (hash u64 · key u64) in order
	sectionUniqueLive = 10 // the same of all jobs here that wait or run

	sectionChildren = 11 // see level.children

	sectionBeginnings = 12 // chosen ids: (first 8 bytes as a number, see idBeginning · key u64) in order

	sections = 13
)

// jobSections are those of jobs, and the states of the jobs in them.
var jobSections = [...]struct {
	section uint16
	states  states
}{
	{sectionLive, 1<<job.Pending | 1<<job.Processing | 1<<job.Failed},
	{sectionCompleted, 1 << job.Completed},
	{sectionDead, 1 << job.Dead},
	{sectionCancelled, 1 << job.Cancelled},
}

// A block of jobs, little endian:
//
//	0        8       12
//	+--------+--------+- - - - - - - - - - -+- - - - -+
//	| base   | count  | count × (key u32,   | jobs    |
//	| time   |        |          offset u32)|         |
//	+--------+--------+- - - - - - - - - - -+- - - - -+
//
// Keys are counted from the one that the block begins with, offsets from the first job. A job is, as
// numbers (uvarints, of which those that may be negative are zigzag) and texts (length and bytes):
//
//	state · flags · [due] · [parents left] · [life] · [enqueued at · rank · caller · JobEnqueued event]
//
// What never changes, the last part, is only in the oldest file that has the job. Times are counted from the
// block's base time.
const (
	blockHead  = 12
	blockEntry = 8
	// blockSizeMin is how large a block of jobs is before it is closed: one look-up reads so much.
	blockSizeMin = 32 << 10
)

// jobBlock makes blocks of one section of jobs.
type jobBlock struct {
	section uint16
	first   job.Position
	base    int64
	index   []byte
	jobs    canon
}

// The flags of a job in a block.
const (
	blockDue   = 1 << iota // it waits for a time
	blockLived             // it has a life
	blockWhole             // what never changes follows
	blockLeft              // it waits for parents
)

// add appends a job. caller is the number in the file of who enqueued it; not whole leaves out what never
// changes.
func (b *jobBlock) add(f *found, caller uint32, whole bool) {
	if len(b.index) == 0 {
		b.first, b.base = f.key, f.record.enqueuedAt
	}
	b.index = binary.LittleEndian.AppendUint32(b.index, uint32(f.key-b.first))
	b.index = binary.LittleEndian.AppendUint32(b.index, uint32(len(b.jobs)))
	r, c := &f.record, &b.jobs
	flags := uint64(0)
	if r.due != 0 {
		flags |= blockDue
	}
	if f.lived {
		flags |= blockLived
	}
	if whole {
		flags |= blockWhole
	}
	if r.left > 0 {
		flags |= blockLeft
	}
	c.numbers(uint64(r.state), flags)
	if r.due != 0 {
		c.signed(r.due - b.base)
	}
	if r.left > 0 {
		c.numbers(uint64(r.left))
	}
	if f.lived {
		b.addLife(f)
	}
	if whole {
		c.signed(r.enqueuedAt - b.base)
		c.signed(r.rank - r.enqueuedAt)
		c.numbers(uint64(caller))
		c.text(f.spec)
	}
}

func (b *jobBlock) addLife(f *found) {
	r, l, c := &f.record, &f.life, &b.jobs
	c.signed(l.updatedAt - b.base)
	c.numbers(uint64(l.runs))
	if l.runs > 0 {
		c.signed(l.startedAt - b.base)
		c.numbers(uint64(l.run-f.key), uint64(l.worker))
	}
	if r.state.Ended() {
		c.signed(l.finishedAt - l.updatedAt)
		c.numbers(uint64(l.ended - f.key))
	}
	c.numbers(uint64(l.attempts), uint64(l.crashes), uint64(uint32(l.exit)), uint64(uint32(l.signal)), uint64(l.why), uint64(l.flags))
	c.numbers(uint64(len(f.kills)))
	for _, signal := range f.kills {
		c.numbers(uint64(signal))
	}
	c.text(f.lastError)
}

// full says that the next job, with this key, must go into another block.
func (b *jobBlock) full(key job.Position) bool {
	return len(b.index)+len(b.jobs) >= blockSizeMin || len(b.index) > 0 && key-b.first > math.MaxUint32
}

// flush passes the block on, if there is anything in it, and begins another.
func (b *jobBlock) flush(sink Sink) error {
	if len(b.index) == 0 {
		return nil
	}
	data := binary.LittleEndian.AppendUint64(nil, uint64(b.base))
	data = binary.LittleEndian.AppendUint32(data, uint32(len(b.index)/blockEntry))
	data = slices.Concat(data, b.index, b.jobs)
	b.index, b.jobs = b.index[:0], b.jobs[:0]
	return sink.Block(b.section, uint64(b.first), data)
}

// jobs is a block as it was read.
type jobs struct {
	first job.Position
	base  int64
	index string
	text  string
}

func openJobs(first uint64, text string) (jobs, error) {
	if len(text) < blockHead {
		return jobs{}, errMalformed
	}
	head := []byte(text[:blockHead])
	n := int(binary.LittleEndian.Uint32(head[8:]))
	if n > (len(text)-blockHead)/blockEntry {
		return jobs{}, errMalformed
	}
	end := blockHead + n*blockEntry
	b := jobs{
		first: job.Position(first), base: int64(binary.LittleEndian.Uint64(head)),
		index: text[blockHead:end], text: text[end:],
	}
	return b, nil
}

func (b *jobs) len() int { return len(b.index) / blockEntry }

func (b *jobs) key(i int) job.Position { return b.first + job.Position(u32(b.index[i*blockEntry:])) }

// search returns the number of the first job with a key that is not less than key, and whether it is
// that key.
func (b *jobs) search(key job.Position) (i int, exact bool) {
	low, high := 0, b.len()
	for low < high {
		if mid := (low + high) / 2; b.key(mid) < key {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low, low < b.len() && b.key(low) == key
}

// job decodes the i-th job. Its spec is "" if it is not whole.
func (b *jobs) job(i int, callers []caller) (found, error) {
	offset := u32(b.index[i*blockEntry+4:])
	if int(offset) > len(b.text) {
		return found{}, errMalformed
	}
	t := taker{rest: b.text[offset:]}
	f := found{key: b.key(i)}
	r := &f.record
	r.state = job.State(t.number())
	flags := t.number()
	if flags&blockDue != 0 {
		r.due = b.base + t.signed()
	}
	if flags&blockLeft != 0 {
		r.left = uint32(t.number())
	}
	if f.lived = flags&blockLived != 0; f.lived {
		f.takeLife(&t, b.base)
	}
	err := error(nil)
	if flags&blockWhole != 0 {
		err = f.takeWhole(&t, b.base, callers)
	}
	if t.bad || err != nil || r.state < job.Pending || r.state > job.Cancelled || r.state.Ended() && !f.lived {
		return found{}, fmt.Errorf("job %d: %w", f.key, cmp.Or(err, error(errMalformed)))
	}
	return f, nil
}

func (f *found) takeWhole(t *taker, base int64, callers []caller) error {
	r := &f.record
	r.enqueuedAt = base + t.signed()
	r.rank = r.enqueuedAt + t.signed()
	who := t.number()
	f.spec = t.text()
	if who >= uint64(len(callers)) {
		return errMalformed
	}
	head, err := job.PeekEnqueued(f.spec)
	f.caller, f.queue, f.kind = callers[who], head.Queue, head.Kind
	r.priority, r.maxRetries, r.onCrash = head.Priority, head.MaxRetries, head.OnCrash
	r.unique, r.keyed, r.dated = head.UniqueKey != "", head.ConcurrencyKey != "", head.Deadline != 0
	return err
}

// complete takes over what never changes from another account of the same job.
func (f *found) complete(older *found) {
	r, o := &f.record, &older.record
	f.spec, f.caller, f.queue, f.kind = older.spec, older.caller, older.queue, older.kind
	r.enqueuedAt, r.rank, r.priority, r.maxRetries = o.enqueuedAt, o.rank, o.priority, o.maxRetries
	r.onCrash, r.unique, r.keyed, r.dated = o.onCrash, o.unique, o.keyed, o.dated
}

func (f *found) takeLife(t *taker, base int64) {
	r, l := &f.record, &f.life
	l.updatedAt = base + t.signed()
	if l.runs = uint32(t.number()); l.runs > 0 {
		l.startedAt = base + t.signed()
		l.run, l.worker = f.key+t.position(), t.position()
	}
	if r.state.Ended() {
		l.finishedAt = l.updatedAt + t.signed()
		l.ended = f.key + t.position()
	}
	l.attempts, l.crashes = uint32(t.number()), uint32(t.number())
	l.exit, l.signal = int32(uint32(t.number())), int32(uint32(t.number()))
	l.why, l.flags = job.Why(t.number()), flags(t.number())
	for range t.length() {
		f.kills = append(f.kills, int32(uint32(t.number())))
	}
	f.lastError = t.text()
}

func u32(s string) uint32 {
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

func u64(s string) uint64 { return uint64(u32(s)) | uint64(u32(s[4:]))<<32 }

// numberBlock makes blocks of fixed numbers: ids with two of them, keys with one.
type numberBlock struct {
	section uint16
	data    []byte
	first   uint64
}

func (b *numberBlock) add(sink Sink, numbers ...uint64) error {
	if len(b.data) == 0 {
		b.first = numbers[0]
	}
	for _, n := range numbers {
		b.data = binary.LittleEndian.AppendUint64(b.data, n)
	}
	if len(b.data) < blockSizeMin {
		return nil
	}
	return b.flush(sink)
}

func (b *numberBlock) flush(sink Sink) error {
	if len(b.data) == 0 {
		return nil
	}
	data := b.data
	b.data = nil
	return sink.Block(b.section, b.first, data)
}
