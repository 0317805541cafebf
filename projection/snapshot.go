package projection

import (
	"cmp"
	"fmt"
	"iter"
	"slices"

	"github.com/queuectl/queuectl/job"
)

// Sink takes the blocks of a file as [Projection.Save] writes them. The blocks of one section come in
// order of what they begin with; those of several sections come in any order.
type Sink interface {
	Block(section uint16, first uint64, data []byte) error
}

// Load returns the projection that the files of a snapshot hold, oldest first. Each was written by a
// projection that rested on those before it. Jobs are read from the files when they are asked for; who
// folds many events about them, or needs all that wait, calls [Projection.LoadLive]. The files must stay
// readable. Like every query and fold later, Load panics with a *BaseError if a file cannot be read.
func Load(files []File) *Projection {
	p := New()
	if len(files) == 0 {
		return p
	}
	for i, file := range files {
		l := &level{file: file, number: i, since: p.base.at}
		if n := file.Blocks(sectionSummary); n != 1 {
			l.fail(fmt.Errorf("%w: %d summaries", errMalformed, n))
		}
		p.base.levels = append(p.base.levels, l)
		p.base.at = job.Position(file.First(sectionSummary, 0))
		l.through = p.base.at
	}
	last := p.base.levels[len(files)-1]
	s, err := decodeSummary(last.read(sectionSummary, 0))
	if err == nil && s.at.Position != p.base.at {
		err = errMalformed
	}
	if err == nil {
		err = p.adoptSummary(s)
	}
	if err != nil {
		last.fail(err)
	}
	return p
}

// Live says that all jobs that wait or run are in memory.
func (p *Projection) Live() bool { return p.live || len(p.base.levels) == 0 }

// LoadLive brings all jobs that wait or run into memory, and yields what the timeline must know of them:
// those that wait, not for parents, and are not held.
// Later ones are told by the folds.
func (p *Projection) LoadLive() iter.Seq[job.Schedule] {
	if !p.Live() {
		p.loadLive()
		p.live = true
	}
	return func(yield func(job.Schedule) bool) {
		for f := range p.inMemory(Filter{States: []job.State{job.Pending, job.Failed}}) {
			if f.record.left == 0 && f.life.flags&held == 0 && !yield(f.schedule()) {
				return
			}
		}
	}
}

// loadLive makes a table of the live jobs of the base and of all that is in memory, in order of their keys.
func (p *Projection) loadLive() {
	var all table
	next, stop := iter.Pull(p.places())
	defer stop()
	here, more := next()
	for f := range p.base.scan(0, &Filter{States: []job.State{job.Pending, job.Processing, job.Failed}}) {
		if p.isHere(f.key) {
			continue
		}
		for ; more && here.key() < f.key; here, more = next() {
			all.add(here.key(), *here.record())
		}
		p.keep(all.add(f.key, p.adopt(&f)), &f)
	}
	for ; more; here, more = next() {
		all.add(here.key(), *here.record())
	}
	p.jobs, p.strays, p.strayed = all, map[job.Position]place{}, 0
	for i := range p.jobs.n {
		if j := p.jobs.at(i); j.record().here() && j.record().dated {
			p.dates.set(j.key(), p.waitsUntil(j))
		}
	}
}

// places yields all places in memory that say something, in order of their keys.
func (p *Projection) places() iter.Seq[place] {
	return func(yield func(place) bool) {
		stray := p.strayKeys(&Filter{})
		for i := range p.jobs.n {
			j := p.jobs.at(i)
			if j.key() == 0 || j.record().state == away {
				continue
			}
			for ; len(stray) > 0 && stray[0] < j.key(); stray = stray[1:] {
				if !yield(p.strays[stray[0]]) {
					return
				}
			}
			if !yield(j) {
				return
			}
		}
		for _, key := range stray {
			if !yield(p.strays[key]) {
				return
			}
		}
	}
}

// Rebase makes the projection rest on other files than those that it came from, which say what it has folded
// itself up to a position: it gives up the memory of the jobs that had ended by then. It costs time for the
// jobs that have ended since the last time. It reports false, and has done nothing, if jobs that had ended then
// are not what they were: the next files will do. Like Load it panics with a *BaseError.
func (p *Projection) Rebase(files []File) bool {
	loaded := Load(files)
	if !p.Settled(loaded.base.at) {
		return false
	}
	p.live = p.Live()
	p.base = loaded.base
	p.trim()
	known := func(r *record) bool {
		return r.here() && r.state.Ended() && p.lives.at(r.life-1).ended <= p.base.at
	}
	ended := jobSections[1].states | jobSections[2].states | jobSections[3].states
	for n, page := range p.jobs.pages {
		if ended.in(&page.counts) {
			p.dropAll(page, known, away)
		}
		p.jobs.tidy(n)
	}
	for key, j := range p.strays {
		if known(j.record()) {
			p.dropJob(j, away)
		}
		if !j.record().here() {
			delete(p.strays, key)
		}
	}
	return true
}

// Weight returns about how many bytes a file of what is in memory has: of jobs of the base, only what changes.
func (p *Projection) Weight() int64 {
	const perJob = 40
	size := p.specs.size + int64(p.jobs.n+len(p.strays))*perJob
	for _, j := range p.strays {
		size -= int64(j.record().spec.size)
	}
	return size
}

