package projection_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
	"github.com/queuectl/queuectl/scheduler"
)

// memoryFile is a snapshot file in memory.
type memoryFile struct {
	sections map[uint16][]memoryBlock
	broken   bool
}

type memoryBlock struct {
	first uint64
	data  []byte
}

func (f *memoryFile) Block(section uint16, first uint64, data []byte) error {
	if f.sections == nil {
		f.sections = map[uint16][]memoryBlock{}
	}
	f.sections[section] = append(f.sections[section], memoryBlock{first, bytes.Clone(data)})
	return nil
}

// reading is the other side of a memoryFile.
type reading struct{ *memoryFile }

func (f reading) Blocks(section uint16) int          { return len(f.sections[section]) }
func (f reading) First(section uint16, i int) uint64 { return f.sections[section][i].first }
func (f reading) Block(section uint16, i int) ([]byte, error) {
	if f.broken {
		return nil, errors.New("the disk is gone")
	}
	return f.sections[section][i].data, nil
}

// chronicle is one history, as four processes know it.
type chronicle struct {
	t       *rapid.T
	at      job.At
	lived   *decide.State // has folded all
	cold    *decide.State // came from the last snapshot
	warm    *decide.State // came from a snapshot and works: its timeline is whole
	reader  *decide.State // began without one, gives up memory, and works at some time
	works   bool          // the reader does
	files   []projection.File
	ids     []string
	worker  job.Position
	workers int
	latest  int64 // time that was claimed at
}

func newChronicle(t *rapid.T) *chronicle {
	c := &chronicle{
		t: t, lived: decide.NewState(), cold: decide.NewState(), warm: decide.NewState(), reader: decide.LoadState(nil),
		at: job.At{Position: 1, Time: 1e18, Actor: &job.Actor{User: "ann", Host: "h", PID: 7, Dir: "/home", Path: "/bin"}},
	}
	c.warm.LoadLive()
	c.fold(job.LogCreated{LogID: [16]byte{7}, Format: 1, Level: 1})
	c.start()
	return c
}

func (c *chronicle) start() {
	c.workers++
	c.worker = c.at.Position
	c.fold(&job.WorkerStarted{ID: fmt.Sprint("w", c.workers), Slots: 4, Shell: true})
}

func (c *chronicle) fold(events ...job.Event) {
	for _, e := range events {
		c.lived.Fold(c.at, e)
		data := job.AppendEvent(nil, e)
		for _, s := range []*decide.State{c.cold, c.warm, c.reader} {
			if err := s.FoldRaw(c.at, job.KindOf(e), data); err != nil {
				c.t.Fatalf("fold %T: %v", e, err)
			}
		}
		c.at.Position++
	}
	c.at.Time += int64(rapid.IntRange(-2, 20).Draw(c.t, "seconds")) * 1e9
}

// decided folds what a rule has decided on the state that has it all, if all decide the same.
func (c *chronicle) decided(rule func(s *decide.State) ([]job.Event, error)) {
	events, err := rule(c.lived)
	for _, s := range []*decide.State{c.cold, c.warm, c.reader} {
		got, other := rule(s)
		if fmt.Sprint(other) != fmt.Sprint(err) || len(got) != len(events) {
			c.t.Fatalf("one decides %v, %v, the other %v, %v", events, err, got, other)
		}
	}
	if err == nil {
		c.fold(events...)
	}
}

