package decide_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/scheduler/cron"
)

// everyMinute is a schedule of the tests.
func everyMinute(name string) job.Cron {
	return job.Cron{Name: name, Schedule: "* * * * *", Zone: "UTC", Job: job.Spec{Command: "true"}}
}

func (w *world) addCron(c job.Cron) {
	w.Helper()
	w.must(decide.AddCron(w.State, w.at, c, false))
}

// tick decides all ticks that have come, and returns the ids of the jobs that they made.
func (w *world) tick() (ids []string) {
	w.Helper()
	for {
		events := w.must(decide.Tick(w.State, w.at))
		if len(events) == 0 {
			return ids
		}
		for _, e := range events {
			if e, ok := e.(*job.JobEnqueued); ok {
				ids = append(ids, e.Spec.ID)
			}
		}
	}
}

func (w *world) cron(name string) job.CronEntry {
	w.Helper()
	e, ok := w.Jobs.Cron(name)
	if !ok {
		w.Fatalf("no schedule %q", name)
	}
	return e
}

func wantTexts(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestAddCron_FirstTickIsAfterNow(t *testing.T) {
	t.Parallel()
	w := newWorld(t) // at a whole minute
	w.addCron(everyMinute("m"))
	if e := w.cron("m"); !e.Next.Equal(noon.Add(time.Minute)) || !e.Last.IsZero() || e.Job.Tags[job.CronTag] != "m" || !e.AddedAt.Equal(noon) {
		t.Errorf("the schedule is %+v", e)
	}
	wantTexts(t, "at once", w.tick())
	w.pass(time.Minute)
	wantTexts(t, "a minute later", w.tick(), "m-20260701T120100Z")
	wantTexts(t, "again", w.tick())
	e := w.cron("m")
	if !e.Last.Equal(noon.Add(time.Minute)) || !e.Next.Equal(noon.Add(2*time.Minute)) || len(e.Jobs) != 1 || w.Jobs.ID(e.Jobs[0]) != "m-20260701T120100Z" {
		t.Errorf("after a tick the schedule is %+v", e)
	}
	if j := w.job("m-20260701T120100Z"); j.Spec.Tags[job.CronTag] != "m" || *j.Spec.MaxRetries != 3 || !j.NextAttemptAt.IsZero() {
		t.Errorf("the job is %+v", j)
	}
	w.agree()
}

func TestAddCron_Refusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addCron(everyMinute("taken"))
	for _, test := range []struct {
		change func(*job.Cron)
		want   string
	}{
		{func(c *job.Cron) { c.Name = "" }, "name"},
		{func(c *job.Cron) { c.Name = "a b" }, "without spaces"},
		{func(c *job.Cron) { c.Name = "all" }, "something else"},
		{func(c *job.Cron) { c.Name = "a..b" }, "something else"},
		{func(c *job.Cron) { c.Name = "-x" }, "leading -"},
		{func(c *job.Cron) { c.Name = strings.Repeat("x", 101) }, "100 bytes"},
		{func(c *job.Cron) { c.Schedule = "0 0 30 2 *" }, "never ticks"},
		{func(c *job.Cron) { c.Schedule = "61 * * * *" }, "minute"},
		{func(c *job.Cron) { c.Zone = "Mars/Olympus" }, "time zone"},
		{func(c *job.Cron) { c.Missed = 3 }, "missed"},
		{func(c *job.Cron) { c.Overlap = 2 }, "overlap"},
		{func(c *job.Cron) { c.Job.ID = "x" }, "id"},
		{func(c *job.Cron) { c.Job.Delay = time.Second }, "run_at and delay"},
		{func(c *job.Cron) { c.Job.RunAt = noon }, "run_at and delay"},
		{func(c *job.Cron) { c.Job.Command = "" }, "nothing to do"},
		{func(c *job.Cron) { c.Job.Command = strings.Repeat("x", job.MaxSpecSize) }, "bytes"},
	} {
		c := everyMinute("new")
		test.change(&c)
		events, err := decide.AddCron(w.State, w.at, c, false)
		refused(t, events, err, job.ErrInvalid)
		if !strings.Contains(fmt.Sprint(err), test.want) {
			t.Errorf("%v does not say %q", err, test.want)
		}
	}
	events, err := decide.AddCron(w.State, w.at, everyMinute("taken"), false)
	refused(t, events, err, job.ErrCronExists)
}

func TestAddCron_ReplaceChangesWhatIsThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := everyMinute("m")
	wantKinds(t, w.must(decide.AddCron(w.State, w.at, c, true)), job.KindCronAdded)
	events, err := decide.AddCron(w.State, w.at, c, true)
	nothing(t, events, err)
	key := w.cron("m").Key
	w.pass(10 * time.Second)
	c.Schedule = "@every 20s"
	wantKinds(t, w.must(decide.AddCron(w.State, w.at, c, true)), job.KindCronChanged)
	if e := w.cron("m"); e.Key != key || !e.Next.Equal(noon.Add(30*time.Second)) || !e.Anchor.Equal(noon.Add(10*time.Second)) || !e.AddedAt.Equal(noon) {
		t.Errorf("the schedule is %+v", e)
	}
	w.pass(10 * time.Second)
	c.Job.Command = "false"
	w.must(decide.AddCron(w.State, w.at, c, true))
	if e := w.cron("m"); !e.Next.Equal(noon.Add(30*time.Second)) || !e.Anchor.Equal(noon.Add(10*time.Second)) || e.Job.Command != "false" {
		t.Errorf("another command has moved the times: %+v", e)
	}
	w.must(decide.PauseCron(w.State, w.at, []string{"m"}, true))
	c.Schedule = "@hourly"
	w.must(decide.AddCron(w.State, w.at, c, true))
	if e := w.cron("m"); !e.Paused || !e.Next.IsZero() || e.Schedule != "@hourly" {
		t.Errorf("what is paused goes on with a new definition: %+v", e)
	}
	w.agree()
}

func TestPauseCron_WhatComesMeanwhileIsNotMissed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := everyMinute("m")
	c.Missed = job.MissedAll
	w.addCron(c)
	wantKinds(t, w.must(decide.PauseCron(w.State, w.at, []string{"m", "m"}, true)), job.KindCronChanged)
	events, err := decide.PauseCron(w.State, w.at, []string{"m"}, true)
	nothing(t, events, err)
	w.pass(time.Hour)
	wantTexts(t, "while it is paused", w.tick())
	w.must(decide.PauseCron(w.State, w.at, []string{"m"}, false))
	wantTexts(t, "at once", w.tick())
	w.pass(time.Minute)
	wantTexts(t, "after it goes on", w.tick(), "m-20260701T130100Z")
	events, err = decide.PauseCron(w.State, w.at, []string{"m", "unknown"}, true)
	refused(t, events, err, job.ErrNoCron)
	w.agree()
}

func TestRemoveCron_JobsStay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addCron(everyMinute("m"))
	w.pass(time.Minute)
	w.tick()
	w.must(decide.RemoveCron(w.State, w.at, []string{"m"}))
	w.pass(time.Hour)
	wantTexts(t, "after the removal", w.tick())
	w.job("m-20260701T120100Z")
	events, err := decide.RemoveCron(w.State, w.at, []string{"m"})
	refused(t, events, err, job.ErrNoCron)
	w.addCron(everyMinute("m"))
	w.agree()
}

func TestRunCron_IsNoTick(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := everyMinute("m")
	c.Overlap = job.OverlapSkip
	w.addCron(c)
	w.must(decide.PauseCron(w.State, w.at, []string{"m"}, true))
	wantKinds(t, w.must(decide.RunCron(w.State, w.at, "m")), job.KindJobEnqueued, job.KindCronTicked)
	w.must(decide.PauseCron(w.State, w.at, []string{"m"}, false))
	wantKinds(t, w.must(decide.RunCron(w.State, w.at, "m")), job.KindJobEnqueued, job.KindCronTicked)
	e := w.cron("m")
	if !e.Last.IsZero() || !e.Next.Equal(noon.Add(time.Minute)) || len(e.Jobs) != 2 {
		t.Errorf("the schedule is %+v", e)
	}
	w.pass(time.Minute)
	wantTexts(t, "while what was asked for waits", w.tick())
	if e := w.cron("m"); e.LastSkip != job.SkipOverlap {
		t.Errorf("skipped because of %v", e.LastSkip)
	}
	events, err := decide.RunCron(w.State, w.at, "unknown")
	refused(t, events, err, job.ErrNoCron)
	w.must(decide.SetConfig(w.State, w.at, "queue_max", "1"))
	events, err = decide.RunCron(w.State, w.at, "m")
	refused(t, events, err, job.ErrQueueFull)
	w.agree()
}

