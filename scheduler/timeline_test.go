package scheduler

import (
	"cmp"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/queuectl/queuectl/job"
	"pgregory.net/rapid"
)

var everything = Lanes{Shell: true, Kinds: []string{"mail", "thumb"}}

// model is the timeline as anybody would write it who had time: one slice, sorted when asked.
type model struct {
	jobs   []job.Schedule
	ready  map[job.Position]bool
	opens  map[string]int64 // of queues that are shut
	taken  map[string]int   // concurrency keys
	served map[string]job.Position
}

func newModel() *model {
	return &model{
		ready: map[job.Position]bool{}, opens: map[string]int64{}, taken: map[string]int{}, served: map[string]job.Position{},
	}
}

// begin lets a run of a job begin.
func (m *model) begin(key, run job.Position) {
	for _, s := range m.jobs {
		if s.Key == key {
			m.served[s.Queue] = run
			if s.ConcurrencyKey != "" {
				m.taken[s.ConcurrencyKey]++
			}
		}
	}
	m.remove(key)
}

func (m *model) put(s job.Schedule) {
	m.remove(s.Key)
	m.jobs = append(m.jobs, s)
	m.ready[s.Key] = s.Due == 0
}

func (m *model) remove(key job.Position) {
	m.jobs = slices.DeleteFunc(m.jobs, func(s job.Schedule) bool { return s.Key == key })
}

// rank is when a job that is due became so.
func rank(s *job.Schedule) int64 {
	if s.Due == 0 {
		return s.Rank
	}
	return s.Due
}

func (m *model) stepBack(d int64) {
	for i := range m.jobs {
		for _, t := range []*int64{&m.jobs[i].Due, &m.jobs[i].Rank} {
			if *t > 0 {
				*t = max(1, *t-d)
			}
		}
	}
	for queue, opens := range m.opens {
		if opens != 0 && opens != never {
			m.opens[queue] = max(1, opens-d)
		}
	}
}

func (m *model) selected(l Lanes) []*job.Schedule {
	var out []*job.Schedule
	for i := range m.jobs {
		s := &m.jobs[i]
		kind := s.Kind == "" && l.Shell || slices.Contains(l.Kinds, s.Kind) && s.Kind != ""
		if kind && (l.Queues == nil || slices.Contains(l.Queues, s.Queue)) && m.taken[s.ConcurrencyKey] == 0 {
			out = append(out, s)
		}
	}
	return out
}

func (m *model) next(now int64, l Lanes) (job.Position, bool) {
	var ready []*job.Schedule
	for _, s := range m.jobs { // a queue without jobs is not looked at
		if m.opens[s.Queue] <= now {
			m.opens[s.Queue] = 0
		}
	}
	for _, s := range m.selected(l) {
		if m.opens[s.Queue] != 0 {
			continue
		}
		m.ready[s.Key] = m.ready[s.Key] || s.Due <= now
		if m.ready[s.Key] {
			ready = append(ready, s)
		}
	}
	if len(ready) == 0 {
		return 0, false
	}
	return slices.MinFunc(ready, func(a, b *job.Schedule) int {
		turn := 0
		if l.Queues != nil {
			turn = cmp.Compare(m.served[a.Queue], m.served[b.Queue])
		}
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), turn, cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Key, b.Key))
	}).Key, true
}

func (m *model) nextDue(l Lanes) (due int64, ok bool) {
	for _, s := range m.selected(l) {
		at := s.Due
		if m.ready[s.Key] {
			at = 0
		}
		if m.opens[s.Queue] == never {
			continue
		}
		at = max(at, m.opens[s.Queue])
		if !ok || at < due {
			due, ok = at, true
		}
	}
	return due, ok
}

// waits says whether anything is selected, held back or not.
func (m *model) waits(l Lanes) bool {
	taken := m.taken
	m.taken = nil
	defer func() { m.taken = taken }()
	return len(m.selected(l)) > 0
}

func drawSchedule(t *rapid.T, now int64) job.Schedule {
	due := rapid.Int64Range(0, 3).Draw(t, "due")
	if due > 0 {
		due = max(1, now+rapid.Int64Range(-20, 40).Draw(t, "until due"))
	}
	return job.Schedule{
		Key:            job.Position(rapid.Uint64Range(1, 40).Draw(t, "key")),
		Queue:          rapid.SampledFrom([]string{"default", "a", "b"}).Draw(t, "queue"),
		Kind:           rapid.SampledFrom([]string{"", "mail", "thumb"}).Draw(t, "kind"),
		ConcurrencyKey: rapid.SampledFrom([]string{"", "", "k", "l"}).Draw(t, "concurrency key"),
		Priority:       rapid.Int32Range(-1, 1).Draw(t, "priority"),
		Due:            due,
		Rank:           max(0, now+rapid.Int64Range(-50, 10).Draw(t, "rank")),
	}
}

