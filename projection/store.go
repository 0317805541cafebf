package projection

import (
	"slices"
	"strings"

	"github.com/queuectl/queuectl/job"
)

// record is what is kept of every job: 64 bytes, no pointers. Its key stands beside it in the page.
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
	state      job.State
	onCrash    job.OnCrash
}

// life is what a job has once something has happened to it: 64 bytes, no pointers. What few have is in maps.
type life struct {
	updatedAt  int64
	startedAt  int64 // of the current or last run
	finishedAt int64 // when it reached a final state; 0 = it is in none
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
)

// slab is a list that grows without moving or copying what it holds, and without spare room for more
// than a page.
type slab[T any] struct {
	pages []*[pageSize]T
	n     int
}

const pageSize = 256

func (s *slab[T]) at(i uint32) *T { return &s.pages[i/pageSize][i%pageSize] }

// add appends a zero value and returns its number.
func (s *slab[T]) add() uint32 {
	if s.n%pageSize == 0 {
		s.pages = append(s.pages, new([pageSize]T))
	}
	s.n++
	return uint32(s.n - 1)
}

// table holds the records in order of their keys. Keys only ever grow, so a new one goes to the end.
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

// place is where a job is.
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
		return n * pageSize, true
	}
	if n == 0 {
		return 0, false
	}
	n-- // the page that key would be in
	i, found = slices.BinarySearch(t.pages[n].keys[:min(pageSize, t.n-n*pageSize)], key)
	return n*pageSize + i, found
}

func (t *table) find(key job.Position) (place, bool) {
	i, found := t.search(key)
	if !found {
		return place{}, false
	}
	return t.at(i), true
}

// arena keeps encoded events in large blocks: no header, no rounding up to a size class, and one
// object for the garbage collector instead of a thousand.
type arena struct {
	blocks []string
	last   strings.Builder // of the block that still has room, blocks[open]
	open   int
}

// snippet is a part of a block.
type snippet struct{ block, offset, size uint32 }

const blockSize = 64 << 10

// add keeps a copy of data.
func (a *arena) add(data []byte) snippet {
	if len(data) > blockSize/8 { // a block of its own, rather than leave much of the open one empty
		a.blocks = append(a.blocks, string(data))
		return snippet{block: uint32(len(a.blocks) - 1), size: uint32(len(data))}
	}
	if a.last.Cap()-a.last.Len() < len(data) {
		a.last.Reset() // gives the old block up to its string
		a.last.Grow(blockSize)
		a.open = len(a.blocks)
		a.blocks = append(a.blocks, "")
	}
	offset := a.last.Len()
	a.last.Write(data)
	a.blocks[a.open] = a.last.String() // the same memory, now longer
	return snippet{block: uint32(a.open), offset: uint32(offset), size: uint32(len(data))}
}

// text returns what was added. It shares the memory of the block, which is never changed.
func (a *arena) text(s snippet) string {
	return a.blocks[s.block][s.offset : s.offset+s.size]
}