// Save writes a file for a snapshot: the state as it is, or what it says beyond the oldest files of the
// snapshot that it rests on, as many as keep says. keep 0 is all of it. It must not be called after
// LoadLive: what was only loaded would count as changed.
func (p *Projection) Save(keep int, sink Sink) error {
	if p.live && len(p.base.levels) > 0 {
		panic("projection: a state with loaded jobs is saved")
	}
	w := fileWriter{sink: sink, callers: newCallers()}
	if keep > 0 {
		w.since = job.Position(p.base.levels[keep-1].file.First(sectionSummary, 0))
	}
	w.moved.section = sectionMoved
	for i, s := range jobSections {
		w.jobs[i].section = s.section
	}
	for f := range p.merge(keep, Filter{}) {
		if err := w.job(&f); err != nil {
			return err
		}
	}
	w.movedKeys = p.movedKeys(keep, w.since)
	return w.finish(p)
}

// movedKeys returns the keys up to since of all jobs that the files from the given one on or the memory speak of.
func (p *Projection) movedKeys(from int, since job.Position) []uint64 {
	if since == 0 {
		return nil
	}
	var keys []uint64
	add := func(key uint64) {
		if key <= uint64(since) {
			keys = append(keys, key)
		}
	}
	for _, l := range p.base.levels[from:] {
		for i := range l.file.Blocks(sectionMoved) {
			for text := l.read(sectionMoved, i); len(text) >= 8; text = text[8:] {
				add(u64(text))
			}
		}
	}
	for key := range p.strays {
		add(uint64(key))
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// fileWriter sorts jobs into the sections of a file.
type fileWriter struct {
	sink      Sink
	since     job.Position // of what is older
	callers   callers
	jobs      [len(jobSections)]jobBlock
	ids       hashIndex
	unique    hashIndex // unique keys
	live      hashIndex // … of jobs that wait or run
	children  hashIndex // of each job: the other way round, see level.children
	begin     hashIndex // beginnings of chosen ids
	moved     numberBlock
	movedKeys []uint64
}

// hashIndex finds keys by the hashes of texts.
type hashIndex []indexed

type indexed struct{ hash, key uint64 }

func (x *hashIndex) add(text string, key job.Position) {
	*x = append(*x, indexed{idHash(text), uint64(key)})
}

// write writes the section in order.
func (x hashIndex) write(sink Sink, section uint16) error {
	slices.SortFunc(x, func(a, b indexed) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.key, b.key))
	})
	block := numberBlock{section: section}
	for _, e := range x {
		if err := block.add(sink, e.hash, e.key); err != nil {
			return err
		}
	}
	return block.flush(sink)
}

func (w *fileWriter) job(f *found) error {
	for i, s := range jobSections {
		if !s.states.has(f.record.state) {
			continue
		}
		isNew := f.key > w.since
		whole := isNew || f.life.flags&edited != 0 // an older file has not what was edited
		w.index(f, isNew)
		b := &w.jobs[i]
		if b.full(f.key) {
			if err := b.flush(w.sink); err != nil {
				return err
			}
		}
		caller := uint32(0)
		if whole {
			caller = w.callers.number(f.caller)
		}
		b.add(f, caller, whole)
	}
	return nil
}

// index makes a job be found by what names it.
func (w *fileWriter) index(f *found, isNew bool) {
	head := f.head()
	if isNew && !madeBy(head.ID, f.key) {
		w.ids.add(head.ID, f.key)
		w.begin = append(w.begin, indexed{idBeginning(head.ID), uint64(f.key)})
	}
	if isNew && head.After {
		w.children.addParents(f)
	}
	if isNew && head.UniqueKey != "" {
		w.unique.add(head.UniqueKey, f.key)
	}
	if head.UniqueKey != "" && isActive(f.record.state) {
		w.live.add(head.UniqueKey, f.key)
	}
}

// madeBy says that the log made the id for this key, so that the key can be read from it.
func madeBy(id string, key job.Position) bool {
	made, ok := job.PositionOfMadeID(id)
	return ok && made == key
}

func (w *fileWriter) finish(p *Projection) error {
	for i := range w.jobs {
		if err := w.jobs[i].flush(w.sink); err != nil {
			return err
		}
	}
	for _, index := range []struct {
		entries hashIndex
		section uint16
	}{{w.ids, sectionIDs}, {w.unique, sectionUnique}, {w.live, sectionUniqueLive}, {w.children, sectionChildren}, {w.begin, sectionBeginnings}} {
		if err := index.entries.write(w.sink, index.section); err != nil {
			return err
		}
	}
	for _, key := range w.movedKeys {
		if err := w.moved.add(w.sink, key); err != nil {
			return err
		}
	}
	if err := w.moved.flush(w.sink); err != nil {
		return err
	}
	var callers, summary canon
	callers.numbers(uint64(len(w.callers.all)))
	for _, c := range w.callers.all {
		callers.text(c.dir)
		callers.text(c.path)
	}
	if err := w.sink.Block(sectionCallers, 0, callers); err != nil {
		return err
	}
	p.summary().encode(&summary)
	return w.sink.Block(sectionSummary, uint64(p.at.Position), summary)
}