func (c *chronicle) enqueue(t *rapid.T) {
	spec := job.Spec{
		Command: "true", Queue: rapid.SampledFrom([]string{"", "mail"}).Draw(t, "queue"),
		Priority:       rapid.Int32Range(0, 2).Draw(t, "priority"),
		ConcurrencyKey: rapid.SampledFrom([]string{"", "", "k", "l"}).Draw(t, "concurrency key"),
		MaxRetries:     new(rapid.Uint32Range(0, 2).Draw(t, "max_retries")),
		DeadlineIn:     time.Duration(max(0, rapid.IntRange(-100, 200).Draw(t, "deadline"))) * time.Second,
	}
	if spec.UniqueKey = rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "unique_key"); spec.UniqueKey != "" {
		spec.OnClash = rapid.SampledFrom([]job.OnClash{job.ClashRefuse, job.ClashExisting, job.ClashReplace}).Draw(t, "on_clash")
		if spec.UniqueScope = job.Scope(rapid.IntRange(0, 1).Draw(t, "scope")); spec.UniqueScope == job.ScopeActive {
			spec.UniqueFor = time.Duration(rapid.IntRange(0, 60).Draw(t, "unique_for")) * time.Second
		}
	}
	if rapid.Bool().Draw(t, "chosen") {
		spec.ID = fmt.Sprint(rapid.SampledFrom([]string{"job", "job", "a-long-name-", "00"}).Draw(t, "name"), rapid.IntRange(0, 40).Draw(t, "id"))
	}
	for range rapid.IntRange(0, min(2, len(c.ids))).Draw(t, "parents") {
		p := job.Parent{ID: rapid.SampledFrom(c.ids).Draw(t, "after"), On: rapid.SampledFrom([]job.AfterOn{job.OnSuccess, job.OnFailure, job.OnAny}).Draw(t, "on")}
		if c.lived.Jobs.Key(p.ID) != 0 && !slices.Contains(spec.After, p) {
			spec.After, spec.OnParentFailure = append(spec.After, p), job.OnParentFailure(rapid.IntRange(0, 2).Draw(t, "on_parent_failure"))
		}
	}
	for _, hook := range []*json.RawMessage{&spec.OnComplete, &spec.OnDead} {
		if rapid.IntRange(0, 3).Draw(t, "hook") == 0 {
			*hook = json.RawMessage(`{"command":"true","max_retries":0}`)
		}
	}
	c.at.Rand++
	c.decided(func(s *decide.State) ([]job.Event, error) {
		events, err := decide.Enqueue(s, c.at, []job.Spec{spec}, false)
		for _, e := range events {
			if e, ok := e.(*job.JobEnqueued); ok && e.Spec.Env[job.HookJob] == "" {
				spec.ID = e.Spec.ID
			}
		}
		return events, err
	})
	c.ids = append(c.ids, spec.ID)
}

func (c *chronicle) claim(t *rapid.T) {
	lanes := scheduler.Lanes{Shell: true}
	if rapid.Bool().Draw(t, "in turn") {
		lanes.Queues = []string{"mail", "default"}
	}
	c.latest = max(c.latest, c.at.Time) // what became due once stays so where it was looked at
	key, ok := c.lived.Timeline.Next(c.latest, lanes)
	if other, same := c.warm.Timeline.Next(c.latest, lanes); same != ok || other != key {
		c.t.Fatalf("the timelines say %v, %v and %v, %v", key, ok, other, same)
	}
	if c.works {
		if other, same := c.reader.Timeline.Next(c.latest, lanes); same != ok || other != key {
			c.t.Fatalf("the timelines say %v, %v and, of the reader, %v, %v", key, ok, other, same)
		}
	}
	if ok {
		c.fold(job.JobClaimed{Job: key, Worker: c.worker})
	}
}

func (c *chronicle) finish(t *rapid.T) {
	w, _ := c.lived.Jobs.Worker(c.worker)
	if len(w.Running) == 0 {
		return
	}
	key := rapid.SampledFrom(w.Running).Draw(t, "job")
	b, _ := c.lived.Jobs.Brief(key)
	o := decide.Outcome{Job: key, Run: b.Run, Result: job.Result{Start: c.at.Time, End: c.at.Time + 5, Tail: "out"}}
	switch rapid.IntRange(0, 4).Draw(t, "outcome") {
	case 0:
		o.Failure, o.Result.Exit = job.WhyExit, 3
	case 1:
		o.Failure, o.Result.Signal = job.WhySignal, 9
	case 2:
		c.decided(func(s *decide.State) ([]job.Event, error) { return decide.RunLost(s, c.at, key, b.Run) })
		return
	}
	c.decided(func(s *decide.State) ([]job.Event, error) { return decide.Finish(s, c.at, o, 0) })
}