func TestTick_Missed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		missed job.Missed
		late   time.Duration // after the third tick
		want   []string
	}{
		{job.MissedSkip, 0, []string{"03"}},
		{job.MissedSkip, 59 * time.Second, []string{"03"}},
		{job.MissedOnce, 59 * time.Second, []string{"03"}},
		{job.MissedAll, 59 * time.Second, []string{"01", "02", "03"}},
	} {
		w := newWorld(t)
		c := everyMinute("m")
		c.Missed = test.missed
		w.addCron(c)
		w.pass(3*time.Minute + test.late)
		var minutes []string
		for _, id := range w.tick() {
			minutes = append(minutes, id[len("m-20260701T12"):][:2])
		}
		wantTexts(t, fmt.Sprintf("%v, late by %v", test.missed, test.late), minutes, test.want...)
		if e := w.cron("m"); !e.Last.Equal(noon.Add(3*time.Minute)) || !e.Next.Equal(noon.Add(4*time.Minute)) {
			t.Errorf("%v: last %v, next %v", test.missed, e.Last, e.Next)
		}
	}
}

func TestTick_MoreThanAMinuteLateIsMissed(t *testing.T) {
	t.Parallel()
	for missed, want := range map[job.Missed]int{job.MissedSkip: 0, job.MissedOnce: 1, job.MissedAll: 3} {
		w := newWorld(t)
		c := everyMinute("h")
		c.Schedule, c.Missed = "@hourly", missed
		w.addCron(c)
		w.pass(3*time.Hour + time.Minute + time.Nanosecond)
		events := w.must(decide.Tick(w.State, w.at))
		jobs := slices.DeleteFunc(kinds(events), func(k job.Kind) bool { return k != job.KindJobEnqueued })
		if len(jobs) != want {
			t.Errorf("%v: %d jobs, want %d", missed, len(jobs), want)
		}
		first := events[0]
		if missed != job.MissedAll {
			last := noon.Add(3 * time.Hour)
			if missed == job.MissedOnce {
				last = noon.Add(2 * time.Hour)
			}
			got, _ := first.(job.CronTicked)
			if got.Since != noon.Add(time.Hour).UnixNano() || got.Tick != last.UnixNano() || got.Skip != job.SkipMissed || got.Made != 0 {
				t.Errorf("%v: the ticks that were skipped are %+v", missed, got)
			}
		}
	}
}

func TestTick_AWeekOfSecondsComesInBoundedCommits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := everyMinute("s")
	c.Schedule, c.Missed = "* * * * * *", job.MissedAll
	w.addCron(c)
	once := everyMinute("once")
	once.Schedule, once.Missed = "* * * * * *", job.MissedOnce
	w.addCron(once)
	w.pass(7 * 24 * time.Hour)
	events := w.must(decide.Tick(w.State, w.at))
	if len(events) > 2*256+3 {
		t.Errorf("a commit of %d events", len(events))
	}
	if e := w.cron("once"); !e.Next.After(w.at.When()) {
		t.Errorf("one schedule kept another waiting: its next tick is %v at %v", e.Next, w.at.When())
	}
	if e := w.cron("s"); e.Next.Before(noon.Add(100 * time.Second)) {
		t.Errorf("after a commit it is at %v only", e.Next)
	}
}

