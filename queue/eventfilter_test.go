package queue_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// drawRecords are events of a few jobs, kinds and authors, at times that step back.
func drawRecords(t *rapid.T) (records []queue.Record) {
	actors := []*job.Actor{
		nil,
		{User: "ada", Host: "engine", PID: 1, Program: "queuectl v1.0.0"},
		{User: "ada", Host: "loom", PID: 12, Program: "tool"},
		{User: "12", Host: "engine", PID: 7, Program: "queuectl v2.0.0"},
	}
	events := []job.Event{
		job.LogCreated{},
		job.ConfigSet{Key: "a"},
		&job.JobEnqueued{},
		job.JobClaimed{Job: 1},
		&job.JobCompleted{Job: 1},
		job.Unknown{Number: 99},
	}
	for p := range rapid.IntRange(0, 30).Draw(t, "events") {
		records = append(records, queue.Record{
			At: job.At{
				Position: job.Position(p + 1), Time: rapid.Int64Range(0, 5).Draw(t, "time"),
				Actor: rapid.SampledFrom(actors).Draw(t, "actor"),
			},
			Event: rapid.SampledFrom(events).Draw(t, "event"),
			ID:    rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "id"),
			Queue: rapid.SampledFrom([]string{"", "default", "a"}).Draw(t, "queue"),
		})
	}
	return records
}

func drawMoment(t *rapid.T, label string) queue.Moment {
	switch rapid.IntRange(0, 2).Draw(t, label) {
	case 0:
		return queue.Moment{}
	case 1:
		return queue.Moment{Position: job.Position(rapid.IntRange(1, 31).Draw(t, label))}
	}
	return queue.Moment{Time: time.Unix(0, rapid.Int64Range(0, 5).Draw(t, label))}
}

func TestEventFilter_ASpanIncludesItsEnds(t *testing.T) {
	t.Parallel()
	at := func(n int64) queue.Moment { return queue.Moment{Time: time.Unix(0, n)} }
	for _, f := range []queue.EventFilter{
		{From: queue.Moment{Position: 2}, To: queue.Moment{Position: 4}},
		{From: at(20), To: at(40)},
		{From: at(20), To: queue.Moment{Position: 4}},
	} {
		var got []int
		for n := 1; n <= 5; n++ {
			if f.Match(queue.Record{At: job.At{Position: job.Position(n), Time: int64(10 * n)}, Event: job.LogCreated{}}) {
				got = append(got, n)
			}
		}
		if !slices.Equal(got, []int{2, 3, 4}) {
			t.Errorf("%+v selects %v of 1 to 5, want 2 to 4", f, got)
		}
	}
}

// TestEventFilter_SelectsWhatEachConditionSelects compares Match with a list from which each condition
// takes what does not satisfy it.
func TestEventFilter_SelectsWhatEachConditionSelects(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		records := drawRecords(t)
		f := queue.EventFilter{
			From: drawMoment(t, "from"), To: drawMoment(t, "to"),
			Kinds: rapid.SliceOfN(rapid.SampledFrom([]job.Kind{1, 10, 21, 99, 43}), 0, 2).Draw(t, "kinds"),
			Job:   rapid.SampledFrom([]string{"", "", "a", "c"}).Draw(t, "job"),
			Queue: rapid.SampledFrom([]string{"", "", "a", "default"}).Draw(t, "of queue"),
			By: rapid.SampledFrom([]string{
				"", "", "ada", "ada@engine", "@engine", "12", "1", "queuectl", "queuectl v1.0.0", "v1.0.0", "tool",
			}).Draw(t, "by"),
		}
		left := map[job.Position]queue.Record{}
		for _, r := range records {
			left[r.At.Position] = r
		}
		drop := func(set bool, unless func(queue.Record) bool) {
			for p, r := range left {
				if set && !unless(r) {
					delete(left, p)
				}
			}
		}
		drop(f.From.Position != 0, func(r queue.Record) bool { return r.At.Position >= f.From.Position })
		drop(f.To.Position != 0, func(r queue.Record) bool { return r.At.Position <= f.To.Position })
		drop(!f.From.Time.IsZero(), func(r queue.Record) bool { return r.At.Time >= f.From.Time.UnixNano() })
		drop(!f.To.Time.IsZero(), func(r queue.Record) bool { return r.At.Time <= f.To.Time.UnixNano() })
		drop(len(f.Kinds) > 0, func(r queue.Record) bool { return slices.Contains(f.Kinds, job.KindOf(r.Event)) })
		drop(f.Job != "", func(r queue.Record) bool { return r.ID == f.Job })
		drop(f.Queue != "", func(r queue.Record) bool { return r.Queue == f.Queue })
		drop(f.By != "", func(r queue.Record) bool {
			wrote := map[string]string{
				"ada": "ada@engine ada@loom", "ada@engine": "ada@engine", "12": "ada@loom 12@engine", "1": "ada@engine",
				"queuectl": "ada@engine 12@engine", "queuectl v1.0.0": "ada@engine", "tool": "ada@loom",
			}
			who := "nobody"
			if a := r.At.Actor; a != nil {
				who = a.User + "@" + a.Host
			}
			return slices.Contains(strings.Fields(wrote[f.By]), who)
		})
		for _, r := range records {
			_, want := left[r.At.Position]
			if got := f.Match(r); got != want {
				t.Errorf("%+v of %+v: got %v, want %v", f, r, got, want)
			}
			if f.Past(r.At.Position) && want {
				t.Errorf("%+v is past position %d, which it selects", f, r.At.Position)
			}
		}
	})
}