func drawLanes(t *rapid.T) Lanes {
	return Lanes{
		Queues: rapid.SampledFrom([][]string{nil, {"default"}, {"a", "b"}, {"b", "unknown"}, {}}).Draw(t, "queues"),
		Shell:  rapid.Bool().Draw(t, "shell"),
		Kinds:  rapid.SampledFrom([][]string{nil, {"mail"}, {"thumb", "mail"}, {"unknown"}}).Draw(t, "kinds"),
	}
}

func TestTimeline_AgreesWithASortedSlice(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		tl, m, now, runs := NewTimeline(), newModel(), int64(1000), job.Position(0)
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				s := drawSchedule(t, now)
				tl.Put(s)
				m.put(s)
			},
			"change priority": func(t *rapid.T) {
				if len(m.jobs) == 0 {
					t.Skip("needs a job that waits")
				}
				s := rapid.SampledFrom(m.jobs).Draw(t, "job")
				s.Priority = rapid.Int32Range(-2, 2).Draw(t, "priority")
				tl.Put(s)
				m.put(s)
			},
			"remove": func(t *rapid.T) {
				key := job.Position(rapid.Uint64Range(1, 40).Draw(t, "key"))
				tl.Remove(key)
				m.remove(key)
			},
			"take": func(t *rapid.T) {
				key, ok := tl.Next(now, everything)
				want, wantOK := m.next(now, everything)
				if key != want || ok != wantOK {
					t.Fatalf("Next = %d, %v; want %d, %v", key, ok, want, wantOK)
				}
				tl.Remove(key)
				m.remove(key)
			},
			"begin": func(t *rapid.T) {
				key := job.Position(rapid.Uint64Range(1, 40).Draw(t, "key"))
				runs++
				tl.Begin(key, runs)
				m.begin(key, runs)
			},
			"free": func(t *rapid.T) {
				name := rapid.SampledFrom([]string{"k", "l", "unknown"}).Draw(t, "concurrency key")
				tl.Free(name)
				m.taken[name] = max(0, m.taken[name]-1)
			},
			"shut": func(t *rapid.T) {
				queue := rapid.SampledFrom([]string{"default", "a", "unknown"}).Draw(t, "queue")
				until := rapid.SampledFrom([]int64{0, never, max(1, now+5), max(1, now-5), now + 30}).Draw(t, "until")
				tl.Shut(queue, until)
				m.opens[queue] = until
			},
			"time passes": func(t *rapid.T) {
				now = max(1, now+rapid.Int64Range(-30, 30).Draw(t, "by"))
			},
			"step back": func(t *rapid.T) {
				d := rapid.SampledFrom([]int64{-5, 0, 1, 25, 2000}).Draw(t, "d")
				tl.StepBack(d)
				m.stepBack(max(0, d))
			},
			"": func(t *rapid.T) {
				l := drawLanes(t)
				if due, ok := tl.NextDue(l); true {
					if want, wantOK := m.nextDue(l); due != want || ok != wantOK {
						t.Fatalf("NextDue(%+v) = %d, %v; want %d, %v", l, due, ok, want, wantOK)
					}
				}
				key, ok := tl.Next(now, l)
				if want, wantOK := m.next(now, l); key != want || ok != wantOK {
					t.Fatalf("Next(%d, %+v) = %d, %v; want %d, %v", now, l, key, ok, want, wantOK)
				}
				if got, want := tl.Waits(l), m.waits(l); got != want {
					t.Fatalf("Waits(%+v) = %v, want %v", l, got, want)
				}
				if tl.Len() != len(m.jobs) {
					t.Fatalf("Len = %d, want %d", tl.Len(), len(m.jobs))
				}
			},
		})
	})
}

func drain(tl *Timeline, now int64, l Lanes) []job.Position {
	var keys []job.Position
	for key, ok := tl.Next(now, l); ok; key, ok = tl.Next(now, l) {
		keys = append(keys, key)
		tl.Remove(key)
	}
	return keys
}

func shell(key job.Position, priority int32, due int64) job.Schedule {
	return job.Schedule{Key: key, Queue: job.DefaultQueue, Priority: priority, Due: due}
}