func (c *chronicle) verb(t *rapid.T) {
	if len(c.ids) == 0 {
		return
	}
	id := rapid.SampledFrom(c.ids).Draw(t, "id")
	which := rapid.IntRange(0, 6).Draw(t, "verb")
	edit := decide.Edit{
		Command: new(fmt.Sprint("echo ", rapid.IntRange(1, 3).Draw(t, "word"))), Priority: new(rapid.Int32Range(0, 2).Draw(t, "to priority")),
		MaxRetries: new(rapid.Uint32Range(0, 2).Draw(t, "to max_retries")),
		Queue:      rapid.SampledFrom([]*string{nil, new("default"), new("mail")}).Draw(t, "to queue"),
		Delay:      rapid.SampledFrom([]*time.Duration{nil, new(time.Duration(0)), new(9 * time.Second)}).Draw(t, "to delay"),
		DeadlineIn: rapid.SampledFrom([]*time.Duration{nil, nil, new(time.Duration(0)), new(15 * time.Second)}).Draw(t, "to deadline"),
	}
	c.decided(func(s *decide.State) ([]job.Event, error) {
		switch which {
		case 5:
			acted, err := decide.Act(s, c.at, decide.Clearing(0), decide.Chosen{Keys: []job.Position{s.Jobs.Key(id)}})
			return acted.Events, err
		case 4:
			acted, err := decide.Act(s, c.at, decide.Editing(edit), decide.Chosen{Keys: []job.Position{s.Jobs.Key(id)}})
			return acted.Events, err
		case 0:
			return decide.Cancel(s, c.at, []string{id})
		case 1:
			return decide.Kill(s, c.at, []string{id}, 9)
		case 2:
			return decide.Hold(s, c.at, []string{id})
		case 3:
			return decide.Release(s, c.at, []string{id})
		}
		return decide.Retry(s, c.at, []string{id}, false)
	})
}

// expire compares the deadlines of those who know all that wait, and lets the jobs die whose deadlines have come.
func (c *chronicle) expire(t *rapid.T) {
	events, _ := decide.Expire(c.lived, c.at)
	for _, s := range []*decide.State{c.warm, c.reader} {
		if got, _ := decide.Expire(s, c.at); s.Jobs.Live() && !reflect.DeepEqual(got, events) {
			t.Fatalf("one decides %v, the other %v", events, got)
		}
	}
	if len(events) > 0 {
		c.fold(events...)
	}
}

func (c *chronicle) config(t *rapid.T) {
	value := fmt.Sprint(rapid.IntRange(1, 9).Draw(t, "value"))
	c.decided(func(s *decide.State) ([]job.Event, error) { return decide.SetConfig(s, c.at, "max_retries", value) })
}

// steer pauses, resumes or limits a queue.
func (c *chronicle) steer(t *rapid.T) {
	name := rapid.SampledFrom([]string{"mail", "default", "never"}).Draw(t, "queue")
	which := rapid.IntRange(0, 3).Draw(t, "steering")
	l := job.Limits{Concurrency: rapid.Uint32Range(0, 2).Draw(t, "concurrency"), Rate: rapid.Uint32Range(0, 2).Draw(t, "rate")}
	if l.Rate > 0 {
		l.Per = time.Minute
	}
	c.decided(func(s *decide.State) ([]job.Event, error) {
		switch which {
		case 0:
			return decide.PauseQueues(s, c.at, []string{name})
		case 1:
			return decide.ResumeQueues(s, c.at, []string{name})
		}
		return decide.LimitQueue(s, c.at, name, func(own *job.Limits) { *own = l })
	})
}

func (c *chronicle) repair(*rapid.T) {
	c.fold(job.LogRepaired{Segment: "s", Quarantine: fmt.Sprint("q", c.at.Position)})
}

func (c *chronicle) forget(t *rapid.T) {
	state := rapid.SampledFrom([]job.State{job.Completed, job.Dead, job.Cancelled}).Draw(t, "state")
	until := c.at.Time - int64(rapid.IntRange(0, 100).Draw(t, "age"))*1e9
	since := c.lived.Jobs.Position()
	ripe, err := decide.Ripe(c.lived, state, until, c.at.Time)
	if err != nil {
		t.Fatal(err)
	}
	if rapid.Bool().Draw(t, "late") {
		c.verb(t)
	}
	c.decided(func(s *decide.State) ([]job.Event, error) {
		if !s.Jobs.Settled(since) {
			return decide.Forget(s, c.at, since, ripe)
		}
		own, err := decide.Ripe(s, state, until, c.at.Time)
		if err != nil || !slices.Equal(own, ripe) && s.Jobs.Position() == since {
			t.Fatalf("ripe are %v, %v, and not %v", own, err, ripe)
		}
		return decide.Forget(s, c.at, since, ripe)
	})
}

