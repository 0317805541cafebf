package projection

import (
	"slices"
	"strings"

	"github.com/queuectl/queuectl/job"
)

// record is what is kept of every job in memory: 72 bytes, no pointers. Its key stands beside it in the page.
type record struct {
	enqueuedAt int64
	due        int64   // while waiting: not before this time, 0 = at once; else 0
	rank       int64   // see job.Schedule
	spec       snippet // the encoded JobEnqueued event
	life       uint32  // number of its life in Projection.lives + 1; 0 = nothing has happened to it yet
	caller     uint32
	lane       uint32
	priority   int32
	maxRetries uint32
	left       uint32    // parents that have not ended as they should: it waits for them; 0 = it waits for none
	state      job.State // 0 = the job was forgotten; or away
	onCrash    job.OnCrash
	unique     bool // it has a unique key
	keyed      bool // it has a concurrency key
	dated      bool // it has a deadline, which may be lifted
}

// away is the state of a job whose memory was given up, since the base has it.
const away = job.State(len(Counts{}))

// life is what a job has once something has happened to it: 72 bytes, no pointers. What few have is in maps.
type life struct {
	updatedAt  int64
	startedAt  int64        // of the current or last run
	finishedAt int64        // when it reached a final state; 0 = it is in none
	ended      job.Position // of the event that brought it there
	run        job.Position
	worker     job.Position // of that run
	attempts   uint32
	runs       uint32
	crashes    uint32
	exit       int32 // if hasExit
	signal     int32 // that ended the last ended run; 0 = none
	why        job.Why
	flags      flags
}

type flags uint8

const (
	hasExit     flags = 1 << iota // the last ended run had an exit code
	killAsked                     // the current run was asked to end …
	cancelAsked                   // … and the job is to be cancelled then
	held                          // nobody claims the job until it is released
	edited                        // what else never changes has: see fileWriter
	lifted                        // its deadline no longer holds
)

// here says that the record is that of a job.
func (r *record) here() bool { return r.state != 0 && r.state != away }

// slab is a list that grows without moving or copying what it holds, and without spare room for more
// than a page.
type slab[T any] struct {
	pages []*[pageSize]T
	n     int
	free  []uint32 // numbers to be given again
}

const pageSize = 256

func (s *slab[T]) at(i uint32) *T { return &s.pages[i/pageSize][i%pageSize] }

// add returns the number of a zero value.
func (s *slab[T]) add() uint32 {
	if last := len(s.free) - 1; last >= 0 {
		i := s.free[last]
		s.free = s.free[:last]
		return i
	}
	if s.n%pageSize == 0 {
		s.pages = append(s.pages, new([pageSize]T))
	}
	s.n++
	return uint32(s.n - 1)
}

// remove gives a number back.
func (s *slab[T]) remove(i uint32) {
	var zero T
	*s.at(i) = zero
	s.free = append(s.free, i)
}

// table holds the records in order of their keys. Keys only ever grow, so a new one goes to the end.
// What was forgotten keeps its place, but a page of nothing else is given back.
type table struct {
	pages  []*page
	firsts []job.Position // the first key of each page: what a search begins with
	n      int
}

// page holds its keys apart from its records, so that a search touches few cache lines.
type page struct {
	keys   [pageSize]job.Position
	jobs   [pageSize]record
	counts Counts // by state: lists pass over pages without a match
}

// forgotten stands for pages of which nothing is left.
var forgotten page

// left says whether a page holds any job.
func (p *page) left() bool { return p.counts != Counts{} }

// place is where a job is in memory.
type place struct {
	page *page
	i    int
}

func (p place) key() job.Position { return p.page.keys[p.i] }
func (p place) record() *record   { return &p.page.jobs[p.i] }

func (t *table) add(key job.Position, r record) place {
	i := t.n % pageSize
	if i == 0 {
		t.pages = append(t.pages, new(page))
		t.firsts = append(t.firsts, key)
	}
	t.n++
	pg := t.pages[len(t.pages)-1]
	pg.keys[i], pg.jobs[i] = key, r
	pg.counts[r.state]++
	return place{pg, i}
}

// at returns the i-th job in order of keys.
func (t *table) at(i int) place { return place{t.pages[i/pageSize], i % pageSize} }

// search returns the number of the first job with a key that is not less than key, and whether it is
// that key.
func (t *table) search(key job.Position) (i int, found bool) {
	n, exact := slices.BinarySearch(t.firsts, key)
	if exact {
		return n * pageSize, t.pages[n] != &forgotten // which no longer says anything about it
	}
	if n == 0 {
		return 0, false
	}
	n-- // the page that key would be in
	if t.pages[n] == &forgotten {
		return n * pageSize, false
	}
	i, found = slices.BinarySearch(t.pages[n].keys[:min(pageSize, t.n-n*pageSize)], key)
	return n*pageSize + i, found
}

func (t *table) find(key job.Position) (place, bool) {
	i, found := t.search(key)
	if !found {
		return place{}, false
	}
	j := t.at(i)
	return j, j.record().here()
}

// tidy gives the i-th page back if nothing is left in it. The last page still takes new jobs.
func (t *table) tidy(i int) {
	if i < len(t.pages)-1 && !t.pages[i].left() {
		t.pages[i] = &forgotten
	}
}

// arena keeps encoded events in large blocks: no header, no rounding up to a size class, and one
// object for the garbage collector instead of a thousand.
type arena struct {
	blocks []string
	size   int64           // bytes of snippets
	in     []int32         // snippets in each block; a block of which none is left is given back
	last   strings.Builder // of the block that still has room, blocks[open]
	open   int
}

// snippet is a part of a block.
type snippet struct{ block, offset, size uint32 }

const blockSize = 64 << 10

// add keeps a copy of data.
func (a *arena) add(data []byte) snippet {
	a.size += int64(len(data))
	if len(data) > blockSize/8 { // a block of its own, rather than leave much of the open one empty
		a.blocks, a.in = append(a.blocks, string(data)), append(a.in, 1)
		return snippet{block: uint32(len(a.blocks) - 1), size: uint32(len(data))}
	}
	if a.last.Cap()-a.last.Len() < len(data) {
		if len(a.blocks) > 0 && a.in[a.open] == 0 {
			a.blocks[a.open] = ""
		}
		a.last.Reset() // gives the old block up to its string
		a.last.Grow(blockSize)
		a.open = len(a.blocks)
		a.blocks, a.in = append(a.blocks, ""), append(a.in, 0)
	}
	a.in[a.open]++
	offset := a.last.Len()
	a.last.Write(data)
	a.blocks[a.open] = a.last.String() // the same memory, now longer
	return snippet{block: uint32(a.open), offset: uint32(offset), size: uint32(len(data))}
}

// remove takes out what was added. Texts that were handed out stay as they are.
func (a *arena) remove(s snippet) {
	a.size -= int64(s.size)
	if a.in[s.block]--; a.in[s.block] == 0 && int(s.block) != a.open {
		a.blocks[s.block] = ""
	}
}

// text returns what was added. It shares the memory of the block, which is never changed.
func (a *arena) text(s snippet) string {
	return a.blocks[s.block][s.offset : s.offset+s.size]
}
