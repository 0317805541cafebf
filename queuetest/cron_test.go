package queuetest_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
	"github.com/queuectl/queuectl/queue"
	"github.com/queuectl/queuectl/queuetest"
)

var nothing = map[string]queue.Handler{"k": func(context.Context, job.Job) error { return nil }}

func TestNextTick_StepsFromTickToTick(t *testing.T) {
	t.Parallel()
	q, clock := queuetest.Open(t)
	if _, ok, err := queuetest.NextTick(t.Context(), q, clock); ok || err != nil || !clock.Now().Equal(queuetest.Start) {
		t.Errorf("without schedules: %v, %v, at %v", ok, err, clock.Now())
	}
	for name, text := range map[string]string{"hourly": "@hourly", "daily": "30 2 * * *"} {
		if _, err := q.AddCron(t.Context(), job.Cron{Name: name, Schedule: text, Zone: "UTC", Job: job.Spec{Kind: "k"}}, false); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for range 4 {
		c, ok, err := queuetest.NextTick(t.Context(), q, clock)
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
		if err := queuetest.Drain(t.Context(), q, nothing); err != nil {
			t.Fatal(err)
		}
		got = append(got, c.Name+clock.Now().Format(" 15:04"))
	}
	if want := []string{"hourly 01:00", "hourly 02:00", "daily 02:30", "hourly 03:00"}; !slices.Equal(got, want) {
		t.Errorf("ticks %q, want %q", got, want)
	}
	jobs, err := q.List(t.Context(), projection.Filter{States: []job.State{job.Completed}})
	if err != nil || len(jobs) != 4 {
		t.Errorf("%d jobs are completed (%v), want one for each tick", len(jobs), err)
	}
}

// TestTicks_OnceWhateverRestarts lets several processes work at the same time, kills some, cuts the power, and
// sets the clock. No tick may be decided twice, none before its time, and none be left out.
func TestTicks_OnceWhateverRestarts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		memory, clock := queue.NewMemory(), queuetest.NewClock(queuetest.Start)
		open := func() *queue.Queue {
			q, err := memory.Open(context.Background(), queue.Options{Now: clock.Now, Elapsed: clock.Elapsed})
			if err != nil {
				t.Fatal(err)
			}
			return q
		}
		processes := []*queue.Queue{open(), open(), open()}
		defer func() {
			for _, q := range processes {
				_ = q.Close() // of a killed one it says so
			}
		}()
		for i, text := range []string{"* * * * *", "@every 20s", "*/5 * * * * *"}[:rapid.IntRange(1, 3).Draw(t, "schedules")] {
			c := job.Cron{
				Name: fmt.Sprint("c", i), Schedule: text, Zone: "UTC", Job: job.Spec{Kind: "k"},
				Missed: job.Missed(rapid.IntRange(0, 2).Draw(t, "missed")), Overlap: job.Overlap(rapid.IntRange(0, 1).Draw(t, "overlap")),
			}
			if _, err := processes[0].AddCron(context.Background(), c, false); err != nil {
				t.Fatal(err)
			}
		}
		for range rapid.IntRange(1, 6).Draw(t, "steps") {
			switch rapid.SampledFrom([]string{"pass", "pass", "step", "kill", "cut"}).Draw(t, "before") {
			case "pass":
				clock.Advance(time.Duration(rapid.IntRange(1, 300).Draw(t, "seconds")) * time.Second)
			case "step":
				clock.Step(time.Duration(rapid.IntRange(-300, 300).Draw(t, "seconds")) * time.Second)
			case "kill":
				i := rapid.IntRange(0, 2).Draw(t, "process")
				memory.Kill(processes[i])
				processes[i] = open()
			case "cut":
				memory.Log.PowerCut(rapid.IntRange(0, 2).Draw(t, "unsynced frames kept"))
				for i, q := range processes {
					memory.Kill(q)
					processes[i] = open()
				}
			}
			var workers sync.WaitGroup
			for _, q := range processes {
				workers.Go(func() {
					if err := queuetest.Drain(context.Background(), q, nothing); err != nil {
						t.Errorf("drain: %v", err)
					}
				})
			}
			workers.Wait()
		}
		checkTicks(t, processes[0])
	})
}

// checkTicks reads the log and looks whether each schedule's ticks follow each other, each with at most one job.
func checkTicks(t *rapid.T, q *queue.Queue) {
	next := map[job.Position]int64{}
	enqueued := map[job.Position]string{}
	names := map[job.Position]string{}
	made := 0
	err := q.Read(context.Background(), func(r queue.Record) error {
		switch e := r.Event.(type) {
		case *job.CronAdded:
			next[r.At.Position], names[r.At.Position] = e.Next, e.New.Name
		case *job.JobEnqueued:
			enqueued[r.At.Position] = e.Spec.ID
		case job.CronTicked:
			first := e.Tick
			if e.Since != 0 {
				first = e.Since
			}
			if first != next[e.Cron] || e.Next <= e.Tick || e.Tick > r.At.Time {
				t.Errorf("at %d: ticks from %d to %d are decided at %d, and %d was the next", r.At.Position, first, e.Tick, r.At.Time, next[e.Cron])
			}
			next[e.Cron] = e.Next
			if e.Made != 0 {
				made++
				if want := job.TickID(names[e.Cron], time.Unix(0, e.Tick)); enqueued[e.Made] != want {
					t.Errorf("at %d: the tick made %q, want %q", r.At.Position, enqueued[e.Made], want)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if made != len(enqueued) {
		t.Errorf("%d jobs of %d ticks", len(enqueued), made)
	}
	crons, err := q.Crons(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range crons {
		if c.Next.UnixNano() != next[c.Key] {
			t.Errorf("%s ticks next at %v, the log says %v", c.Name, c.Next, time.Unix(0, next[c.Key]).UTC())
		}
	}
}