func TestTick_OverlapSkips(t *testing.T) {
	t.Parallel()
	for _, missed := range []job.Missed{job.MissedSkip, job.MissedOnce, job.MissedAll} {
		w := newWorld(t)
		worker := w.worker("w")
		c := everyMinute("m")
		c.Overlap, c.Missed = job.OverlapSkip, missed
		w.addCron(c)
		w.pass(time.Minute)
		wantTexts(t, "the first", w.tick(), "m-20260701T120100Z")
		w.pass(time.Minute)
		wantTexts(t, "while it waits", w.tick())
		key, run := w.claim(worker)
		w.pass(time.Minute)
		wantTexts(t, "while it runs", w.tick())
		w.must(decide.Finish(w.State, w.at, decide.Outcome{Job: key, Run: run, Failure: job.WhyExit}, 0))
		w.pass(time.Minute)
		wantTexts(t, "while it will be tried again", w.tick())
		w.must(decide.Cancel(w.State, w.at, []string{"m-20260701T120100Z"}))
		w.pass(time.Minute)
		wantTexts(t, "when it has ended", w.tick(), "m-20260701T120500Z")
		w.pass(3 * time.Minute)
		events := w.must(decide.Tick(w.State, w.at))
		for _, e := range events {
			if _, made := e.(*job.JobEnqueued); made {
				t.Errorf("%v: a job beside an active one", missed)
			}
		}
		if len(events) > 2 {
			t.Errorf("%v: %d events for ticks that were skipped together", missed, len(events))
		}
		w.agree()
	}
}

func TestTick_OfMissedOnesOverlapLeavesTheFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := everyMinute("m")
	c.Overlap, c.Missed = job.OverlapSkip, job.MissedAll
	w.addCron(c)
	w.pass(5 * time.Minute)
	events := w.must(decide.Tick(w.State, w.at))
	wantKinds(t, events, job.KindJobEnqueued, job.KindCronTicked, job.KindCronTicked)
	if e, _ := events[2].(job.CronTicked); e.Since != noon.Add(2*time.Minute).UnixNano() || e.Tick != noon.Add(5*time.Minute).UnixNano() || e.Skip != job.SkipOverlap {
		t.Errorf("the others are %+v", e)
	}
}

func TestTick_ManySchedulesShareACommit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const schedules = 300
	for i := range schedules {
		c := everyMinute(fmt.Sprint("m", i))
		c.Missed = job.MissedAll
		w.addCron(c)
	}
	w.pass(5 * time.Minute)
	made := 0
	for {
		events := w.must(decide.Tick(w.State, w.at))
		if len(events) == 0 {
			break
		}
		if len(events) > 2*256 {
			t.Fatalf("a commit of %d events", len(events))
		}
		made += len(events) / 2
	}
	if made != 5*schedules {
		t.Errorf("%d jobs, want %d", made, 5*schedules)
	}
}

func TestTick_WhatIsRefusedIsSkipped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addCron(everyMinute("m"))
	w.enqueue("m-20260701T120100Z")
	w.pass(time.Minute)
	wantTexts(t, "with the id taken", w.tick())
	if e := w.cron("m"); e.LastSkip != job.SkipExists {
		t.Errorf("skipped because of %v", e.LastSkip)
	}
	w.must(decide.SetConfig(w.State, w.at, "queue_max", "1"))
	w.pass(time.Minute)
	wantTexts(t, "with the queue full", w.tick())
	if e := w.cron("m"); e.LastSkip != job.SkipQueueFull || !e.Next.Equal(noon.Add(3*time.Minute)) {
		t.Errorf("skipped because of %v, next %v", e.LastSkip, e.Next)
	}
}

func TestTick_AScheduleOfANewerProgramIsLeftAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := everyMinute("newer")
	c.Schedule = "@fullmoon"
	w.fold([]job.Event{&job.CronAdded{New: c, Next: noon.Add(time.Minute).UnixNano()}})
	w.addCron(everyMinute("m"))
	w.pass(time.Minute)
	wantTexts(t, "the others", w.tick(), "m-20260701T120100Z")
	if e := w.cron("newer"); e.LastSkip != job.SkipRefused || !e.Next.Equal(noon.Add(61*time.Minute)) {
		t.Errorf("it is %+v", e)
	}
}

func TestTick_AClockThatIsSetBackTicksNothingTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addCron(everyMinute("m"))
	w.pass(10 * time.Minute)
	w.tick()
	w.pass(-5 * time.Minute)
	wantTexts(t, "after the step", w.tick())
	w.must(decide.PauseCron(w.State, w.at, []string{"m"}, true))
	w.must(decide.PauseCron(w.State, w.at, []string{"m"}, false))
	c := everyMinute("m")
	c.Job.Command = "false"
	w.must(decide.AddCron(w.State, w.at, c, true))
	if e := w.cron("m"); !e.Next.Equal(noon.Add(11 * time.Minute)) {
		t.Errorf("the next tick is %v, and that was decided", e.Next)
	}
	w.pass(5 * time.Minute)
	wantTexts(t, "at the same time again", w.tick())
	w.pass(time.Minute)
	wantTexts(t, "later", w.tick(), "m-20260701T121100Z")
}

