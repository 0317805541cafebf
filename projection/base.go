package projection

import (
	"fmt"
	"hash/fnv"
	"iter"
	"slices"
	"sort"
	"unsafe"

	"github.com/queuectl/queuectl/job"
)

// File is one file of a snapshot: blocks of bytes in numbered sections. Whoever implements it makes sure
// that Block returns what was written or an error. The bytes are not changed by anybody afterwards.
type File interface {
	Blocks(section uint16) int
	First(section uint16, i int) uint64 // what the i-th block of the section begins with
	Block(section uint16, i int) ([]byte, error)
}

// BaseError says that a file of the snapshot that a projection rests on could not be read. A query or
// fold that meets it panics with it: the state is of no use any more, and must be made anew without that
// file and those that follow it.
type BaseError struct {
	Level int // number of the file, from 0 for the oldest
	Err   error
}

func (e *BaseError) Error() string { return fmt.Sprintf("read snapshot file %d: %v", e.Level, e.Err) }

// Unwrap returns the cause.
func (e *BaseError) Unwrap() error { return e.Err }

// base is what a projection rests on: files, each of which says what has changed since the one before.
type base struct {
	levels []*level // oldest first
	at     job.Position
}

// level is one of the files.
type level struct {
	file    File
	number  int
	since   job.Position       // keys up to it may be in older files
	through job.Position       // no key is greater
	callers []caller           // nil = not read yet
	cache   [sections][]string // blocks that were read; "" = not, or not kept
	kept    int                // how many those are
}

// cached is how many blocks of a file are kept. Scans need one at a time of each section, look-ups come
// back to the same few.
const cached = 64

// fail ends whatever needs the file.
func (l *level) fail(err error) { panic(&BaseError{Level: l.number, Err: err}) }

// read returns a block.
func (l *level) read(section uint16, i int) string {
	if kept := l.cache[section]; i < len(kept) && kept[i] != "" {
		return kept[i]
	}
	data, err := l.file.Block(section, i)
	if err != nil {
		l.fail(err)
	}
	if l.kept++; l.kept > cached {
		clear(l.cache[:])
		l.kept = 1
	}
	if l.cache[section] == nil {
		l.cache[section] = make([]string, l.file.Blocks(section))
	}
	text := unsafe.String(unsafe.SliceData(data), len(data)) // nobody changes it: see File
	l.cache[section][i] = text
	return text
}

func (l *level) jobs(section uint16, i int) jobs {
	b, err := openJobs(l.file.First(section, i), l.read(section, i))
	if err != nil {
		l.fail(err)
	}
	return b
}

func (l *level) job(b *jobs, i int) found {
	if l.callers == nil {
		l.callers = l.readCallers()
	}
	f, err := b.job(i, l.callers)
	if err != nil {
		l.fail(err)
	}
	return f
}

func (l *level) readCallers() []caller {
	t := taker{rest: l.read(sectionCallers, 0)}
	callers := make([]caller, t.length())
	for i := range callers {
		callers[i] = caller{t.text(), t.text()}
	}
	if t.bad || t.rest != "" {
		l.fail(errMalformed)
	}
	return callers
}

// holding returns the number of the block that would have what, -1 if it comes before all of them.
func (l *level) holding(section uint16, what uint64) int {
	n := l.file.Blocks(section)
	return sort.Search(n, func(i int) bool { return l.file.First(section, i) > what }) - 1
}

// moved says that the file speaks of a job that is older than itself.
func (l *level) moved(key job.Position) bool {
	if key > l.since {
		return false
	}
	i := l.holding(sectionMoved, uint64(key))
	if i < 0 {
		return false
	}
	text := l.read(sectionMoved, i)
	n := len(text) / 8
	at := sort.Search(n, func(i int) bool { return u64(text[i*8:]) >= uint64(key) })
	return at < n && u64(text[at*8:]) == uint64(key)
}

// find returns what the file says about a job.
func (l *level) find(key job.Position) (found, bool) {
	for _, s := range jobSections {
		i := l.holding(s.section, uint64(key))
		if i < 0 {
			continue
		}
		b := l.jobs(s.section, i)
		if at, exact := b.search(key); exact {
			return l.job(&b, at), true
		}
	}
	return found{}, false
}

// find returns the job with this key.
func (b *base) find(key job.Position) (found, bool) {
	for n, l := range slices.Backward(b.levels) {
		if key <= l.since && !l.moved(key) {
			continue
		}
		f, known := l.find(key)
		if known {
			b.complete(n, &f)
		}
		return f, known
	}
	return found{}, false
}