// save writes a file that takes up the newest ones, and has a process begin from the files.
func (c *chronicle) save(t *rapid.T) {
	keep := rapid.IntRange(0, len(c.files)).Draw(t, "keep")
	file := &memoryFile{}
	if err := c.cold.Jobs.Save(keep, file); err != nil {
		t.Fatal(err)
	}
	if rapid.IntRange(0, 9).Draw(t, "older program") == 0 {
		delete(file.sections, 12) // the beginnings of ids: it did not write them
	}
	c.files = append(slices.Clone(c.files[:keep]), reading{file})
	c.cold = decide.LoadState(c.files)
	if rapid.Bool().Draw(t, "restart") {
		c.warm = decide.LoadState(c.files)
		c.warm.LoadLive()
	}
	switch rapid.IntRange(0, 3).Draw(t, "reader") {
	case 0:
		c.reader, c.works = decide.LoadState(c.files), false
	case 1:
		c.reader.LoadLive()
		c.works = true
	}
	for section, blocks := range file.sections {
		if !sort.SliceIsSorted(blocks, func(i, j int) bool { return blocks[i].first < blocks[j].first }) {
			t.Fatalf("the blocks of section %d are out of order", section)
		}
	}
}

// rebase has those that live long give up memory; jobs may have come back since the files were written.
func (c *chronicle) rebase(*rapid.T) {
	if len(c.files) > 0 {
		c.warm.Jobs.Rebase(c.files)
		c.reader.Jobs.Rebase(c.files)
	}
}

func (c *chronicle) check(t *rapid.T) {
	want := c.lived.Jobs.AppendCanonical(nil)
	for name, s := range map[string]*decide.State{"cold": c.cold, "warm": c.warm, "reader": c.reader} {
		if got := s.Jobs.AppendCanonical(nil); !bytes.Equal(got, want) {
			t.Fatalf("%s state differs from the one that was lived through:\ngot  %v\nwant %v",
				name, slices.Collect(s.Jobs.List(projection.Filter{})), slices.Collect(c.lived.Jobs.List(projection.Filter{})))
		}
		c.ask(t, s.Jobs)
	}
}

// ask compares answers.
// childrenOf returns the children of a job that are there.
func childrenOf(p *projection.Projection, key job.Position) (list []projection.Child) {
	for c := range p.Children(key, 0) {
		if _, there := p.Brief(c.Key); there {
			list = append(list, c)
		}
	}
	return list
}

func (c *chronicle) ask(t *rapid.T, p *projection.Projection) {
	f := projection.Filter{
		Queue:  rapid.SampledFrom([]string{"", "mail", "none"}).Draw(t, "queue"),
		After:  job.Position(rapid.Uint64Range(0, uint64(c.at.Position)).Draw(t, "after")),
		Before: job.Position(rapid.Uint64Range(0, uint64(c.at.Position)).Draw(t, "before")),
		Limit:  rapid.IntRange(0, 5).Draw(t, "limit"), Newest: rapid.Bool().Draw(t, "newest"),
		States: rapid.SliceOfN(rapid.SampledFrom(job.States[:]), 0, 2).Draw(t, "states"),
	}
	got, want := slices.Collect(p.List(f)), slices.Collect(c.lived.Jobs.List(f))
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("list %+v:\ngot  %v\nwant %v", f, got, want)
	}
	if got, want := p.Count(f), c.lived.Jobs.Count(f); got != want {
		t.Fatalf("count %+v: got %d, want %d", f, got, want)
	}
	c.choose(t, p)
	c.begin(t, p)
	c.unique(t, p)
	if got, want := slices.Collect(p.Queues()), slices.Collect(c.lived.Jobs.Queues()); !reflect.DeepEqual(got, want) {
		t.Fatalf("queues: got %+v, want %+v", got, want)
	}
	for name := range c.lived.Jobs.Gates() {
		if got, want := p.Opens(name), c.lived.Jobs.Opens(name); got != want {
			t.Fatalf("queue %s opens at %d, want %d", name, got, want)
		}
	}
	for _, id := range c.ids {
		key := c.lived.Jobs.Key(id)
		if got := p.Key(id); got != key {
			t.Fatalf("key of %s: got %d, want %d", id, got, key)
		}
		if got, want := childrenOf(p, key), childrenOf(c.lived.Jobs, key); !slices.Equal(got, want) {
			t.Fatalf("children of %s: got %v, want %v", id, got, want)
		}
		got, ok := p.Brief(key)
		want, there := c.lived.Jobs.Brief(key)
		if got != want || ok != there || fmt.Sprint(p.Kills(key)) != fmt.Sprint(c.lived.Jobs.Kills(key)) {
			t.Fatalf("job %s: got %+v, want %+v", id, got, want)
		}
	}
}