func TestNext_OrderIsPriorityThenDueThenKey(t *testing.T) {
	t.Parallel()
	tl := NewTimeline()
	for _, s := range []job.Schedule{
		shell(1, 0, 90), shell(2, 0, 50), shell(3, 0, 0), shell(4, 7, 99),
		shell(5, 0, 50), shell(6, 0, 0), shell(7, -7, 0), shell(8, 9, 101),
	} {
		tl.Put(s)
	}
	want := []job.Position{4, 3, 6, 2, 5, 1, 7} // 8 is not due
	if got := drain(tl, 100, Lanes{Shell: true}); !slices.Equal(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
	if due, ok := tl.NextDue(Lanes{Shell: true}); due != 101 || !ok {
		t.Errorf("NextDue = %d, %v; want 101, true", due, ok)
	}
}

func TestNext_TenThousandDueInTheSameInstantKeepTheOrderOfEnqueue(t *testing.T) {
	t.Parallel()
	const n = 10_000
	tl := NewTimeline()
	for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(n) {
		tl.Put(shell(job.Position(i+1), 0, 1_000))
	}
	if key, ok := tl.Next(999, everything); ok {
		t.Fatalf("job %d is due before its time", key)
	}
	got := drain(tl, 1_000, everything)
	if len(got) != n || !slices.IsSorted(got) {
		t.Errorf("%d jobs, in order: %v; want %d in order", len(got), slices.IsSorted(got), n)
	}
}

func TestNext_WhatWasDueStaysDueWhenTheClockGoesBack(t *testing.T) {
	t.Parallel()
	tl := NewTimeline()
	tl.Put(shell(1, 0, 500))
	for _, now := range []int64{600, 100} {
		if key, ok := tl.Next(now, everything); key != 1 || !ok {
			t.Errorf("at %d: Next = %d, %v; want 1, true", now, key, ok)
		}
	}
	if due, ok := tl.NextDue(everything); due != 0 || !ok {
		t.Errorf("NextDue = %d, %v; want 0, true", due, ok)
	}
}

func TestStepBack_WhatWaitsStaysAsFarAway(t *testing.T) {
	t.Parallel()
	tl := NewTimeline()
	tl.Put(shell(1, 0, 5_000))
	tl.Put(shell(2, 0, 7_000))
	tl.StepBack(3_600)
	if due, _ := tl.NextDue(everything); due != 1_400 {
		t.Errorf("first due at %d, want 1400", due)
	}
	tl.Put(shell(3, 0, 3_399)) // decided after the step
	if got, want := drain(tl, 3_400, everything), []job.Position{1, 3, 2}; !slices.Equal(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
}

// TestTimeline_SameOperationsSameOrder also shows that the order does not depend on how the jobs came
// in: the log and its snapshot fill a timeline in different orders.
func TestTimeline_SameOperationsSameOrder(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	jobs := make([]job.Schedule, 2_000)
	for i := range jobs {
		jobs[i] = job.Schedule{
			Key:      job.Position(i + 1),
			Queue:    []string{"a", "b", "c"}[random.IntN(3)],
			Kind:     []string{"", "mail"}[random.IntN(2)],
			Priority: int32(random.IntN(3)),
			Due:      int64(random.IntN(50)),
		}
	}
	fill := func(order []int) []job.Position {
		tl := NewTimeline()
		for _, i := range order {
			tl.Put(jobs[i])
		}
		return drain(tl, 100, everything)
	}
	want := fill(random.Perm(len(jobs)))
	if len(want) != len(jobs) {
		t.Fatalf("%d jobs came out, want %d", len(want), len(jobs))
	}
	if got := fill(random.Perm(len(jobs))); !slices.Equal(got, want) {
		t.Error("two timelines of the same jobs give different orders")
	}
}

func TestTimeline_AWaitingJobTakesAtMostSixtyBytes(t *testing.T) {
	var before, after runtime.MemStats
	const n = 300_000
	runtime.GC()
	runtime.ReadMemStats(&before)
	tl := NewTimeline()
	for i := range job.Position(n) {
		tl.Put(shell(3*i+1, 0, 0))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if each := float64(after.HeapAlloc-before.HeapAlloc) / n; each > 60 {
		t.Errorf("%.1f bytes a job, want at most 60", each)
	}
	runtime.KeepAlive(tl)
}

func TestTimeline_ChangesDoNotAllocate(t *testing.T) {
	tl := NewTimeline()
	for key := range job.Position(1000) {
		tl.Put(shell(key+1, int32(key%3), int64(key%2)))
	}
	allocs := testing.AllocsPerRun(100, func() {
		key, _ := tl.Next(1, everything)
		tl.Remove(key)
		tl.Put(shell(key, 1, 1))
	})
	if allocs != 0 {
		t.Errorf("%v allocations a round, want 0", allocs)
	}
}