// complete looks up what never changes of a job that the n-th file has: it is in the one in whose time the job
// was enqueued.
func (b *base) complete(n int, f *found) {
	if f.spec != "" {
		return
	}
	for _, l := range b.levels[:n] {
		if f.key > l.through {
			continue
		}
		if older, known := l.find(f.key); known && older.spec != "" {
			f.complete(&older)
			return
		}
		break
	}
	b.levels[n].fail(fmt.Errorf("job %d: %w: no older file has what it was enqueued with", f.key, errMalformed))
}

// overridden says that a file after the n-th speaks of the job.
func (b *base) overridden(n int, key job.Position) bool {
	for _, l := range b.levels[n+1:] {
		if l.moved(key) {
			return true
		}
	}
	return false
}

// idHash places a chosen id in the index.
func idHash(id string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(id))
	return h.Sum64()
}

// keys yields the keys of jobs that may have a chosen id.
func (b *base) keys(id string) iter.Seq[job.Position] {
	return func(yield func(job.Position) bool) {
		if len(b.levels) == 0 {
			return
		}
		hash := idHash(id)
		for _, l := range slices.Backward(b.levels) {
			for key := range l.keys(sectionIDs, hash) {
				if !yield(key) {
					return
				}
			}
		}
	}
}

// indexEntry is the size of an entry of an index by hash: hash and key.
const indexEntry = 16

// keys yields the keys of a hash in a section of an index, ascending.
func (l *level) keys(section uint16, hash uint64) iter.Seq[job.Position] {
	return l.keysBetween(section, hash, hash)
}

// scan is a walk over the jobs of one section of one file, in either direction.
type scan struct {
	level    *level
	section  uint16
	block, i int
	jobs     jobs
	down     bool
	done     bool
}

// newScan begins at the first job with a key after that of the filter, or at the last one before.
func newScan(l *level, section uint16, f *Filter) scan {
	s := scan{level: l, section: section, down: f.Newest}
	if s.down {
		last := uint64(1<<64 - 1)
		if f.Before != 0 {
			last = uint64(f.Before) - 1
		}
		if s.block = l.holding(section, last); s.block < 0 {
			s.done = true
			return s
		}
		s.jobs = l.jobs(section, s.block)
		at, exact := s.jobs.search(job.Position(last))
		if s.i = at; !exact {
			s.i--
		}
		s.settle()
		return s
	}
	if s.block = max(0, l.holding(section, uint64(f.After))); s.block >= l.file.Blocks(section) {
		s.done = true
		return s
	}
	s.jobs = l.jobs(section, s.block)
	at, exact := s.jobs.search(f.After)
	if s.i = at; exact {
		s.i++
	}
	s.settle()
	return s
}

func (s *scan) key() job.Position { return s.jobs.key(s.i) }

func (s *scan) next() {
	if s.down {
		s.i--
	} else {
		s.i++
	}
	s.settle()
}

// settle goes on to the block that has what comes next.
func (s *scan) settle() {
	for !s.done && (s.i < 0 || s.i >= s.jobs.len()) {
		if s.down {
			s.block--
		} else {
			s.block++
		}
		if s.done = s.block < 0 || s.block >= s.level.file.Blocks(s.section); s.done {
			return
		}
		s.jobs = s.level.jobs(s.section, s.block)
		if s.i = 0; s.down {
			s.i = s.jobs.len() - 1
		}
	}
}

// scan yields the jobs that the files from the given one on have, those of the filter's states between its bounds, in order of
// keys or, for the newest, against it. It leaves out those that a newer file speaks of.
func (b *base) scan(from int, f *Filter) iter.Seq[found] {
	return func(yield func(found) bool) {
		set := stateSet(f.States)
		var scans []scan
		for _, l := range b.levels[from:] {
			for _, s := range jobSections {
				if s.states&set != 0 && l.file.Blocks(s.section) > 0 {
					scans = append(scans, newScan(l, s.section, f))
				}
			}
		}
		for {
			best := -1
			for i := range scans {
				if s := &scans[i]; !s.done && (best < 0 || (s.key() < scans[best].key()) != f.Newest) {
					best = i
				}
			}
			if best < 0 {
				return
			}
			s := &scans[best]
			key := s.key()
			if f.Before != 0 && key >= f.Before || key <= f.After {
				return
			}
			if n := s.level.number; !b.overridden(n, key) {
				job := s.level.job(&s.jobs, s.i)
				if b.complete(n, &job); set.has(job.record.state) && !yield(job) {
					return
				}
			}
			s.next()
		}
	}
}