// choose compares what words and filters select.
func (c *chronicle) choose(t *rapid.T, p *projection.Projection) {
	words := append([]string{"all", "last", "2-9", "job", "job1", "0", "none"}, c.ids...)
	f := projection.Filter{
		Match: rapid.SampledFrom([]string{"", "1", "Exit"}).Draw(t, "match"),
		Since: c.at.Time - int64(rapid.IntRange(0, 100).Draw(t, "since"))*1e9,
	}
	chosen := rapid.SliceOfN(rapid.SampledFrom(words), 0, 2).Draw(t, "words")
	got, err := p.Select(chosen, f, projection.Filter{States: job.States[:2]})
	want, same := c.lived.Jobs.Select(chosen, f, projection.Filter{States: job.States[:2]})
	if fmt.Sprint(got, err) != fmt.Sprint(want, same) {
		t.Fatalf("select %v %+v:\ngot  %v, %v\nwant %v, %v", chosen, f, got, err, want, same)
	}
}

// begin compares which jobs are found by the beginnings of ids with a look at all.
func (c *chronicle) begin(t *rapid.T, p *projection.Projection) {
	if len(c.ids) == 0 {
		return
	}
	word := rapid.SampledFrom(c.ids).Draw(t, "begins like")
	if word == "" {
		return // of a job that was refused
	}
	word = word[:rapid.IntRange(1, len(word)).Draw(t, "letters")]
	if p.Key(word) != 0 {
		return // an exact match goes first
	}
	var keys []job.Position
	var ids []string
	for j := range c.lived.Jobs.List(projection.Filter{}) {
		if strings.HasPrefix(j.Spec.ID, word) {
			keys, ids = append(keys, j.Key), append(ids, j.Spec.ID)
		}
	}
	got, err := p.Select([]string{word}, projection.Filter{}, projection.Filter{})
	var many *projection.AmbiguousError
	switch {
	case len(keys) == 1 && err == nil && slices.Equal(got.Keys, keys):
	case len(keys) == 0 && errors.Is(err, job.ErrNotFound):
	case len(keys) > 1 && errors.As(err, &many) && many.Total == len(keys) && slices.Equal(many.Candidates, ids[:min(len(ids), 5)]):
	default:
		t.Fatalf("%q is found in %v, %v; it is the beginning of %q", word, got.Keys, err, ids)
	}
}

// unique compares which jobs are found by their unique keys with all there are.
func (c *chronicle) unique(t *rapid.T, p *projection.Projection) {
	after := c.at.Time - int64(rapid.IntRange(0, 60).Draw(t, "ago"))*1e9
	for _, name := range []string{"a", "b", "none"} {
		var active, last []job.Position
		for j := range c.lived.Jobs.List(projection.Filter{}) {
			if j.Spec.UniqueKey != name {
				continue
			}
			if j.State.Waiting() || j.State == job.Processing {
				active = append(active, j.Key)
			}
			switch {
			case j.EnqueuedAt.UnixNano() <= after:
				last = nil
			case j.State != job.Cancelled:
				last = []job.Position{j.Key}
			}
		}
		var got []job.Position
		for _, b := range p.ActiveWithKey(name) {
			got = append(got, b.Key)
		}
		if !slices.Equal(got, active) {
			t.Fatalf("key %s: %v are active, want %v", name, got, active)
		}
		b, found := p.LastWithKey(name, after)
		if found != (last != nil) || found && b.Key != last[0] {
			t.Fatalf("key %s: the last is %v, %v, want %v", name, b.Key, found, last)
		}
	}
}

// TestBase_FoldedLoadedAndLivedStatesAreEqual is the promise of snapshots: it makes no difference where a
// state comes from.
func TestBase_FoldedLoadedAndLivedStatesAreEqual(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := newChronicle(t)
		act := func(do func(*rapid.T)) func(*rapid.T) {
			return func(t *rapid.T) { c.t = t; do(t) }
		}
		t.Repeat(map[string]func(*rapid.T){
			"enqueue": act(c.enqueue), "enqueue2": act(c.enqueue), "claim": act(c.claim), "claim2": act(c.claim),
			"finish": act(c.finish), "finish2": act(c.finish), "verb": act(c.verb), "expire": act(c.expire), "config": act(c.config),
			"repair": act(c.repair), "steer": act(c.steer), "forget": act(c.forget), "save": act(c.save), "rebase": act(c.rebase), "": act(c.check),
		})
	})
}