// TestTick_EveryTickIsDecidedOnceAndInOrder lets time pass in steps, back as well, and compares what was
// decided with all ticks that the schedules have.
func TestTick_EveryTickIsDecidedOnceAndInOrder(t *testing.T) {
	t.Parallel()
	texts := []string{"* * * * * *", "*/7 * * * *", "@hourly", "30 2 * * *", "0 */2 * * *", "@every 97s", "0 0 1 * *"}
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		w.at.Time = rapid.SampledFrom([]time.Time{
			noon, time.Date(2026, 3, 28, 23, 0, 0, 0, time.UTC), time.Date(2026, 10, 24, 23, 59, 59, 5, time.UTC),
		}).Draw(t, "begin").UnixNano()
		worker := w.worker("w")
		decided := map[string][]time.Time{} // with a job or without
		made := map[string]map[int64]bool{}
		var crons []job.Cron
		for i := range rapid.IntRange(1, 4).Draw(t, "schedules") {
			c := everyMinute(fmt.Sprint("c", i))
			c.Schedule = rapid.SampledFrom(texts).Draw(t, "schedule")
			c.Zone = rapid.SampledFrom([]string{"UTC", "Europe/Zurich", "America/New_York"}).Draw(t, "zone")
			c.Missed = job.Missed(rapid.IntRange(0, 2).Draw(t, "missed"))
			c.Overlap = job.Overlap(rapid.IntRange(0, 1).Draw(t, "overlap"))
			w.addCron(c)
			crons, made[c.Name] = append(crons, c), map[int64]bool{}
		}
		schedules := map[string]*cron.Schedule{}
		for _, c := range crons {
			schedules[c.Name], _ = cron.Parse(c.Schedule, c.Zone)
		}
		latest := w.at.Time
		for range rapid.IntRange(1, 8).Draw(t, "steps") {
			w.pass(rapid.SampledFrom([]time.Duration{
				time.Second, 999 * time.Millisecond, time.Minute, 59 * time.Second, time.Hour, 3 * time.Hour, 26 * time.Hour, -time.Hour, -time.Second,
			}).Draw(t, "step"))
			latest = max(latest, w.at.Time)
			for range rapid.IntRange(0, 3).Draw(t, "commits") {
				now := w.at.When()
				for _, e := range w.must(decide.Tick(w.State, w.at)) {
					ticked, ok := e.(job.CronTicked)
					if !ok {
						continue
					}
					name := w.Jobs.CronName(ticked.Cron)
					c := w.cron(name)
					first := max(ticked.Since, 0)
					if first == 0 {
						first = ticked.Tick
					}
					for at := time.Unix(0, first-1); ; {
						tick, _ := schedules[name].Next(at, c.Anchor)
						if tick.UnixNano() > ticked.Tick {
							break
						}
						decided[name] = append(decided[name], tick)
						at = tick
					}
					if time.Unix(0, ticked.Tick).After(now) {
						t.Fatalf("%s: a tick of %v is decided at %v", name, time.Unix(0, ticked.Tick).UTC(), now)
					}
					if ticked.Made != 0 {
						if made[name][ticked.Tick] {
							t.Fatalf("%s: two jobs of the tick %v", name, time.Unix(0, ticked.Tick).UTC())
						}
						made[name][ticked.Tick] = true
					}
				}
			}
			if rapid.Bool().Draw(t, "run a job") && w.Timeline.Len() > 0 {
				w.run(worker, decide.Outcome{})
			}
		}
		for _, c := range crons {
			e := w.cron(c.Name)
			at := e.Anchor
			for i, got := range decided[c.Name] {
				want, _ := schedules[c.Name].Next(at, e.Anchor)
				if !got.Equal(want) {
					t.Fatalf("%s %q: tick %d that was decided is %v, want %v", c.Name, c.Schedule, i, got, want)
				}
				at = want
			}
			if next, _ := schedules[c.Name].Next(at, e.Anchor); !next.Equal(e.Next) {
				t.Fatalf("%s %q: the next tick is %v, want %v", c.Name, c.Schedule, e.Next, next)
			}
		}
		w.agree()
	})
}
